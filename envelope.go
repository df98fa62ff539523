package flexfn

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Response gives a handler control of status, headers and body: use *Response as
// its Out. A nil *Response is a 200 with the bare envelope.
//
//	return &flexfn.Response{Status: http.StatusCreated, Body: reply}, nil
//
//	return &flexfn.Response{
//		Header: http.Header{"Content-Type": {"text/csv"}},
//		Body:   csv,
//	}, nil
//
// Return failures as an [Error] instead, which also carries a cause for the
// log. The body is held in memory and sent at once; a stream cannot be sent.
type Response struct {
	// Status is the HTTP status, from 200 to 599; zero is 200.
	Status int
	// Header replaces flexfn's headers of the same names, such as Content-Type
	// and Cache-Control; Vary and Access-Control-Expose-Headers are extended
	// instead. The other CORS headers (Access-Control-*) and Content-Length are
	// ignored, since flexfn sets them.
	Header http.Header
	// Body is the answer. A string or []byte is sent unchanged, as text/plain
	// unless Header says otherwise. Anything else becomes the JSON envelope;
	// nil is the envelope alone. "success" is false from status 400 on. With
	// status 204 or 304 no body is sent.
	Body any
}

// answer is an answer, complete except for the CORS headers.
type answer struct {
	status      int
	contentType string // empty is JSON
	header      http.Header
	body        []byte
	requestID   string // empty if no log line has it
	last        bool   // close the connection after it
}

const jsonType = "application/json" // exactly: Studio parses nothing else

// success encodes what a handler returned. An error means that the handler is
// wrong: it returned a value that JSON cannot express, an impossible status, or
// a key "status".
func (c *call) success(out any) (answer, error) {
	a := answer{status: http.StatusOK}
	r, ok := out.(*Response)
	if !ok {
		var err error
		a.body, err = envelope(true, out, c.fn.keys)
		return a, err
	}
	if r == nil {
		r = new(Response)
	}
	switch {
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		return a, fmt.Errorf("the handler's Response has the status %d: it must be from 200 to 599", r.Status)
	case r.Status != 0:
		a.status = r.Status
	}
	if r.Header != nil {
		a.header = make(http.Header, len(r.Header))
		for k, v := range r.Header {
			a.header[http.CanonicalHeaderKey(k)] = v
		}
	}
	switch body := r.Body.(type) {
	case []byte:
		a.body, a.contentType = body, "text/plain; charset=utf-8"
	case string:
		a.body, a.contentType = []byte(body), "text/plain; charset=utf-8"
	default:
		var err error
		a.body, err = envelope(a.status < 400, body, nil)
		return a, err
	}
	return a, nil
}

// envelope encodes v as a JSON object that has a key "success". An object
// keeps its own "success"; anything that is not an object goes under "data".
// keys is what v's type says about the envelope's keys; nil if it does not say.
func envelope(success bool, v any, keys *answerKeys) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("the answer cannot be JSON: %w", err)
	}
	ending := `"success":` + strconv.FormatBool(success) + "}"
	switch {
	case string(body) == "null" || string(body) == "{}":
		return []byte("{" + ending), nil
	case body[0] != '{':
		return fmt.Appendf(nil, `{"data":%s,%s`, body, ending), nil
	}
	if keys == nil {
		if keys, err = keysOf(body); err != nil {
			return nil, err
		}
	}
	if keys.status {
		return nil, errStatusKey
	}
	if keys.success {
		return body, nil
	}
	body[len(body)-1] = ','
	return append(body, ending...), nil
}

// answerKeys says which of the envelope's keys an answer sets itself.
type answerKeys struct{ success, status bool }

// errStatusKey refuses a key that would break plugins in silence: Flex's own
// helper adds the HTTP status to the decoded answer under "status".
var errStatusKey = errors.New(`the answer has a key "status", which hides the HTTP status from Flex plugins; name it otherwise`)

// keysOfType finds the envelope's keys among a struct's fields, once for each
// function, so that answers need not be parsed. It is nil if the type alone does
// not decide, as with omitempty, maps and types that encode themselves.
func keysOfType(t reflect.Type) *answerKeys {
	for t.Kind() == reflect.Pointer && !t.Implements(jsonMarshalerType) {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(jsonMarshalerType) {
		return nil
	}
	keys := new(answerKeys)
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case within(t, f.Index): // it is not a top-level key
		case f.Anonymous && name == "" && f.Type.Kind() != reflect.Struct:
			return nil // its keys are known only once it is encoded
		case !f.IsExported():
		case name == "success" || name == "status":
			if options != "" || keys.success && name == "success" || keys.status && name == "status" {
				return nil // so is whether the field is sent
			}
			keys.success = keys.success || name == "success"
			keys.status = keys.status || name == "status"
		}
	}
	return keys
}

// within reports whether the field at index is in an embedded struct that has
// a name of its own in JSON.
func within(t reflect.Type, index []int) bool {
	for n := 1; n < len(index); n++ {
		if t.FieldByIndex(index[:n]).Tag.Get("json") != "" {
			return true
		}
	}
	return false
}

var jsonMarshalerType = reflect.TypeFor[json.Marshaler]()

// keysOf finds the envelope's keys in an encoded object.
func keysOf(body []byte) (*answerKeys, error) {
	var object map[string]json.RawMessage
	err := json.Unmarshal(body, &object)
	return &answerKeys{success: object["success"] != nil, status: object["status"] != nil}, err
}

// failureBody is the failure envelope. Empty fields are left out, except "data"
// in a parameter fault, which is null there as in the Node.js template (the
// reference).
type failureBody struct {
	Success         bool             `json:"success"`
	Data            *json.RawMessage `json:"data,omitempty"`
	Message         string           `json:"message"`
	TwilioErrorCode int              `json:"twilioErrorCode,omitempty"`
	TwilioDocPage   string           `json:"twilioDocPage,omitempty"`
	OutcomeUnknown  bool             `json:"outcomeUnknown,omitempty"`
	RequestID       string           `json:"requestId,omitempty"`
	*parameterFaults
}

// failure makes an answer of a failure's envelope.
func failure(status int, body failureBody) answer {
	b, err := json.Marshal(body)
	if err != nil {
		b = []byte(`{"success":false}`) // cannot happen: every field has a JSON form
	}
	return answer{status: status, body: b}
}

// refuse makes the answer to a request that flexfn turns away before it has found
// the function.
func refuse(status int, format string, args ...any) answer {
	return failure(status, failureBody{Message: fmt.Sprintf(format, args...)})
}

// statusCallerGone is the status that nginx logs when the caller has left. It
// is logged and traced only.
const statusCallerGone = 499

var jsonNull = json.RawMessage("null")

// failed makes the answer to a call that failed with err. Answers of 500 and above
// are logged as errors with the whole err, since the caller sees only a part of
// it; others are the caller's fault and logged at debug level. So is a
// handler's own 501: the server is not set up for what was asked, and every
// call would log that again.
func (c *call) failed(err error) answer {
	c.traceFailure(err)
	if p, ok := errors.AsType[*parameterError](err); ok {
		c.debug(err)
		return failure(http.StatusBadRequest, failureBody{Data: &jsonNull, Message: p.message, parameterFaults: p.faults})
	}
	told, ok := errors.AsType[*Error](err)
	switch v, invalid := errors.AsType[*validationError](err); {
	case c.callerLeft(err) && !(ok && told.OutcomeUnknown): // including during a call to a service
		told = &Error{Status: statusCallerGone, Message: "The caller went away"}
	case ok:
	case invalid:
		told = &Error{Status: http.StatusBadRequest, Message: v.Error()}
	case c.overdue(err):
		told = &Error{Status: http.StatusGatewayTimeout, Message: lateMessage(c.limit)}
	default:
		told = &Error{Message: "Something went wrong; the log has the details under this request id"}
		if c.app.config.Development {
			told.Message = err.Error()
		}
	}
	status := told.HTTPStatus()
	body := failureBody{
		Message: told.message(), TwilioErrorCode: told.TwilioErrorCode, TwilioDocPage: told.TwilioDocPage,
		OutcomeUnknown: told.OutcomeUnknown,
	}
	if status >= 500 {
		body.RequestID = c.requestID()
	}
	notSetUp := status == http.StatusNotImplemented && told.TwilioErrorCode == 0 && told.Err == nil // rather than a service's 501
	if status >= 500 && !notSetUp {
		c.logFrom(c.phase, slog.LevelError, "function failed", "status", status, "error", err, "duration", time.Since(c.start))
	} else {
		c.debug(err)
	}
	a := failure(status, body)
	if told.RetryAfter > 0 {
		a.header = retryAfter(told.RetryAfter)
	}
	return a
}

// retryAfter is the header Retry-After, in whole seconds.
func retryAfter(d time.Duration) http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(d.Seconds())))}}
}

// write sends a, after ServeHTTP has set the headers that every answer has. The
// headers of a replace those, except the CORS headers and Content-Length, which
// stay, and Vary, which is extended so that caches still heed Origin. Neither a
// HEAD request nor a 204 or 304 gets a body.
func (a answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	to := &headers{h: h}
	to.set("Content-Type", cmp.Or(a.contentType, jsonType))
	for k, v := range a.header {
		switch {
		case k == "Access-Control-Expose-Headers":
			h[k] = []string{strings.Join(append(slices.Clone(h[k]), v...), ", ")}
		case strings.HasPrefix(k, "Access-Control-") || k == "Content-Length":
		case k == "Vary":
			h[k] = append(slices.Clone(h[k]), v...)
		default:
			h[k] = slices.Clone(v)
		}
	}
	if a.requestID != "" {
		to.set("X-Request-Id", a.requestID)
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		delete(h, "Content-Type")
		w.WriteHeader(a.status)
		return
	}
	to.set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // an error means that the caller has left
	}
}
