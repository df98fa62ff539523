// Package riverflexfn runs an app's jobs with [River] on PostgreSQL:
//
//	queue, err := riverflexfn.New(os.Getenv("DATABASE_URL"))
//	…
//	defer queue.Close()
//	if err := queue.Migrate(ctx); err != nil { … } // or run River's own migrations
//	config := flexfn.FromEnv()
//	config.Queue = queue
//	app, err := flexfn.New(config)
//	…
//	go queue.Work(ctx, app, 20)
//
// Programs that only answer requests need not call Work. River's own tools show
// and cancel the jobs, whose kind is "flexfn".
//
// [River]: https://riverqueue.com
package riverflexfn

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/batch"
	"github.com/flexfn/flexfn/internal/link"
)

// Queue is a [flexfn.Queue] in River. It is safe for concurrent use.
type Queue struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx] // which only inserts
	adds   batch.Queue[river.InsertManyParams, struct{}]
	lost   time.Duration // after which an unfinished job is run again; zero asks the app
}

var _ flexfn.Queue = (*Queue)(nil)

// jobArgs is a job as River stores it. Jobs with equal keys are one job, as
// long as River keeps the first.
type jobArgs struct {
	Key string          `json:"key" river:"unique"`
	Job json.RawMessage `json:"job"`
}

// Kind implements [river.JobArgs].
func (jobArgs) Kind() string { return "flexfn" }

const (
	attempts = 50          // the app counts tries itself; these are enough for an outage of days
	jobTime  = time.Minute // for a listener; a job has its function's deadline

	// fetchPause is the minimum between two fetches of at most n jobs. With
	// River's own 100 ms ten workers would do 100 jobs a second, however short.
	// A queue that is empty is asked once a second and when a job is added.
	fetchPause = 10 * time.Millisecond

	insertTime = 5 * time.Second // then a connection counts as dead
)

// New makes a Queue in the database at url. It does not connect, and fails only
// if the url is faulty. Call Close when the app has ended.
func New(url string) (*Queue, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL is faulty: write one such as postgres://user:password@db.example.com:5432/flex") // its own text may hold the password
	}
	config.AfterConnect = endWithProcess
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("riverflexfn: %w", err)
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("riverflexfn: %w", err)
	}
	q := &Queue{pool: pool, client: client}
	q.adds.Senders, q.adds.Most, q.adds.MaxSize = 2, 100, 1<<20
	q.adds.Size = func(p river.InsertManyParams) int { return len(p.Args.(jobArgs).Job) }
	q.adds.Send = q.send
	return q, nil
}

// endWithProcess has PostgreSQL look every 2 s whether conn is still open while
// a statement runs. Otherwise the statements of a killed process run on, wait
// for locks, and keep theirs: one that River's leader left behind for minutes
// stopped the retries of all jobs. Servers before PostgreSQL 14, and some
// platforms, cannot look; their error is ignored.
func endWithProcess(ctx context.Context, conn *pgx.Conn) error {
	_, _ = conn.Exec(ctx, "SET client_connection_check_interval = '2s'")
	return nil
}

// Close closes the connections. Afterwards Add fails.
func (q *Queue) Close() { q.pool.Close() }

// migrating is the number of the advisory lock that Migrate holds: of two
// processes that created a table at the same time, one would fail.
const migrating = 0x666c6578666e01

// Migrate creates or updates River's tables. It can be run again, and by
// several processes at the same time.
func (q *Queue) Migrate(ctx context.Context) error {
	lock, err := pgx.ConnectConfig(ctx, q.pool.Config().ConnConfig) // the pool may have only one
	if err == nil {
		defer func() { _ = lock.Close(context.WithoutCancel(ctx)) }() // ends the lock
		_, err = lock.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrating))
	}
	var migrator *rivermigrate.Migrator[pgx.Tx]
	if err == nil {
		migrator, err = rivermigrate.New(riverpgxv5.New(q.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	}
	if err == nil {
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		return fmt.Errorf("creating River's tables: %w", err)
	}
	return nil
}

// Add implements [flexfn.Queue]. Jobs that are added at the same time are
// inserted together, since River notifies its workers of each insert, and
// PostgreSQL commits transactions that notify one at a time.
func (q *Queue) Add(ctx context.Context, key string, job []byte, due time.Time) error {
	opts := river.InsertOpts{MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
	// A job with a time, even one that has passed, waits for River's scheduler,
	// which looks each 5 s, and not at all until a leader is elected.
	if due.After(time.Now()) {
		opts.ScheduledAt = due
	}
	_, err := q.adds.Do(ctx, river.InsertManyParams{Args: jobArgs{key, job}, InsertOpts: &opts})
	return err
}

// send inserts jobs in the order of their keys, so that several instances lock
// them in the same order. Jobs with equal keys are one job, of which it inserts
// the first.
func (q *Queue) send(jobs []river.InsertManyParams) ([]struct{}, error) {
	ctx, cancel := context.WithTimeout(context.Background(), insertTime)
	defer cancel()
	key := func(p river.InsertManyParams) string { return p.Args.(jobArgs).Key }
	once := slices.Clone(jobs)
	slices.SortStableFunc(once, func(a, b river.InsertManyParams) int { return cmp.Compare(key(a), key(b)) })
	once = slices.CompactFunc(once, func(a, b river.InsertManyParams) bool { return key(a) == key(b) })
	_, err := q.client.InsertMany(ctx, once)
	return make([]struct{}, len(jobs)), err
}

// worker is the River worker that runs an app's jobs.
type worker struct {
	river.WorkerDefaults[jobArgs]
	app     *flexfn.App
	timeout time.Duration
}

func (w *worker) Work(ctx context.Context, job *river.Job[jobArgs]) error {
	return w.app.RunJob(ctx, job.Args.Job)
}

// Timeout implements [river.Worker]. After this time River assumes that the
// worker is gone, and runs the job again. The app limits the time of its jobs
// itself.
func (w *worker) Timeout(*river.Job[jobArgs]) time.Duration { return w.timeout }

// longest returns a time that is longer than any job of app may take.
func longest(ctx context.Context, app *flexfn.App) time.Duration {
	most := jobTime
	if rt, ok := app.Context(ctx).Value(link.RuntimeKey{}).(*link.Runtime); ok {
		for _, at := range rt.Parts() {
			most = max(most, at.Deadline)
		}
	}
	return most + jobTime
}

// Work runs the jobs of app, at most n at once in this process, until ctx ends,
// and then waits for the running ones. Failures are logged, and the jobs tried
// again. If a process is killed, another one runs its jobs again, a minute
// after the longest time that a job of app may take: after two minutes, unless
// an events.Job has a longer [flexfn.Deadline]. Register the app's functions
// first. Work fails only if it cannot start.
func (q *Queue) Work(ctx context.Context, app *flexfn.App, n int) error {
	timeout := cmp.Or(q.lost, longest(ctx, app))
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{app: app, timeout: timeout})
	client, err := river.NewClient(riverpgxv5.New(q.pool), &river.Config{
		Logger:     app.Config().Logger,
		Queues:     map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: n}},
		Workers:    workers,
		JobTimeout: timeout, RescueStuckJobsAfter: timeout,
		FetchCooldown: fetchPause,
	})
	if err == nil {
		err = client.Start(ctx)
	}
	if err != nil {
		return fmt.Errorf("riverflexfn: %w", err)
	}
	<-client.Stopped()
	return nil
}
