package dev

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/flexfn/flexfn/internal/link"
)

// A Build is one version of the functions, ready to answer.
type Build struct {
	handler   http.Handler
	functions []link.Function

	mu      sync.Mutex
	using   int
	retired bool
	end     func() // called once nobody uses it any more; may be nil
}

// InProcess is the build that handler is: an app made with key.
func InProcess(handler http.Handler, key string) (*Build, error) {
	functions, err := askFunctions(handler, key)
	return &Build{handler: handler, functions: functions}, err
}

// askFunctions asks an app what it has.
func askFunctions(handler http.Handler, key string) ([]link.Function, error) {
	r, err := http.NewRequest(http.MethodGet, "http://localhost"+link.FunctionsPath, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set(link.KeyHeader, key)
	w := newMemoryWriter()
	handler.ServeHTTP(w, r)
	var list []link.Function
	if err := json.Unmarshal(w.body.Bytes(), &list); err != nil || w.status != http.StatusOK {
		return nil, fmt.Errorf("the program does not say which functions it has (it answered %d): configure its App with flexfn.FromEnv, and let it answer on every path", w.status)
	}
	return list, nil
}

func (b *Build) release() {
	b.mu.Lock()
	b.using--
	b.endIfUnused()
	b.mu.Unlock()
}

func (b *Build) retire() {
	b.mu.Lock()
	b.retired = true
	b.endIfUnused()
	b.mu.Unlock()
}

func (b *Build) endIfUnused() {
	if b.retired && b.using == 0 && b.end != nil {
		go b.end()
		b.end = nil
	}
}

// gate lets requests through to the current build. While a new one is being
// made they wait; those that are under way end on the build they began with.
type gate struct {
	mu      sync.Mutex
	current *Build        // nil: none yet, or it died
	making  chan struct{} // closed when the new build has been made or has failed; nil: none is made
	holds   int
	fault   string // why there is no current build
}

// hold makes new requests wait, until set or keep is called with the number
// that it returns, or a later one.
func (g *gate) hold() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.making == nil {
		g.making = make(chan struct{})
	}
	g.holds++
	return g.holds
}

func (g *gate) letGo(hold int) {
	if g.making != nil && hold >= g.holds {
		close(g.making)
		g.making = nil
	}
}

// set puts b in the place of the current build.
func (g *gate) set(b *Build, hold int) {
	g.mu.Lock()
	old := g.current
	g.current, g.fault = b, ""
	g.letGo(hold)
	g.mu.Unlock()
	if old != nil {
		old.retire()
	}
}

// keep lets the current build, if any, go on; fault says why there is no new
// one.
func (g *gate) keep(fault string, hold int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = fault
	g.letGo(hold)
}

// drop takes b out of service.
func (g *gate) drop(b *Build, fault string) {
	g.mu.Lock()
	dropped := g.current == b
	if dropped {
		g.current, g.fault = nil, fault
	}
	g.mu.Unlock()
	if dropped {
		b.retire()
	}
}

// serves reports whether b is the current build.
func (g *gate) serves(b *Build) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current == b
}

// functions are those of the current build.
func (g *gate) functions() []link.Function {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current == nil {
		return nil
	}
	return g.current.functions
}

// errNoBuild says why nobody can answer.
type errNoBuild struct{ fault string }

func (e errNoBuild) Error() string { return e.fault }

// acquire waits for a build that is being made, and returns the current one,
// which is to be released.
func (g *gate) acquire(ctx context.Context) (*Build, error) {
	for {
		g.mu.Lock()
		if making := g.making; making != nil {
			g.mu.Unlock()
			select {
			case <-making:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		b, fault := g.current, g.fault
		if b != nil {
			b.mu.Lock()
			b.using++
			b.mu.Unlock()
		}
		g.mu.Unlock()
		if b == nil {
			return nil, errNoBuild{fault}
		}
		return b, nil
	}
}
