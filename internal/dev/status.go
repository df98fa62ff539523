package dev

import (
	"sync"
	"time"
)

// Status says whether the functions can be called. The zero value is that of a
// server that has not begun to build.
type Status struct {
	State string    `json:"state"`
	Fault *Fault    `json:"fault,omitempty"` // why no new build was made
	Time  time.Time `json:"time"`
}

// A Fault says why no new build was made. It is the answer to a request as
// well, if there is no build at all.
type Fault struct {
	Title  string `json:"title"` // what failed
	Text   string `json:"text"`
	Output string `json:"output,omitempty"` // the end of what the program printed
}

// Error returns the text and the end of the program's output. The program's
// last lines usually say more than its exit status.
func (f *Fault) Error() string {
	if f.Output == "" {
		return f.Text
	}
	return f.Text + "\n" + f.Output
}

// States of a [Status]. The console shows them as they are.
const (
	statusBuilding = "building"
	statusReady    = "ready"
	statusFailed   = "failed" // the last good build, if any, keeps serving
)

// buildStatus is the status with its lock.
type buildStatus struct {
	mu sync.Mutex
	Status
}

// setStatus sets the status and tells the consoles. Secrets are masked here,
// since a compiler's message or a program's output may quote a setting.
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

// functionInfo is a function with a call that it accepts. Sample fills in the
// console's form.
type functionInfo struct {
	Function
	Person string `json:"person,omitempty"` // who to call as; empty for a user of the real Twilio
	Sample []Pair `json:"sample"`
}

// functions returns the functions of the current build, never nil, with what
// the console needs to call each.
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
