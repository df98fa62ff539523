package flexfn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/signature"
)

func mustDeduplicator(t *testing.T) *deduplicator {
	d, err := newDeduplicator()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeduplicateFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mustDeduplicator(t)
		runs := 0
		deliver := func(key string, status int) answer {
			a, err := d.do(t.Context(), key, time.Minute, func() answer {
				runs++
				return answer{status: status, body: fmt.Append(nil, runs)}
			})
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		for _, step := range []struct {
			key     string
			status  int
			after   time.Duration
			want    string
			because string
		}{
			{"a", 200, 0, "1", "the first"},
			{"a", 200, 0, "1", "a redelivery"},
			{"b", 200, 0, "2", "another webhook"},
			{"a", 200, 59 * time.Second, "1", "still fresh"},
			{"a", 200, time.Second, "3", "no longer fresh"},
			{"a", 200, 0, "3", "fresh again"},
			{"refused", 400, 0, "4", "a refusal"},
			{"refused", 400, 0, "4", "is an answer like any other"},
			{"failed", 500, 0, "5", "a failure"},
			{"failed", 503, 0, "6", "is tried again"},
			{"failed", 429, 0, "7", "and again"},
			{"failed", 200, 0, "8", "and again"},
			{"failed", 200, 0, "8", "until it succeeds"},
		} {
			time.Sleep(step.after)
			if got := string(deliver(step.key, step.status).body); got != step.want {
				t.Errorf("%s: got answer %s, want %s", step.because, got, step.want)
			}
		}
	})
}

func TestDeduplicateWaits(t *testing.T) {
	for _, status := range []int{200, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := mustDeduplicator(t)
				var runs atomic.Int32
				var all sync.WaitGroup
				for range 20 {
					all.Go(func() {
						a, err := d.do(t.Context(), "a", time.Minute, func() answer {
							time.Sleep(5 * time.Second)
							return answer{status: status, body: fmt.Append(nil, runs.Add(1))}
						})
						if err != nil || string(a.body) != "1" {
							t.Errorf("got %s, %v", a.body, err)
						}
					})
				}
				start := time.Now()
				all.Wait()
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestDeduplicateWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mustDeduplicator(t)
		go d.do(t.Context(), "a", time.Minute, func() answer { time.Sleep(time.Minute); return answer{status: 200} })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := d.do(ctx, "a", time.Minute, func() answer { t.Error("ran twice"); return answer{} })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
	})
}

func TestDeduplicateAfterPanicAndExit(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic": func() { panic("boom") },
		"exit":  runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := mustDeduplicator(t)
				go func() {
					defer func() { _ = recover() }()
					_, _ = d.do(t.Context(), "a", time.Minute, func() answer { time.Sleep(time.Second); fail(); return answer{} })
				}()
				synctest.Wait()
				a, err := d.do(t.Context(), "a", time.Minute, func() answer { return answer{status: 201} })
				if err != nil || a.status != 201 {
					t.Errorf("got %d, %v", a.status, err)
				}
				if len(d.running) != 0 {
					t.Errorf("%d deliveries are never forgotten", len(d.running))
				}
			})
		})
	}
}

func TestDeduplicateBoundedMemory(t *testing.T) {
	d := mustDeduplicator(t)
	body := bytes.Repeat([]byte("x"), 100_000)
	for i := range 1000 {
		if _, err := d.do(t.Context(), fmt.Sprint(i), time.Hour, func() answer { return answer{status: 200, body: body} }); err != nil {
			t.Fatal(err)
		}
	}
	d.answered.CleanUp()
	if weight := d.answered.WeightedSize(); weight > maxReplyBytes || weight < maxReplyBytes/2 {
		t.Errorf("%d bytes are kept", weight)
	}
}

// studioApp is an app for tests, and a function that signs requests to it.
func studioApp(t *testing.T, path string, f *Function, change ...func(*Config)) func(token string, header ...string) *httptest.ResponseRecorder {
	config := Config{
		AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: "a0b1c2d3",
		PublicURL: "https://functions.example.com",
	}
	for _, c := range change {
		c(&config)
	}
	app, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	app.Handle(path, f)
	return func(body string, header ...string) *httptest.ResponseRecorder {
		t.Helper()
		const form = "application/x-www-form-urlencoded"
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", form)
		r.Header.Set(signature.Header, signature.Sign("a0b1c2d3", config.PublicURL+path, form, []byte(body)))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w
	}
}

func TestDeduplicateFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		post := studioApp(t, "/studio/x", PrepareStudioFunction(func(ctx context.Context, in Event) (map[string]any, error) {
			runs++
			ResponseHeader(ctx).Set("X-Run", fmt.Sprint(runs))
			return map[string]any{"run": runs, "token": IdempotencyToken(ctx)}, nil
		}, Deduplicate(time.Minute)))
		const name = "I-Twilio-Idempotency-Token"
		first := post("a=1", name, "t1")
		again := post("a=1", name, "t1")
		if first.Code != 200 || first.Body.String() != again.Body.String() || again.Header().Get("X-Run") != "1" {
			t.Errorf("first %d %s, again %d %s", first.Code, first.Body, again.Code, again.Body)
		}
		if want := `{"run":1,"token":"t1","success":true}`; again.Body.String() != want {
			t.Errorf("got %s, want %s", again.Body, want)
		}
		if forged := post("a=1", name, "t1", signature.Header, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="); forged.Code != http.StatusForbidden {
			t.Errorf("a stranger who knows the token got %d %s", forged.Code, forged.Body)
		}
		post("a=1")
		post("a=1")
		if runs != 3 {
			t.Errorf("ran %d times: requests without a token are no duplicates", runs)
		}
	})
}

// The first delivery goes on when Twilio gives it up, and answers the second.
func TestDeduplicateGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		app, err := New(Config{AccountSID: "AC" + strings.Repeat("a", 32), AuthToken: "a0b1c2d3"})
		if err != nil {
			t.Fatal(err)
		}
		app.Handle("/studio/x", PrepareStudioFunction(func(ctx context.Context, in Event) (map[string]any, error) {
			runs++
			select {
			case <-time.After(5 * time.Second):
				return map[string]any{"run": runs}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}, Deduplicate(time.Minute)))
		deliver := func(ctx context.Context) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(ctx, "GET", "https://example.com/studio/x", nil)
			r.Header.Set(signature.Header, signature.Sign("a0b1c2d3", "https://example.com/studio/x", "", nil))
			r.Header.Set("I-Twilio-Idempotency-Token", "t1")
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			return w
		}
		impatient, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		go deliver(impatient)
		time.Sleep(2 * time.Second)
		if w := deliver(t.Context()); w.Code != 200 || runs != 1 {
			t.Errorf("%d runs, answer %d %s", runs, w.Code, w.Body)
		}
	})
}

func TestDeduplicateDefinition(t *testing.T) {
	handler := func(context.Context, Event) (struct{}, error) { return struct{}{}, nil }
	for _, options := range [][]StudioOption{
		{Deduplicate(0)}, {Deduplicate(-1)}, {Deduplicate(25 * time.Hour)}, {Deduplicate(time.Minute), OpenToAnyone()},
	} {
		if PrepareStudioFunction(handler, options...).fault == nil {
			t.Error("a faulty definition is accepted")
		}
	}
}
