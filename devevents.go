package flexfn

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/flexfn/flexfn/internal/link"
)

// deliveries keeps the latest events and their outcomes, for flexfn dev only.
// The zero value is ready to use.
type deliveries struct {
	mu   sync.Mutex
	list []link.Delivery // the newest last
}

// add appends a delivery, and drops the oldest beyond the bound.
func (d *deliveries) add(one link.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.list) == link.MaxDeliveries {
		d.list = slices.Delete(d.list, 0, 1)
	}
	d.list = append(d.list, one)
}

// serveEvents answers the dev server's requests about events.
func (a *App) serveEvents(w http.ResponseWriter, r *http.Request) {
	ctx := a.Context(r.Context())
	letters := a.letters()
	id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, link.EventsPath), "/")
	if id == "" && r.Method == http.MethodGet {
		l := link.Ledger{Letters: []link.Letter{}}
		a.deliveries.mu.Lock()
		l.Deliveries = append([]link.Delivery{}, a.deliveries.list...)
		a.deliveries.mu.Unlock()
		slices.Reverse(l.Deliveries)
		if letters != nil {
			list, err := letters.Letters(ctx)
			if l.Letters = append(l.Letters, list...); err != nil {
				l.Error = err.Error()
			}
		}
		body, _ := json.Marshal(l) // of strings and times
		answer{status: http.StatusOK, body: body}.write(w, r)
		return
	}
	var do func(context.Context, string) error
	switch {
	case letters == nil:
		refuse(http.StatusNotFound, "The program has no functions for events").write(w, r)
		return
	case r.Method == http.MethodPost:
		do = letters.Replay
	case r.Method == http.MethodDelete:
		do = letters.Delete
	default:
		refuse(http.StatusMethodNotAllowed, "A dead letter is replayed with POST and deleted with DELETE").write(w, r)
		return
	}
	if err := do(ctx, id); err != nil {
		refuse(http.StatusConflict, "%s", err).write(w, r)
		return
	}
	answer{status: http.StatusOK, body: []byte(`{"success":true}`)}.write(w, r)
}

// letters returns the app's dead letters; nil if no function keeps any. All
// functions of package events share one set, so it asks the first one.
func (a *App) letters() link.Letters {
	for _, at := range a.parts() {
		if l, ok := at.Part.(link.Letters); ok {
			return l
		}
	}
	return nil
}
