package link

import (
	"net/http"
	"reflect"
)

// Transparent is implemented by writers that pass everything on, immediately
// and unchanged, to the writer that Unwrap returns.
type Transparent interface {
	Unwrap() http.ResponseWriter
	Transparent()
}

// Direct reports whether w writes to a connection of net/http's own HTTP/1
// server. There, once an answer with a length is flushed, the client has all of
// it before the handler returns. No other writer is known to promise that: in
// HTTP/2 an answer ends when the handler returns, and middleware may buffer or
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
