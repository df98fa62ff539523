package dev

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/mask"
)

const masked = "(masked)"

// A masker hides secrets in what is shown.
type masker struct {
	secrets []string // of the account
}

// text hides the account's secrets wherever they are.
func (m masker) text(s string) string {
	for _, secret := range m.secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, masked)
		}
	}
	return s
}

// form hides secrets in a query or a form, whose order and encoding it keeps.
func (m masker) form(s string) string {
	pairs := strings.Split(s, "&")
	for i, pair := range pairs {
		key, _, ok := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(key)
		if ok && (err != nil || mask.Key(plain)) {
			pairs[i] = key + "=" + masked
		}
	}
	return m.text(strings.Join(pairs, "&"))
}

// body hides secrets in a body of the given type. Of JSON that was cut off
// nothing can be said, so it is hidden as a whole if it names a secret.
func (m masker) body(b []byte, contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	switch kind = strings.TrimSpace(strings.ToLower(kind)); {
	case kind == formType:
		return m.form(string(b))
	case kind == jsonType || strings.HasSuffix(kind, "+json"):
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			if mask.Mentioned(string(b)) {
				return masked
			}
			return m.text(string(b))
		}
		if !m.json(v) {
			return m.text(string(b))
		}
		clean, _ := json.Marshal(v)
		return m.text(string(clean))
	}
	return m.text(string(b))
}

// json hides secrets in v, and reports whether there were any.
func (m masker) json(v any) (found bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if _, text := value.(string); text && mask.Key(key) {
				v[key], found = masked, true
			} else if m.json(value) {
				found = true
			}
		}
	case []any:
		for _, value := range v {
			found = m.json(value) || found
		}
	}
	return found
}

// header is a copy of h that can be shown.
func (m masker) header(h http.Header) http.Header {
	out := http.Header{}
	for key, values := range h {
		switch key {
		case link.KeyHeader, link.TraceHeader:
		case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Twilio-Signature", "X-Api-Key":
			out[key] = []string{masked}
		default:
			for _, v := range values {
				out[key] = append(out[key], m.text(v))
			}
		}
	}
	return out
}
