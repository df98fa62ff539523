package flexfn

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestKeptAnswers(t *testing.T) {
	for _, a := range []answer{
		{status: 200, body: []byte("{}")},
		{status: 204, body: []byte{}},
		{status: 599, contentType: "text/xml", body: []byte("<x/>")},
		{status: 202, header: http.Header{"A": {"1", "2"}, "B": {"", "3"}}, body: []byte{}},
	} {
		data := a.encode()
		got, err := decodeAnswer(data)
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v became %+v, %v", a, got, err)
		}
		for n := range len(data) - len(a.body) {
			if got, err := decodeAnswer(data[:n]); !errors.Is(err, errKeptAnswer) {
				t.Errorf("%+v, cut after %d bytes, became %+v, %v", a, n, got, err)
			}
		}
	}
	for name, data := range map[string][]byte{
		"a huge length": binary.AppendUvarint(binary.AppendUvarint(nil, 200), 1<<63+1),
		"status 199":    answer{status: 199}.encode(),
		"status 600":    answer{status: 600}.encode(),
	} {
		if got, err := decodeAnswer(data); !errors.Is(err, errKeptAnswer) {
			t.Errorf("%s became %+v, %v", name, got, err)
		}
	}
	// The bound includes everything that is kept: here 8 bytes of content type
	// and 1 + 1 of the header, with 4 for each length and 16 for the rest.
	a := answer{status: 200, contentType: "text/xml", header: http.Header{"A": {"1"}}, body: make([]byte, maxKeptAnswer-8-10-16)}
	if a.encode() == nil {
		t.Error("the longest answer is not kept")
	}
	a.body = append(a.body, 0)
	if a.encode() != nil {
		t.Error("an answer that is too long is kept")
	}
}

func TestBoundsOfKeep(t *testing.T) {
	handler := func(context.Context, Event) (any, error) { return nil, nil }
	for keep, good := range map[time.Duration]bool{
		time.Second: true, longestKeep: true, time.Second - 1: false, longestKeep + 1: false, 0: false,
	} {
		if f := PrepareFlexFunction(handler, Once(keep)); (f.fault == nil) != good {
			t.Errorf("Once(%s): %v", keep, f.fault)
		}
	}
}

// TestCarriedOn: a call continues without its caller if the next one could find
// its answer.
func TestCarriedOn(t *testing.T) {
	handler := func(context.Context, Event) (any, error) { return nil, nil }
	keyed := http.Header{idempotencyKey: {"k"}, twilioKey: {"k"}}
	for name, c := range map[string]struct {
		fn     *Function
		header http.Header
		want   bool
	}{
		"unguarded":              {PrepareFlexFunction(handler), keyed, false},
		"by header, without one": {PrepareFlexFunction(handler, Once(time.Hour)), nil, false},
		"by header":              {PrepareFlexFunction(handler, Once(time.Hour)), keyed, true},
		"by Twilio's header":     {PrepareStudioFunction(handler, Once(time.Hour)), keyed, true},
		"by parameter":           {PrepareFlexFunction(handler, Require("a", "…"), Once(time.Hour, "a")), nil, true},
	} {
		call := &call{fn: &route{Function: c.fn}, request: &http.Request{Header: c.header}}
		if got := call.carriedOn(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

type orderedKey struct {
	N    int    `json:"n"`
	Name string `json:"name"`
	Set  string `json:"set"`
}

func (o *orderedKey) Validate() error {
	if o.Name == "fill" {
		o.Set = "filled"
	}
	return nil
}

// TestKeyOfParameters finds out which parameters make up the key of a guarded
// call, from the number of times that the handler ran for two calls.
func TestKeyOfParameters(t *testing.T) {
	runs := 0
	run := func() (any, error) { runs++; return map[string]any{"run": runs}, nil }
	typed := func(parameters ...string) *Function {
		return PrepareStudioFunction(func(context.Context, orderedKey) (any, error) { return run() }, Once(time.Hour, parameters...))
	}
	untyped := func() *Function {
		return PrepareStudioFunction(func(context.Context, Event) (any, error) { return run() }, Require("n", "…"), Once(time.Hour, "n"))
	}
	for name, c := range map[string]struct {
		fn            *Function
		first, second string
		runs          int
	}{
		"untyped":                  {untyped(), "n=1", "n=1&x=2", 1},
		"untyped, other value":     {untyped(), "n=1", "n=2", 2},
		"untyped, a list":          {untyped(), "n=1&n=2", "n=1&n=3", 2},
		"number":                   {typed("n"), "n=1", "n=1&name=x", 1},
		"other number":             {typed("n"), "n=1", "n=2", 2},
		"zero":                     {typed("n"), "n=0", "n=0", 1},
		"none":                     {typed("n"), "name=x", "name=x", 2},
		"filled by Validate":       {typed("set"), "name=fill", "name=fill", 1},
		"first of two":             {typed("name", "n"), "name=x", "name=x", 1},
		"second of two":            {typed("name", "n"), "n=1", "n=1", 1},
		"second of two, and other": {typed("name", "n"), "n=1", "n=1&name=x", 2},
	} {
		runs = 0
		post := studioApp(t, "/f", c.fn)
		for _, body := range []string{c.first, c.second} {
			if w := post(body); w.Code != 200 {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		if runs != c.runs {
			t.Errorf("%s: %d runs, want %d", name, runs, c.runs)
		}
	}
}

func TestLengthOfAKey(t *testing.T) {
	app := testApp(t, nil)
	f := PrepareFlexFunction(func(context.Context, Event) (any, error) { return nil, nil }, Once(time.Hour))
	for length, good := range map[int]bool{maxHeaderKey: true, maxHeaderKey + 1: false} {
		r := httptest.NewRequest("POST", "/f", nil)
		r.Header.Set(idempotencyKey, strings.Repeat("k", length))
		call := &call{app: app, fn: &route{Function: f}, request: r}
		if _, guarded, err := call.guard(new(values), Event{}); guarded != good || (err == nil) != good {
			t.Errorf("%d bytes: guarded %t, %v", length, guarded, err)
		}
	}
}
