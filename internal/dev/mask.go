package dev

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/mask"
)

const masked = "(masked)"

// A masker hides secrets in what is shown.
//
// What is shown can end up in a screenshot or a bug report. Two things are
// hidden: the values of names that stand for secrets (package mask has the
// list), and the account's own secrets wherever they occur, also under other
// names.
type masker struct {
	secrets []string // of the account
}

// text hides the account's secrets, and the values of names that stand for
// secrets.
func (m masker) text(s string) string { return m.account(mask.Text(s, masked)) }

// account hides the account's secrets wherever they occur. An empty secret
// hides nothing.
func (m masker) account(s string) string {
	for _, secret := range m.secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, masked)
		}
	}
	return s
}

// form hides secrets in a query or a form, and keeps its order and encoding. A
// key that does not decode is masked as well, since it may be a secret's name
// in another spelling.
func (m masker) form(s string) string {
	pairs := strings.Split(s, "&")
	for i, pair := range pairs {
		key, _, ok := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(key)
		if ok && (err != nil || mask.Key(plain)) {
			pairs[i] = key + "=" + masked
		}
	}
	return m.account(strings.Join(pairs, "&"))
}

// body hides secrets in a body of the given type. A body that does not parse as
// that type, such as JSON that was cut off, is searched as text. Without a
// secret the bytes are returned as they are; with one the JSON is encoded
// again, and its keys are sorted.
func (m masker) body(b []byte, contentType string) string {
	kind, params, _ := mime.ParseMediaType(contentType)
	switch {
	case kind == formType:
		return m.form(string(b))
	case kind == jsonType || strings.HasSuffix(kind, "+json"):
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return m.text(string(b))
		}
		if !m.json(v) {
			return m.account(string(b))
		}
		clean, _ := json.Marshal(v)
		return m.account(string(clean))
	case strings.HasPrefix(kind, "multipart/") && params["boundary"] != "":
		return m.parts(string(b), "--"+params["boundary"])
	}
	return m.text(string(b))
}

// parts hides the fields of a form in parts that hold secrets, and searches the
// others. A file's content is searched as text.
func (m masker) parts(body, boundary string) string {
	parts := strings.Split(body, boundary)
	for i, part := range parts {
		head, content, ok := strings.Cut(part, "\r\n\r\n")
		if !ok {
			continue
		}
		if name := partName().FindStringSubmatch(head); name != nil && mask.Key(name[1]) {
			content = masked + "\r\n"
		}
		parts[i] = head + "\r\n\r\n" + m.text(content)
	}
	return m.account(strings.Join(parts, boundary))
}

var partName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)\bname="?([^";\r\n]*)`) })

// json hides secrets in v, and reports whether there were any.
func (m masker) json(v any) (found bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if value != nil && mask.Key(key) {
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

// header returns a copy of h without secrets. The headers between flexfn's own
// parts are left out altogether: the key would let a reader of the log talk to
// the program.
func (m masker) header(h http.Header) http.Header {
	out := http.Header{}
	for key, values := range h {
		switch {
		case key == link.KeyHeader, key == link.TraceHeader:
		case mask.Header(key):
			out[key] = []string{masked}
		default: // such as Referer, whose URL may have a token
			for _, v := range values {
				out[key] = append(out[key], m.text(v))
			}
		}
	}
	return out
}
