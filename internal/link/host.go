package link

import (
	"context"
	"sync"
	"weak"
)

// HostKey finds in a request's ctx the *Host that serves it.
type HostKey struct{}

// Served is what a host asks of an app.
type Served interface {
	Wait(ctx context.Context) error
	Ready() error
}

// A Host knows the apps that answer its requests, through whatever middleware.
// It keeps none of them in memory. The zero value is ready.
type Host struct {
	mu   sync.Mutex
	apps map[any]func() Served // by their weak pointers; nil: the app is gone
}

// Meet tells the host in ctx, if there is one, that app answers its requests.
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

// Apps lists those that have met the host, and are still there.
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
