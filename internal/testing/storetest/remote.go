package storetest

import (
	"context"
	"fmt"
	"net"
	"net/rpc"
	"sync"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
)

// StoreCall is a call of a shared Store, and its result.
type StoreCall struct {
	Swap     bool
	Key      string
	Old, New []byte
	Deletes  bool // New is nil, which gob cannot tell from empty
	TTL      time.Duration

	Value   []byte
	Left    time.Duration
	Swapped bool
	Err     string
}

// SharedStore is the server of [Share].
type SharedStore struct{ store flexfn.Store }

// Call makes a call for another process.
func (s *SharedStore) Call(c StoreCall, answer *StoreCall) (err error) {
	switch {
	case !c.Swap:
		answer.Value, answer.Left, err = s.store.Get(context.Background(), c.Key)
	case c.Deletes:
		answer.Swapped, err = s.store.Swap(context.Background(), c.Key, c.Old, nil, c.TTL)
	default:
		answer.Swapped, err = s.store.Swap(context.Background(), c.Key, c.Old, c.New, c.TTL)
	}
	if err != nil {
		answer.Err = err.Error()
	}
	return nil
}

// Share lets other processes use s, which must be in memory, until the test
// ends; see [Remote].
func Share(t *testing.T, s flexfn.Store) (address string) {
	server := rpc.NewServer()
	if err := server.Register(&SharedStore{s}); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(conn)
		}
	}()
	return listener.Addr().String()
}

// Remote returns the Store that another process shares at address.
func Remote(address string) flexfn.Store {
	return &remote{dial: sync.OnceValues(func() (*rpc.Client, error) { return rpc.Dial("tcp", address) })}
}

type remote struct {
	dial func() (*rpc.Client, error)
}

func (r *remote) call(ctx context.Context, c StoreCall) (StoreCall, error) {
	client, err := r.dial()
	if err != nil {
		return c, err
	}
	call := client.Go("SharedStore.Call", c, new(StoreCall), make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-ctx.Done():
		return StoreCall{}, ctx.Err()
	}
	answer := *call.Reply.(*StoreCall)
	if err = call.Error; err == nil && answer.Err != "" {
		err = fmt.Errorf("the shared store: %s", answer.Err)
	}
	return answer, err
}

// Get implements [flexfn.Store].
func (r *remote) Get(ctx context.Context, key string) ([]byte, time.Duration, error) {
	a, err := r.call(ctx, StoreCall{Key: key})
	return a.Value, a.Left, err
}

// Swap implements [flexfn.Store].
func (r *remote) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	a, err := r.call(ctx, StoreCall{Swap: true, Key: key, Old: old, New: new, Deletes: new == nil, TTL: ttl})
	return a.Swapped, err
}
