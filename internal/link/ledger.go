package link

import (
	"context"
	"time"
)

// EventsPath is where an app under "flexfn dev" serves its events. GET returns
// a [Ledger]; on the id of a dead letter below it, POST replays the letter and
// DELETE deletes it.
const EventsPath = "/__flexfn/events"

// MaxDeliveries bounds how many deliveries an app remembers for the dev server.
const MaxDeliveries = 200

// A Delivery is the result of delivering an event to one listener once.
type Delivery struct {
	Time     time.Time `json:"time"`
	Path     string    `json:"path"` // of the function
	Listener string    `json:"listener"`
	Type     string    `json:"type"`
	Key      string    `json:"key"`
	Try      int       `json:"try"` // number of runs, this one included
	Outcome  Outcome   `json:"outcome"`
	Error    string    `json:"error,omitempty"`
}

// An Outcome is the result of a [Delivery].
type Outcome string

// The outcomes.
const (
	Done       Outcome = "done"
	DoneBefore Outcome = "done before" // the listener did not run again
	Skipped    Outcome = "skipped"     // something newer was handled before
	Queued     Outcome = "queued"
	Failed     Outcome = "failed"
	Dead       Outcome = "dead letter"
)

// A Letter is a dead letter.
type Letter struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Path     string    `json:"path"`
	Listener string    `json:"listener"`
	Type     string    `json:"type"`
	Key      string    `json:"key"`
	Tries    int       `json:"tries"`
	Error    string    `json:"error"`
}

// A Ledger lists an app's deliveries and its dead letters, the newest first.
type Ledger struct {
	Deliveries []Delivery `json:"deliveries"`
	Letters    []Letter   `json:"letters"`
	// Error says why the list of letters is incomplete; empty if it is
	// complete.
	Error string `json:"error,omitempty"`
}

// Letters is a part that can list the app's dead letters, including those of
// other parts. ctx is a function's, or one that App.Context made.
type Letters interface {
	Letters(ctx context.Context) ([]Letter, error)
	Replay(ctx context.Context, id string) error
	Delete(ctx context.Context, id string) error
}

// JobSource is the source of functions that run jobs from the queue and answer
// no requests.
const JobSource = "Job"

// Sourced is a [Definition] that knows which source of Twilio's events calls
// the function, and which types of events it takes; see package twilioevent for
// the names. A type may end in "*". No types means that it takes all.
type Sourced interface {
	Source() string
	Types() []string
}
