package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stall is a writer that blocks until it is released.
type stall struct {
	gate chan struct{}
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *stall) Write(p []byte) (int, error) {
	<-s.gate
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *stall) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestLinesAreWrittenBeforeDoReturns(t *testing.T) {
	var q Queue
	var text bytes.Buffer
	w := q.Writer(&text)
	for _, line := range []string{"a", "b", "c"} {
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(text.String(), line) {
			t.Fatalf("%q was not written: %q", line, &text)
		}
	}
}

func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		s := &stall{gate: make(chan struct{})}
		w := q.Writer(s)
		reported := 0
		q.Report(func(lost int) { reported += lost })
		wrote := func(line string) time.Duration {
			began := time.Now()
			_, _ = io.WriteString(w, line)
			return time.Since(began)
		}
		if took := wrote("first\n"); took != patience {
			t.Errorf("the first line took %s", took)
		}
		if took := wrote("second\n"); took != 0 {
			t.Errorf("the second took %s", took)
		}
		long := strings.Repeat("x", Room/4)
		for range 10 {
			wrote(long)
		}
		if q.Lost() != 7 {
			t.Errorf("%d lines were lost", q.Lost())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
		close(s.gate)
		if err := q.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := s.String(); got != "first\nsecond\n"+strings.Repeat(long, 3) || reported != 7 || q.Lost() != 0 {
			t.Errorf("%d bytes were written, %d lines reported as lost, %d still", len(got), reported, q.Lost())
		}
		if took := wrote("then\n"); took != 0 || !strings.HasSuffix(s.String(), "then\n") {
			t.Errorf("then a line took %s", took)
		}
	})
}

// TestValuesAreKept changes values after logging them and before they are
// written, and compares with what slog alone writes.
func TestValuesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type point struct{ X, Y int }
		values := map[string]int{"a": 1}
		list := []string{"x"}
		attrs := func() []any {
			return []any{"map", values, "list", list, "point", point{1, 2}, "to", &point{3, 4}, "error", errors.New("why"),
				"time", time.Unix(0, 0).UTC(), "nil", nil, "kind", slog.LevelWarn, "bytes", []byte("b"), "bad", (*broken)(nil),
				slog.Group("g", "map", values)}
		}
		plain := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}
		for name, handler := range map[string]func(io.Writer) slog.Handler{
			"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, plain) },
			"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, plain) },
		} {
			var want bytes.Buffer
			slog.New(handler(&want)).With("with", list).WithGroup("h").Info("m", attrs()...)
			var q Queue
			s := &stall{gate: make(chan struct{})}
			slog.New(q.Handler(handler(s))).With("with", list).WithGroup("h").Info("m", attrs()...)
			values["a"], list[0] = 2, "changed"
			close(s.gate)
			_ = q.Wait(t.Context())
			if s.String() != want.String() {
				t.Errorf("%s:\n%s\nwant\n%s", name, s, &want)
			}
			values["a"], list[0] = 1, "x"
		}
	})
}

type broken struct{ text string }

func (b *broken) Error() string { return b.text }

func TestPanicInALogger(t *testing.T) {
	var q Queue
	ran := false
	q.Do(1, func() { panic("on purpose") })
	q.Do(1, func() { ran = true })
	if !ran {
		t.Error("nothing is written after a panic")
	}
}
