package flexfn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/jsonshape"
)

// Limits on what a stranger may send, beside the bytes of the body.
const (
	maxDrain = 32 << 20
)

// values are the parameters of one request as they came: the query's, then
// the body's, which win.
type values struct {
	query, form []form.Pair
	few         [8]form.Pair // room for the form, mostly enough
	json        map[string]json.RawMessage
	// ignored is the content type of a body that was not read as parameters.
	ignored string
}

type valueKind uint8

const (
	absentValue valueKind = iota
	stringValue           // from a query, a form, or a JSON string
	numberValue
	boolValue
	nullValue
	objectValue // text is its JSON
	arrayValue  // text is its JSON
	listValue   // a key given more than once in a query or a form
)

// value is one parameter.
type value struct {
	kind valueKind
	text string
	list []string
}

// missing follows the reference: absent, null, "" and [] are missing; 0,
// false, {} and " " are not.
func (v value) missing() bool {
	switch v.kind {
	case absentValue, nullValue:
		return true
	case stringValue:
		return v.text == ""
	case arrayValue:
		return strings.TrimSpace(v.text[1:len(v.text)-1]) == ""
	}
	return false
}

func (vs *values) get(key string) value {
	if raw, ok := vs.json[key]; ok {
		return jsonValue(raw)
	}
	if v, ok := lookup(vs.form, key); ok {
		return v
	}
	v, _ := lookup(vs.query, key)
	return v
}

func lookup(pairs []form.Pair, key string) (v value, ok bool) {
	for _, p := range pairs {
		if p.Key != key {
			continue
		}
		switch v.kind {
		case absentValue:
			v = value{kind: stringValue, text: p.Value}
		case stringValue:
			v = value{kind: listValue, list: []string{v.text, p.Value}}
		default:
			v.list = append(v.list, p.Value)
		}
	}
	return v, v.kind != absentValue
}

// jsonValue takes valid JSON.
func jsonValue(raw json.RawMessage) value {
	text := string(bytes.TrimSpace(raw))
	switch text[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return value{kind: nullValue}
		}
		return value{kind: stringValue, text: s}
	case '{':
		return value{kind: objectValue, text: text}
	case '[':
		return value{kind: arrayValue, text: text}
	case 't', 'f':
		return value{kind: boolValue, text: text}
	case 'n':
		return value{kind: nullValue}
	}
	return value{kind: numberValue, text: text}
}

// readBody reads the body whole, at most limit bytes of it. Whoever sets the
// connection's read deadline after that of the call ends it. The error is an
// answer.
func readBody(r *http.Request, limit int64, deadline time.Time) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	tooLong := func() error {
		drain(r)
		return Errorf(http.StatusRequestEntityTooLarge, "The request body is longer than %d bytes", limit)
	}
	if r.ContentLength > limit {
		return nil, tooLong()
	}
	// Not more than the sender has sent is set aside for it.
	body := make([]byte, 0, min(max(r.ContentLength, 127), 64<<10)+1)
	for {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, tooLong()
		case err == io.EOF:
			return body, nil
		case err != nil && !deadline.After(time.Now()):
			return nil, slowBody(err)
		case err != nil:
			return nil, &Error{Status: http.StatusBadRequest, Message: "The request body is incomplete", Err: err}
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
	}
}

// drain reads on, within reason, so that a browser that is still sending
// gets to read the refusal.
func drain(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	}
}

// parseValues takes the parameters from the query and the body.
func parseValues(r *http.Request, body []byte) (*values, error) {
	vs := new(values)
	var err error
	if vs.query, err = form.Append(nil, r.URL.RawQuery); err != nil {
		return nil, Errorf(http.StatusBadRequest, "The query has more than %d parameters", form.MaxPairs)
	}
	// Without a key there is no parameter; a form may have an empty one.
	vs.query = deleteEmptyKeys(vs.query)
	form.Text(vs.query)
	if len(body) == 0 {
		return vs, nil
	}
	contentType := r.Header.Get("Content-Type")
	media, charset := form.SplitContentType(contentType)
	isForm, isJSON := media == form.MediaType, media == "application/json"
	if !isForm && !isJSON {
		vs.ignored = contentType
		return vs, nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, Errorf(http.StatusUnsupportedMediaType, "The request body is compressed; send it without Content-Encoding")
	}
	if charset != "" && charset != "utf-8" && charset != "us-ascii" {
		return nil, Errorf(http.StatusUnsupportedMediaType, "The request body is not UTF-8; send it with charset=utf-8")
	}
	if isForm {
		if vs.form, err = form.Append(vs.few[:0], string(body)); err != nil {
			return nil, Errorf(http.StatusRequestEntityTooLarge, "The form has more than %d parameters", form.MaxPairs)
		}
		form.Text(vs.form)
		return vs, nil
	}
	vs.json, err = parseObject(body)
	return vs, err
}

func deleteEmptyKeys(pairs []form.Pair) []form.Pair {
	for i := 0; i < len(pairs); i++ {
		if pairs[i].Key == "" {
			pairs = append(pairs[:i], pairs[i+1:]...)
			i--
		}
	}
	return pairs
}

// parseObject reads a JSON object; the last of equal keys wins.
func parseObject(body []byte) (map[string]json.RawMessage, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // a byte order mark
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if err := jsonshape.Check(body); err != nil {
		return nil, &Error{Status: http.StatusBadRequest, Message: "The request body is " + err.Error()}
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(body, &object)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf("The request body is not valid JSON (at byte %d)", syntax.Offset)}
	}
	if err != nil || object == nil {
		return nil, &Error{Status: http.StatusBadRequest, Message: "The request body is JSON but not an object: send {\"key\": value, …}"}
	}
	return object, nil
}

// unreadable is the answer to a request from Twilio whose body cannot be read:
// 500, because Event Streams drops an event for good after a 4xx other than
// 429, and repeats it after a 5xx.
// Source: https://www.twilio.com/docs/events/event-delivery-and-duplication.
func unreadable(bad error) error {
	told, ok := errors.AsType[*Error](bad)
	if !ok {
		return bad
	}
	return &Error{
		Status:  http.StatusInternalServerError,
		Message: "This function cannot read what Twilio sent: " + told.Message,
		Err:     bad,
	}
}
