package dev

import (
	"math"
	"sync"
	"time"
)

// metricsSeconds is how far back the charts reach, in seconds.
const metricsSeconds = 300

// A Second counts the requests of one second. Seconds without a request have
// none.
type Second struct {
	Time     int64   `json:"time"` // Unix
	Requests int     `json:"requests"`
	Errors   int     `json:"errors"` // answers of 500 and more
	Refused  int     `json:"refused"`
	Retries  int     `json:"retries"`
	Median   float64 `json:"median"` // milliseconds; zero without requests
	P95      float64 `json:"p95"`
}

// metrics counts requests by the second in a ring, and so in constant memory.
// It is safe for concurrent use, and the zero value is ready.
type metrics struct {
	mu   sync.Mutex
	ring [metricsSeconds]second
}

// second is a Second with the latencies of its requests. Keeping every latency
// would need memory for every request; classes that grow by a constant ratio
// keep the error of a quantile small at any size.
type second struct {
	Second
	latency [64]class // by the logarithm
}

// class counts the requests that took about the same time.
type class struct {
	requests int
	longest  time.Duration
}

// step is the ratio of one class of latency to the one before: 64 classes reach
// from 20 µs to half a minute. Shorter and longer times fall into the first and
// the last class.
const (
	shortest = 20 * time.Microsecond
	step     = 1.26
)

// add counts a request in the current second. A place in the ring that still
// has a second of five minutes ago is cleared first.
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
	of := math.Log(float64(took)/float64(shortest)) / math.Log(step)
	c := &s.latency[int(max(0, min(of, float64(len(s.latency)-1))))]
	c.requests++
	c.longest = max(c.longest, took)
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

// quantile returns the time in milliseconds within which a part q of the
// requests was answered. It is at most a quarter too long, never too short. It
// is the longest time of the class in which the quantile falls.
func (s *second) quantile(q float64) float64 {
	want, seen := int(math.Ceil(q*float64(s.Requests))), 0
	for _, c := range s.latency {
		if seen += c.requests; seen >= want && c.requests > 0 {
			return math.Round(float64(c.longest)/1e4) / 100
		}
	}
	return 0
}
