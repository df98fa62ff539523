package flexfn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

type successKey struct {
	Success bool `json:"success"`
}

type marshalsItself struct{ A string }

func (*marshalsItself) MarshalJSON() ([]byte, error) { return json.Marshal("x") }

// TestKeysOfType: a type says which of the envelope's keys its values have, or
// that they are known only once encoded.
func TestKeysOfType(t *testing.T) {
	for _, c := range []struct {
		out  any
		want *answerKeys
	}{
		{struct{ A int }{}, &answerKeys{}},
		{successKey{}, &answerKeys{success: true}},
		{&successKey{}, &answerKeys{success: true}},
		{struct {
			S int `json:"status"`
			T int `json:"success"`
		}{}, &answerKeys{success: true, status: true}},
		{struct {
			A int `json:"a,omitempty"`
		}{}, &answerKeys{}},
		{reflect.Zero(reflect.StructOf([]reflect.StructField{{Name: "hidden", PkgPath: "x", Type: reflect.TypeFor[bool](), Tag: `json:"success"`}})).Interface(), &answerKeys{}},
		{struct{ successKey }{}, &answerKeys{success: true}},
		{struct {
			successKey `json:"inner"`
		}{}, &answerKeys{}},
		{struct {
			*successKey `json:"inner"`
		}{}, &answerKeys{}},
		{struct{ *successKey }{}, nil},
		{struct {
			successKey
			Own bool `json:"success"`
		}{}, nil},
		{struct {
			S bool `json:"success,omitempty"`
		}{}, nil},
		{marshalsItself{}, nil},
		{&marshalsItself{}, nil},
		{map[string]any{}, nil},
		{"text", nil},
	} {
		got := keysOfType(reflect.TypeOf(c.out))
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%T: %+v, want %+v", c.out, got, c.want)
		}
	}
}

func TestStatusOfAResponse(t *testing.T) {
	app := testApp(t, nil)
	var out *Response
	app.Handle("/f", PrepareStudioFunction(func(context.Context, Event) (*Response, error) { return out, nil }, OpenToAnyone()))
	for status, want := range map[int]int{0: 200, 200: 200, 399: 399, 400: 400, 599: 599, 199: 500, 600: 500, -1: 500} {
		out = &Response{Status: status, Body: map[string]any{}}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/f", nil))
		if w.Code != want || strings.Contains(w.Body.String(), `"success":true`) != (want < 400) {
			t.Errorf("%d: %d %s", status, w.Code, w.Body)
		}
	}
}

// TestNotSetUpIsNotLogged: the 501 of a feature that is not set up is not
// logged as a failure; a service's 501 is.
func TestNotSetUpIsNotLogged(t *testing.T) {
	for _, c := range []struct {
		err    *Error
		logged bool
	}{
		{&Error{Status: 501, Message: "set X"}, false},
		{&Error{Status: 501, TwilioErrorCode: 20501}, true},
		{&Error{Status: 501, Err: errors.New("x")}, true},
		{&Error{Status: 500}, true},
		{&Error{Status: 499}, false},
	} {
		var log bytes.Buffer
		app := testApp(t, func(config *Config) { config.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		app.Handle("/f", PrepareStudioFunction(func(context.Context, Event) (any, error) { return nil, c.err }, OpenToAnyone()))
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/f", nil))
		waitForLog(app)
		if strings.Contains(log.String(), "function failed") != c.logged || strings.Contains(w.Body.String(), "requestId") != (c.err.Status >= 500) || w.Header().Get("Retry-After") != "" {
			t.Errorf("%v: %s, %s", c.err, w.Body, &log)
		}
	}
}

func TestLateMessage(t *testing.T) {
	if got := lateMessage(0); got != "No time was left for the function" {
		t.Error(got)
	}
}
