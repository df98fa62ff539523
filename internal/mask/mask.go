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
// a secret, in whatever case and with or without underscores.
func Key(name string) bool {
	switch strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name)) {
	case "token", "authtoken", "accesstoken", "refreshtoken", "calltoken", "secret", "apisecret", "clientsecret",
		"password", "sipauthpassword", "apikey", "authorization":
		return true
	}
	return false
}

// quotedNames finds what may be a key of JSON.
var quotedNames = regexp.MustCompile(`"([A-Za-z_-]{1,40})"`)

// Mentioned reports whether text, such as JSON that was cut off, has the name of
// a secret in quotes.
func Mentioned(text string) bool {
	for _, m := range quotedNames.FindAllStringSubmatch(text, -1) {
		if Key(m[1]) {
			return true
		}
	}
	return false
}
