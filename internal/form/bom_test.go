package form

import "testing"

func TestTrimBOM(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "\xef\xbb": "\xef\xbb", "\ufeff": "", "\ufeffa=1": "a=1", "a\ufeff": "a\ufeff", "\ufeff\ufeffa": "\ufeffa", "abcd": "abcd",
	} {
		if got := TrimBOM(s); got != want {
			t.Errorf("%q became %q", s, got)
		}
		if got := TrimBOM([]byte(s)); string(got) != want {
			t.Errorf("bytes %q became %q", s, got)
		}
	}
}
