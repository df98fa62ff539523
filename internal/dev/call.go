package dev

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// A Pair is one parameter of a call.
type Pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A Call is a request to a function, as a Flex user or as Twilio. The console,
// flexfn call and the tables on the terminal all make their requests from it,
// so a curl command that is shown does what the button does.
type Call struct {
	Address    string // absolute URL
	Public     string // the URL that Twilio would call and sign, if not Address
	Parameters []Pair
	Token      string // the Flex token, added when it is not empty
	SignWith   string // the auth token to sign with; empty does not sign
	JSON       bool   // a JSON body instead of a form
}

// The two types in which flexfn's functions take their parameters.
const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// wire returns the address, body and headers of the request.
//
// A form keeps the order of the parameters, and repeated keys. The signature is
// made over the public URL, which Twilio would have called; a JSON body is
// signed by its hash in the query, which therefore has to be in the address
// too.
func (c Call) wire() (address string, body []byte, header http.Header, err error) {
	pairs := c.Parameters
	if c.Token != "" {
		pairs = append([]Pair{{"Token", c.Token}}, pairs...)
	}
	address, header = c.Address, http.Header{"Content-Type": {formType}}
	public := c.Public
	if public == "" {
		public = address
	}
	if c.JSON {
		header.Set("Content-Type", jsonType)
		if body, err = json.Marshal(object(pairs)); err != nil {
			return "", nil, nil, err
		}
		if c.SignWith != "" {
			query := signature.AddBodyHash(public, body)[len(public):]
			public, address = public+query, address+query
		}
	} else {
		var form []string
		for _, p := range pairs {
			form = append(form, url.QueryEscape(p.Key)+"="+url.QueryEscape(p.Value))
		}
		body = []byte(strings.Join(form, "&"))
	}
	if c.SignWith != "" {
		header.Set(signature.Header, signature.Sign(c.SignWith, public, header.Get("Content-Type"), body))
	}
	return address, body, header, nil
}

// Request returns the call as an HTTP request, signed if c says so. It fails if
// the address is not a URL.
func (c Call) Request(ctx context.Context) (*http.Request, error) {
	address, body, header, err := c.wire()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header
	return req, nil
}

// Curl returns a curl command line for a POSIX shell that makes the call. It is
// "" if the call cannot be made. The command holds the token or signature in
// the clear: callers mask real tokens before.
func (c Call) Curl() string {
	address, body, header, err := c.wire()
	if err != nil {
		return ""
	}
	words := []string{"curl", "-s", "-X", "POST", Quote(address)}
	if s := header.Get(signature.Header); s != "" {
		words = append(words, "-H", Quote(signature.Header+": "+s))
	}
	switch {
	case c.JSON:
		words = append(words, "-H", Quote("Content-Type: "+jsonType), "-d", Quote(string(body)))
	case len(body) == 0:
		words = append(words, "-d", "''")
	}
	for pair := range strings.SplitSeq(string(body), "&") {
		if c.JSON || pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		plain, _ := url.QueryUnescape(value)
		option := "--data-urlencode"
		if plain == value {
			option = "-d"
		}
		words = append(words, option, Quote(key+"="+plain))
	}
	return strings.Join(words, " ")
}

// object returns the pairs as a JSON object, in which repeated keys become
// lists. A value is always a string or a list of strings, as in a form.
func object(pairs []Pair) map[string]any {
	m := map[string]any{}
	for _, p := range pairs {
		switch have := m[p.Key].(type) {
		case nil:
			m[p.Key] = p.Value
		case []string:
			m[p.Key] = append(have, p.Value)
		case string:
			m[p.Key] = []string{have, p.Value}
		}
	}
	return m
}

// Sample returns a call that f accepts. It has the required parameters, and
// those optional ones that have an example. The values are examples from the
// function's tags or, without one, the simplest value of the type. A function's
// own checks may still refuse them.
func Sample(f Function, base string) Call {
	c := Call{Address: base + f.Path}
	switch person := suitable(f); person {
	case Nobody:
	case Twilio:
		c.SignWith = twiliofake.DevelopmentAuthToken
	default:
		c.Token = developmentToken(person)
	}
	for _, p := range f.Parameters {
		if p.Required || p.Example != "" {
			c.Parameters = append(c.Parameters, Pair{p.Name, sampleValue(p)})
		}
	}
	return c
}

// sampleValue returns p's example, or else a value that fits its kind or type.
// The time is a fixed one, so that the terminal and the documents show the same
// command every time.
func sampleValue(p Parameter) string {
	if fits := cmp.Or(p.Example, p.Fits); fits != "" {
		return fits
	}
	switch p.Type {
	case Bool:
		return "true"
	case Whole, Number, Duration:
		return "1"
	case Time:
		return "2026-01-31T15:04:05Z"
	case List:
		return "[]"
	case Object, Any:
		return "{}"
	case Text:
	}
	return "example"
}

// Quote quotes s as one word for a POSIX shell, if it needs quoting. An empty
// string is quoted too, or it would be no word at all.
func Quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:+,@%", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
