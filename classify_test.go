package flexfn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
)

func TestKindsOfFailure(t *testing.T) {
	wrapped := func(err error) error {
		return &url.Error{Op: "Get", URL: "http://x", Err: fmt.Errorf("wrapped: %w", err)}
	}
	for _, c := range []struct {
		err                          error
		dialFailed, timedOut, unread bool
	}{
		{errors.New("x"), false, false, false},
		{&net.OpError{Op: "dial", Err: errors.New("no route")}, true, false, false},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, false, false, false},
		{syscall.ECONNREFUSED, true, false, false},
		{&net.DNSError{Err: "no such host"}, true, false, false},
		{&net.DNSError{Err: "i/o timeout", IsTimeout: true}, true, true, false},
		{wrapped(context.DeadlineExceeded), false, true, false},
		{&net.OpError{Op: "read", Err: fmt.Errorf("wrapped: %w", context.DeadlineExceeded)}, false, true, false},
		{&net.OpError{Op: "read", Err: fmt.Errorf("wrapped: %w", os.ErrDeadlineExceeded)}, false, true, false},
		{errors.Join(&net.OpError{Op: "read", Err: errors.New("reset")}, context.DeadlineExceeded), false, true, false},
		{errors.Join(&net.OpError{Op: "read", Err: errors.New("reset")}, os.ErrDeadlineExceeded), false, true, false},
		{errors.New("stream error: stream ID 3; REFUSED_STREAM"), false, false, true},
		{errors.New("http2: Transport received Server's graceful shutdown GOAWAY"), false, false, true},
	} {
		for _, err := range []error{c.err, wrapped(c.err)} {
			if dialFailed(err) != c.dialFailed || timedOut(err) != c.timedOut || refusedUnread(err) != c.unread {
				t.Errorf("%v: dial failed %t, timed out %t, refused unread %t", err, dialFailed(err), timedOut(err), refusedUnread(err))
			}
		}
	}
}

// An error that has a message for the caller keeps it.
func TestEndedBy(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{context.DeadlineExceeded, "504 the time for this request ran out: context deadline exceeded"},
		{&Error{Status: 503, Message: "busy", Err: context.DeadlineExceeded}, "503 busy: context deadline exceeded"},
		{errors.New("x"), "x"},
	} {
		if got := endedBy(context.DeadlineExceeded, c.err); got.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.err, got, c.want)
		}
	}
}
