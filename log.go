package flexfn

import (
	"crypto/rand"
	"regexp"
)

// phoneNumbers finds what looks like a telephone number: a plus sign and
// seven or more digits, or ten or more digits on their own. A SID's digits
// stand between letters and other digits, so SIDs stay readable.
var phoneNumbers = regexp.MustCompile(`(?:\+|%2B)\d{7,15}|\b\d{10,15}\b`)

// redact hides telephone numbers in a text that is about to be logged.
func redact(s string) string {
	return phoneNumbers.ReplaceAllString(s, "(number)")
}

func newRequestID() string { return rand.Text() }
