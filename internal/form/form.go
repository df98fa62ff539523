// Package form decodes application/x-www-form-urlencoded, the encoding of forms
// and queries. It is the module's only decoder, so that Twilio's signature is
// checked over exactly the parameters that a function gets.
package form

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MediaType is the media type of a form.
const MediaType = "application/x-www-form-urlencoded"

// MaxPairs is the most parameters that a query or a form may have.
const MaxPairs = 1000

// ErrTooMany is returned for more than [MaxPairs] parameters.
var ErrTooMany = fmt.Errorf("more than %d parameters", MaxPairs)

// Pair is one parameter, decoded.
type Pair struct{ Key, Value string }

// Append decodes s and appends its parameters to pairs, as the WHATWG URL
// standard does: '+' is a space, ';' is an ordinary character, a key need not
// have a value, and an invalid escape stays as it was sent. Unlike the
// standard, Append also keeps bytes that are not UTF-8; see [Text].
//
// It returns [ErrTooMany], without decoding anything, if there would be more
// than [MaxPairs] pairs.
func Append(pairs []Pair, s string) ([]Pair, error) {
	most := strings.Count(s, "&") + 1
	if len(pairs)+most > MaxPairs && len(pairs)+count(s) > MaxPairs {
		return nil, ErrTooMany
	}
	if s != "" {
		pairs = slices.Grow(pairs, min(most, MaxPairs))
	}
	for s != "" {
		var item string
		item, s, _ = strings.Cut(s, "&")
		if item == "" {
			continue
		}
		k, v, _ := strings.Cut(item, "=")
		pairs = append(pairs, Pair{unescape(k), unescape(v)})
	}
	return pairs, nil
}

// TrimBOM returns s without a leading byte order mark. Some editors and
// spreadsheets write one; it is not part of the form, JSON or other text that
// follows.
func TrimBOM[T string | []byte](s T) T {
	const mark = "\ufeff"
	if len(s) >= len(mark) && string(s[:len(mark)]) == mark {
		return s[len(mark):]
	}
	return s
}

// Lookup returns the values of key in s, decoded as by [Append]. It decodes no
// other value.
func Lookup(s []byte, key string) (values []string) {
	for item := range bytes.SplitSeq(s, []byte("&")) {
		k, v, _ := bytes.Cut(item, []byte("="))
		if len(item) == 0 || len(k) > 3*len(key) || len(k) < len(key) {
			continue // cannot be an encoding of key
		}
		if string(k) == key || unescape(string(k)) == key {
			values = append(values, unescape(string(v)))
		}
	}
	return values
}

// count counts the parameters of s, without empty ones as in "a=1&&b=2".
func count(s string) (n int) {
	for item := range strings.SplitSeq(s, "&") {
		if item != "" {
			n++
		}
	}
	return n
}

// Text replaces invalid UTF-8 in pairs by U+FFFD, in place.
func Text(pairs []Pair) {
	for i, p := range pairs {
		if !utf8.ValidString(p.Key) || !utf8.ValidString(p.Value) {
			pairs[i] = Pair{strings.ToValidUTF8(p.Key, "\uFFFD"), strings.ToValidUTF8(p.Value, "\uFFFD")}
		}
	}
}

// First returns the first value of key in pairs.
func First(pairs []Pair, key string) (value string, ok bool) {
	for _, p := range pairs {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// unescape decodes percent escapes and plus signs. It keeps malformed escapes,
// as Twilio's Node.js library does.
func unescape(s string) string {
	i := 0
	for i < len(s) && s[i] != '%' && s[i] != '+' { // faster than strings.IndexAny on short values
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 < len(s) {
				high, ok1 := fromHex(s[i+1])
				low, ok2 := fromHex(s[i+2])
				if ok1 && ok2 {
					c = high<<4 | low
					i += 2
				}
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

func fromHex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// SplitContentType returns the media type and the charset of a Content-Type,
// both in lower case.
func SplitContentType(s string) (media, charset string) {
	if s == MediaType || s == "application/json" {
		return s, ""
	}
	media, rest, _ := strings.Cut(s, ";")
	for p := range strings.SplitSeq(rest, ";") {
		if k, v, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(k), "charset") {
			charset = strings.ToLower(strings.Trim(strings.TrimSpace(v), `"`))
		}
	}
	return strings.ToLower(strings.TrimSpace(media)), charset
}

// Is reports whether a Content-Type header is that of a form.
func Is(contentType string) bool {
	media, _ := SplitContentType(contentType)
	return media == MediaType
}
