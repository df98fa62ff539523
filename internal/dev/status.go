package dev

import (
	"sync"
	"time"
)

// Status says whether the functions can be called.
type Status struct {
	State string    `json:"state"`
	Fault *Fault    `json:"fault,omitempty"` // why no new build was made
	Time  time.Time `json:"time"`
}

// A Fault says why no new build was made.
type Fault struct {
	Title  string `json:"title"` // what failed
	Text   string `json:"text"`
	Output string `json:"output,omitempty"` // the end of what the program printed
}

func (f *Fault) Error() string {
	if f.Output == "" {
		return f.Text
	}
	return f.Text + "\n" + f.Output
}

const (
	statusBuilding = "building"
	statusReady    = "ready"
	statusFailed   = "failed" // the last good build, if any, keeps serving
)

type buildStatus struct {
	mu sync.Mutex
	Status
}

func (s *Server) setStatus(state string, fault *Fault) {
	if fault != nil {
		fault = &Fault{fault.Title, s.mask.account(fault.Text), s.mask.account(fault.Output)}
	}
	s.status.mu.Lock()
	s.status.Status = Status{state, fault, time.Now()}
	now := s.status.Status
	s.status.mu.Unlock()
	s.hub.send("status", now)
}

func (s *Server) currentStatus() Status {
	s.status.mu.Lock()
	defer s.status.mu.Unlock()
	return s.status.Status
}

// functionInfo is a function with a call that it accepts.
type functionInfo struct {
	Function
	Person string `json:"person,omitempty"` // who to call as; empty for a user of the real Twilio
	Sample []Pair `json:"sample"`
}

func (s *Server) functions() []functionInfo {
	list := []functionInfo{}
	for _, f := range s.gate.functions() {
		info := functionInfo{Function: f, Sample: Sample(f, "").Parameters}
		if info.Sample == nil {
			info.Sample = []Pair{}
		}
		if f.Studio || s.o.Fake != nil {
			info.Person = suitable(f)
		}
		list = append(list, info)
	}
	return list
}
