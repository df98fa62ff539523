package redisflexfn

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/store"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// TestFullMemory: reads work and writes fail, as in a Redis whose memory is
// full. However they alternate, the log has one line about it, and another when
// writes work again.
func TestFullMemory(t *testing.T) {
	server := startRedis(t)
	var log syncbuf.Buffer
	entries, err := store.In(server.store(t), "AC00000000000000000000000000000001", strings.Repeat("s", 32), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	swap := func() error {
		_, _, err := entries.Swap(t.Context(), entries.Key("test", time.Now().String()), store.Entry{}, []byte("v"), time.Minute)
		return err
	}
	said := func(when string, fails, works int) {
		t.Helper()
		if text := log.String(); strings.Count(text, "the store fails") != fails || strings.Count(text, "works again") != works {
			t.Errorf("%s the log says %s", when, text)
		}
	}
	server.say("CONFIG SET maxmemory 1")
	for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if swap() == nil {
			t.Fatal("a write to a full memory works")
		}
		if _, err := entries.Get(t.Context(), entries.Key("test", "k")); err != nil {
			t.Fatalf("a read: %v", err)
		}
	}
	said("while writes fail", 1, 0)
	server.say("CONFIG SET maxmemory 0")
	for end := time.Now().Add(10 * time.Second); swap() != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("writes do not work again")
		}
	}
	said("after that", 1, 1)
}
