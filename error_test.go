package flexfn

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/internal/pace"
)

func TestStatusOfAnError(t *testing.T) {
	for status, want := range map[int]int{0: 500, 399: 500, 400: 400, 599: 599, 600: 500} {
		if got := (&Error{Status: status}).HTTPStatus(); got != want {
			t.Errorf("%d is answered as %d, want %d", status, got, want)
		}
	}
}

// TestHandlersOwnContextEnds: that a ctx which the handler made has ended does
// not count as the call's end.
func TestHandlersOwnContextEnds(t *testing.T) {
	app := testApp(t, func(c *Config) { c.Logger = slog.New(slog.DiscardHandler) })
	for _, err := range []error{context.Canceled, context.DeadlineExceeded} {
		app.Handle("/"+strings.ReplaceAll(err.Error(), " ", "-"), PrepareStudioFunction(func(context.Context, Event) (any, error) { return nil, err }, OpenToAnyone()))
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/"+strings.ReplaceAll(err.Error(), " ", "-"), nil))
		if w.Code != http.StatusInternalServerError {
			t.Errorf("%v: %d %s", err, w.Code, w.Body)
		}
	}
}

// TestLogValueOfAnAttempt: an attempt is logged without the fields that do not
// apply to it.
func TestLogValueOfAnAttempt(t *testing.T) {
	for want, a := range map[string]Attempt{
		"[attempt=1 duration=0s]": {Number: 1},
		"[attempt=2 duration=0s status=503 error=x retried=true wait=1s]": {Number: 2, Status: 503, Err: errors.New("x"), Retried: true, Wait: time.Second},
	} {
		if got := a.LogValue().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// hurriedBody blocks until its connection's read deadline is set.
type hurriedBody struct {
	*httptest.ResponseRecorder
	hurry chan struct{}
}

func (h hurriedBody) SetReadDeadline(time.Time) error { close(h.hurry); return nil }
func (h hurriedBody) Read([]byte) (int, error)        { <-h.hurry; return 0, os.ErrDeadlineExceeded }

// TestSlowBodyIsHurried: at the deadline the read of a slow body is
// interrupted, and the reader answers.
func TestSlowBodyIsHurried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		app := testApp(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		app.Handle("/f", PrepareStudioFunction(func(context.Context, Event) (any, error) { return nil, nil }, OpenToAnyone(), Deadline(time.Second)))
		h := hurriedBody{httptest.NewRecorder(), make(chan struct{})}
		began := time.Now()
		app.ServeHTTP(h, httptest.NewRequest("POST", "/f", h))
		if err := app.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		waitForLog(app)
		if took := time.Since(began); h.Code != http.StatusRequestTimeout || took != time.Second+grace || strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("%d %s after %s, log %s", h.Code, h.Body, took, &log)
		}
	})
}

// TestMaskedValueIsText: a value with a secret is logged in the first written form
// that contains the secret.
func TestMaskedValueIsText(t *testing.T) {
	var log bytes.Buffer
	app := testApp(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	Logger(app.Context(t.Context())).Info("x", "value", struct{ Key string }{testConfig().AuthToken})
	waitForLog(app)
	if !strings.Contains(log.String(), "value={Key:(secret)}") {
		t.Errorf("%s", &log)
	}
}

// TestSparseLines: lines that anyone can cause are logged sparsely; those of an
// admitted caller, each time.
func TestSparseLines(t *testing.T) {
	var log bytes.Buffer
	app := testApp(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	lines := func(p phase) (n int, first string) {
		log.Reset()
		c := &call{app: app, fn: &route{Function: new(Function)}, request: httptest.NewRequest("GET", "/f", nil)}
		c.parent = t.Context()
		for range 200 {
			c.logFrom(p, slog.LevelWarn, "x")
		}
		waitForLog(app)
		first, _, _ = strings.Cut(log.String(), "\n")
		return strings.Count(log.String(), "\n"), first
	}
	if n, first := lines(admitting); n == 0 || n == 200 || strings.Contains(first, pace.LeftOut) {
		t.Errorf("a stranger caused %d lines, of which the first is %s", n, first)
	}
	if n, _ := lines(admitted); n != 200 {
		t.Errorf("an admitted caller caused %d lines", n)
	}
}
