// Package mask hides what logs and messages must not hold.
package mask

import "regexp"

// phoneNumbers finds what looks like a telephone number: a plus sign and
// seven or more digits, or ten or more digits on their own. A SID's digits
// stand between letters and other digits, so SIDs stay readable.
var phoneNumbers = regexp.MustCompile(`(?:\+|%2B)\d{7,15}|\b\d{10,15}\b`)

// PhoneNumbers replaces telephone numbers in s.
func PhoneNumbers(s string) string {
	return phoneNumbers.ReplaceAllString(s, "(number)")
}
