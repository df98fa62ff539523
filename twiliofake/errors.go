package twiliofake

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// An apiError is an error response of Twilio's API. Functions return *apiError
// instead of error, since a nil *apiError in an error variable would not be
// nil.
type apiError struct {
	status, code int
	message      string
}

// Error implements the error interface. It is for tests and for the fake's own
// messages; clients get response.
func (e *apiError) Error() string { return fmt.Sprintf("%d (%d): %s", e.status, e.code, e.message) }

// refuse returns an error with one of Twilio's codes
// (https://www.twilio.com/docs/api/errors).
func refuse(status, code int, format string, args ...any) *apiError {
	return &apiError{status, code, fmt.Sprintf(format, args...)}
}

// invalid returns a 400 with code 20001, Twilio's error for an invalid
// parameter. Rows use it where no code of the product is known.
func invalid(format string, args ...any) *apiError {
	return refuse(http.StatusBadRequest, 20001, format, args...)
}

// notFound returns Twilio's 404 for a path. An item of another account gets the
// same answer as one that does not exist, so that a caller cannot tell them
// apart.
func notFound(path string) *apiError {
	return refuse(http.StatusNotFound, 20404, "The requested resource %s was not found", path)
}

// unmodelled returns a 501, for requests that Twilio may accept and the fake
// does not support. Twilio has no such answer, so it cannot be mistaken for one
// of Twilio's errors, and flexfn does not retry it.
func unmodelled(format string, args ...any) *apiError {
	return refuse(http.StatusNotImplemented, 20501, "twiliofake does not model "+format, args...)
}

// A response is an answer that has not been written yet, so that a fault can
// still change it. Its header does not have the request's id yet, since the log
// gives that.
type response struct {
	status int
	header headers
	body   []byte
}

// headers are names and values in turn. An answer has two or three, for which a
// map would be large.
type headers []string

// set sets a header. Setting it again replaces the value.
func (h *headers) set(name, value string) {
	for i := 0; i < len(*h); i += 2 {
		if (*h)[i] == name {
			(*h)[i+1] = value
			return
		}
	}
	*h = append(*h, name, value)
}

// get returns a header, or "".
func (h headers) get(name string) string {
	for i := 0; i < len(h); i += 2 {
		if h[i] == name {
			return h[i+1]
		}
	}
	return ""
}

// jsonResponse returns a response with a JSON body. The body is no larger than
// it must be, since the request log keeps it.
func jsonResponse(status int, body any) *response {
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	b, err := appendJSON((*room)[:0], body)
	*room = b
	if err != nil { // records hold only values that came from JSON
		return refuse(http.StatusInternalServerError, 20500, "twiliofake cannot write its answer: %v", err).response(false)
	}
	return &response{status, headers{"Content-Type", "application/json"}, bytes.Clone(b)}
}

// rooms are buffers into which requests are read and answers written.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// response renders the error as an API of the v1.0 standard does, or as all
// other APIs do. "Twilio API standard" responses have httpStatusCode and
// userError instead of status and more_info.
func (e *apiError) response(standard bool) *response {
	if standard {
		return jsonResponse(e.status, map[string]any{
			"code": e.code, "message": e.message, "httpStatusCode": e.status, "userError": e.status < 500, "params": map[string]any{},
		})
	}
	return jsonResponse(e.status, map[string]any{
		"code": e.code, "message": e.message, "status": e.status,
		"more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(e.code),
	})
}
