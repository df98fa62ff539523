package form

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

func TestAppend(t *testing.T) {
	for s, want := range map[string][]Pair{
		"":                    nil,
		"a=1&b=2":             {{"a", "1"}, {"b", "2"}},
		"&a=1&&":              {{"a", "1"}},
		"a":                   {{"a", ""}},
		"=1&=":                {{"", "1"}, {"", ""}},
		"a=b=c":               {{"a", "b=c"}},
		"a;b=1;2":             {{"a;b", "1;2"}},
		"x+y=%2b+%2B%20":      {{"x y", "+ + "}},
		"s=%zz&t=100%&u=%4&v": {{"s", "%zz"}, {"t", "100%"}, {"u", "%4"}, {"v", ""}},
		"s=Zo%C3%AB+100%":     {{"s", "Zoë 100%"}}, // valid escapes are decoded, the rest stays
		"s=%%41":              {{"s", "%A"}},
		"s=%ff&t=\xff":        {{"s", "\xff"}, {"t", "\xff"}},
		"s=%00":               {{"s", "\x00"}},
	} {
		if got, err := Append(nil, s); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q gives %q, %v, want %q", s, got, err, want)
		}
	}
}

func TestAppendBoundsTheParameters(t *testing.T) {
	const most = MaxPairs
	for s, ok := range map[string]bool{
		strings.Repeat("a&", most):           true,
		strings.Repeat("a&&", most):          true,
		strings.Repeat("a&", most) + "&&&":   true,
		strings.Repeat("a&", most) + "b":     false,
		strings.Repeat("&", 10*most) + "a=1": true,
	} {
		if _, err := Append(nil, s); (err == nil) != ok || err != nil && !errors.Is(err, ErrTooMany) {
			t.Errorf("%.20q…, %d bytes: %v", s, len(s), err)
		}
	}
	if _, err := Append(make([]Pair, most), "a"); err == nil {
		t.Error("what is there already does not count")
	}
}

func TestText(t *testing.T) {
	pairs := []Pair{{"\xff", "a"}, {"é", "\xc3"}, {"b", "ë"}}
	Text(pairs)
	if want := []Pair{{"\uFFFD", "a"}, {"é", "\uFFFD"}, {"b", "ë"}}; !slices.Equal(pairs, want) {
		t.Errorf("got %q", pairs)
	}
}

func TestSplitContentType(t *testing.T) {
	for s, want := range map[string][2]string{
		MediaType: {MediaType, ""},
		"Application/X-WWW-Form-URLencoded; Charset=UTF-8": {MediaType, "utf-8"},
		` application/json ; x="a"; charset="utf-16" `:     {"application/json", "utf-16"},
		"":                                {"", ""},
		";":                               {"", ""},
		"multipart/form-data; boundary=x": {"multipart/form-data", ""},
		"application/x-www-form-urlencoded, application/json": {"application/x-www-form-urlencoded, application/json", ""},
		"application/x-www-form-urlencoded;charset=":          {MediaType, ""},
	} {
		media, charset := SplitContentType(s)
		if media != want[0] || charset != want[1] || Is(s) != (want[0] == MediaType) {
			t.Errorf("%q is %q with charset %q", s, media, charset)
		}
	}
}

// FuzzAppend compares with net/url wherever that returns no error, and checks
// that the decoded pairs encode to the input.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a=%zz&&=1", "x+y=%2B%20&s=%ff", "%%41=%&;=", "\xff=%C3%AB"} {
		f.Add(s)
	}
	blind.Fuzz(f, func(t *testing.T, s string) {
		pairs, err := Append(nil, s)
		if err != nil {
			return
		}
		if want, err := url.ParseQuery(s); err == nil {
			got := url.Values{}
			for _, p := range pairs {
				got.Add(p.Key, p.Value)
			}
			if len(got) != len(want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			for key, list := range want {
				if !slices.Equal(got[key], list) {
					t.Fatalf("%q is %q, want %q", key, got[key], list)
				}
			}
		}
		var again []string
		for _, p := range pairs {
			again = append(again, url.QueryEscape(p.Key)+"="+url.QueryEscape(p.Value))
		}
		if back, err := Append(nil, strings.Join(again, "&")); err != nil || !slices.Equal(back, pairs) {
			t.Fatalf("%q is read back as %q", pairs, back)
		}
		Text(pairs)
		for _, p := range pairs {
			if !utf8.ValidString(p.Key) || !utf8.ValidString(p.Value) {
				t.Fatalf("not UTF-8: %q", p)
			}
		}
	})
}
