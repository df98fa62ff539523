package recorder

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWriter checks that the answer is the same with and without To, and that
// what is kept is bounded.
func TestWriter(t *testing.T) {
	for _, to := range []*httptest.ResponseRecorder{nil, httptest.NewRecorder()} {
		w := &Writer{Body: Body{Limit: 4}, Begin: func(h http.Header) { h.Del("Secret") }}
		if to != nil {
			w.To = to
		}
		if w.Status() != 200 || w.Begun {
			t.Error("an answer was begun")
		}
		w.Header().Set("Secret", "x")
		w.Header().Set("Kept", "y")
		if to == nil { // httptest takes it for the answer
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.WriteHeader(http.StatusTeapot)
		if n, err := fmt.Fprint(w, "123456"); n != 6 || err != nil {
			t.Error(n, err)
		}
		w.Flush()
		if w.Status() != http.StatusTeapot || string(w.Body.Bytes()) != "1234" || !w.Body.Cut || !w.Flushed ||
			w.Header().Get("Secret") != "" || w.Header().Get("Kept") != "y" {
			t.Errorf("kept %d %q, cut %v, flushed %v, %v", w.Status(), w.Body.Bytes(), w.Body.Cut, w.Flushed, w.Header())
		}
		if to != nil && (to.Code != http.StatusTeapot || to.Body.String() != "123456" || !to.Flushed || to.Result().Header.Get("Secret") != "") {
			t.Errorf("sent %d %s %v", to.Code, to.Body, to.Header())
		}
	}
}

func TestReader(t *testing.T) {
	var all, some Body
	some.Limit = 2
	text, err := io.ReadAll(all.Reader(some.Reader(io.NopCloser(strings.NewReader("abc")))))
	if string(text) != "abc" || err != nil || string(all.Bytes()) != "abc" || all.Cut || string(some.Bytes()) != "ab" || !some.Cut {
		t.Errorf("%q %v, kept %q and %q", text, err, all.Bytes(), some.Bytes())
	}
}
