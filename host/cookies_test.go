package host

import (
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flexfn/flexfn/internal/testing/blind"
	"github.com/flexfn/flexfn/internal/testing/lambdatest"
)

// FuzzCookies sends two Cookie headers through one of Lambda's front ends, and
// two Set-Cookie headers back. Each side sees what it would without Lambda.
func FuzzCookies(f *testing.F) {
	for i := range lambdatest.Kinds {
		f.Add(uint8(i), "a=1; b=2", "c=3", "s=1; Path=/; HttpOnly", "t=2")
		f.Add(uint8(i), "a=1;b=2", "", "s=", "")
		f.Add(uint8(i), "=; =;;a", "a=\"x, y\"", "a=1, b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=1")
		f.Add(uint8(i), "\x00\r\n", "\xff=é", "x\r\nX: y", "\xff")
		f.Add(uint8(i), "0", "0", "\xdc", "\x80")
	}
	var got, answered http.Header
	l := &lambdaHandler{config: testLambda(f), next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		maps.Copy(w.Header(), answered)
	})}
	var called [len(lambdatest.Kinds)]*url.URL
	for i, kind := range lambdatest.Kinds {
		var err error
		if called[i], err = url.Parse(kind.Base() + "/x"); err != nil {
			f.Fatal(err)
		}
	}
	blind.Fuzz(f, func(t *testing.T, n uint8, first, second, set, setToo string) {
		kind := lambdatest.Kinds[int(n)%len(called)]
		sent := http.Header{"Cookie": {first, second}}
		answered = http.Header{"Set-Cookie": {set, setToo}}
		r := &http.Request{Method: "POST", URL: called[int(n)%len(called)], Header: sent}
		event, err := kind.Event(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := l.invoke(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := kind.Response(r, lambdatest.NewAnswer(body))
		if err != nil {
			t.Fatal(err)
		}
		// An event is JSON, and can hold nothing else than UTF-8. Load
		// balancers join equal headers with a comma, which a cookie may not
		// have; without lists they keep one cookie of an answer.
		if utf8.ValidString(first) && utf8.ValidString(second) && kind != lambdatest.ALBSingle {
			if have, want := cookies(got), cookies(sent); !reflect.DeepEqual(have, want) {
				t.Errorf("%s: the cookies %q, want %q", kind, have, want)
			}
		}
		if kind != lambdatest.ALBSingle && utf8.ValidString(set) && utf8.ValidString(setToo) {
			if have := resp.Header["Set-Cookie"]; !reflect.DeepEqual(have, []string{set, setToo}) {
				t.Errorf("%s: Set-Cookie %q, want %q and %q", kind, have, set, setToo)
			}
		}
		for name := range got {
			if strings.ContainsAny(name, "\r\n: ") {
				t.Errorf("%s: the header %q", kind, name)
			}
		}
	})
}

// cookies returns the cookies that net/http reads.
func cookies(h http.Header) (list []string) {
	for _, c := range (&http.Request{Header: h}).Cookies() {
		list = append(list, c.String())
	}
	return list
}
