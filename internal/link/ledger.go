package link

import (
	"context"
	"time"
)

// EventsPath is where an app under "flexfn dev" tells of events: GET returns a
// [Ledger], POST to a dead letter's id below it replays the letter, and DELETE
// deletes it.
const EventsPath = "/__flexfn/events"

// MaxDeliveries bounds how many deliveries an app remembers for the dev server.
const MaxDeliveries = 200

// A Delivery is what became of an event at one listener, once.
type Delivery struct {
	Time     time.Time `json:"time"`
	Path     string    `json:"path"` // of the function
	Listener string    `json:"listener"`
	Type     string    `json:"type"`
	Key      string    `json:"key"`
	Try      int       `json:"try"` // how many runs there were, this one included
	Outcome  Outcome   `json:"outcome"`
	Error    string    `json:"error,omitempty"`
}

// An Outcome is what became of an event at a listener.
type Outcome string

// The outcomes.
const (
	Done       Outcome = "done"
	DoneBefore Outcome = "done before" // so it did not run
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

// A Ledger is what an app tells the dev server of its events, the newest
// delivery first.
type Ledger struct {
	Deliveries []Delivery `json:"deliveries"`
	Letters    []Letter   `json:"letters"`
	// Error is why the letters are not complete.
	Error string `json:"error,omitempty"`
}

// Letters is a part that knows of the app's dead letters, those of other parts
// included. ctx is a function's or one that App.Context made.
type Letters interface {
	Letters(ctx context.Context) ([]Letter, error)
	Replay(ctx context.Context, id string) error
	Delete(ctx context.Context, id string) error
}

// Sourced is a [Definition] that knows which source calls the function, as
// package twilioevent names it.
type Sourced interface {
	Source() string
}
