package sid

import (
	"regexp"
	"strings"
	"testing"
)

func TestValid(t *testing.T) {
	digits := strings.Repeat("0aF9", 8)
	for _, c := range []struct {
		s        string
		prefixes []string
		want     bool
	}{
		{"CA" + digits, []string{"CA"}, true},
		{"CA" + digits, []string{"CF", "CA"}, true},
		{"CA" + digits, []string{"CF"}, false},
		{"CA" + digits, nil, true},
		{"ca" + digits, nil, false},
		{"1A" + digits, nil, false},
		{"CA" + digits[1:], []string{"CA"}, false},
		{"CA" + digits + "0", []string{"CA"}, false},
		{"CA" + digits[1:] + "g", []string{"CA"}, false},
		{"CA" + digits[1:] + "\x10", []string{"CA"}, false},
		{"CA" + digits[1:] + "@", []string{"CA"}, false},
		{"", nil, false},
	} {
		if got := Valid(c.s, c.prefixes...); got != c.want {
			t.Errorf("Valid(%q, %q) is %t", c.s, c.prefixes, got)
		}
		if len(c.prefixes) > 0 {
			if got := regexp.MustCompile(Pattern(c.prefixes...)).MatchString(c.s); got != c.want {
				t.Errorf("the pattern of %q says %t of %q", c.prefixes, got, c.s)
			}
		}
	}
}
