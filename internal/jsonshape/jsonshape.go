// Package jsonshape bounds what a JSON text may cost before it is decoded.
package jsonshape

import "fmt"

// The bounds of [Check].
const (
	MaxDepth  = 100     // of objects and lists in each other
	MaxKeys   = 1_000   // of one object
	MaxItems  = 10_000  // of one list
	MaxValues = 100_000 // of the whole text
)

// Check returns what about text exceeds a bound, as the end of a sentence that
// begins with what the text is: "JSON with …". It is nil for anything that is
// within them, JSON or not. It reads text once and sets nothing aside.
func Check[T string | []byte](text T) error {
	var (
		counts [MaxDepth + 1]int // of commas
		lists  [MaxDepth + 1]bool
		depth  int
		values int
	)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("JSON nested more than %d levels deep", MaxDepth)
			}
			counts[depth], lists[depth] = 0, c == '['
			values++
		case '}', ']':
			depth = max(depth-1, 0)
		case ',':
			values++
			switch counts[depth]++; {
			case lists[depth] && counts[depth] >= MaxItems:
				return fmt.Errorf("JSON with a list of more than %d items", MaxItems)
			case !lists[depth] && counts[depth] >= MaxKeys:
				return fmt.Errorf("JSON with an object of more than %d keys", MaxKeys)
			}
		}
		if values > MaxValues {
			return fmt.Errorf("JSON with more than %d values", MaxValues)
		}
	}
	return nil
}
