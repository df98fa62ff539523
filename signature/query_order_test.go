package signature

import (
	"slices"
	"testing"
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
