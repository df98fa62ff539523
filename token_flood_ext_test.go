package flexfn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
)

// limitedIAM answers a limited number of requests at once, after a delay, and
// 429 beyond that. It accepts tokens that start with "worker".
type limitedIAM struct {
	most  int64         // at once; 0 means any number
	delay time.Duration // of an answer; negative never answers
	down  atomic.Bool   // 503

	asked, refused, now, peak atomic.Int64
}

func (i *limitedIAM) RoundTrip(req *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	now := i.now.Add(1)
	defer i.now.Add(-1)
	for peak := i.peak.Load(); now > peak && !i.peak.CompareAndSwap(peak, now); peak = i.peak.Load() {
	}
	w := httptest.NewRecorder()
	answer := func(status int, body string) (*http.Response, error) {
		w.WriteHeader(status)
		w.WriteString(body)
		return w.Result(), nil
	}
	if i.most > 0 && now > i.most {
		i.refused.Add(1)
		return answer(429, `{"code":20429,"message":"Too Many Requests"}`)
	}
	answered := time.After(i.delay)
	if i.delay < 0 {
		answered = nil
	}
	select {
	case <-answered:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if i.down.Load() {
		return answer(503, `{"code":20503,"message":"down"}`)
	}
	var asked struct{ Token string }
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil {
		return nil, err
	}
	if strings.HasPrefix(asked.Token, "worker") {
		return answer(200, `{"valid":true,"roles":["agent"],"worker_sid":"WK00000000000000000000000000000001"}`)
	}
	return answer(200, `{"valid":false,"message":"Token is invalid"}`)
}

func floodApp(t *testing.T, iam http.RoundTripper, change ...func(*flexfn.Config)) (ask func(ctx context.Context, token string) *httptest.ResponseRecorder, app *flexfn.App) {
	config := testConfig(iam)
	for _, c := range change {
		c(&config)
	}
	app = newApp(t, config)
	app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	return func(ctx context.Context, token string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/f?Token="+token, nil))
		return w
	}, app
}

// TestWorkersThroughAFlood: 50 strangers send one random token after another
// for ten seconds, while Twilio answers at most 30 requests at once. Workers
// who are logged in are not affected.
func TestWorkersThroughAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iam := &limitedIAM{most: 30, delay: 40 * time.Millisecond}
		ask, _ := floodApp(t, iam, func(c *flexfn.Config) { c.TokenTTL = 2 * time.Second })
		const workers, strangers, seconds = 20, 50, 10
		for i := range workers {
			if w := ask(t.Context(), fmt.Sprint("worker", i)); w.Code != 200 {
				t.Fatalf("before the flood: %d %s", w.Code, w.Body)
			}
		}
		before, start := iam.asked.Load(), time.Now()
		var everyone sync.WaitGroup
		var sent, limited atomic.Int64
		for s := range strangers {
			everyone.Go(func() {
				for n := 0; time.Since(start) < seconds*time.Second; n++ {
					sent.Add(1)
					if w := ask(t.Context(), fmt.Sprintf("bad%d.%d", s, n)); w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != "" {
						limited.Add(1)
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		for i := range workers {
			everyone.Go(func() {
				for n := range seconds * 4 {
					began := time.Now()
					if w := ask(t.Context(), fmt.Sprint("worker", i)); w.Code != 200 || n > 4 && time.Since(began) > 0 {
						t.Errorf("worker %d: %d after %s", i, w.Code, time.Since(began))
					}
					time.Sleep(250 * time.Millisecond)
				}
			})
		}
		everyone.Wait()
		asked := iam.asked.Load() - before
		t.Logf("%d random tokens: %d refused at once, %d questions, %d at once at most", sent.Load(), limited.Load(), asked, iam.peak.Load())
		if renewals := int64(workers * seconds); iam.refused.Load() > 0 || asked > 200+20*(seconds+2)+renewals {
			t.Errorf("Twilio was asked %d times, and refused %d", asked, iam.refused.Load())
		}
	})
}

// strangers has 200 clients ask with one new token after another for ten seconds,
// four of them a second each.
func strangers(all *sync.WaitGroup, ask func(token string, client int)) {
	start := time.Now()
	for client := range 200 {
		all.Go(func() {
			for n := 0; time.Since(start) < 10*time.Second; n++ {
				ask(fmt.Sprintf("bad%d.%d", client, n), client)
				time.Sleep(250 * time.Millisecond)
			}
		})
	}
}

// TestNewWorkersThroughAFlood: 200 clients at two addresses send one random token
// after another. Workers whose tokens are new get through in two seconds if
// strangers do not share their address, several of them from one office, or if a
// proxy tells them apart.
func TestNewWorkersThroughAFlood(t *testing.T) {
	for name, address := range map[string]func(r *http.Request, worker bool, i int){
		"direct": func(r *http.Request, worker bool, i int) {
			if r.RemoteAddr = fmt.Sprintf("203.0.113.%d:%d", i%2, 1000+i); worker {
				r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1000", i%5)
			}
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i)) // made up
		},
		"behind a proxy": func(r *http.Request, worker bool, i int) {
			client := fmt.Sprintf("2001:db8:f:%d::%d", i%2, i)
			if worker {
				client = fmt.Sprintf("192.0.2.%d", i%5)
			}
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d, %s", i, client))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			iam := &limitedIAM{most: 30, delay: 40 * time.Millisecond}
			_, app := floodApp(t, iam)
			ask := func(token string, worker bool, i int) int {
				r := httptest.NewRequestWithContext(t.Context(), "GET", "/f?Token="+token, nil)
				address(r, worker, i)
				w := httptest.NewRecorder()
				app.ServeHTTP(w, r)
				return w.Code
			}
			var everyone sync.WaitGroup
			strangers(&everyone, func(token string, client int) { ask(token, false, client) })
			for i := range 100 { // one of each office every half a second
				everyone.Go(func() {
					time.Sleep(time.Duration(i/5) * time.Second / 2)
					began := time.Now()
					if status := ask(fmt.Sprint("worker", i), true, i); status != 200 || time.Since(began) > 2*time.Second {
						t.Errorf("%s: worker %d: %d after %s", name, i, status, time.Since(began))
					}
				})
			}
			everyone.Wait()
			if asked := iam.asked.Load(); asked > 200+20*12 || iam.refused.Load() > 0 {
				t.Errorf("%s: Twilio was asked %d times, and refused %d", name, asked, iam.refused.Load())
			}
		})
	}
}

// TestNewWorkersWithoutAnAddress: 200 clients send one random token after another,
// from the address of the workers, or each from its own. A worker's plugin that
// tries the same token again after a 429 gets through.
func TestNewWorkersWithoutAnAddress(t *testing.T) {
	for name, stranger := range map[string]string{"the workers' address": "192.0.2.0", "many addresses": "203.0.113.%d"} {
		synctest.Test(t, func(t *testing.T) {
			iam := &limitedIAM{most: 30, delay: 40 * time.Millisecond}
			_, app := floodApp(t, iam)
			ask := func(token, address string) int {
				r := httptest.NewRequestWithContext(t.Context(), "GET", "/f?Token="+token, nil)
				r.RemoteAddr = address + ":1000"
				w := httptest.NewRecorder()
				app.ServeHTTP(w, r)
				return w.Code
			}
			start := time.Now()
			var everyone sync.WaitGroup
			strangers(&everyone, func(token string, client int) {
				address := stranger
				if strings.Contains(address, "%") {
					address = fmt.Sprintf(address, client)
				}
				ask(token, address)
			})
			var tries atomic.Int64
			const workers = 50
			for i := range workers {
				everyone.Go(func() {
					time.Sleep(time.Duration(i)*100*time.Millisecond + 777*time.Microsecond)
					status := 0
					for range 4 {
						tries.Add(1)
						if status = ask(fmt.Sprint("worker", i), "192.0.2.0"); status != 429 {
							break
						}
						time.Sleep(2 * time.Second) // as Retry-After says
					}
					if status != 200 {
						t.Errorf("%s: worker %d: %d after %s", name, i, status, time.Since(start))
					}
				})
			}
			everyone.Wait()
			if tries.Load() == workers {
				t.Errorf("%s: no worker had to try again", name)
			}
			t.Logf("%s: %.1f tries each", name, float64(tries.Load())/workers)
		})
	}
}

// TestAbandonedQuestions: a token check without waiters is not retried, and
// frees its place.
func TestAbandonedQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iam := &limitedIAM{delay: -1}
		ask, _ := floodApp(t, iam)
		var gone sync.WaitGroup
		for i := range 3000 {
			gone.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				ask(ctx, fmt.Sprint("bad", i))
			})
		}
		gone.Wait()
		synctest.Wait()
		if iam.asked.Load() > 200 || iam.now.Load() != 0 {
			t.Errorf("%d questions, of which %d are still asked", iam.asked.Load(), iam.now.Load())
		}
		iam.delay = time.Millisecond
		time.Sleep(time.Minute)
		if w := ask(t.Context(), "worker"); w.Code != 200 {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	})
}

// TestRenewal: a token in use is checked again before its verdict expires,
// without a caller waiting. Tokens that arrived together are not renewed
// together.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iam := &limitedIAM{delay: 100 * time.Millisecond}
		ask, _ := floodApp(t, iam)
		const workers = 100
		use := func() {
			for i := range workers {
				if w := ask(t.Context(), fmt.Sprint("worker", i)); w.Code != 200 {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		}
		use()
		began, most := time.Now(), int64(0)
		for range 300 {
			before, at := iam.asked.Load(), time.Now()
			use()
			if d := time.Since(at); d > 0 {
				t.Fatalf("a caller waited %s, %s after the first", d, at.Sub(began))
			}
			time.Sleep(time.Second)
			most = max(most, iam.asked.Load()-before)
		}
		if total := iam.asked.Load(); total < 6*workers || total > 11*workers || most > workers/4 {
			t.Errorf("%d questions in five minutes, %d in one second", total, most)
		}
	})
}

// TestRenewalThroughAnOutage: while Twilio is down, a token is trusted until its
// verdict expires, and no longer.
func TestRenewalThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iam := &limitedIAM{}
		ask, _ := floodApp(t, iam)
		ask(t.Context(), "worker")
		iam.down.Store(true)
		for second := range 120 {
			w := ask(t.Context(), "worker")
			switch want := map[bool]int{true: 200, false: 503}[second < 60]; {
			case w.Code != want:
				t.Errorf("after %d s: %d", second, w.Code)
			case want == 503 && w.Header().Get("Retry-After") == "":
				t.Error("503 without Retry-After")
			}
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			if second == 60 {
				break
			}
		}
		if n := iam.asked.Load(); n > 15 {
			t.Errorf("%d questions in a minute", n)
		}
		iam.down.Store(false)
		if w := ask(t.Context(), "worker"); w.Code != 200 {
			t.Errorf("after the outage: %d %s", w.Code, w.Body)
		}
	})
}

// TestIAMOutageWithinTheDeadline: if Twilio does not answer, the answer is a 503
// with Retry-After, whatever the function's deadline.
func TestIAMOutageWithinTheDeadline(t *testing.T) {
	for _, deadline := range []time.Duration{50 * time.Millisecond, 2 * time.Second, 5 * time.Second, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			app := newApp(t, testConfig(&limitedIAM{delay: -1}))
			app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) {
				t.Error("the handler ran")
				return struct{}{}, nil
			}, flexfn.Deadline(deadline)))
			w := httptest.NewRecorder()
			app.ServeHTTP(w, httptest.NewRequest("GET", "/f?Token=worker", nil))
			if w.Code != 503 || w.Header().Get("Retry-After") != "1" {
				t.Errorf("deadline %s: %d %v %s", deadline, w.Code, w.Header(), w.Body)
			}
		})
	}
}

// TestIAMRetriesHaveTheirOwnBudget: strangers cannot use up the retries of the
// app's other calls.
func TestIAMRetriesHaveTheirOwnBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iam := &limitedIAM{}
		iam.down.Store(true)
		ask, app := floodApp(t, iam, func(c *flexfn.Config) { c.RetryBudget = 5 })
		for i := range 150 {
			ask(t.Context(), fmt.Sprint("bad", i))
		}
		attempts := 0
		flexfn.ExecuteWithRetry(app.Context(t.Context()), func(context.Context) (struct{}, error) {
			attempts++
			return struct{}{}, flexfn.Errorf(503, "down")
		})
		if attempts != 6 {
			t.Errorf("another call had %d attempts, want 6", attempts)
		}
	})
}

// TestImpossibleTokens: a value that cannot be a token is refused without asking
// Twilio.
func TestImpossibleTokens(t *testing.T) {
	i := new(iam)
	app := newApp(t, testConfig(i))
	app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	for _, token := range []string{"a b", "é", "a\x00", `a"b`, "a\n", "{}", "a,b", strings.Repeat("a", 8<<10+1)} {
		if status, _ := post(t, app, "/f", url.Values{"Token": {token}}); status != 403 {
			t.Errorf("%.20q: %d", token, status)
		}
	}
	if n := i.calls.Load(); n != 0 {
		t.Errorf("Twilio was asked %d times", n)
	}
	if status, body := post(t, app, "/f", url.Values{"Token": {strings.Repeat("a", 8<<10)}}); status != 200 {
		t.Errorf("the longest token: %d %v", status, body)
	}
}

// TestRefusalText: a refusal quotes Twilio's message if it is short, and never
// the token.
func TestRefusalText(t *testing.T) {
	token := strings.Repeat("x", 40)
	for message, want := range map[string]string{
		"Token has expired":      "Token has expired",
		strings.Repeat("m", 201): "Unauthorized: the Flex token is not valid",
		token + " is malformed":  "Unauthorized: the Flex token is not valid",
	} {
		app := newApp(t, testConfig(&iam{answer: func(string) (int, string) {
			return 200, fmt.Sprintf(`{"valid":false,"message":%q}`, message)
		}}))
		app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
		if status, body := post(t, app, "/f", url.Values{"Token": {token}}); status != 403 || body["message"] != want {
			t.Errorf("%.30s: %d %v", message, status, body)
		}
	}
}

// TestOwnerIsTheCallersOwn: a handler that changes the roles does not affect other
// calls.
func TestOwnerIsTheCallersOwn(t *testing.T) {
	app := newApp(t, testConfig(new(iam)))
	app.Handle("/f", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (struct{}, error) {
		owner, ok := flexfn.TokenOwner(ctx)
		if !ok || !owner.HasRole("agent") {
			return struct{}{}, errors.New("the roles were changed")
		}
		owner.Roles[0] = "admin"
		owner.Roles = append(owner.Roles, "supervisor")
		return struct{}{}, nil
	}))
	var handlers sync.WaitGroup
	for range 20 {
		handlers.Go(func() {
			if status, body := post(t, app, "/f", url.Values{"Token": {"agent"}}); status != 200 {
				t.Errorf("%d %v", status, body)
			}
		})
	}
	handlers.Wait()
}

// TestQuestionPanics: a transport or hook that panics fails only the requests
// that wait for it.
func TestQuestionPanics(t *testing.T) {
	i := new(iam)
	config := testConfig(i)
	config.OnAttempt = func(context.Context, flexfn.Attempt) {
		if i.calls.Load() == 1 {
			panic("a faulty hook")
		}
	}
	app := newApp(t, config)
	app.Handle("/f", flexfn.PrepareFlexFunction(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	for _, want := range []int{500, 200} {
		if status, body := post(t, app, "/f", url.Values{"Token": {"agent"}}); status != want {
			t.Errorf("%d %v, want %d", status, body, want)
		}
	}
}

// TestSharedTokensOfAnotherTwilio: verdicts of another region or of a fake are
// not used.
func TestSharedTokensOfAnotherTwilio(t *testing.T) {
	store := flexfntest.NewStore()
	for what, change := range map[string]func(*flexfn.Config){
		"the United States": func(*flexfn.Config) {},
		"a region":          func(c *flexfn.Config) { c.Region = "ie1" },
		"a fake":            func(c *flexfn.Config) { c.TwilioURL = "http://127.0.0.1:8080" },
	} {
		twilio := new(limitedIAM)
		for range 2 { // instances
			ask, _ := floodApp(t, twilio, change, func(c *flexfn.Config) { c.Store = store })
			if w := ask(t.Context(), "worker"); w.Code != 200 {
				t.Errorf("%s: %d %s", what, w.Code, w.Body)
			}
		}
		if n := twilio.asked.Load(); n != 1 {
			t.Errorf("%s: Twilio was asked %d times by two instances, want once", what, n)
		}
	}
}
