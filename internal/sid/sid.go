// Package sid checks the form of Twilio's identifiers.
package sid

import "strings"

// Valid reports whether s is one of prefixes followed by 32 hex digits, in
// either case. Without prefixes any two capital letters will do.
func Valid(s string, prefixes ...string) bool {
	if len(s) != 34 {
		return false
	}
	for i := 2; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	for _, p := range prefixes {
		if s[:2] == p {
			return true
		}
	}
	return len(prefixes) == 0 && Prefix(s[:2])
}

// Prefix reports whether s is two capital letters, as SIDs begin with.
func Prefix(s string) bool {
	return len(s) == 2 && 'A' <= s[0] && s[0] <= 'Z' && 'A' <= s[1] && s[1] <= 'Z'
}

// Words describes what [Valid] accepts with prefixes, such as "CF or WT and 32
// hex digits". There must be at least one prefix.
func Words(prefixes ...string) string { return strings.Join(prefixes, " or ") + " and 32 hex digits" }

// Pattern returns a regular expression for what [Valid] accepts with prefixes.
// There must be at least one prefix.
func Pattern(prefixes ...string) string {
	prefix := strings.Join(prefixes, "|")
	if len(prefixes) > 1 {
		prefix = "(" + prefix + ")"
	}
	return "^" + prefix + "[0-9a-fA-F]{32}$"
}
