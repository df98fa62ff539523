// Package mask hides what logs, consoles and messages must not hold. It has the
// only list of secret names and the only idea of what a telephone number is.
package mask

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// phoneNumbers finds what looks like a telephone number: a plus sign and seven
// or more digits, ten or more digits on their own, or digits in groups as they
// are written, (555) 000-1111 or 555.000.1111; spaces, brackets and the plus
// sign may be escaped as in a URL. A SID's digits stand between letters and
// other digits, so SIDs stay readable.
var phoneNumbers = regexp.MustCompile(`(?:\+|%2B)\d(?:(?:[ .()/-]|%20|%28|%29){0,3}\d){6,14}` +
	`|(?:\(|%28)\d{2,5}(?:\)|%29)(?:[ .-]|%20)?\d{2,4}(?:(?:[ .-]|%20)?\d{2,4}){1,3}` +
	`|\b\d{3}(?:[ .-]|%20)\d{3}(?:[ .-]|%20)\d{4}\b` +
	`|\b\d{10,15}\b`)

// PhoneNumbers replaces telephone numbers in s.
func PhoneNumbers(s string) string {
	return phoneNumbers.ReplaceAllString(s, "(number)")
}

// shortest is the length from which a secret is looked for in text. A shorter
// one is none of Twilio's, and would be found in what has nothing to do with it.
const shortest = 8

// Secret replaces secret in s with the word that stands for it, also where it is
// escaped for a URL, in JSON or in Go.
func Secret(s, secret, word string) string {
	if len(secret) < shortest {
		return s
	}
	for _, written := range Written(secret) {
		s = strings.ReplaceAll(s, written, word)
	}
	return s
}

// Written is how secret may be written.
func Written(secret string) []string {
	forms := []string{secret}
	quoted, _ := json.Marshal(secret)
	for _, form := range []string{url.QueryEscape(secret), url.PathEscape(secret), inner(string(quoted)), inner(strconv.Quote(secret))} {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// Key reports whether a parameter, a field or a key of JSON of this name holds
// a secret, in whatever case and with or without underscores; "token[0]" and
// "token[]" are items of a list of that name.
func Key(name string) bool {
	name, _, _ = strings.Cut(name, "[")
	switch strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name)) {
	case "token", "authtoken", "accesstoken", "refreshtoken", "calltoken", "secret", "apisecret", "clientsecret",
		"password", "sipauthpassword", "apikey", "authorization":
		return true
	}
	return false
}

// Header reports whether a header of this name holds a secret, such as
// Authorization or X-Auth-Token.
func Header(name string) bool {
	name = strings.ToLower(name)
	if name == "i-twilio-idempotency-token" { // it only says which event it is
		return false
	}
	for _, part := range []string{"authorization", "cookie", "token", "secret", "password", "signature", "api-key", "apikey"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

var (
	// named finds a name where URLs, settings, headers and JSON go on with its
	// value.
	named = regexp.MustCompile(`(?i)([a-z][a-z0-9_-]{0,40})((?:\[|%5B)[^\]=&\s]{0,20}(?:\]|%5D))?(?:["']?\s*[=:]\s*|%3D)`)
	// value finds a value at the beginning: quoted, a list, or a word; that of
	// Authorization has two.
	value = regexp.MustCompile(`(?i)^(?:"(?:[^"\\]|\\.)*"?|'[^'\n]*'?|\[[^\]]*\]?|(?:(?:Bearer|Basic)\s+)?[^\s&;,"'<>}\]#]+)`)
)

// Text replaces the values in text whose names are those of secrets.
func Text(text, word string) string {
	var b strings.Builder
	for {
		at := named.FindStringSubmatchIndex(text)
		if at == nil {
			b.WriteString(text)
			return b.String()
		}
		name, rest := text[at[2]:at[3]], text[at[1]:]
		b.WriteString(text[:at[1]])
		if Key(name) {
			secret := value.FindString(rest)
			rest = rest[len(secret):]
			switch {
			case secret == "":
			case secret[0] == '"' || secret[0] == '\'':
				b.WriteString(secret[:1] + word + secret[:1])
			default:
				b.WriteString(word)
			}
		}
		text = rest
	}
}
