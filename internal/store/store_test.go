package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(1 << 20)
		value := bytes.Repeat([]byte("x"), 10_000)
		kept := 0
		for i := range 1000 {
			ok, err := m.Swap(t.Context(), fmt.Sprint(i), nil, value, time.Minute)
			if err != nil && !errors.Is(err, errFull) {
				t.Fatal(err)
			}
			if ok {
				kept++
			}
		}
		if kept < 90 || kept > 104 || m.bytes > m.limit {
			t.Errorf("%d entries of 10 kB, %d bytes", kept, m.bytes)
		}
		if v, _, _ := m.Get(t.Context(), "0"); v == nil {
			t.Error("an entry was evicted before its time")
		}
		if ok, err := m.Swap(t.Context(), "0", value, []byte("y"), time.Second); !ok || err != nil {
			t.Errorf("a smaller value: %t, %v", ok, err)
		}
		time.Sleep(time.Minute)
		if ok, err := m.Swap(t.Context(), "new", nil, value, time.Minute); !ok || err != nil || m.Len() != 1 || len(m.expiry) != 1 {
			t.Errorf("after a minute: %t, %v, %d entries", ok, err, m.Len())
		}
		if ok, err := m.Swap(t.Context(), "new", value, nil, 0); !ok || err != nil || m.bytes != 0 {
			t.Errorf("empty: %t, %v, %d bytes", ok, err, m.bytes)
		}
		for _, err := range []error{checkSwap("", value, time.Second), checkSwap("k", make([]byte, maxValue+1), time.Second), checkSwap("k", value, 0), checkSwap("k", value, 32*24*time.Hour)} {
			if err == nil {
				t.Error("a faulty Swap is accepted")
			}
		}
	})
}

// shaky is a Store that fails, before or after it has done what it was asked.
type shaky struct {
	*Memory
	fault       error
	late, hangs bool
	calls       int
}

func (s *shaky) Get(ctx context.Context, key string) ([]byte, time.Duration, error) {
	s.calls++
	if s.hangs {
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	if s.fault != nil && !s.late {
		return nil, 0, s.fault
	}
	return s.Memory.Get(ctx, key)
}

func (s *shaky) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	s.calls++
	if s.hangs {
		<-ctx.Done()
		return false, ctx.Err()
	}
	if s.fault != nil && !s.late {
		return false, s.fault
	}
	ok, err := s.Memory.Swap(ctx, key, old, value, ttl)
	if s.fault != nil {
		return false, s.fault
	}
	return ok, err
}

const account = "AC00000000000000000000000000000001"

func mustOpen(t *testing.T, s Store, secret string, log *bytes.Buffer) *Entries {
	e, err := In(s, account, secret, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEntriesAreSealed(t *testing.T) {
	m := NewMemory(1 << 20)
	var log bytes.Buffer
	one, other := mustOpen(t, m, "secret one", &log), mustOpen(t, m, "secret two", &log)
	key, swapped := one.Key("token", "whose-token"), one.Key("token", "another-token")
	for _, k := range []string{key, swapped} {
		if _, ok, err := one.Swap(t.Context(), k, Entry{}, []byte("agent-x"), time.Minute); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if !strings.HasPrefix(key, "flexfn:1:"+account+":token:") || len(key) > 128 || strings.Contains(key, "whose") || key == other.Key("token", "whose-token") {
		t.Errorf("the key is %s", key)
	}
	if one.Key("x", "ab", "c") == one.Key("x", "a", "bc") || one.Key("x", "a") == one.Key("y", "a") {
		t.Error("keys are ambiguous")
	}
	raw, _, _ := m.Get(t.Context(), key)
	if bytes.Contains(raw, []byte("agent")) {
		t.Error("the store can read the value")
	}
	if e, err := one.Get(t.Context(), key); err != nil || string(e.Value) != "agent-x" {
		t.Errorf("%q, %v", e.Value, err)
	}
	// One entry was moved from another key, and one was changed.
	moved, _, _ := m.Get(t.Context(), swapped)
	for name, value := range map[string][]byte{"moved": moved, "changed": append([]byte("x"), raw[1:]...), "cut": raw[:5]} {
		if _, err := m.Swap(t.Context(), key, raw, value, time.Minute); err != nil {
			t.Fatal(err)
		}
		if e, err := one.Get(t.Context(), key); err == nil || e.Exists() {
			t.Errorf("%s: an entry that flexfn did not write is believed: %q", name, e.Value)
		}
		raw = value
	}
}

func TestOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shaky{Memory: NewMemory(1 << 20)}
		var log bytes.Buffer
		e := mustOpen(t, s, "secret", &log)
		s.hangs = true
		begin := time.Now()
		for range 100 {
			if _, err := e.Get(t.Context(), "k"); err == nil {
				t.Fatal("no error")
			}
		}
		if took := time.Since(begin); took != failsToDown*wait || s.calls != failsToDown {
			t.Errorf("100 calls to a silent store took %s and asked it %d times", took, s.calls)
		}
		time.Sleep(pause)
		for range 100 {
			_, _ = e.Get(t.Context(), "k")
		}
		if s.calls != failsToDown+1 {
			t.Errorf("a second later it was asked %d times in all", s.calls)
		}
		if text := log.String(); !strings.Contains(text, "it did not answer within 250ms") {
			t.Errorf("the log says %s", text)
		}
		s.hangs = false
		time.Sleep(2 * pause)
		for range 10 {
			if _, err := e.Get(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
		}
		if text := log.String(); strings.Count(text, "the store fails") != 1 || strings.Count(text, "works again") != 1 || strings.Count(text, "\n") != 2 {
			t.Errorf("the log says %s", text)
		}
	})
}

func TestSwapLooks(t *testing.T) {
	s := &shaky{Memory: NewMemory(1 << 20), fault: errors.New("connection lost"), late: true}
	e := mustOpen(t, s, "secret", new(bytes.Buffer))
	entry, ok, err := e.Swap(t.Context(), "k", Entry{}, []byte("v"), time.Minute)
	if !ok || err != nil {
		t.Fatalf("a swap whose answer was lost: %t, %v", ok, err)
	}
	s.fault = nil
	if _, ok, err := e.Swap(t.Context(), "k", entry, nil, 0); !ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
	s.fault, s.late = errors.New("down"), false
	if _, _, err := e.Swap(t.Context(), "k", Entry{}, []byte("v"), time.Minute); err == nil {
		t.Error("no error")
	}
}

// full is a Store that refuses writes.
type full struct{ *Memory }

func (full) Swap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, errFull
}

// TestFull: a store that takes no more writes still shows its entries, to those
// who expected none, too.
func TestFull(t *testing.T) {
	m := NewMemory(1 << 20)
	var log bytes.Buffer
	known, _, err := mustOpen(t, m, "secret", &log).Swap(t.Context(), "known", Entry{}, []byte("answer"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	e := mustOpen(t, full{m}, "secret", &log)
	for range 3 * failsToDown {
		if _, ok, err := e.Swap(t.Context(), "known", Entry{}, []byte("other"), time.Hour); ok || err != nil {
			t.Fatalf("a known key: %t, %v", ok, err)
		}
		if _, ok, err := e.Swap(t.Context(), "new", Entry{}, []byte("answer"), time.Hour); ok || err == nil {
			t.Fatalf("a new key: %t, %v", ok, err)
		}
		if _, ok, err := e.Swap(t.Context(), "known", known, []byte("next"), time.Hour); ok || err == nil {
			t.Fatalf("the next value of a known key: %t, %v", ok, err)
		}
	}
	if text := log.String(); strings.Count(text, "\n") != 1 {
		t.Errorf("the log says %s", text)
	}
}
