package jsonshape

import (
	"fmt"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `%q:1,`, fmt.Sprint("k,", i))
		}
		return "{" + strings.TrimSuffix(b.String(), ",") + "}"
	}
	items := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"nothing":        {"", true},
		"not JSON":       {"]]]}{\"", true},
		"keys":           {keys(MaxKeys), true},
		"too many keys":  {keys(MaxKeys + 1), false},
		"keys within":    {`{"a":[` + keys(MaxKeys+1) + `]}`, false},
		"items":          {items(MaxItems, "1"), true},
		"too many items": {`{"a":` + items(MaxItems+1, "1") + "}", false},
		"lists of lists": {items(200, items(600, `"x"`)), false},
		"brackets":       {items(MaxItems, items(MaxItems/1000, `[]`)), false},
		"depth":          {strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), true},
		"too deep":       {strings.Repeat("[", MaxDepth+1), false},
		"in a string":    {`"` + strings.Repeat(`[{,\"`, 5*MaxValues) + `"`, true},
	} {
		if err := Check(c.text); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
