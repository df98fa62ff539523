// Package redisflexfn keeps what the instances of a [flexfn.App] share in
// Redis 6.2 or newer, or in a server that speaks its protocol:
//
//	store, err := redisflexfn.New("redis://cache.example.com:6379/0")
//	…
//	defer store.Close()
//	config := flexfn.FromEnv()
//	config.Store = store
//	app, err := flexfn.New(config)
//
// Redis must not evict entries: its maxmemory-policy must be noeviction, which
// is the default and is checked when a connection is made. Entries survive a
// restart only if Redis persists them (appendonly yes), and a failover to a
// replica may lose the last writes. If that is not enough, use pgflexfn.
// Everything that is stored in Redis is encrypted.
package redisflexfn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/flexfn/flexfn"
)

// Limits on what a Redis that does not answer may cost.
const (
	dialTime  = time.Second
	writeTime = 2 * time.Second // then a connection counts as dead
	retryTime = time.Second     // between attempts to connect for the first time
	maxValue  = 512 << 10       // the longest value that is read, in bytes; flexfn's have at most 300 KiB, sealed
)

// Store is a [flexfn.Store] in Redis. It is safe for concurrent use.
type Store struct {
	option rueidis.ClientOption
	// state holds the client, or the reason why there is none. Receive it to
	// use it.
	state chan connection
}

type connection struct {
	client rueidis.Client
	err    error
	tried  time.Time
	closed bool
}

var _ flexfn.Store = (*Store)(nil)

// New makes a Store in the Redis at url: redis:// or rediss:// (TLS), with
// user, password and database as usual, or unix:// and a path. New does not
// connect, so Redis may start later, or restart. It fails only if the url is
// faulty. Call Close when the app has ended.
func New(url string) (*Store, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the Redis URL is faulty: write one such as redis://user:password@cache.example.com:6379/0") // its own text may hold the password
	}
	option.DisableCache = true // the app has its own cache
	option.DisableRetry = true // the app checks what happened before it retries
	// One connection, which is always being read from. If Redis goes away,
	// that is noticed at once, and the next request does not meet a dead
	// connection.
	option.PipelineMultiplex = -1
	option.AlwaysPipelining = true
	option.ConnWriteTimeout = writeTime
	option.Dialer = net.Dialer{Timeout: dialTime, KeepAlive: 15 * time.Second}
	s := &Store{option: option, state: make(chan connection, 1)}
	s.state <- connection{}
	return s, nil
}

// Close closes the connections. Afterwards Get and Swap fail.
func (s *Store) Close() {
	c := <-s.state
	if c.client != nil {
		c.client.Close()
	}
	s.state <- connection{closed: true}
}

var errClosed = errors.New("redisflexfn: closed")

// connect returns the client. The first call makes it.
func (s *Store) connect(ctx context.Context) (rueidis.Client, error) {
	var c connection
	select {
	case c = <-s.state:
	case <-ctx.Done():
		return nil, fmt.Errorf("connecting to Redis: %w", ctx.Err())
	}
	switch {
	case c.closed:
		c.err = errClosed
	case c.client == nil && time.Since(c.tried) >= retryTime:
		made := make(chan connection, 1)
		go func() {
			client, err := rueidis.NewClient(s.option) // takes up to dialTime, whatever ctx says
			if err == nil {
				if err = check(client); err != nil {
					client.Close()
					client = nil
				}
			}
			made <- connection{client: client, err: err, tried: time.Now()}
		}()
		select {
		case c = <-made:
		case <-ctx.Done():
			go func() { s.state <- <-made }()
			return nil, fmt.Errorf("connecting to Redis: %w", ctx.Err())
		}
	}
	s.state <- c
	return c.client, c.err
}

// check refuses a Redis that may evict entries.
func check(client rueidis.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	info, err := client.Do(ctx, client.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		return nil // not every server has it, or shows it to everyone
	}
	for line := range strings.Lines(info) {
		if policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:"); ok && policy != "noeviction" {
			return fmt.Errorf("redisflexfn: this Redis evicts entries when its memory is full (maxmemory-policy %s): set it to noeviction", policy)
		}
	}
	return nil
}

var (
	// The client would read a whole value, so one that is too long to be the
	// app's is not fetched.
	get = rueidis.NewLuaScriptReadOnly(`
if redis.call('STRLEN', KEYS[1]) > tonumber(ARGV[1]) then return redis.error_reply('the value is too long to be from flexfn') end
local value = redis.call('GET', KEYS[1])
if not value then return false end
return {value, redis.call('PTTL', KEYS[1])}`)

	swap = rueidis.NewLuaScript(`
local value = redis.call('GET', KEYS[1])
if ARGV[1] == 'none' and value or ARGV[1] == 'some' and value ~= ARGV[2] then return 0 end
if ARGV[3] == 'none' then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5]) end
return 1`)
)

// Get implements [flexfn.Store].
func (s *Store) Get(ctx context.Context, key string) ([]byte, time.Duration, error) {
	client, err := s.connect(ctx)
	if err != nil {
		return nil, 0, err
	}
	pair, err := get.Exec(ctx, client, []string{key}, []string{strconv.Itoa(maxValue)}).ToArray()
	if rueidis.IsRedisNil(err) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if len(pair) != 2 {
		return nil, 0, fmt.Errorf("redisflexfn: Redis returned %d values instead of 2", len(pair))
	}
	value, err1 := pair[0].AsBytes()
	left, err2 := pair[1].AsInt64()
	if left <= 0 { // it expires this very millisecond
		left = 1
	}
	return value, time.Duration(left) * time.Millisecond, errors.Join(err1, err2)
}

// Swap implements [flexfn.Store].
func (s *Store) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	client, err := s.connect(ctx)
	if err != nil {
		return false, err
	}
	if old == nil && new != nil { // most swaps do this, and it costs Redis a third of the script
		err := client.Do(ctx, client.B().Set().Key(key).Value(rueidis.BinaryString(new)).Nx().Px(ttl).Build()).Error()
		if rueidis.IsRedisNil(err) {
			return false, nil
		}
		return err == nil, err
	}
	done, err := swap.Exec(ctx, client, []string{key}, []string{
		presence(old), rueidis.BinaryString(old), presence(new), rueidis.BinaryString(new), strconv.FormatInt(ttl.Milliseconds(), 10),
	}).AsInt64()
	return done == 1, err
}

func presence(value []byte) string {
	if value == nil {
		return "none"
	}
	return "some"
}
