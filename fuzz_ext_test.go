package flexfn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/blind"
)

// fuzzed serves a typed and an untyped function, and records what their
// handlers received.
type fuzzed struct {
	app   *flexfn.App
	event flexfn.Event
	typed kinds
}

func newFuzzed(f *testing.F) *fuzzed {
	z := new(fuzzed)
	z.app = newApp(f, testConfig(nil))
	z.app.Handle("/event", flexfn.PrepareStudioFunction(func(_ context.Context, e flexfn.Event) (any, error) {
		z.event = e
		return map[string]any{"event": e}, nil
	}, flexfn.OpenToAnyone()))
	z.app.Handle("/typed", flexfn.PrepareStudioFunction(func(_ context.Context, in kinds) (any, error) {
		z.typed = in
		return nil, nil
	}, flexfn.OpenToAnyone()))
	return z
}

// send sends a request, checks what must hold for every answer, and returns the
// status.
func (z *fuzzed) send(t *testing.T, path, rawQuery, contentType string, body []byte) int {
	t.Helper()
	z.event, z.typed = nil, kinds{}
	req := &http.Request{Method: "POST", Host: "example.com", RemoteAddr: "192.0.2.1:1234", RequestURI: path, URL: &url.URL{Path: path, RawQuery: rawQuery},
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	z.app.ServeHTTP(w, req)
	switch w.Code {
	case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
	default:
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var answer struct{ Success *bool }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Success == nil || *answer.Success != (w.Code == 200) {
		t.Fatalf("status %d, answer %s: %v", w.Code, w.Body, err)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("headers %v", w.Header())
	}
	return w.Code
}

// agrees checks that the untyped and the typed function read the same pairs.
func (z *fuzzed) agrees(t *testing.T, send func(path string) int, pairs string) {
	// If the standard library parses the text without an error, and the text is
	// UTF-8, the event must equal its result.
	want, err := url.ParseQuery(pairs)
	if status := send("/event"); status == 200 && err == nil && utf8.ValidString(pairs) {
		for key, list := range want {
			valid := utf8.ValidString(key)
			for _, v := range list {
				valid = valid && utf8.ValidString(v)
			}
			if !valid || key == "" {
				continue
			}
			var have []string
			switch v := z.event[key].(type) {
			case string:
				have = []string{v}
			case []any:
				for _, item := range v {
					have = append(have, item.(string))
				}
			}
			if !reflect.DeepEqual(have, list) {
				t.Errorf("%q is %q, want %q", key, have, list)
			}
		}
	}
	event := z.event
	if send("/typed") != 200 || event == nil {
		return
	}
	if s, ok := agreed(event["s"]).(string); z.typed.S != s && (ok || z.typed.S != "") {
		t.Errorf("s is %q, the event has %q", z.typed.S, event["s"])
	}
	if z.typed.B != (agreed(event["b"]) == "true") {
		t.Errorf("b is %v, the event has %q", z.typed.B, event["b"])
	}
	checkKinds(t, z.typed)
}

// agreed returns the value of a repeated key if all its values are equal.
func agreed(v any) any {
	list, ok := v.([]any)
	if !ok || slices.ContainsFunc(list, func(item any) bool { return item != list[0] }) {
		return v
	}
	return list[0]
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

// checkKinds checks the values that were accepted.
func checkKinds(t *testing.T, in kinds) {
	if in.Call != "" && !flexfn.ValidSID(in.Call, "CA") || in.Phone != "" && !e164.MatchString(in.Phone) ||
		strings.ContainsAny(in.Call+in.Place+strings.Join(in.SIDs, ""), "/.?#%\\") {
		t.Errorf("accepted %q, %q, %q, %q", in.Call, in.Place, in.Phone, in.SIDs)
	}
	if !utf8.ValidString(in.S) {
		t.Errorf("accepted %q", in.S)
	}
}

var formSeeds = []string{
	"", "s=a+b&b=true&i=5", "s=1&s=2", "s=%zz", "=v&&&", "a;b=1", "s=%C3%A9&s=%ff", "call=CA00000000000000000000000000000001",
	"o=%7B%22a%22%3A1%7D&m={}&raw=[1]&is=[1,2]", "t=2026-01-31T15:04:05Z&d=90&f=1e3&u=1&i8=-128&phone=%2B15550100", "__proto__=x&Token=t",
}

func FuzzQueryParameters(f *testing.F) {
	for _, s := range formSeeds {
		f.Add(s)
	}
	z := newFuzzed(f)
	blind.Fuzz(f, func(t *testing.T, query string) {
		z.agrees(t, func(path string) int { return z.send(t, path, query, "", nil) }, query)
	})
}

func FuzzFormParameters(f *testing.F) {
	for _, s := range formSeeds {
		f.Add(s)
	}
	z := newFuzzed(f)
	blind.Fuzz(f, func(t *testing.T, form string) {
		z.agrees(t, func(path string) int { return z.send(t, path, "", formType, []byte(form)) }, strings.TrimPrefix(form, "\ufeff"))
	})
}

func FuzzJSONParameters(f *testing.F) {
	for _, s := range []string{
		"", "{}", "null", "[]", "{\"s\":\"a\",\"s\":\"b\"}", `{"b":true,"i":-5,"f":1e3,"n":12345678901234567890}`, "\xef\xbb\xbf{}",
		`{"o":{"a":1,"b":"x"},"os":[{}],"m":{"k":[{}]},"raw":{"z":1},"any":1e400,"ss":["a"],"is":["1",2]}`, `{"a":{"b":{"c":"\ud800"}}}`,
		`{"t":"2026-01-31T15:04:05Z","d":1.5,"call":"CA00000000000000000000000000000001"}`, strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101),
	} {
		f.Add([]byte(s))
	}
	z := newFuzzed(f)
	blind.Fuzz(f, func(t *testing.T, body []byte) {
		status := z.send(t, "/event", "", jsonType, body)
		text := bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want map[string]any
		isObject := json.Valid(text) && d.Decode(&want) == nil && want != nil
		if status == 200 && !isObject && len(bytes.TrimSpace(text)) > 0 {
			t.Errorf("accepted %q", body)
		}
		if status == 200 && isObject && !reflect.DeepEqual(map[string]any(z.event), want) {
			t.Errorf("event %v, want %v", z.event, want)
		}
		if z.send(t, "/typed", "", jsonType, body) == 200 {
			checkKinds(t, z.typed)
		}
	})
}

// FuzzContentType sends a body with any content type. Parameters of the content
// type do not change how forms and JSON are read. A body of any other type,
// including multipart and unknown types, adds nothing to the parameters of the
// query.
func FuzzContentType(f *testing.F) {
	multipart := "--x\r\nContent-Disposition: form-data; name=\"s\"\r\n\r\nfrom the body\r\n--x--\r\n"
	for _, contentType := range []string{
		"multipart/form-data; boundary=x", "multipart/form-data", "multipart/mixed; boundary=\"x\"", "text/plain", "", "application/xml", ";", "a/b/c",
		"application/x-www-form-urlencoded", "Application/JSON; charset=UTF-8", "application/json; charset=utf8", "application/json; charset=utf-16", "application/json;x=\"a;charset=utf-16\"",
		"application/json, text/plain", "application/vnd.api+json", "application/x-www-form-urlencoded; charset=iso-8859-1", " application/json ", "application/json\x00",
	} {
		f.Add(contentType, []byte(multipart), "s=q")
		f.Add(contentType, []byte(`{"s":"from the body"}`), "s=q&b=true")
		f.Add(contentType, []byte("s=from+the+body&b=1"), "")
	}
	z := newFuzzed(f)
	blind.Fuzz(f, func(t *testing.T, contentType string, body []byte, query string) {
		status := z.send(t, "/event", query, contentType, body)
		event := z.event
		media, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			return
		}
		switch charset := strings.ToLower(params["charset"]); {
		case media != formType && media != jsonType:
			if wanted := z.send(t, "/event", query, "", nil); status != wanted || !reflect.DeepEqual(event, z.event) {
				t.Fatalf("%q with a body: %d, %v; without: %d, %v", contentType, status, event, wanted, z.event)
			}
		case len(body) > 0 && !slices.Contains([]string{"", "utf-8", "utf8", "us-ascii"}, charset):
			if status == http.StatusOK {
				t.Fatalf("%q was read", contentType)
			}
		case status != http.StatusUnsupportedMediaType:
			if wanted := z.send(t, "/event", query, media, body); status != wanted || !reflect.DeepEqual(event, z.event) {
				t.Fatalf("%q: %d, %v; as %s: %d, %v", contentType, status, event, media, wanted, z.event)
			}
		}
	})
}
