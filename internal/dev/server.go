package dev

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/recorder"
	"github.com/flexfn/flexfn/twiliofake"
)

// NewKey returns a random key for a [Server] and its builds to share. The key
// is what tells flexfn dev from other callers of a program: with it, an answer
// carries a trace and the program describes itself. See package link.
func NewKey() string { return rand.Text() + rand.Text() }

// Options configure a [Server]. They do not change once the server is made.
// Terminal must be set.
type Options struct {
	Base string // the URL of the server
	Key  string
	Fake *twiliofake.Twilio // nil if the real Twilio is used
	// Account describes the real account; empty if the fake is used.
	Account string
	// SignWith is the auth token that signs requests sent as Twilio. With the
	// real Twilio it must not be the account's own.
	SignWith string
	// FlexToken is a real user's Flex token; empty if the fake is used.
	FlexToken string
	Secrets   []string // hidden in everything that is shown
	// PublicURL is the base URL of the developer's tunnel; empty without one.
	PublicURL string
	// Origins are the web origins that may call, in addition to this machine's
	// and the Flex UI's.
	Origins  []string
	Terminal *Terminal
}

// A Server is the http.Handler behind "flexfn dev". It is safe for concurrent
// use.
type Server struct {
	o       Options
	gate    gate
	log     requestLog
	metrics metrics
	hub     hub
	mask    masker
	status  buildStatus
	console http.Handler
}

// New returns a server without a build. Requests wait for the first build. Call
// [Server.Serve] or [Server.Develop] for a build, and [Server.Run] while it
// serves.
func New(o Options) *Server {
	s := &Server{o: o, mask: masker{append([]string{o.Key, o.SignWith, o.FlexToken}, o.Secrets...)}}
	s.console = s.newConsole()
	s.gate.hold()
	return s
}

// Serve makes handler the current build. The handler is an app in this process
// that was made with the server's key. An error says that the app does not
// describe its functions, such as one without the key; it then does not serve.
func (s *Server) Serve(handler http.Handler) error {
	b, err := s.newBuild(context.Background(), handler)
	if err != nil {
		return err
	}
	s.serve(b, s.gate.hold())
	return nil
}

// serve puts a build in service and tells the consoles.
func (s *Server) serve(b *Build, hold int) {
	s.gate.set(b, hold)
	s.setStatus(statusReady, nil)
	s.hub.send("functions", s.functions())
}

// ShowFunctions lists the functions on the terminal. With the fake it adds
// commands that call them.
func (s *Server) ShowFunctions() {
	s.o.Terminal.functions(s.gate.functions(), s.o.Base, s.o.Fake != nil)
}

// tick sends the metrics of the last two seconds to the consoles. Two, because
// requests of the last second may have ended since the tick before.
func (s *Server) tick(now time.Time) {
	list := s.metrics.list(now)
	first := slices.IndexFunc(list, func(s Second) bool { return s.Time >= now.Unix()-1 })
	if first < 0 {
		first = len(list)
	}
	s.hub.send("seconds", list[first:])
}

// Run does the server's background work until ctx ends. It must run while the
// server serves. At the end it closes the consoles' streams, which would
// otherwise hold up the shutdown of the HTTP server.
func (s *Server) Run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	defer s.hub.end()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.tick(now)
		}
	}
}

// ServeHTTP passes requests for Twilio to the fake, those for the console to
// the console, and all others to the functions. Twilio's hosts come first,
// since the functions reach the fake through this server (FLEXFN_TWILIO_URL).
// "/" leads to the console unless a function answers there.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.o.Fake != nil && (isTwilio(r.Host) || strings.HasPrefix(r.URL.Path, twiliofake.ControlPath)):
		s.o.Fake.ServeHTTP(w, r)
	case r.URL.Path+"/" == ConsolePath || strings.HasPrefix(r.URL.Path, ConsolePath):
		s.console.ServeHTTP(w, r)
	case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && !s.gate.servesRoot():
		http.Redirect(w, r, ConsolePath, http.StatusFound)
	default:
		s.answer(w, r)
	}
}

// isTwilio reports whether a Host header is one of Twilio's, with or without a
// port.
func isTwilio(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return strings.HasSuffix(strings.ToLower(name), ".twilio.com")
}

// answer lets the current build answer r, records both, and returns the entry.
//
// A refusal and a wait for a build are recorded like any other request, so
// nothing that a caller sees is missing from the log. The entry is built by
// this goroutine and changes no more once the log has it. If the handler
// panics, the request is logged first; the panic then goes on to net/http,
// which cuts the connection.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) *Entry {
	e := &Entry{Summary: Summary{Time: time.Now(), Method: r.Method, Path: s.mask.account(r.URL.Path), Origin: r.Header.Get("Origin")}}
	e.Query = s.mask.form(r.URL.RawQuery)
	e.Request.Header = s.mask.header(r.Header)
	soFar := s.log.begin(e)
	s.hub.send("request", soFar.Summary)
	raw := &rawRequest{method: r.Method, host: r.Host, uri: r.URL.RequestURI(), header: r.Header.Clone()}
	sent := recorder.Body{Limit: maxBodyShown}
	if r.Body != nil {
		r.Body = sent.Reader(r.Body)
	}

	var build *Build
	refusal := s.guard(r)
	err := refusal
	if err == nil {
		build, err = s.gate.acquire(r.Context())
	}
	start := time.Now() // does not include the wait for a build
	got := &recorder.Writer{To: w, Body: recorder.Body{Limit: maxBodyShown}, Begin: func(h http.Header) { e.Trace = takeTrace(h) }}
	var broken any // the handler's panic, such as when the answer broke off
	switch {
	case refusal != nil:
		unavailable(got, r, http.StatusForbidden, "flexfn dev: "+err.Error())
	case err != nil && r.Context().Err() != nil:
		giveUp(got, "while the program was being built")
	case err != nil:
		unavailable(got, r, http.StatusServiceUnavailable, "flexfn dev: "+err.Error())
	default:
		func() {
			defer build.release()
			defer func() { broken = recover() }()
			r.Header.Set(link.KeyHeader, s.o.Key)
			build.handler.ServeHTTP(got, r)
		}()
		if r.Context().Err() != nil && !got.Begun {
			giveUp(got, "before the function answered")
		}
	}
	took := time.Since(start)

	e.Duration = float64(took.Microseconds()) / 1000
	e.Status = got.Status()
	e.RequestID = w.Header().Get("X-Request-Id")
	if t := e.Trace; t != nil {
		e.Attempts = len(t.Attempts) + t.Missed
		for _, a := range t.Attempts {
			if a.Retried {
				e.Retries++
			}
		}
		t.Error = s.mask.account(t.Error)
		if t.Caller != nil {
			e.Caller = t.Caller.Identity
		}
	}
	e.Request.Body, e.Request.Cut = s.mask.body(sent.Bytes(), r.Header.Get("Content-Type")), sent.Cut
	e.Answer = Message{s.mask.header(w.Header()), s.mask.body(got.Body.Bytes(), w.Header().Get("Content-Type")), got.Body.Cut}
	if !sent.Cut {
		raw.body, e.raw, e.Replayable = sent.Bytes(), raw, true
		e.Person = raw.person()
	}
	s.log.end(soFar, e)
	s.metrics.add(time.Now(), e.Status, e.Retries, took)
	s.o.Terminal.request(e)
	s.hub.send("request", e.Summary)
	if broken != nil {
		panic(broken) // makes net/http cut the connection
	}
	return e
}

// unavailable answers when no build can. A page of any origin can read the
// answer: its preflight is accepted too. Otherwise a browser would report a
// CORS error instead of the reason.
func unavailable(w http.ResponseWriter, r *http.Request, status int, message string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", cmp.Or(r.Header.Get("Access-Control-Request-Headers"), "*"))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_, _ = w.Write(failureBody(message))
}

// failureBody has the form of a function's own failures, which the plugin
// shows.
func failureBody(message string) []byte {
	body, _ := json.Marshal(map[string]any{"success": false, "message": message})
	return body
}

// statusGivenUp is the status logged for a request whose caller left before the
// answer. It is nginx's; no caller ever sees it.
const statusGivenUp = 499

// giveUp records that the caller left without an answer.
func giveUp(w *recorder.Writer, when string) {
	w.End(statusGivenUp)
	_, _ = w.Body.Write(failureBody("flexfn dev: the caller gave up " + when))
}

// takeTrace removes the trace from an answer's header and returns it, or nil if
// there is none. The caller must not get it: it has details that the answer
// hides.
func takeTrace(h http.Header) *link.Trace {
	text, err := base64.StdEncoding.DecodeString(h.Get(link.TraceHeader))
	h.Del(link.TraceHeader)
	t := new(link.Trace)
	if err != nil || json.Unmarshal(text, t) != nil {
		return nil
	}
	return t
}
