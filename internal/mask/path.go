package mask

import "strings"

// variable replaces a segment of a path that is a value.
const variable = "{…}"

// Path returns the path of a request to host as a template, such as
// /v2/PhoneNumbers/{…}. Every segment but fixed words is replaced, since it can
// be a telephone number, a person's name or a secret.
//
// For Twilio's hosts, the fixed words are those in the paths of its API. For
// other hosts, they are versions and short words made of letters.
func Path(host, path string) string {
	word := plainWord
	if host := strings.ToLower(host); host == "twilio.com" || strings.HasSuffix(host, ".twilio.com") {
		word = func(s string) bool { return twilioWord(s) || s == "validate" } // of a Flex token; twilio-go lacks it
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		name, suffix := s, ""
		if at := strings.LastIndexByte(s, '.'); at >= 0 && extension(s[at+1:]) {
			name, suffix = s[:at], s[at:]
		}
		if s != "" && !word(name) && !version(name) {
			segments[i] = variable + suffix
		}
	}
	return strings.Join(segments, "/")
}

// extension reports whether s is one of the file extensions that paths of
// Twilio's API have.
func extension(s string) bool {
	switch s {
	case "json", "xml", "csv", "mp3", "wav":
		return true
	}
	return false
}

// longestWord is the greatest length of a fixed word.
const longestWord = 24

// plainWord reports whether s consists of letters, and of dashes between them.
func plainWord(s string) bool {
	return len(s) <= longestWord && !strings.ContainsFunc(s, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && r != '-' && r != '_'
	})
}

// version reports whether s is a version, as in /v2/ and /v1.1/.
func version(s string) bool {
	return len(s) >= 2 && len(s) <= 4 && s[0] == 'v' && strings.Trim(s[1:], "0123456789.") == ""
}
