package flexfn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// advice is what to do after a failure. The zero value is the safe choice.
type advice int

const (
	giveUp advice = iota
	retryAtOnce
	retryLater
)

// classify decides whether a call is tried again after err. It is the only
// place that decides which failures are retried.
//
// A status takes precedence over the kind of error: a 503 that arrived is an
// answer, even if its body was cut short. Unknown errors are final, since a
// retry might do harm.
func classify(err error, repeatable bool) advice {
	status := 0
	if e, ok := errors.AsType[*Error](err); ok {
		switch {
		case e.OutcomeUnknown && repeatable:
			return retryLater // no answer came, whatever status the error names
		case e.OutcomeUnknown:
			return giveUp
		}
		status = e.HTTPStatus()
	} else if e, ok := errors.AsType[statusError](err); ok {
		status = e.HTTPStatus()
	}
	if a := adviceFor(status); a != giveUp {
		return a
	}
	if status != 0 && status < 500 {
		return giveUp // an answer came, whatever caused it
	}
	if noAnswer(err) {
		return retryLater
	}
	return giveUp
}

// harmless reports whether the call that failed with err is known to have
// changed nothing, so that repeating it cannot take effect twice.
func harmless(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.harmless
	}
	return dialFailed(err)
}

// doubtful marks err, the error of a call that must not happen twice, as one
// with an unknown outcome.
func doubtful(err error) error {
	var e *Error
	if told, ok := errors.AsType[*Error](err); ok {
		if told.OutcomeUnknown {
			return err
		}
		copied := *told
		e = &copied
	} else if s, ok := errors.AsType[statusError](err); ok {
		e = &Error{Status: s.HTTPStatus(), RetryAfter: retryDelay(err)}
	} else {
		return lost(err, "", true, true)
	}
	e.Message, e.OutcomeUnknown, e.Err = e.message()+unknownOutcome, true, err
	return e
}

// adviceFor returns the advice for an answer with status. The statuses that
// allow a retry of any call are those with which a service says that it did
// nothing. Other answers of 500 and above may be sent after the change was
// made.
func adviceFor(status int) advice {
	switch status {
	case http.StatusPreconditionFailed:
		return retryAtOnce
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return retryLater
	}
	return giveUp
}

// statusError is implemented by errors that are classified by an HTTP status.
type statusError interface {
	error
	HTTPStatus() int
}

// delayError is implemented by errors that ask for a longer wait.
type delayError interface {
	error
	RetryDelay() time.Duration
}

// retryDelay is how long err asks to wait; zero if it does not.
func retryDelay(err error) time.Duration {
	if e, ok := errors.AsType[delayError](err); ok {
		return e.RetryDelay()
	}
	return 0
}

// lostError marks the error of a request that got no complete answer, so that
// it is classified the same way when it comes back wrapped.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// noAnswer reports whether err means that no connection was made, or that no
// answer came on it.
func noAnswer(err error) bool {
	if badCertificate(err) {
		return false // it stays wrong until someone replaces it
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	if _, ok := errors.AsType[*lostError](err); ok {
		return true
	}
	if timedOut(err) {
		return true
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	for _, e := range []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE,
		syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	if _, ok := errors.AsType[*url.Error](err); ok && errors.Is(err, io.EOF) {
		return true // the server hung up; elsewhere EOF is an ordinary end
	}
	return lostByText(err)
}

// lostByText recognises, by their text, failures of net/http that have neither
// a type nor an exported value.
//
// A new version of Go may change the texts; such a failure would then be final
// rather than repeated.
func lostByText(err error) bool {
	text := err.Error()
	for _, part := range []string{
		"http: server closed idle connection",
		"http2: server sent GOAWAY",
		"http2: Transport received Server's graceful shutdown GOAWAY",
		"http2: client connection lost",
		"http2: client conn not usable",
		"http2: client conn is closed",
		"REFUSED_STREAM",
	} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// refusedUnread reports whether err is an HTTP/2 server's promise that it did not
// begin to process the request (RFC 9113, section 8.7).
func refusedUnread(err error) bool {
	text := err.Error()
	return strings.Contains(text, "REFUSED_STREAM") || strings.Contains(text, "graceful shutdown GOAWAY")
}

// dialFailed reports whether err arose before there was a connection.
func dialFailed(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial" || errors.Is(err, syscall.ECONNREFUSED)
}

// badCertificate reports whether the service's certificate was not accepted.
// Waiting does not help, and going on without the check would send credentials
// to an unknown server.
func badCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// timedOut reports whether err says that a time limit passed, no matter which.
func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	// The outermost error may not know: a url.Error asks only the error it
	// wraps directly.
	for e, ok := errors.AsType[net.Error](err); ok; e, ok = errors.AsType[net.Error](errors.Unwrap(e)) {
		if e.Timeout() {
			return true
		}
	}
	return false
}

// lost makes the error of a request to host that got no answer. sent says that
// the service may have begun to act on the request, and changes that acting on
// it twice would take effect twice. If both are true, the outcome is unknown.
func lost(err error, host string, sent, changes bool) *Error {
	if host == "" {
		host = "the service"
	}
	e := &Error{Err: &lostError{err}, harmless: !sent || !changes}
	switch {
	case badCertificate(err):
		e.Status, e.Message = http.StatusBadGateway, host+" could not prove who it is (TLS certificate)"
	case timedOut(err):
		e.Status, e.Message = http.StatusGatewayTimeout, host+" did not answer in time"
	case errors.Is(err, context.Canceled):
		e.Status, e.Message = http.StatusGatewayTimeout, "the call to "+host+" was cancelled"
	case !sent:
		e.Status, e.Message = http.StatusServiceUnavailable, host+" could not be reached"
	default:
		e.Status, e.Message = http.StatusBadGateway, host+" closed the connection without an answer"
	}
	if sent && changes {
		e.OutcomeUnknown = true
		e.Message += unknownOutcome
	}
	return e
}

// unknownOutcome ends the message of a failure whose outcome is unknown. The
// reader may be a plugin's user, who has to decide what to do.
const unknownOutcome = "; the request was sent, so what it asked for may have happened: check before you try again"

// gaveUpError is the error of a call that ended before its retries were used up.
type gaveUpError struct{ reason, last error }

func (e *gaveUpError) Error() string {
	return fmt.Sprintf("not tried again, %v: %v", e.reason, e.last)
}

// Unwrap returns the last failure first, so that errors.As finds its *Error.
func (e *gaveUpError) Unwrap() []error { return []error{e.last, e.reason} }

// gaveUp is the error of a call that ended for reason, after the failure last
// or, when that is nil, before its first attempt.
func gaveUp(reason, last error) error {
	if last == nil {
		return endedBy(reason, reason)
	}
	if errors.Is(last, reason) {
		return endedBy(reason, last)
	}
	return &gaveUpError{reason, last}
}

// endedBy wraps err, which arose because a ctx ended, in an *Error with a
// message for the caller.
func endedBy(reason, err error) error {
	if _, ok := errors.AsType[*Error](err); ok || !errors.Is(err, reason) {
		return err
	}
	if reason == context.DeadlineExceeded {
		return &Error{Status: http.StatusGatewayTimeout, Message: "the time for this request ran out", Err: err}
	}
	return &Error{Status: http.StatusServiceUnavailable, Message: "the request was cancelled", Err: err}
}
