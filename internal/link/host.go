package link

import (
	"context"
	"sync"
	"weak"
)

// HostKey is the context key of the *Host that serves a request.
type HostKey struct{}

// Served is the interface of an app to its host.
type Served interface {
	Wait(ctx context.Context) error
	Ready() error
}

// A Host knows the apps that answer its requests, whatever middleware is
// between them. It does not keep apps in memory. The zero value is ready to
// use. It is safe for concurrent use.
type Host struct {
	mu   sync.Mutex
	apps map[any]func() Served // by weak pointer; returns nil once the app was collected
}

// Meet tells the host in ctx, if any, that app answers its requests.
func Meet[T any, P interface {
	*T
	Served
}](ctx context.Context, app P) {
	h, ok := ctx.Value(HostKey{}).(*Host)
	if !ok {
		return
	}
	p := weak.Make((*T)(app))
	h.mu.Lock()
	defer h.mu.Unlock()
	for other, served := range h.apps {
		if served() == nil {
			delete(h.apps, other)
		}
	}
	if h.apps == nil {
		h.apps = map[any]func() Served{}
	}
	h.apps[p] = func() Served {
		if app := P(p.Value()); app != nil {
			return app
		}
		return nil
	}
}

// Apps returns the apps that have met the host and still exist.
func (h *Host) Apps() []Served {
	h.mu.Lock()
	defer h.mu.Unlock()
	var apps []Served
	for _, served := range h.apps {
		if app := served(); app != nil {
			apps = append(apps, app)
		}
	}
	return apps
}
