package flexfn

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/form"
)

// TestByteOrderMarks: a byte order mark in front of a body, or of JSON in a
// parameter, is dropped.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\ufeff"
	type input struct {
		A     string   `json:"a"`
		Items []string `json:"items"`
		Any   any      `json:"any"`
		Point struct {
			X int `json:"x"`
		} `json:"point"`
	}
	app := testApp(t, nil)
	app.Handle("/f", PrepareStudioFunction(func(_ context.Context, in input) (input, error) { return in, nil }, OpenToAnyone()))
	bound := url.Values{"a": {"1"}, "items": {mark + `["x"]`}, "any": {mark + `{"y":2}`}, "point": {mark + `{"x":3}`}}.Encode()
	for contentType, body := range map[string]string{
		form.MediaType:     mark + bound,
		"application/json": mark + `{"a":"1","items":["x"],"any":{"y":2},"point":{"x":3}}`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/f", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if want := `{"a":"1","items":["x"],"any":{"y":2},"point":{"x":3},"success":true}`; w.Body.String() != want {
			t.Errorf("%s: %s", contentType, w.Body)
		}
	}
	resp := &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(mark + `{"x":4}`))}
	if data, err := ReadJSON[struct{ X int }](resp, nil); data.X != 4 {
		t.Errorf("an answer with a mark: %+v, %v", data, err)
	}
}

// TestBracketsGetAHint: items[]=1 does not set the parameter items. The log gets
// a hint; the message to the caller stays the same.
func TestBracketsGetAHint(t *testing.T) {
	type input struct {
		Items []string `json:"items" purpose:"what is to be done"`
		More  []string `json:"more"`
	}
	var log bytes.Buffer
	app := testApp(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	typed := func(context.Context, input) (any, error) { return nil, nil }
	untyped := func(context.Context, Event) (any, error) { return nil, nil }
	app.Handle("/typed", PrepareStudioFunction(typed, OpenToAnyone()))
	app.Handle("/untyped", PrepareStudioFunction(untyped, OpenToAnyone(), Require("items", "what is to be done")))
	for _, c := range []struct {
		target, body string
		status       int
		hint         string
	}{
		{"/typed", "items[]=1", 400, "items[] is not read: give items once for each value, or as a JSON list"},
		{"/untyped?items%5B0%5D=1", "", 400, "items[] is not read: give items once for each value, or as a JSON list"},
		{"/typed", "items[]=1&more[]=2", 400, "items[] is not read: give items once for each value, or as a JSON list; more[] is not read: give more once for each value, or as a JSON list"},
		{"/typed", "items=&items[]=1", 400, ""},
		{"/typed", "other[]=1&itemsx[]=1&items[=1&items[length]=1&items]=1", 400, ""},
		{"/typed", "items=1&more[]=2", 200, ""},
	} {
		log.Reset()
		r := httptest.NewRequest(http.MethodPost, c.target, strings.NewReader(c.body))
		r.Header.Set("Content-Type", form.MediaType)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		var got struct{ Message, Hint string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		path, _, _ := strings.Cut(c.target, "?")
		if w.Code != c.status || got.Hint != c.hint || c.status == 400 && got.Message != "("+path+") Missing items: what is to be done" {
			t.Errorf("%s %s: %d %+v", c.target, c.body, w.Code, got)
		}
		if logged := strings.Contains(log.String(), "more[] is not read"); logged != (c.status == 200) {
			t.Errorf("%s: the log has %q", c.body, log.String())
		}
	}
}

// TestIgnoredBodyWithTheToken: a refusal says so if the token may have been in a
// body that was not read.
func TestIgnoredBodyWithTheToken(t *testing.T) {
	app := testApp(t, nil)
	app.Handle("/f", PrepareFlexFunction(func(context.Context, Event) (any, error) { return nil, nil }))
	for contentType, ignored := range map[string]bool{"text/plain": true, "multipart/form-data; boundary=x": true, form.MediaType: false} {
		r := httptest.NewRequest(http.MethodPost, "/f", strings.NewReader("a=1"))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != 403 || !strings.Contains(w.Body.String(), "Unauthorized: Token was not provided") || strings.Contains(w.Body.String(), notRead) != ignored {
			t.Errorf("%s: %d %s", contentType, w.Code, w.Body)
		}
	}
}

func TestHandlersExposeHeaders(t *testing.T) {
	app := testApp(t, nil)
	app.Handle("/f", PrepareStudioFunction(func(context.Context, Event) (*Response, error) {
		return &Response{Header: http.Header{
			"access-control-expose-headers": {"X-Total", "X-Page"}, "Access-Control-Allow-Origin": {"https://evil.example"},
		}}, nil
	}, OpenToAnyone()))
	for range 2 { // the app's own list does not grow
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/f", nil))
		if got := w.Header().Values("Access-Control-Expose-Headers"); !slices.Equal(got, []string{"Retry-After, X-Request-Id, X-Total, X-Page"}) {
			t.Errorf("exposed: %q", got)
		}
		if got := w.Header().Values("Access-Control-Allow-Origin"); !slices.Equal(got, []string{"*"}) {
			t.Errorf("allowed: %q", got)
		}
	}
}

// TestPathsThatBeginOthers: two signed functions, one of whose paths is a prefix
// of the other's, cause one warning, in either order.
func TestPathsThatBeginOthers(t *testing.T) {
	var log bytes.Buffer
	app := testApp(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	signed := PrepareStudioFunction(func(context.Context, Event) (any, error) { return nil, nil })
	open := PrepareStudioFunction(func(context.Context, Event) (any, error) { return nil, nil }, OpenToAnyone())
	flex := PrepareFlexFunction(func(context.Context, Event) (any, error) { return nil, nil })
	for _, c := range []struct {
		path string
		f    *Function
		want []string
	}{
		{"/studio/hours-today", signed, nil},
		{"/studio/hours", signed, []string{"path=/studio/hours longer=/studio/hours-today"}},
		{"/studio/other", signed, nil},
		{"/studio/hours/of/day", signed, []string{"path=/studio/hours longer=/studio/hours/of/day"}},
		{"/studio/hour", open, nil},
		{"/studio/hours-t", flex, nil},
		{"/studio/ho", signed, []string{
			"path=/studio/ho longer=/studio/hours ", "path=/studio/ho longer=/studio/hours-today", "path=/studio/ho longer=/studio/hours/of/day",
		}},
	} {
		log.Reset()
		app.Handle(c.path, c.f)
		waitForLog(app)
		got := log.String()
		if strings.Count(got, "\n") != len(c.want) {
			t.Errorf("%s: %s", c.path, got)
		}
		for _, want := range c.want {
			if !strings.Contains(strings.ReplaceAll(got, "\n", " "), want) {
				t.Errorf("%s: %q does not say %s", c.path, got, want)
			}
		}
	}
}

func waitForLog(app *App) { _ = app.lines.Wait(context.Background()) }

func TestEndlessReplies(t *testing.T) {
	for name, err := range map[string]error{
		"endless":      PrepareFlexFunction(func(context.Context, Event) (endless, error) { return nil, nil }).fault,
		"endlessPoint": PrepareFlexFunction(func(context.Context, Event) (endlessPoint, error) { return nil, nil }).fault,
	} {
		if err == nil || !strings.Contains(err.Error(), "flexfn."+name+" contains itself") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := PrepareFlexFunction(func(context.Context, Event) (tree, error) { return tree{}, nil }).fault; err != nil {
		t.Error(err)
	}
}
