package pgflexfn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/storetest"
)

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := New(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func start(t testing.TB) *storetest.Postgres {
	t.Helper()
	server := storetest.StartPostgres(t)
	s := open(t, server.URL())
	for range 2 {
		if err := s.CreateTable(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return server
}

// TestCreateTogether has processes that start together create the table.
func TestCreateTogether(t *testing.T) {
	s := open(t, storetest.StartPostgres(t).URL()+"&connect_timeout=60") // the machine may be slow
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			if err := s.CreateTable(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
}

func (s *Store) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	server := start(t)
	stores := make([]flexfn.Store, 8)
	for i := range stores {
		stores[i] = open(t, server.URL()+"&connect_timeout=20")
	}
	flexfntest.CheckStore(t, stores...)
}

func TestProcesses(t *testing.T) {
	address := ""
	if !storetest.Child() {
		address = start(t).URL() + "&connect_timeout=20" // eight processes connect at once
	}
	storetest.Processes(t, address, func(url string) flexfn.Store { return open(t, url) })
}

// TestDeliveries delivers events while processes are killed and PostgreSQL is
// restarted. "make soak" sends a million.
func TestDeliveries(t *testing.T) {
	var server *storetest.Postgres
	storetest.Deliveries{
		Address: func() string {
			server = start(t)
			return server.URL()
		},
		Configure: func(c *flexfn.Config, url string) (work func(context.Context, *flexfn.App) error, err error) {
			c.Store, err = New(url)
			return nil, err
		},
		Restart: func() {
			server.Kill()
			server.Start()
		},
		Short: 3000,
	}.Run(t)
}

func BenchmarkClaims(b *testing.B) {
	server := start(b)
	storetest.Claims(b, func() flexfn.Store { return open(b, server.URL()+"&pool_max_conns=1") }, nil, 1000)
}

// TestGivenUp: a call that is given up does not cost its connection, and calls
// that waited for a lock succeed once it is free.
func TestGivenUp(t *testing.T) {
	server := start(t)
	admin, s := open(t, server.URL()), open(t, server.URL())
	swap := func(ctx context.Context, key string) (bool, error) {
		return s.Swap(ctx, key, nil, []byte("v"), time.Hour)
	}
	for i := range maxSenders {
		if ok, err := swap(t.Context(), fmt.Sprint("first", i)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	tx, err := admin.pool.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), "LOCK TABLE flexfn_store IN SHARE MODE") // for reading only
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if ok, err := swap(ctx, fmt.Sprint("k", i)); ok || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("behind a lock: %t, %v", ok, err)
			}
		})
	}
	for range 10 {
		if value, _, err := s.Get(t.Context(), "first0"); err != nil || string(value) != "v" {
			t.Errorf("a read waited for writes: %q, %v", value, err)
		}
	}
	all.Wait()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	if ok, err := swap(t.Context(), "last"); !ok || err != nil {
		t.Error(ok, err)
	}
	if n := s.pool.Stat().NewConnsCount(); n > 2*maxSenders {
		t.Errorf("%d connections were made", n)
	}
	var rows int
	if err := admin.pool.QueryRow(t.Context(), "SELECT count(*) FROM flexfn_store WHERE key LIKE 'k%'").Scan(&rows); err != nil || rows == 0 || rows > maxSenders*maxCalls {
		t.Errorf("%d of the calls that were given up took effect, want those that had been sent: %v", rows, err)
	}
}

// TestSweep checks that sweeping deletes expired rows, and no others.
func TestSweep(t *testing.T) {
	s := open(t, start(t).URL())
	s.exec(t, `INSERT INTO flexfn_store SELECT 'old' || i, decode(repeat('00', 300), 'hex'), now() - interval '1 second' FROM generate_series(1, 20000) i`)
	s.exec(t, `INSERT INTO flexfn_store SELECT 'new' || i, '', now() + interval '1 hour' FROM generate_series(1, 10) i`)
	var pages, left, kept int
	query := func(sql string, to *int) {
		t.Helper()
		if err := s.pool.QueryRow(t.Context(), sql).Scan(to); err != nil {
			t.Fatal(err)
		}
	}
	if query("SELECT pg_relation_size('flexfn_store') / 8192", &pages); pages < 2*sweepPages {
		t.Fatalf("the table has %d pages: too few to test", pages)
	}
	if err := s.sweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	query("SELECT count(*) FROM flexfn_store", &left)
	query("SELECT count(*) FROM flexfn_store WHERE key LIKE 'new%'", &kept)
	if left != 10 || kept != 10 {
		t.Errorf("%d rows are left, %d of them unexpired", left, kept)
	}
}

func TestRestart(t *testing.T) {
	server := start(t)
	s := open(t, server.URL())
	if ok, err := s.Swap(t.Context(), "k", nil, []byte("v"), time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	server.Kill()
	server.Start()
	var value []byte
	var err error
	for range 100 {
		if value, _, err = s.Get(t.Context(), "k"); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if string(value) != "v" {
		t.Errorf("after a crash: %q, %v", value, err)
	}
}

func TestOutages(t *testing.T) {
	server := start(t)
	admin := open(t, server.URL())
	o := storetest.NewOutage(t, open(t, server.URL()))
	o.Want("at first", 200)
	n := 0
	outage := func(what string, begin, end func()) {
		t.Helper()
		begin()
		n++
		for range 6 {
			o.Want(what, 503)
		}
		o.Logged(what, n, n-1)
		end()
		o.Want("after "+what, 200)
		o.Logged("after "+what, n, n)
	}
	outage("slow", func() {
		begun := make(chan struct{})
		go func() {
			tx, err := admin.pool.Begin(t.Context())
			if err != nil {
				t.Error(err)
				close(begun)
				return
			}
			_, _ = tx.Exec(t.Context(), "LOCK TABLE flexfn_store")
			close(begun)
			time.Sleep(4 * time.Second)
			_ = tx.Rollback(t.Context())
		}()
		<-begun
	}, func() {})
	outage("read-only", func() {
		admin.exec(t, "ALTER USER flex SET default_transaction_read_only = on")
		admin.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
	}, func() {
		admin.exec(t, "SET default_transaction_read_only = off")
		admin.exec(t, "ALTER USER flex RESET default_transaction_read_only")
		admin.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
	})
	outage("no table", func() { admin.exec(t, "ALTER TABLE flexfn_store RENAME TO elsewhere") },
		func() { admin.exec(t, "ALTER TABLE elsewhere RENAME TO flexfn_store") })
	outage("down", server.Kill, server.Start)
}

func TestWrongPassword(t *testing.T) {
	server := start(t)
	o := storetest.NewOutage(t, open(t, storetest.PostgresURL(server.Port, "wrong-password")))
	for range 8 {
		o.Want("wrong password", 503)
	}
	o.Logged("wrong password", 1, 0)
	if o.Log.Count("wrong-password") > 0 {
		t.Error("the password is in the log")
	}
}

func TestFaultyURL(t *testing.T) {
	if _, err := New("postgres://user:se-cret@%zz"); err == nil || strings.Contains(err.Error(), "se-cret") {
		t.Errorf("a faulty URL: %v", err)
	}
}
