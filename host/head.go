package host

import "net/http"

// responseHead holds an answer's status and headers on platforms that do not
// get them from net/http. It behaves as [http.ResponseWriter] documents. It is
// not safe for concurrent use.
type responseHead struct {
	header http.Header // the handler's
	sent   http.Header // set with the status; nil before that
	status int
	began  bool // the head is final
	method string
}

func (h *responseHead) Header() http.Header { return h.header }

// WriteHeader drops informational statuses, which these platforms cannot pass
// on, and all but the first final one.
func (h *responseHead) WriteHeader(status int) {
	if status < 200 || h.sent != nil {
		return
	}
	h.status = status
	h.sent = h.header.Clone() // later changes have no effect
}

// begin makes the head final, and reports whether this call did so. p is the
// start of the body, used to detect the content type if the handler set none. A
// Content-Type that is present but nil asks for none, as in net/http; encoded
// bytes say nothing about the type.
func (h *responseHead) begin(p []byte) bool {
	if h.began {
		return false
	}
	h.began = true
	h.WriteHeader(http.StatusOK)
	if _, ok := h.sent["Content-Type"]; !ok && len(p) > 0 && h.sent.Get("Content-Encoding") == "" {
		h.sent.Set("Content-Type", http.DetectContentType(p))
	}
	return true
}

// bodyless reports whether the status rules out a body, whatever the handler
// writes. These are the two of RFC 9110, sections 15.3.5 and 15.4.5.
func (h *responseHead) bodyless() bool {
	return h.status == http.StatusNoContent || h.status == http.StatusNotModified
}
