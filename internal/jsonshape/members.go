package jsonshape

import "strings"

// EachMember calls do for each member of a JSON object, with its name and value
// as they are written. The object must be valid JSON. EachMember allocates
// nothing.
func EachMember(object []byte, do func(name, value []byte)) {
	i := 1 // after the brace
	for {
		i = skip(object, i, Space+",")
		if i >= len(object) || object[i] != '"' {
			return
		}
		end := endOfValue(object, i)
		name := object[i:end]
		i = skip(object, end, Space+":")
		end = endOfValue(object, i)
		do(name, object[i:end])
		i = end
	}
}

func skip(text []byte, i int, set string) int {
	for i < len(text) && strings.IndexByte(set, text[i]) >= 0 {
		i++
	}
	return i
}

// endOfValue returns the index after the JSON value that begins at i.
func endOfValue(text []byte, i int) int {
	depth, inString := 0, false
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				if inString = false; depth == 0 {
					return i + 1
				}
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return i // the end of the enclosing value
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && strings.IndexByte(Space+",", c) >= 0:
			return i
		}
	}
	return len(text)
}
