package bench

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	backoff5 "github.com/cenkalti/backoff/v5"
	"github.com/flexfn/flexfn"
)

// service is an upstream that can do a limited amount of work a second. An
// answer is one unit of work; a refusal (503) is a fifth of one, since refusing
// costs too. Refusals beyond its capacity use up that of the next moment, as in
// an overloaded server.
type service struct {
	mu      sync.Mutex
	perTick float64
	used    float64
	tick    time.Time
	down    bool // answers only 503
	calls   int
}

const (
	tick        = 50 * time.Millisecond
	capacity    = 100 // answers a second
	answerTime  = 40 * time.Millisecond
	refusalTime = 5 * time.Millisecond
	refusalCost = 0.2
	runTime     = 60 * time.Second
	deadline    = 10 * time.Second // of one request
)

func (s *service) call(ctx context.Context) (int, error) {
	d, err := s.admit()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 1, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *service) admit() (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if n := time.Since(s.tick) / tick; n > 0 {
		s.tick = s.tick.Add(n * tick)
		s.used = max(0, s.used-float64(n)*s.perTick)
	}
	if s.down || s.used+1 > s.perTick {
		s.used += refusalCost
		return refusalTime, &flexfn.Error{Status: 503}
	}
	s.used++
	return answerTime, nil
}

// policy is a way to retry; each run makes its own.
type policy struct {
	name string
	make func(*testing.T) func(context.Context, operation) error
}

var policies = []policy{
	{"reference", func(*testing.T) func(context.Context, operation) error {
		return func(ctx context.Context, op operation) error {
			for n := 0; ; n++ {
				_, err := op(ctx)
				if err == nil || n == retries || !retryable(err) {
					return err
				}
				time.Sleep(100*time.Millisecond + rand.N(200*time.Millisecond))
			}
		}
	}},
	{"exponential", func(*testing.T) func(context.Context, operation) error {
		return func(ctx context.Context, op operation) error {
			_, err := backoff5.Retry(ctx, func() (int, error) { return op(ctx) },
				backoff5.WithBackOff(&backoff5.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 5 * time.Second}),
				backoff5.WithMaxTries(retries+1))
			return err
		}
	}},
	{"flexfn", func(t *testing.T) func(context.Context, operation) error {
		app, err := flexfn.New(flexfn.Config{
			AccountSID: "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			AuthToken:  "0123456789abcdef0123456789abcdef",
			Logger:     slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context, op operation) error {
			return flexfn.ExecuteWithRetry(app.Context(ctx), op).Err()
		}
	}},
}

// TestOutage shows how each policy affects a service and its users as the load
// grows beyond the service's capacity, and while it is down. It runs the real
// loops in virtual time:
//
//	go test -run TestOutage -v
func TestOutage(t *testing.T) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "load\tpolicy\tcalls per request\tsuccess\tp99\t")
	for _, load := range []float64{0.5, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, down} {
		best := 0.0
		for _, p := range policies {
			o := simulate(t, p, load)
			name := fmt.Sprintf("%.2f", load)
			if load == down {
				name = "down"
			}
			fmt.Fprintf(w, "%s\t%s\t%.2f\t%.1f %%\t%s\t\n", name, p.name, o.calls, 100*o.success, o.p99.Round(time.Millisecond))
			best = max(best, o.success)
			if p.name == "flexfn" && (o.calls > 1.15 || o.success < best-0.005) {
				t.Errorf("load %s: flexfn made %.2f calls per request for %.1f %% success", name, o.calls, 100*o.success)
			}
		}
	}
	w.Flush()
	t.Log("\n" + out.String())
}

// down is a load of 1 on a service that only refuses.
const down = -1

type outcome struct {
	calls, success float64 // per request
	p99            time.Duration
}

func simulate(t *testing.T, p policy, load float64) (o outcome) {
	s := &service{perTick: capacity * tick.Seconds()}
	if load == down {
		s.down, load = true, 1
	}
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2)) // the same arrivals for all
		s.tick = time.Now()
		run := p.make(t)
		var (
			mu    sync.Mutex
			took  []time.Duration
			good  int
			users sync.WaitGroup
		)
		for end := time.Now().Add(runTime); time.Now().Before(end); {
			time.Sleep(time.Duration(random.ExpFloat64() / (load * capacity) * float64(time.Second)))
			users.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				defer cancel()
				began := time.Now()
				err := run(ctx, s.call)
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(began))
				if err == nil {
					good++
				}
			})
		}
		users.Wait()
		slices.Sort(took)
		n := float64(len(took))
		o = outcome{calls: float64(s.calls) / n, success: float64(good) / n, p99: took[len(took)*99/100]}
	})
	return o
}
