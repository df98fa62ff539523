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
// Expired rows are deleted every minute.
package pgflexfn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/flexfn/flexfn"
)

// Schema is the SQL that creates the table. The app's user needs SELECT,
// INSERT, UPDATE and DELETE on it. It can be run again.
const Schema = `CREATE TABLE IF NOT EXISTS flexfn_store (
	key     text PRIMARY KEY,
	value   bytea NOT NULL,
	expires timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS flexfn_store_expires ON flexfn_store (expires)`

// Store is a [flexfn.Store] in PostgreSQL. It is safe for concurrent use.
type Store struct {
	pool  *pgxpool.Pool
	stop  context.CancelFunc
	ended chan struct{}
}

var _ flexfn.Store = (*Store)(nil)

const (
	dialTime   = time.Second
	sweepPause = time.Minute
	sweepRows  = 1000 // deleted at a time
)

// New makes a Store in the database at url, such as
// "postgres://user:password@db.example.com:5432/flex?pool_max_conns=10". It
// does not connect, so the database may start later, and restart. The error
// says what is wrong with the url. Call Close when the app has ended.
func New(url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL is faulty: write one such as postgres://user:password@db.example.com:5432/flex") // its own text may hold the password
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = dialTime
	}
	// At this isolation level Swap is atomic. At a higher one it would fail
	// instead of waiting for another.
	config.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed"
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("pgflexfn: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{pool: pool, stop: stop, ended: make(chan struct{})}
	go s.sweep(ctx)
	return s, nil
}

// Close closes the connections. Afterwards Get and Swap fail.
func (s *Store) Close() {
	s.stop()
	<-s.ended
	s.pool.Close()
}

// CreateTable runs [Schema]. It does nothing if the table exists.
func (s *Store) CreateTable(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, Schema); err != nil {
		return fmt.Errorf("creating the table flexfn_store: %w", err)
	}
	return nil
}

// sweep deletes expired rows until ctx ends. It ignores errors: an expired row
// counts as absent whether it is deleted or not.
func (s *Store) sweep(ctx context.Context) {
	defer close(s.ended)
	for tick := time.NewTicker(sweepPause); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		for deleted := int64(sweepRows); deleted == sweepRows; {
			tag, err := s.pool.Exec(ctx, `DELETE FROM flexfn_store WHERE ctid = ANY (ARRAY(
				SELECT ctid FROM flexfn_store WHERE expires <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED))`, sweepRows)
			if deleted = tag.RowsAffected(); err != nil {
				break
			}
		}
	}
}

// Get implements [flexfn.Store].
func (s *Store) Get(ctx context.Context, key string) (value []byte, left time.Duration, err error) {
	var micros int64
	err = s.pool.QueryRow(ctx, `SELECT value, (extract(epoch FROM expires - clock_timestamp()) * 1000000)::bigint
		FROM flexfn_store WHERE key = $1 AND expires > clock_timestamp()`, key).Scan(&value, &micros)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return value, max(time.Duration(micros)*time.Microsecond, time.Microsecond), nil
}

// Swap implements [flexfn.Store].
func (s *Store) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	var sql string
	arguments := []any{key}
	switch {
	case old == nil && new == nil:
		value, _, err := s.Get(ctx, key)
		return value == nil, err
	case old == nil:
		sql = `INSERT INTO flexfn_store AS s (key, value, expires) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires WHERE s.expires <= clock_timestamp()`
		arguments = append(arguments, new, ttl.Milliseconds())
	case new == nil:
		sql = `DELETE FROM flexfn_store WHERE key = $1 AND value = $2 AND expires > clock_timestamp()`
		arguments = append(arguments, old)
	default:
		sql = `UPDATE flexfn_store SET value = $3, expires = clock_timestamp() + $4 * interval '1 millisecond'
			WHERE key = $1 AND value = $2 AND expires > clock_timestamp()`
		arguments = append(arguments, old, new, ttl.Milliseconds())
	}
	tag, err := s.pool.Exec(ctx, sql, arguments...)
	return tag.RowsAffected() == 1, err
}
