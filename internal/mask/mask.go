// Package mask hides secrets and telephone numbers in logs, consoles and
// messages. Its list of secret names and its pattern of telephone numbers are
// the only ones in flexfn.
package mask

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// phoneNumbers matches anything that looks like a telephone number: a plus sign
// or 00 and seven or more digits, ten or more digits on their own, or groups of
// digits such as (555) 000-1111 or 555.000.1111. Spaces, brackets and the plus
// sign may be escaped as in a URL. It does not match the digits of SIDs, which
// have letters around them.
//
// regexp has a faster engine for patterns of at most 500 instructions.
var phoneNumbers = compile(`(?:(?:\+|%2B)\d|\b00` + between + `?[1-9])(?:(?:[()/` + blanks + `]|%2[089]){0,3}\d){6,14}` +
	`|(?:\(|%28)\d{2,5}(?:\)|%29)` + between + `?\d{2,4}(?:` + between + `?\d{2,4}){1,3}` +
	`|\b\d{3}` + between + `\d{3}` + between + `\d{4}\b` +
	`|\b\d{10,15}\b`)

// between matches what separates groups of digits. blanks are a space, a dot and
// a hyphen, and those that word processors write.
const (
	between = `(?:[` + blanks + `]|%20)`
	blanks  = ` .\x{a0}\x{202f}\x{2010}-\x{2013}-`
)

// compile returns a function that compiles pattern when it is first called:
// programs start faster without it, and many never log anything.
func compile(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// fewestDigits is how many digits a telephone number has at least: (12)34 56.
const fewestDigits = 6

// PhoneNumbers replaces telephone numbers in s.
func PhoneNumbers(s string) string {
	digits := 0
	for i := range len(s) {
		if '0' <= s[i] && s[i] <= '9' {
			digits++
		}
	}
	if digits < fewestDigits { // most messages
		return s
	}
	return phoneNumbers().ReplaceAllString(s, "(number)")
}

// shortest is the length of the shortest secret that is looked for in text.
// Twilio's are all longer, and shorter ones would match unrelated text.
const shortest = 8

// A Secret is a text to look for, plain and escaped for a URL, in JSON or in Go.
type Secret []string

// NewSecret returns the forms of secret. One that is too short to be one of
// Twilio's has none: nothing is looked for.
func NewSecret(secret string) Secret {
	if len(secret) < shortest {
		return nil
	}
	forms := Secret{secret}
	quoted, _ := json.Marshal(secret)
	for _, form := range []string{url.QueryEscape(secret), url.PathEscape(secret), inner(string(quoted)), inner(strconv.Quote(secret))} {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// Replace replaces each form of the secret in text with word.
func (s Secret) Replace(text, word string) string {
	for _, form := range s {
		text = strings.ReplaceAll(text, form, word)
	}
	return text
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// Key reports whether a parameter, field or JSON key of this name holds a
// secret. It ignores case and underscores; "token[0]" and "token[]" count as
// "token".
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
	if name == "i-twilio-idempotency-token" { // not a secret: it only identifies the event
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
	// named matches a name that is followed by its value in a URL, a setting, a
	// header or JSON.
	named = compile(`(?i)([a-z][a-z0-9_-]{0,40})((?:\[|%5B)[^\]=&\s]{0,20}(?:\]|%5D))?(?:["']?\s*[=:]\s*|%3D)`)
	// value matches the value after a name: quoted, a list, or a word. That of
	// Authorization has two words.
	value = compile(`(?i)^(?:"(?:[^"\\]|\\.)*"?|'[^'\n]*'?|\[[^\]]*\]?|(?:(?:Bearer|Basic)\s+)?[^\s&;,"'<>}\]#]+)`)
)

// Text replaces with word each value in text whose name is that of a secret.
func Text(text, word string) string {
	var b strings.Builder
	for {
		at := named().FindStringSubmatchIndex(text)
		if at == nil {
			b.WriteString(text)
			return b.String()
		}
		name, rest := text[at[2]:at[3]], text[at[1]:]
		b.WriteString(text[:at[1]])
		if Key(name) {
			secret := value().FindString(rest)
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
