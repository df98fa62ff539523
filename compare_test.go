package flexfn

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"
)

// BenchmarkTokenCache looks up a cached token on all processors at once, in the
// app's cache and in maps that never evict. Each case hashes the token and
// checks the time.
func BenchmarkTokenCache(b *testing.B) {
	app, err := New(Config{
		AccountSID: "AC00000000000000000000000000000001", AuthToken: "0123456789abcdef0123456789abcdef", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	const token = "eyJhbGciOiJkaXIiLCJjdHkiOiJ0d2lsaW8tZnBhO3Y9MSIsImVuYyI6IkEyNTZHQ00ifQ"
	key := tokenKey(sha256.Sum256([]byte(token)))
	kept := newVerdict(&Owner{WorkerSID: "WK00000000000000000000000000000001"}, "", time.Hour)
	app.tokens.cache.set(key, kept)
	var syncMap sync.Map
	syncMap.Store(key, kept)
	var mu sync.Mutex
	plain := map[tokenKey]tokenVerdict{key: kept}
	for _, c := range []struct {
		name string
		find func() bool
	}{
		{"flexfn", func() bool {
			v, err := app.tokens.verdict(b.Context(), token)
			return err == nil && v.owner != nil
		}},
		{"sync.Map", func() bool {
			v, ok := syncMap.Load(tokenKey(sha256.Sum256([]byte(token))))
			return ok && v.(tokenVerdict).age() < time.Hour
		}},
		{"mutex-map", func() bool {
			mu.Lock()
			v, ok := plain[tokenKey(sha256.Sum256([]byte(token)))]
			mu.Unlock()
			return ok && v.age() < time.Hour
		}},
	} {
		b.Run("lib="+c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if !c.find() {
						b.Error("not found")
						return
					}
				}
			})
		})
	}
}

// BenchmarkEnvelope compares encoding an answer with json.Marshal of a struct
// that has a "success" field.
func BenchmarkEnvelope(b *testing.B) {
	type reply struct {
		Task     string `json:"taskSid"`
		Priority int    `json:"priority"`
		Held     bool   `json:"held"`
	}
	r := reply{"WT00000000000000000000000000000001", 5, true}
	keys := keysOfType(reflect.TypeFor[reply]())
	for _, c := range []struct {
		name   string
		encode func() ([]byte, error)
	}{
		{"flexfn", func() ([]byte, error) { return envelope(true, r, keys) }},
		{"json.Marshal", func() ([]byte, error) {
			return json.Marshal(struct {
				reply
				Success bool `json:"success"`
			}{r, true})
		}},
	} {
		b.Run("lib="+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if body, err := c.encode(); err != nil || len(body) < 50 {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGrowthOfTokens caches n distinct Flex tokens, of which the cache
// keeps about the last maxTokens, and looks each up at once. It makes a single
// pass: run it with -benchtime 1x.
func BenchmarkGrowthOfTokens(b *testing.B) {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for _, n := range []int{1, 1000, 50_000, 200_000, 1_000_000} {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			app, err := New(Config{
				AccountSID: "AC00000000000000000000000000000001", AuthToken: "0123456789abcdef0123456789abcdef", Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				b.Fatal(err)
			}
			tokens := app.tokens
			before, began := heap(), time.Now()
			for i := range n {
				token := fmt.Sprintf("eyJhbGciOiJkaXIiLCJjdHkiOiJ0d2lsaW8tZnBhO3Y9MSJ9.%d", i)
				tokens.cache.set(sha256.Sum256([]byte(token)), newVerdict(&Owner{WorkerSID: "WK00000000000000000000000000000001"}, "", time.Hour))
				if v, err := tokens.verdict(b.Context(), token); err != nil || v.owner == nil {
					b.Fatalf("token %d: %v, %v", i, v.owner, err)
				}
			}
			taken := time.Since(began)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(taken.Seconds()/float64(n), "sec/token")
			b.ReportMetric(heap()-before, "heap-bytes")
			runtime.KeepAlive(app)
		})
	}
}
