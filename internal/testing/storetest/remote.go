package storetest

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
)

// remoteCall is a call of a Store and its result.
type remoteCall struct {
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

// Share lets other processes use s until the test ends; see [Remote].
func Share(t *testing.T, s flexfn.Store) (address string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c remoteCall
		err := gob.NewDecoder(r.Body).Decode(&c)
		switch {
		case err != nil:
		case !c.Swap:
			c.Value, c.Left, err = s.Get(r.Context(), c.Key)
		case c.Deletes:
			c.Swapped, err = s.Swap(r.Context(), c.Key, c.Old, nil, c.TTL)
		default:
			c.Swapped, err = s.Swap(r.Context(), c.Key, c.Old, c.New, c.TTL)
		}
		if err != nil {
			c.Err = err.Error()
		}
		_ = gob.NewEncoder(w).Encode(remoteCall{Value: c.Value, Left: c.Left, Swapped: c.Swapped, Err: c.Err})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Remote is a Store shared by another process.
type Remote string

var _ flexfn.Store = Remote("")

func (r Remote) call(ctx context.Context, c remoteCall) (answer remoteCall, err error) {
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(c); err != nil {
		return answer, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(r), &body)
	if err != nil {
		return answer, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	if err := gob.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return answer, err
	}
	if answer.Err != "" {
		return answer, fmt.Errorf("the shared store: %s", answer.Err)
	}
	return answer, nil
}

// Get implements [flexfn.Store].
func (r Remote) Get(ctx context.Context, key string) ([]byte, time.Duration, error) {
	a, err := r.call(ctx, remoteCall{Key: key})
	return a.Value, a.Left, err
}

// Swap implements [flexfn.Store].
func (r Remote) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	a, err := r.call(ctx, remoteCall{Swap: true, Key: key, Old: old, New: new, Deletes: new == nil, TTL: ttl})
	return a.Swapped, err
}
