// Package pgflexfn keeps what the instances of a [flexfn.App] share in
// PostgreSQL 12 or newer:
//
//	store, err := pgflexfn.New(os.Getenv("DATABASE_URL"))
//	…
//	defer store.Close()
//	if err := store.CreateTable(ctx); err != nil { … } // or run pgflexfn.Schema yourself
//	config := flexfn.FromEnv()
//	config.Store = store
//	app, err := flexfn.New(config)
//
// An entry is a row of the table flexfn_store. When Swap returns, the change is
// committed: it survives restarts, and failovers to a synchronous replica.
// Expired rows are deleted every minute or, from a big table, less often.
package pgflexfn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/batch"
)

// Schema is the SQL that creates the table. The app's user needs SELECT,
// INSERT, UPDATE and DELETE on it. It can be run again. Only the key is
// indexed, so that PostgreSQL can update a row in place (HOT).
const Schema = `CREATE TABLE IF NOT EXISTS flexfn_store (
	key     text PRIMARY KEY,
	value   bytea NOT NULL,
	expires timestamptz NOT NULL
) WITH (fillfactor = 70)`

// Store is a [flexfn.Store] in PostgreSQL. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
	// Reads are sent apart from writes, so that they work in a database that
	// refuses writes.
	reads, writes batch.Queue[call, result]
	patience      time.Duration // how long to wait for a batch
	stop          context.CancelFunc
	ended         chan struct{}
}

var _ flexfn.Store = (*Store)(nil)

const (
	dialTime   = time.Second
	batchTime  = 2 * time.Second // plus the time for connecting: after this a connection counts as dead
	maxSenders = 2               // batches of reads, and of writes, under way at once
	maxCalls   = 64              // of one batch
	maxBytes   = 1 << 20         // of values in one batch, unless a single call has more
	sweepPause = time.Minute
	sweepShare = 100 // the pause after a sweep, as a multiple of its duration
	sweepPages = 256 // read at a time
)

// New makes a Store in the database at url, such as
// "postgres://user:password@db.example.com:5432/flex?pool_max_conns=4". It uses
// at most four connections, whatever the load, and one more to delete expired
// rows. New does not connect, so the database may start later, or restart. It
// fails only if the url is faulty. Call Close when the app has ended.
func New(url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL is faulty: write one such as postgres://user:password@db.example.com:5432/flex") // its own text may hold the password
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = dialTime
	}
	// At this isolation level Swap is atomic. At a higher one it would fail
	// instead of waiting for another Swap.
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("pgflexfn: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{pool: pool, patience: batchTime + config.ConnConfig.ConnectTimeout, stop: stop, ended: make(chan struct{})}
	for _, q := range []*batch.Queue[call, result]{&s.reads, &s.writes} {
		q.Senders, q.Most, q.MaxSize, q.Size, q.Send = maxSenders, maxCalls, maxBytes, call.bytes, s.send
	}
	go s.sweep(ctx)
	return s, nil
}

// Close closes the connections. Afterwards Get and Swap fail.
func (s *Store) Close() {
	s.stop()
	<-s.ended
	s.pool.Close()
}

// creating is the number of the advisory lock that CreateTable holds: of two
// processes that created the table at the same time, one would fail in spite of
// IF NOT EXISTS.
const creating = 0x666c6578666e00

// CreateTable runs [Schema]. It does nothing if the table exists, and can be
// called by several processes at the same time.
func (s *Store) CreateTable(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(creating)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, Schema)
		return err
	})
	if err != nil {
		return fmt.Errorf("creating the table flexfn_store: %w", err)
	}
	return nil
}

// sweep deletes expired rows until ctx ends. It ignores errors, since an
// expired row counts as absent whether it is deleted or not. It reads the whole
// table, but runs at most a hundredth of the time.
func (s *Store) sweep(ctx context.Context) {
	defer close(s.ended)
	for pause := sweepPause; ; {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		begin := time.Now()
		_ = s.sweepOnce(ctx)
		pause = max(sweepPause, sweepShare*time.Since(begin))
	}
}

// sweepOnce deletes the expired rows, some pages at a time. It skips rows that
// are being changed, and so never waits for a lock while it holds one.
func (s *Store) sweepOnce(ctx context.Context) error {
	var pages int64
	err := s.pool.QueryRow(ctx, `SELECT pg_relation_size('flexfn_store') / current_setting('block_size')::int`).Scan(&pages)
	for page := int64(0); page < pages && err == nil; page += sweepPages {
		_, err = s.pool.Exec(ctx, `DELETE FROM flexfn_store WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM flexfn_store WHERE ctid >= $1::text::tid AND ctid < $2::text::tid AND expires <= clock_timestamp() FOR UPDATE SKIP LOCKED))`,
			fmt.Sprintf("(%d,0)", page), fmt.Sprintf("(%d,0)", page+sweepPages))
	}
	return err
}

// call is a Get or a Swap, and result is what the database answers.
type call struct {
	key       string
	swap      bool
	old, new  []byte
	ttlMillis int64
}

type result struct {
	value []byte
	left  time.Duration
	rows  int64 // changed
}

func (c call) bytes() int { return len(c.old) + len(c.new) }

// send sends calls in one transaction, which is committed if send returns no
// error. Batches of several instances wait for each other's rows, so each locks
// them in the order of their keys.
func (s *Store) send(calls []call) ([]result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	order := make([]int, len(calls))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(calls[i].key, calls[j].key) })
	results := make([]result, len(calls))
	var b pgx.Batch
	for _, i := range order {
		calls[i].queue(&b, &results[i])
	}
	return results, s.pool.SendBatch(ctx, &b).Close()
}

// queue adds the call's statements to a batch.
func (c call) queue(b *pgx.Batch, r *result) {
	if !c.swap {
		b.Queue(`SELECT value, (extract(epoch FROM expires - clock_timestamp()) * 1000000)::bigint
			FROM flexfn_store WHERE key = $1 AND expires > clock_timestamp()`, c.key).QueryRow(func(row pgx.Row) error {
			var micros int64
			err := row.Scan(&r.value, &micros)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			r.left = max(time.Duration(micros)*time.Microsecond, time.Microsecond)
			return err
		})
		return
	}
	exec := func(sql string, arguments ...any) {
		b.Queue(sql, arguments...).Exec(func(tag pgconn.CommandTag) error {
			r.rows += tag.RowsAffected()
			return nil
		})
	}
	switch {
	case c.old == nil:
		// If the key is taken, neither statement writes anything, not even a
		// lock, since redeliveries are frequent.
		exec(`UPDATE flexfn_store SET value = $2, expires = clock_timestamp() + $3 * interval '1 millisecond'
			WHERE key = $1 AND expires <= clock_timestamp()`, c.key, c.new, c.ttlMillis)
		exec(`INSERT INTO flexfn_store (key, value, expires) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
			ON CONFLICT (key) DO NOTHING`, c.key, c.new, c.ttlMillis)
	case c.new == nil:
		exec(`DELETE FROM flexfn_store WHERE key = $1 AND value = $2 AND expires > clock_timestamp()`, c.key, c.old)
	default:
		exec(`UPDATE flexfn_store SET value = $3, expires = clock_timestamp() + $4 * interval '1 millisecond'
			WHERE key = $1 AND value = $2 AND expires > clock_timestamp()`, c.key, c.old, c.new, c.ttlMillis)
	}
}

// Get implements [flexfn.Store].
func (s *Store) Get(ctx context.Context, key string) (value []byte, left time.Duration, err error) {
	r, err := s.reads.Do(ctx, call{key: key})
	return r.value, r.left, err
}

// Swap implements [flexfn.Store].
func (s *Store) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if old == nil && new == nil {
		value, _, err := s.Get(ctx, key)
		return value == nil, err
	}
	r, err := s.writes.Do(ctx, call{key, true, old, new, ttl.Milliseconds()})
	return r.rows == 1, err
}
