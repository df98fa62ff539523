package riverflexfn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/store"
	"github.com/flexfn/flexfn/internal/testing/storetest"
)

type reminder struct{ Customer string }

// TestQueue has two programs work on one queue. Each job is done once, a
// failing one is tried again, and one that is due later waits.
func TestQueue(t *testing.T) {
	server := storetest.StartPostgres(t)
	shared := flexfntest.NewStore()
	var mu sync.Mutex
	done := map[string]int{}
	fails := 1
	begin := time.Now()
	var early bool
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	var app *flexfntest.App
	for i := range 2 {
		q, err := New(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(q.Close)
		if i == 0 {
			if err := q.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		app = flexfntest.New(t, func(c *flexfn.Config) {
			c.Queue, c.Store, c.Logger = q, shared, slog.New(slog.DiscardHandler)
		})
		app.Handle("/jobs/remind", events.Job(func(_ context.Context, r reminder) error {
			mu.Lock()
			defer mu.Unlock()
			if r.Customer == "Eve" && fails > 0 {
				fails--
				return errors.New("busy")
			}
			early = early || r.Customer == "Bob" && time.Since(begin) < 2*time.Second
			done[r.Customer]++
			return nil
		}))
		run := app
		workers.Go(func() {
			if err := q.Work(ctx, run.App, 4); err != nil {
				t.Error(err)
			}
		})
	}
	for _, in := range []struct {
		customer string
		delay    time.Duration
	}{{"Ann", 0}, {"Bob", 2 * time.Second}, {"Eve", 0}} {
		if err := events.Later(app.Context(t.Context()), reminder{in.customer}, in.delay); err != nil {
			t.Fatal(err)
		}
	}
	for range 600 {
		mu.Lock()
		n := len(done)
		mu.Unlock()
		if n == 3 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if done["Ann"] != 1 || done["Bob"] != 1 || done["Eve"] != 1 || early {
		t.Errorf("done: %v, early: %t", done, early)
	}
}

// TestAddTogether has two programs add the same jobs at the same time, each
// several times. Each job is stored once.
func TestAddTogether(t *testing.T) {
	server := storetest.StartPostgres(t)
	var all sync.WaitGroup
	var last *Queue
	for range 2 {
		q, err := New(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(q.Close)
		if last == nil {
			if err := q.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		last = q
		for i := range 400 {
			all.Go(func() {
				if err := q.Add(t.Context(), fmt.Sprint("key", i%50), []byte("{}"), time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	var jobs int
	if err := last.pool.QueryRow(t.Context(), "SELECT count(*) FROM river_job").Scan(&jobs); err != nil || jobs != 50 {
		t.Errorf("%d jobs, want 50: %v", jobs, err)
	}
}

// TestMigrateTogether has processes that start together create the tables.
func TestMigrateTogether(t *testing.T) {
	url := storetest.StartPostgres(t).URL()
	var together sync.WaitGroup
	for range 4 {
		together.Go(func() {
			q, err := New(url)
			if err == nil {
				defer q.Close()
				err = q.Migrate(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
}

// TestDueNow adds jobs that are due and one that is not: only that one is left to
// River's scheduler, which looks each 5 s.
func TestDueNow(t *testing.T) {
	q, err := New(storetest.StartPostgres(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	if err := q.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for due, want := range map[time.Time]string{time.Now(): "available", time.Now().Add(-time.Hour): "available", {}: "available", time.Now().Add(time.Hour): "scheduled"} {
		if err := q.Add(t.Context(), due.String(), []byte("{}"), due); err != nil {
			t.Fatal(err)
		}
		var state string
		if err := q.pool.QueryRow(t.Context(), "SELECT state::text FROM river_job ORDER BY id DESC LIMIT 1").Scan(&state); err != nil || state != want {
			t.Errorf("a job due at %s is %s, want %s: %v", due, state, want, err)
		}
	}
}

// TestKilledProcess loses a connection whose statement waits for a lock, as when
// its process is killed: PostgreSQL gives the statement up.
func TestKilledProcess(t *testing.T) {
	server := storetest.StartPostgres(t)
	q, err := New(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	if err := q.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	lock, err := q.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback(context.Background())
	if _, err := lock.Exec(t.Context(), "LOCK TABLE river_job"); err != nil {
		t.Fatal(err)
	}
	waiting := func(want int) {
		t.Helper()
		var n int
		for range 300 {
			if err := q.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n == want {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("%d statements wait for a lock, want %d", n, want)
	}
	// A killed process cannot ask the server to cancel the statement, for which
	// pgx would make another connection.
	config := q.pool.Config()
	dialed := make(chan net.Conn, 1)
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			select {
			case dialed <- conn:
			default:
				_ = conn.Close()
				err = errors.New("killed")
			}
		}
		return conn, err
	}
	config.ConnConfig.TLSConfig, config.ConnConfig.Fallbacks = nil, nil // which would need another connection, too
	killed, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer killed.Close()
	var statement sync.WaitGroup
	defer statement.Wait()
	statement.Go(func() {
		if _, err := killed.Exec(t.Context(), "SELECT FROM river_job"); err == nil {
			t.Error("the statement was answered")
		}
	})
	waiting(1)
	conn := <-dialed
	dialed <- nil // no more connections
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	waiting(0)
}

// TestDeliveries delivers events whose listeners run from the queue while
// processes are killed. "make soak" sends a million.
func TestDeliveries(t *testing.T) {
	storetest.Deliveries{
		Address: func() string {
			server := storetest.StartPostgres(t)
			q, err := New(server.URL())
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			if err := q.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			return server.URL() + "\n" + storetest.Share(t, store.NewMemory(1<<30)) // a million events need more than flexfntest's
		},
		Configure: func(c *flexfn.Config, address string) (func(context.Context, *flexfn.App) error, error) {
			url, shared, _ := strings.Cut(address, "\n")
			q, err := New(url)
			if err != nil {
				return nil, err
			}
			q.lost = 5 * time.Second
			c.Queue, c.Store = q, storetest.Remote(shared)
			return func(ctx context.Context, app *flexfn.App) error { return q.Work(ctx, app, 10) }, nil
		},
		AfterAnswer: true,
		Short:       2000,
		Settle:      2 * time.Minute, // River looks for lost jobs each half minute
	}.Run(t)
}

func TestFaultyURL(t *testing.T) {
	if _, err := New("postgres://user:se-cret@%zz"); err == nil || strings.Contains(err.Error(), "se-cret") {
		t.Errorf("a faulty URL: %v", err)
	}
}

// BenchmarkJobs measures how fast jobs are added, and how fast one program with
// ten at once then runs jobs that do nothing.
func BenchmarkJobs(b *testing.B) {
	server := storetest.StartPostgres(b)
	q, err := New(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	if err := q.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	app := flexfntest.New(b, func(c *flexfn.Config) {
		c.Queue, c.Store, c.Logger = q, flexfntest.NewStore(), slog.New(slog.DiscardHandler)
	})
	var done atomic.Int64
	all := make(chan struct{})
	app.Handle("/jobs/remind", events.Job(func(context.Context, reminder) error {
		if done.Add(1) == int64(b.N) {
			close(all)
		}
		return nil
	}))
	ctx, stop := context.WithCancel(b.Context())
	begin := time.Now()
	var adding sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		adding.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := events.Later(app.Context(ctx), reminder{fmt.Sprint(i)}, 0); err != nil {
					b.Error(err)
				}
			}
		})
	}
	adding.Wait()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "added/s")
	begin = time.Now()
	var working sync.WaitGroup
	working.Go(func() {
		if err := q.Work(ctx, app.App, 10); err != nil {
			b.Error(err)
		}
	})
	<-all
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "done/s")
	stop()
	working.Wait()
}
