package host

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flexfn/flexfn/internal/testing/blind"
	"github.com/flexfn/flexfn/internal/testing/lambdatest"
)

// FuzzCookies sends two Cookie headers through each of Lambda's front ends, and
// two Set-Cookie headers back. Each side sees what it would without Lambda.
func FuzzCookies(f *testing.F) {
	f.Add("a=1; b=2", "c=3", "s=1; Path=/; HttpOnly", "t=2")
	f.Add("a=1;b=2", "", "s=", "")
	f.Add("=; =;;a", "a=\"x, y\"", "a=1, b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=1")
	f.Add("\x00\r\n", "\xff=é", "x\r\nX: y", "\xff")
	config := testLambda(f)
	blind.Fuzz(f, func(t *testing.T, first, second, set, setToo string) {
		var got http.Header
		l := &lambdaHandler{config: config, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Clone()
			w.Header()["Set-Cookie"] = []string{set, setToo}
		})}
		sent := http.Header{"Cookie": {first, second}}
		for _, kind := range lambdatest.Kinds {
			base, err := url.Parse(kind.Base())
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("POST", base.Path+"/x", nil)
			r.Header = sent.Clone()
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
