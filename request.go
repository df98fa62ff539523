package flexfn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/jsonshape"
)

// values holds the parameters of one request as they were sent. The body wins
// over the query. It is decoded only after the caller has been accepted.
//
// Between readValues and decode, only peek reads from the body, to find the
// Flex token. It allocates for the token alone, since until then anyone may be
// the sender.
type values struct {
	query, form []form.Pair
	few         [8]form.Pair // room for most forms, to spare an allocation
	json        map[string]json.RawMessage
	// formBody and jsonBody are the body until it is decoded.
	formBody, jsonBody []byte
	// ignored is the content type of a body that was not read as parameters.
	ignored string
	// hints tell the caller about parameters that were not read.
	hints []string
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

// missing reports whether a required parameter counts as missing. It follows the
// Node.js template: absent, null, "" and [] do; 0, false, {} and " " do not.
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

// agreed returns the one value of a key that was given several times with the
// same one, and otherwise v. Twilio appends its parameters to the query of a
// link whose method is GET, so that a link with the CallSid has it twice.
func (v value) agreed() value {
	if v.kind != listValue {
		return v
	}
	for _, s := range v.list {
		if s != v.list[0] {
			return v
		}
	}
	return value{kind: stringValue, text: v.list[0]}
}

// get returns the parameter key: the body's if the body has it, and otherwise
// the query's.
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

// notRead tells callers that their body was ignored.
const notRead = "the request body was not read: send it as application/x-www-form-urlencoded or application/json"

// hint adds a hint if key, which is absent, was given as key[] or key[0], as
// PHP and jQuery write lists.
func (vs *values) hint(key string) {
	for _, pairs := range [][]form.Pair{vs.query, vs.form} {
		for _, p := range pairs {
			rest, ok := strings.CutPrefix(p.Key, key)
			if ok && strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]") && strings.Trim(rest[1:len(rest)-1], "0123456789") == "" {
				vs.hints = append(vs.hints, fmt.Sprintf("%s[] is not read: give %[1]s once for each value, or as a JSON list", key))
				return
			}
		}
	}
}

// lookup returns the value of key among pairs; a list if the key is repeated.
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

// jsonValue returns the value of raw, which must be valid JSON.
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

// readValues reads the parameters of the query, and decides from the headers
// whether the body has parameters. It checks the bounds of the body but does
// not decode it, so that a stranger's body takes no more memory.
func readValues(r *http.Request, body []byte) (*values, error) {
	vs := new(values)
	var err error
	if vs.query, err = form.Append(nil, r.URL.RawQuery); err != nil {
		return nil, Errorf(http.StatusBadRequest, "The query has more than %d parameters", form.MaxPairs)
	}
	// A form may have an empty key, which cannot be a parameter.
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
	switch charset {
	case "", "utf-8", "utf8", "us-ascii":
	default:
		return nil, Errorf(http.StatusUnsupportedMediaType, "The request body is not UTF-8; send it with charset=utf-8")
	}
	body = form.TrimBOM(body)
	if isForm {
		vs.formBody = body
		return vs, nil
	}
	vs.jsonBody, err = checkObject(body)
	return vs, err
}

// peek returns a parameter before the body is decoded, for the Flex token. It
// looks at each byte of the body once, and allocates only for the value.
func (vs *values) peek(key string) (v value) {
	if vs.jsonBody != nil {
		var found []byte
		jsonshape.EachMember(vs.jsonBody, func(name, raw []byte) {
			if isName(name, key) {
				found = raw
			}
		})
		if found != nil {
			return jsonValue(found)
		}
	}
	if list := form.Lookup(vs.formBody, key); len(list) == 1 {
		return value{kind: stringValue, text: list[0]}
	} else if len(list) > 1 {
		return value{kind: listValue, list: list}
	}
	return vs.get(key)
}

// takeForm uses the form that Twilio's signature was checked over.
func (vs *values) takeForm(signed iter.Seq2[string, string]) {
	if vs.formBody == nil {
		return
	}
	vs.form = vs.few[:0]
	for key, value := range signed {
		vs.form = append(vs.form, form.Pair{Key: key, Value: value})
	}
	form.Text(vs.form)
	vs.formBody = nil
}

// decode decodes the body. Call it only after the caller has been accepted.
func (vs *values) decode() (err error) {
	if vs.formBody != nil {
		if vs.form, err = form.Append(vs.few[:0], string(vs.formBody)); err != nil {
			return Errorf(http.StatusRequestEntityTooLarge, "The form has more than %d parameters", form.MaxPairs)
		}
		form.Text(vs.form)
	}
	if vs.jsonBody != nil {
		vs.json, err = parseObject(vs.jsonBody)
	}
	vs.formBody, vs.jsonBody = nil, nil
	return err
}

// deleteEmptyKeys removes parameters without a name, in place.
func deleteEmptyKeys(pairs []form.Pair) []form.Pair {
	for i := 0; i < len(pairs); i++ {
		if pairs[i].Key == "" {
			pairs = append(pairs[:i], pairs[i+1:]...)
			i--
		}
	}
	return pairs
}

// checkObject returns body without surrounding space and byte order mark if it
// is a JSON object within the bounds, and nil if it is empty.
//
// The bounds are checked before json.Valid, which takes longer, and before
// anything is decoded, which takes memory.
func checkObject(body []byte) ([]byte, error) {
	body = bytes.Trim(body, jsonshape.Space)
	if len(body) == 0 {
		return nil, nil
	}
	if err := jsonshape.Check(body); err != nil {
		return nil, &Error{Status: http.StatusBadRequest, Message: "The request body is " + err.Error()}
	}
	if !json.Valid(body) {
		var syntax *json.SyntaxError
		if errors.As(json.Unmarshal(body, new(json.RawMessage)), &syntax) {
			return nil, Errorf(http.StatusBadRequest, "The request body is not valid JSON (at byte %d)", syntax.Offset)
		}
		return nil, Errorf(http.StatusBadRequest, "The request body is not valid JSON")
	}
	if body[0] != '{' {
		return nil, &Error{Status: http.StatusBadRequest, Message: "The request body is JSON but not an object: send {\"key\": value, …}"}
	}
	return body, nil
}

// parseObject splits a valid JSON object into its members. The last of equal keys
// wins.
func parseObject(body []byte) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, &Error{Status: http.StatusBadRequest, Message: "The request body is not valid JSON", Err: err}
	}
	return object, nil
}

// isName reports whether name, a quoted JSON string, is key. It does not decode
// a name that would be too long even if each letter were escaped.
func isName(name []byte, key string) bool {
	if !bytes.ContainsRune(name, '\\') {
		return string(name[1:len(name)-1]) == key
	}
	var s string
	return len(name) <= 6*len(key)+2 && json.Unmarshal(name, &s) == nil && s == key // \u0054
}

// unreadable makes the answer to a request from Twilio whose body cannot be read:
// 500, because Event Streams drops an event for good after a 4xx other than
// 429, and repeats it after a 5xx.
// Source: https://www.twilio.com/docs/events/event-delivery-and-duplication.
func unreadable(bad error) error {
	told, ok := errors.AsType[*Error](bad)
	if !ok || told.Status >= http.StatusInternalServerError { // such as a 503 with Retry-After: nothing is wrong with the body
		return bad
	}
	return &Error{
		Status:  http.StatusInternalServerError,
		Message: "This function cannot read what Twilio sent: " + told.Message,
		Err:     bad,
	}
}
