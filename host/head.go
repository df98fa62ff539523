package host

import "net/http"

// responseHead is an answer's status and headers on the platforms that get
// them otherwise than from net/http. It keeps what [http.ResponseWriter]
// promises.
type responseHead struct {
	header http.Header // the handler's
	sent   http.Header // with the status; nil before that
	status int
	began  bool // nothing of it changes any more
	method string
}

func (h *responseHead) Header() http.Header { return h.header }

func (h *responseHead) WriteHeader(status int) {
	if status < 200 || h.sent != nil {
		return
	}
	h.status = status
	h.sent = h.header.Clone() // what the handler still changes comes too late
}

// begin makes the head final, and reports whether it was not already. The
// body begins with p, which tells its type when the handler has not.
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

// bodyless says that no body may follow, whatever the handler writes.
func (h *responseHead) bodyless() bool {
	return h.status == http.StatusNoContent || h.status == http.StatusNotModified
}
