// Package recorder keeps what is asked of a handler and what it answers.
package recorder

import (
	"bytes"
	"io"
	"net/http"
)

// A Body is what was read or written of a body.
type Body struct {
	// Limit bounds what is kept, in bytes; zero keeps all of it.
	Limit int
	// Cut says that there was more.
	Cut bool

	kept bytes.Buffer
}

// Write keeps p, as far as the limit allows. It never fails.
func (b *Body) Write(p []byte) (int, error) {
	n := len(p)
	if b.Limit > 0 {
		n = min(n, b.Limit-b.kept.Len())
	}
	b.kept.Write(p[:n])
	b.Cut = b.Cut || n < len(p)
	return len(p), nil
}

// Bytes is what was kept.
func (b *Body) Bytes() []byte { return b.kept.Bytes() }

// Reader returns r, of which b keeps what is read.
func (b *Body) Reader(r io.ReadCloser) io.ReadCloser { return &reader{r, b} }

type reader struct {
	io.ReadCloser
	to *Body
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	_, _ = r.to.Write(p[:n])
	return n, err
}

// A Writer is an [http.ResponseWriter] that keeps the answer. Its zero value
// keeps it in memory alone.
type Writer struct {
	// To receives the answer as well, unless it is nil.
	To http.ResponseWriter
	// Begin, unless it is nil, is called with the header before that is sent,
	// and may change it.
	Begin func(http.Header)
	Body  Body
	// Begun says that there is an answer, and Flushed that its head was sent
	// before the answer was complete.
	Begun, Flushed bool

	status int
	header http.Header // when To is nil
}

// Status is the answer's, 200 for one that was not begun.
func (w *Writer) Status() int {
	if w.Begun {
		return w.status
	}
	return http.StatusOK
}

// End notes a status for a caller who has gone, who gets nothing.
func (w *Writer) End(status int) { w.Begun, w.status = true, status }

// Header implements [http.ResponseWriter].
func (w *Writer) Header() http.Header {
	if w.To != nil {
		return w.To.Header()
	}
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader implements [http.ResponseWriter].
func (w *Writer) WriteHeader(status int) {
	if status >= 200 && !w.Begun {
		w.Begun, w.status = true, status
		if w.Begin != nil {
			w.Begin(w.Header())
		}
	}
	if w.To != nil {
		w.To.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter].
func (w *Writer) Write(p []byte) (int, error) {
	if !w.Begun {
		w.WriteHeader(http.StatusOK)
	}
	_, _ = w.Body.Write(p)
	if w.To != nil {
		return w.To.Write(p)
	}
	return len(p), nil
}

// Flush implements [http.Flusher].
func (w *Writer) Flush() {
	if !w.Begun {
		w.WriteHeader(http.StatusOK)
	}
	w.Flushed = true
	if w.To != nil {
		_ = http.NewResponseController(w.To).Flush() // one that cannot, will not
	}
}

// Unwrap is for [http.ResponseController].
func (w *Writer) Unwrap() http.ResponseWriter { return w.To }
