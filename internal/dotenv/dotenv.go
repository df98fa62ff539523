// Package dotenv reads .env files as npm's dotenv does, so that one file serves
// Node.js and Go. Unlike npm's, which skips lines that it cannot parse, it
// returns an error with the line's number.
package dotenv

import (
	"fmt"
	"strings"
)

// A LineError says which line does not parse. It does not quote the line, which
// may contain a secret.
type LineError struct{ Line int }

func (e *LineError) Error() string {
	return fmt.Sprintf("line %d is not an assignment, or its quotes do not end; write one NAME=value on a line", e.Line)
}

// Parse reads NAME=value, one on a line. A leading "export " and a trailing
// comment are ignored. Values in single quotes, double quotes or backticks may
// span lines and contain a #; in double quotes, \n and \r are line breaks. A $
// is not expanded. If a name is set more than once, the last value counts.
func Parse(text string) (map[string]string, error) {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(text, "\ufeff"))
	vars := map[string]string{}
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t\n\v\f")
		if rest == "" {
			return vars, nil
		}
		if rest[0] == '#' {
			_, rest, _ = strings.Cut(rest, "\n")
			continue
		}
		name, value, after, ok := assignment(rest)
		if !ok {
			return nil, &LineError{1 + strings.Count(text[:len(text)-len(rest)], "\n")}
		}
		vars[name], rest = value, after
	}
}

const blanks = " \t\v\f"

func assignment(s string) (name, value, rest string, ok bool) {
	if after, exported := strings.CutPrefix(s, "export"); exported && after != "" && strings.ContainsRune(blanks, rune(after[0])) {
		s = strings.TrimLeft(after, blanks)
	}
	end := strings.IndexFunc(s, func(r rune) bool { return !isNameRune(r) })
	if end <= 0 {
		return "", "", "", false
	}
	name, s = s[:end], s[end:]
	// YAML's form, "NAME: value", is accepted too.
	if after, colon := strings.CutPrefix(s, ":"); colon && after != "" && strings.ContainsRune(blanks, rune(after[0])) {
		s = after
	} else if s, ok = strings.CutPrefix(strings.TrimLeft(s, blanks), "="); !ok {
		return "", "", "", false
	}
	s = strings.TrimLeft(s, blanks)
	value, rest, ok = quoted(s)
	if !ok {
		value, rest, ok = plain(s)
	}
	return name, value, rest, ok
}

func isNameRune(r rune) bool {
	return r == '_' || r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// quoted reads a value in quotes, which only a comment may follow.
func quoted(s string) (value, rest string, ok bool) {
	if s == "" || !strings.ContainsRune("'\"`", rune(s[0])) {
		return "", "", false
	}
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			behind, rest, _ := strings.Cut(s[i+1:], "\n")
			if behind = strings.TrimLeft(behind, blanks); behind != "" && behind[0] != '#' {
				return "", "", false
			}
			return expanded(s[1:i], quote), rest, true
		}
	}
	return "", "", false
}

// plain reads a value without quotes, or with quotes that are part of it.
func plain(s string) (value, rest string, ok bool) {
	line, rest, _ := strings.Cut(s, "\n")
	value, _, _ = strings.Cut(line, "#")
	value = strings.Trim(value, blanks)
	if value == "" || !strings.ContainsRune("'\"`", rune(value[0])) {
		return value, rest, true
	}
	quote := value[0]
	if strings.IndexByte(value[1:], quote) < 0 {
		return "", "", false // the quote does not end
	}
	if n := len(value); value[n-1] == quote {
		value = value[1 : n-1]
	}
	return expanded(value, quote), rest, true
}

func expanded(value string, quote byte) string {
	if quote == '"' {
		value = strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(value)
	}
	return value
}
