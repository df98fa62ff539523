package dev

import (
	"math"
	"sync"
	"time"
)

// metricsSeconds is how far back the charts reach.
const metricsSeconds = 300

// A Second is what happened in one second.
type Second struct {
	Time     int64   `json:"time"` // Unix
	Requests int     `json:"requests"`
	Errors   int     `json:"errors"` // answers of 500 and more
	Refused  int     `json:"refused"`
	Retries  int     `json:"retries"`
	Median   float64 `json:"median"` // milliseconds; zero without requests
	P95      float64 `json:"p95"`
}

// metrics counts by the second, in a ring.
type metrics struct {
	mu   sync.Mutex
	ring [metricsSeconds]second
}

type second struct {
	Second
	latency [64]uint32 // by the logarithm
}

// step is how much longer one class of latency is than the one before: 64
// classes reach from 20 µs to half a minute.
const (
	shortest = 20 * time.Microsecond
	step     = 1.26
)

func (m *metrics) add(now time.Time, status, retries int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.ring[now.Unix()%metricsSeconds]
	if s.Time != now.Unix() {
		*s = second{Second: Second{Time: now.Unix()}}
	}
	s.Requests++
	s.Retries += retries
	switch {
	case status >= 500:
		s.Errors++
	case status >= 400:
		s.Refused++
	}
	class := math.Log(float64(took)/float64(shortest)) / math.Log(step)
	s.latency[int(max(0, min(class, float64(len(s.latency)-1))))]++
}

// list returns the seconds in which something happened, oldest first.
func (m *metrics) list(now time.Time) []Second {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []Second{}
	for t := now.Unix() - metricsSeconds + 1; t <= now.Unix(); t++ {
		if s := &m.ring[t%metricsSeconds]; s.Time == t {
			s.Median, s.P95 = s.quantile(0.5), s.quantile(0.95)
			list = append(list, s.Second)
		}
	}
	return list
}

// quantile is in milliseconds, to about a quarter.
func (s *second) quantile(q float64) float64 {
	want := uint32(math.Ceil(q * float64(s.Requests)))
	seen := uint32(0)
	for class, n := range s.latency {
		if seen += n; seen >= want && n > 0 {
			d := float64(shortest) * math.Pow(step, float64(class)+0.5)
			return math.Round(d/1e4) / 100
		}
	}
	return 0
}
