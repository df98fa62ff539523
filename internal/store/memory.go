package store

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Memory is a [Store] in this process. It neither copies nor changes values. It
// is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	entries map[string]*memoryEntry
	expiry  expiryHeap
	bytes   int
	limit   int
}

type memoryEntry struct {
	key   string
	value []byte
	until time.Time // wall time, which also passes while an instance is frozen
	index int       // in the heap
}

const (
	entryOverhead = 200 // approximate size without key and value, in bytes
	maxValue      = 300 << 10
	maxTTL        = 31 * 24 * time.Hour
)

// NewMemory returns a Memory that holds at most limit bytes.
func NewMemory(limit int) *Memory {
	return &Memory{entries: map[string]*memoryEntry{}, limit: limit}
}

var errFull = errors.New("the memory for entries is full: nothing can be remembered until some expire; give the app a Store")

// checkSwap returns an error if the arguments of a Swap are out of bounds.
func checkSwap(key string, value []byte, ttl time.Duration) error {
	switch {
	case key == "" || len(key) > 128:
		return fmt.Errorf("the key has %d bytes: it must have 1 to 128", len(key))
	case len(value) > maxValue:
		return fmt.Errorf("the value has %d bytes; it may have at most %d", len(value), maxValue)
	case value != nil && (ttl < time.Millisecond || ttl > maxTTL):
		return fmt.Errorf("the ttl is %s: it must be from 1ms to %s", ttl, maxTTL)
	}
	return nil
}

// Get implements [Store].
func (m *Memory) Get(_ context.Context, key string) ([]byte, time.Duration, error) {
	now := time.Now().Round(0)
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e == nil || !now.Before(e.until) {
		return nil, 0, nil
	}
	return e.value, e.until.Sub(now), nil
}

// Swap implements [Store].
func (m *Memory) Swap(_ context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if err := checkSwap(key, value, ttl); err != nil {
		return false, err
	}
	now := time.Now().Round(0)
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.expiry) > 0 && !now.Before(m.expiry[0].until) {
		m.remove(m.expiry[0])
	}
	e := m.entries[key]
	switch {
	case e == nil && old != nil, e != nil && (old == nil || !bytes.Equal(e.value, old)):
		return false, nil
	case e != nil && value == nil:
		m.remove(e)
		return true, nil
	case value == nil:
		return true, nil
	}
	grows := len(value) - len(old)
	if e == nil {
		grows += len(key) + entryOverhead
	}
	if m.bytes+grows > m.limit {
		return false, errFull
	}
	m.bytes += grows
	if e == nil {
		e = &memoryEntry{key: key, value: value, until: now.Add(ttl)}
		m.entries[key] = e
		heap.Push(&m.expiry, e)
		return true, nil
	}
	e.value, e.until = value, now.Add(ttl)
	heap.Fix(&m.expiry, e.index)
	return true, nil
}

// Len returns the number of entries, expired ones included.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

func (m *Memory) remove(e *memoryEntry) {
	m.bytes -= len(e.key) + len(e.value) + entryOverhead
	delete(m.entries, e.key)
	heap.Remove(&m.expiry, e.index)
}

// expiryHeap orders entries by when they expire.
type expiryHeap []*memoryEntry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *expiryHeap) Push(x any) {
	e := x.(*memoryEntry)
	e.index = len(*h)
	*h = append(*h, e)
}
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
