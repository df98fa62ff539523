// Package jsonshape bounds the cost of decoding a JSON text.
package jsonshape

import "fmt"

// The bounds of [Check].
const (
	MaxDepth  = 100     // of nested objects and lists
	MaxKeys   = 1_000   // of one object
	MaxItems  = 10_000  // of one list
	MaxValues = 100_000 // of the whole text
)

// Space is what JSON allows around a value: less than Unicode's white space,
// which bytes.TrimSpace would remove.
const Space = " \t\r\n"

// Check returns an error if text exceeds a bound. The message completes a
// sentence about the text: "JSON with …". Text within the bounds passes even if
// it is not JSON. Check reads text once and allocates nothing.
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
