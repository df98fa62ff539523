package signature

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/flexfn/flexfn/internal/link"
)

func TestQueryOrders(t *testing.T) {
	for target, want := range map[string][]string{
		"/x":               {"/x"},
		"/x?a=1":           {"/x?a=1"},
		"/x?a=1&b=2":       {"/x?a=1&b=2", "/x?b=2&a=1"},
		"/x?a=1&a=2":       {"/x?a=1&a=2"},
		"/x?a=1&a=2&b=3":   {"/x?a=1&a=2&b=3", "/x?a=1&b=3&a=2", "/x?b=3&a=1&a=2"},
		"/x?a&b&c&d&e=too": {"/x?a&b&c&d&e=too"},
	} {
		if got := queryOrders(target); !slices.Equal(got, want) {
			t.Errorf("queryOrders(%q) = %q, want %q", target, got, want)
		}
	}
	if n := len(queryOrders("/x?a&b&c&d")); n != 24 {
		t.Errorf("four parameters have %d orders, want 24", n)
	}
}

func TestQuerySpellings(t *testing.T) {
	got := querySpellings("/x?a=1%2C2&b=%27", maxQueries)
	slices.Sort(got)
	want := []string{"/x?a=1%2C2&b=%27", "/x?a=1%2C2&b='", "/x?a=1,2&b=%27", "/x?a=1,2&b='"}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := querySpellings("/x?a=b%C3%A9", maxQueries); len(got) != 1 {
		t.Errorf("a query without such characters: %q", got)
	}
	all := "/x?q=%20%21%24%27%28%29%2A%2C%2F%3A%3B%3F%40"
	few := []string{
		all,
		"/x?q=%20!%24'()*%2C%2F%3A%3B%3F%40", // encodeURIComponent
		"/x?q=+%21%24%27%28%29%2A%2C%2F%3A%3B%3F%40",
		"/x?q=%20!$%27()*,/:;?@",
		"/x?q=%20!$'()*,/:;?@",
		"/x?q=+!%24'()*%2C%2F%3A%3B%3F%40",
	}
	for _, most := range []int{1, 10, maxQueries} {
		if got := querySpellings(all, most); !slices.Equal(got, few) {
			t.Errorf("at most %d: %q, want %q", most, got, few)
		}
	}
	for most, want := range map[int]int{3: 6, 4: 4} {
		if got := querySpellings("/x?a=%20%2C", most); len(got) != want {
			t.Errorf("two characters, at most %d: %q, want %d", most, got, want)
		}
	}
}

// TestLongFormsHaveFewCandidates: fewer queries are tried with a long form,
// which would otherwise be hashed many times.
func TestLongFormsHaveFewCandidates(t *testing.T) {
	v, err := New(Config{AuthTokens: []string{"token"}, PublicURL: "https://example.com"})
	if err != nil {
		t.Fatal(err)
	}
	// Of each query there are two URLs, with and without a port. Two spellings of
	// the apostrophe are always tried; a form of 1 MiB leaves 16 other queries, and
	// one of 6 MiB two.
	for size, want := range map[int]int{0: 288, 1 << 10: 288, 64 << 10: 288, 1 << 20: 2 * (2 + 16), 6 << 20: 2 * (2 + 2)} {
		s := new(signed)
		s.form = make([]byte, size)
		r := httptest.NewRequest("POST", "/x?a=%21%27%28&b=%29%2A%2C&c=%2F%3A&d=%40", nil)
		r = r.WithContext(link.LoseQueryOrder(r.Context()))
		v.address.findURLs(s, r)
		if n := len(s.urls); n != want {
			t.Errorf("a form of %d bytes is hashed %d times, want %d", size, n, want)
		}
	}
}
