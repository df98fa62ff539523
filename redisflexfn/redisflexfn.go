// Package redisflexfn shares a [flexfn.App]'s token cache among its instances
// through Redis, or a server that speaks its protocol:
//
//	tokens, err := redisflexfn.New("redis://cache.example.com:6379/0")
//	…
//	defer tokens.Close()
//	config := flexfn.FromEnv()
//	config.SharedTokens = tokens
//	app, err := flexfn.New(config)
//
// The app works without Redis: each instance then asks Twilio for itself, and
// its log says so once. Redis gets no tokens, and nothing about whom they
// belong to in readable form.
package redisflexfn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/rueidis"

	"github.com/flexfn/flexfn"
)

// Bounds on what a Redis that does not answer may cost.
const (
	dialTime  = time.Second
	writeTime = 2 * time.Second // after which a connection counts as dead
	retryTime = time.Second     // between two attempts to connect at first
)

// Tokens is a [flexfn.SharedTokens] in Redis. It is safe for concurrent use.
type Tokens struct {
	option rueidis.ClientOption
	// state holds the client, or why there is none; taken by who uses it.
	state chan connection
}

type connection struct {
	client rueidis.Client
	err    error
	tried  time.Time
	closed bool
}

var _ flexfn.SharedTokens = (*Tokens)(nil)

// New uses the Redis at url: redis:// or rediss:// (TLS), with user, password
// and database as usual, or unix:// and a path. It does not wait for Redis,
// which may come later, and come back. The error tells of a faulty url.
func New(url string) (*Tokens, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the Redis URL is faulty: write one such as redis://user:password@cache.example.com:6379/0") // its own text may hold the password
	}
	option.DisableCache = true // the app has its own
	option.DisableRetry = true // the app asks Twilio
	// One connection, which somebody always reads from: when Redis goes, that
	// is known, and the next request finds no dead connection.
	option.PipelineMultiplex = -1
	option.AlwaysPipelining = true
	option.ConnWriteTimeout = writeTime
	option.Dialer = net.Dialer{Timeout: dialTime, KeepAlive: 15 * time.Second}
	t := &Tokens{option: option, state: make(chan connection, 1)}
	t.state <- connection{}
	return t, nil
}

// Close closes the connections. Get and Set fail afterwards.
func (t *Tokens) Close() {
	c := <-t.state
	if c.client != nil {
		c.client.Close()
	}
	t.state <- connection{closed: true}
}

var errClosed = errors.New("redisflexfn: closed")

// connect returns the client, which is made when it is first wanted.
func (t *Tokens) connect(ctx context.Context) (rueidis.Client, error) {
	var c connection
	select {
	case c = <-t.state:
	case <-ctx.Done():
		return nil, fmt.Errorf("connecting to Redis: %w", ctx.Err())
	}
	switch {
	case c.closed:
		c.err = errClosed
	case c.client == nil && time.Since(c.tried) >= retryTime:
		made := make(chan connection, 1)
		go func() {
			client, err := rueidis.NewClient(t.option) // until dialTime, whatever ctx says
			made <- connection{client: client, err: err, tried: time.Now()}
		}()
		select {
		case c = <-made:
		case <-ctx.Done():
			go func() { t.state <- <-made }()
			return nil, fmt.Errorf("connecting to Redis: %w", ctx.Err())
		}
	}
	t.state <- c
	return c.client, c.err
}

// Get implements [flexfn.SharedTokens].
func (t *Tokens) Get(ctx context.Context, key string) ([]byte, error) {
	client, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	value, err := client.Do(ctx, client.B().Get().Key(key).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return value, err
}

// Set implements [flexfn.SharedTokens].
func (t *Tokens) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	client, err := t.connect(ctx)
	if err != nil {
		return err
	}
	ttl = max(ttl, time.Millisecond) // Redis knows none shorter
	return client.Do(ctx, client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Px(ttl).Build()).Error()
}
