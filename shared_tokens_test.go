package flexfn

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a SharedTokens of this process.
type memory struct {
	mu      sync.Mutex
	entries map[string][]byte
	ttl     time.Duration
	fault   error
	asked   int
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return m.entries[key], m.fault
}

func (m *memory) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault == nil {
		m.entries[key], m.ttl = value, ttl
	}
	return m.fault
}

// iam is Twilio's token service, counting.
type iam struct{ calls int }

func (i *iam) RoundTrip(r *http.Request) (*http.Response, error) {
	i.calls++
	body, _ := io.ReadAll(r.Body)
	answer := `{"valid":true,"identity":"agent-x","worker_sid":"WK1","roles":["agent"]}`
	if bytes.Contains(body, []byte("bad")) {
		answer = `{"valid":false,"message":"token is invalid"}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func TestSharedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{entries: map[string][]byte{}}
		twilio := new(iam)
		var log bytes.Buffer
		instance := func(authToken string) func(token string) int {
			app, err := New(Config{
				AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: authToken, SharedTokens: store, Transport: twilio,
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			app.Handle("/f", PrepareFlexFunction(func(context.Context, Event) (struct{}, error) { return struct{}{}, nil }))
			return func(token string) int {
				w := httptest.NewRecorder()
				app.ServeHTTP(w, httptest.NewRequest("GET", "/f?Token="+token, nil))
				return w.Code
			}
		}
		check := func(what string, status, want, calls int) {
			t.Helper()
			if status != want || twilio.calls != calls {
				t.Errorf("%s: %d after %d calls to Twilio, want %d after %d", what, status, twilio.calls, want, calls)
			}
		}
		const key = "0123456789abcdef0123456789abcdef"
		check("the first instance", instance(key)("secret-token"), 200, 1)
		check("the second instance", instance(key)("secret-token"), 200, 1)
		if store.ttl <= 0 || store.ttl > time.Minute {
			t.Errorf("the entry stays for %s", store.ttl)
		}
		for name, value := range store.entries {
			if text := name + string(value); strings.Contains(text, "secret-token") || strings.Contains(text, "agent") {
				t.Errorf("the store can read %q", text)
			}
		}
		check("another auth token", instance("f"+key)("secret-token"), 200, 2)
		check("a refused token", instance(key)("bad"), 403, 3)
		check("a refused token again", instance(key)("bad"), 403, 4)
		if len(store.entries) != 2 {
			t.Errorf("%d entries, want one for each auth token", len(store.entries))
		}

		// An entry of one token in another's place, and one that was changed.
		instance(key)("other-token")
		twilio.calls = 0
		names := slices.Collect(maps.Keys(store.entries))
		entries := maps.Clone(store.entries)
		for i, name := range names {
			store.entries[name] = entries[names[(i+1)%len(names)]]
		}
		check("exchanged entries", instance(key)("secret-token"), 200, 1)
		for _, value := range store.entries {
			value[len(value)/2] ^= 1
		}
		check("a changed entry", instance(key)("secret-token"), 200, 2)
		check("the entry written anew", instance(key)("secret-token"), 200, 2)
		time.Sleep(2 * time.Minute)
		check("an entry too old", instance(key)("secret-token"), 200, 3)
		if log.Len() > 0 {
			t.Errorf("so far the log should be empty: %s", log.String())
		}

		store.fault = errors.New("no connection")
		one := instance(key)
		store.asked = 0
		for i := range 10 {
			check("without the store", one(strings.Repeat("x", i+1)), 200, i+4)
		}
		if store.asked != 1 || strings.Count(log.String(), "does not work") != 1 {
			t.Errorf("a store that fails was asked %d times, and the log says %s", store.asked, log.String())
		}
		time.Sleep(2 * sharedPause)
		check("still without", one("y"), 200, 14)
		store.fault = nil
		time.Sleep(2 * sharedPause)
		check("with it again", one("z"), 200, 15)
		if strings.Count(log.String(), "does not work") != 1 || strings.Count(log.String(), "works again") != 1 {
			t.Errorf("the log says %s", log.String())
		}
	})
}
