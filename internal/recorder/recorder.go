// Package recorder records the requests and answers of a handler.
package recorder

import (
	"bytes"
	"io"
	"net/http"
)

// A Body keeps what was read or written of a body.
type Body struct {
	// Limit is how many bytes are kept at most; zero keeps everything.
	Limit int
	// Cut reports that there was more than was kept.
	Cut bool

	kept bytes.Buffer
}

// Write keeps as much of p as the limit allows. It never fails.
func (b *Body) Write(p []byte) (int, error) {
	n := len(p)
	if b.Limit > 0 {
		n = min(n, b.Limit-b.kept.Len())
	}
	b.kept.Write(p[:n])
	b.Cut = b.Cut || n < len(p)
	return len(p), nil
}

// Bytes returns what was kept.
func (b *Body) Bytes() []byte { return b.kept.Bytes() }

// Reader returns a reader of r that keeps in b what it reads.
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

// A Writer is an [http.ResponseWriter] that keeps the answer. The zero value
// only keeps it in memory.
type Writer struct {
	// To, if not nil, receives the answer as well.
	To http.ResponseWriter
	// Begin, if not nil, is called with the header before that is sent, and may
	// change it.
	Begin func(http.Header)
	Body  Body
	// Begun reports that the answer has begun, and Flushed that its header was
	// sent before the answer was complete.
	Begun, Flushed bool

	status int
	header http.Header // used if To is nil
}

// Status returns the status of the answer, or 200 if none has begun.
func (w *Writer) Status() int {
	if w.Begun {
		return w.status
	}
	return http.StatusOK
}

// End records a status for a caller who has left. Nothing is sent.
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
		_ = http.NewResponseController(w.To).Flush() // ignored: a writer that cannot flush sends the answer at its end
	}
}

// Unwrap returns To, for [http.ResponseController].
func (w *Writer) Unwrap() http.ResponseWriter { return w.To }
