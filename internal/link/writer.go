package link

import (
	"net/http"
	"reflect"
)

// Transparent is implemented by writers that pass everything on, at once and
// unchanged, to the writer that Unwrap returns.
type Transparent interface {
	Unwrap() http.ResponseWriter
	Transparent()
}

// Direct reports whether w writes to a connection of net/http's own HTTP/1
// server. There, an answer with a length that is flushed is complete for the
// client before the handler returns. Nothing else is known to promise that: in
// HTTP/2 an answer ends with the handler, and a middleware may hold back or
// change what it is given.
func Direct(w http.ResponseWriter) bool {
	for {
		t, ok := w.(Transparent)
		if !ok {
			break
		}
		w = t.Unwrap()
	}
	t := reflect.TypeOf(w)
	return t != nil && t.String() == "*http.response" && t.Elem().PkgPath() == "net/http"
}
