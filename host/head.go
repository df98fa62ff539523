package host

import "net/http"

// responseHead holds an answer's status and headers on platforms that do not
// get them from net/http. It behaves as [http.ResponseWriter] documents.
type responseHead struct {
	header http.Header // the handler's
	sent   http.Header // set with the status; nil before that
	status int
	began  bool // the head is final
	method string
}

func (h *responseHead) Header() http.Header { return h.header }

func (h *responseHead) WriteHeader(status int) {
	if status < 200 || h.sent != nil {
		return
	}
	h.status = status
	h.sent = h.header.Clone() // later changes have no effect
}

// begin makes the head final, and reports whether this call did so. p is the
// start of the body, used to detect the content type if the handler set none.
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
// writes.
func (h *responseHead) bodyless() bool {
	return h.status == http.StatusNoContent || h.status == http.StatusNotModified
}
