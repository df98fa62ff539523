package dev

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/flexfn/flexfn/internal/link"
)

// A Build is one version of the functions, ready to answer.
//
// A build outlives its replacement: requests that started on it finish on it,
// and only then does end stop its program. Without that, saving a file during a
// slow request would cut the request off.
type Build struct {
	handler   http.Handler
	document  []byte // OpenAPI, as the program describes itself; nil if it does not
	functions []Function

	mu      sync.Mutex
	using   int
	retired bool
	end     func() // called once, when nothing uses the build any more; may be nil
}

// newBuild returns a build that answers with handler. The build is usable even
// if err is not nil; err says why its list of functions is unknown. It allows
// describeTime for the question, since a program that listens but does not
// answer would otherwise hold up development for good.
func (s *Server) newBuild(ctx context.Context, handler http.Handler) (*Build, error) {
	b := &Build{handler: handler}
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	document, err := link.Document(ctx, handler, s.o.Key, url.Values{"server": {s.o.Base}})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the program listens, but did not say within %s which functions it has: does it answer at all?", describeTime)
	}
	if err != nil {
		return b, err
	}
	b.document = document
	b.functions, err = functionsOf(document)
	return b, err
}

// release ends one use of the build; see gate.acquire.
func (b *Build) release() {
	b.mu.Lock()
	b.using--
	b.endIfUnused()
	b.mu.Unlock()
}

// retire notes that no new request will use the build.
func (b *Build) retire() {
	b.mu.Lock()
	b.retired = true
	b.endIfUnused()
	b.mu.Unlock()
}

// endIfUnused ends a retired build that nothing uses. The caller holds the
// lock; end runs on a goroutine of its own, since stopping a program can take
// seconds.
func (b *Build) endIfUnused() {
	if b.retired && b.using == 0 && b.end != nil {
		go b.end()
		b.end = nil
	}
}

// gate lets requests through to the current build. While a new build is being
// made, new requests wait; running requests finish on the build they started
// on. It is safe for concurrent use.
//
// Requests wait because an answer from the old code right after a save is worse
// than a late one: the developer would not know which of the two versions
// answered.
type gate struct {
	mu      sync.Mutex
	current *Build        // nil: there is none yet, or it has ended
	making  chan struct{} // closed when the new build is ready or has failed; nil: no build is being made
	since   time.Time     // when making was made
	holds   int
	fault   *Fault // why there is no current build

	look func() // checks the files for changes; may be nil
}

// lookWith makes each request call look first, until forget is called.
func (g *gate) lookWith(look func()) (forget func()) {
	set := func(look func()) {
		g.mu.Lock()
		g.look = look
		g.mu.Unlock()
	}
	set(look)
	return func() { set(nil) }
}

// hold makes new requests wait until set or keep is called with the number that
// it returns, or with a later one. The numbers keep an older build, which was
// made from files that have changed again since, from letting requests through.
func (g *gate) hold() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.making == nil {
		g.making, g.since = make(chan struct{}), time.Now()
	}
	g.holds++
	return g.holds
}

// letGo ends the wait if no newer hold has been taken. The caller holds the
// lock.
func (g *gate) letGo(hold int) {
	if g.making != nil && hold >= g.holds {
		close(g.making)
		g.making = nil
	}
}

// set makes b the current build. It is in service even if a newer hold keeps
// new requests waiting, since their patience may end before the next build is
// ready.
func (g *gate) set(b *Build, hold int) {
	g.mu.Lock()
	old := g.current
	g.current, g.fault = b, nil
	g.letGo(hold)
	g.mu.Unlock()
	if old != nil {
		old.retire()
	}
}

// keep leaves the current build, if any, in service; fault says why there is no
// new one.
func (g *gate) keep(fault *Fault, hold int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = fault
	g.letGo(hold)
}

// drop takes b out of service. It does nothing if another build has taken its
// place: a program that ends late must not take its successor down.
func (g *gate) drop(b *Build, fault *Fault) {
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

// functions returns the functions of the current build. It does not wait for a
// build: the console shows what there is.
func (g *gate) functions() []Function {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current == nil {
		return nil
	}
	return g.current.functions
}

// built returns the functions of the current build. It waits like a request, so
// that a call sent during the first build is not told that its function does
// not exist. The error is a refusal.
func (g *gate) built(ctx context.Context) ([]Function, error) {
	b, err := g.acquire(ctx)
	if err != nil {
		return nil, refused{http.StatusServiceUnavailable, err.Error()}
	}
	defer b.release()
	return b.functions, nil
}

// document returns the OpenAPI document of the current build. It waits like a
// request, so a client that is generated right after a save describes the new
// code.
func (g *gate) document(ctx context.Context) ([]byte, error) {
	b, err := g.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer b.release()
	if b.document == nil {
		return nil, errors.New("the program does not say which functions it has; see the terminal")
	}
	return b.document, nil
}

// servesRoot reports whether the current build may answer at "/": it has a
// function there, or is a program with handlers of its own.
func (g *gate) servesRoot() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current != nil && (g.current.functions == nil || slices.ContainsFunc(g.current.functions, func(f Function) bool { return f.Path == "/" }))
}

// patience is how long a request waits for a build. It is longer than most
// rebuilds, and a browser or a curl still waits that long.
const patience = 20 * time.Second

// acquire returns the current build, which the caller must release. If a new
// build is being made it waits for that, but at most for patience; then it
// returns the last good build. The error is a *[Fault], or that of ctx.
//
// Before that it looks at the files, because the system's notice of a change
// may come later than a request that the developer sends right after saving.
func (g *gate) acquire(ctx context.Context) (*Build, error) {
	g.mu.Lock()
	look := g.look
	g.mu.Unlock()
	if look != nil {
		look()
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	waits := true
	for {
		g.mu.Lock()
		if making := g.making; making != nil && waits {
			g.mu.Unlock()
			select {
			case <-making:
			case <-late.C:
				waits = false
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			continue
		}
		b, fault := g.current, g.fault
		if b != nil {
			b.mu.Lock()
			b.using++
			b.mu.Unlock()
		} else if g.making != nil {
			fault = &Fault{Title: "Building", Text: fmt.Sprintf("the program is still being built, for %s so far: try again in a moment", time.Since(g.since).Round(time.Second))}
		}
		g.mu.Unlock()
		if b == nil {
			return nil, fault
		}
		return b, nil
	}
}
