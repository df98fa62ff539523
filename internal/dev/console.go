package dev

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/recorder"
	"github.com/flexfn/flexfn/internal/sameorigin"
)

// ConsolePath begins the paths of the console. Functions cannot have paths
// below it while flexfn dev runs.
const ConsolePath = "/__flexfn/"

// newConsole returns the handler of the console's page and its API.
//
//	GET    api/state          everything the page shows at first
//	GET    api/functions      the functions, and how to call each
//	GET    api/events         changes, as server-sent events
//	GET    api/requests/{id}  one request with its timeline
//	DELETE api/requests       an empty log
//	POST   api/call           calls a function, or returns the curl command
//	POST   api/replay/{id}    sends a request again
//	POST   api/trigger        sends events as Twilio does
//	GET    api/eventtypes     the events that can be sent
//	GET    api/deliveries     the outcomes of events, and the dead letters
//	POST   api/letters/{id}   replays a dead letter; DELETE deletes it
//	GET    openapi.json       the functions as an OpenAPI document
//
// The fake has its own control API.
//
// There is no password. Requests to the API must come from the console's own
// origin and by a known name of this machine, since any page in the developer's
// browser could otherwise read requests and call functions. The page itself may
// be linked from anywhere. Bodies are bounded at 8 MiB.
func (s *Server) newConsole() http.Handler {
	mux := http.NewServeMux()
	api := func(pattern string, h func(http.ResponseWriter, *http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+ConsolePath+"api/"+path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 8<<20)
			value, err := h(w, r)
			reply(w, value, err)
		})
	}
	api("GET state", func(http.ResponseWriter, *http.Request) (any, error) { return s.everything(), nil })
	api("GET functions", func(http.ResponseWriter, *http.Request) (any, error) { return s.functions(), nil })
	api("GET requests/{id}", func(_ http.ResponseWriter, r *http.Request) (any, error) { return s.find(r) })
	api("DELETE requests", func(http.ResponseWriter, *http.Request) (any, error) {
		s.Clear()
		return struct{}{}, nil
	})
	api("POST call", func(_ http.ResponseWriter, r *http.Request) (any, error) { return s.call(r) })
	api("POST replay/{id}", func(_ http.ResponseWriter, r *http.Request) (any, error) { return s.replay(r) })
	api("POST trigger", func(_ http.ResponseWriter, r *http.Request) (any, error) { return s.trigger(r) })
	api("GET eventtypes", func(http.ResponseWriter, *http.Request) (any, error) { return eventTypes(), nil })
	for _, pattern := range []string{"GET deliveries", "POST letters/{id}", "DELETE letters/{id}"} {
		api(pattern, func(_ http.ResponseWriter, r *http.Request) (any, error) { return s.ledger(r) })
	}
	mux.HandleFunc("GET "+ConsolePath+"api/events", s.events)
	mux.HandleFunc("GET "+ConsolePath+"openapi.json", func(w http.ResponseWriter, r *http.Request) {
		document, err := s.gate.document(r.Context())
		if err != nil {
			reply(w, nil, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	mux.Handle(ConsolePath, http.StripPrefix(strings.TrimSuffix(ConsolePath, "/"), pageHandler()))
	mux.Handle(strings.TrimSuffix(ConsolePath, "/"), http.RedirectHandler(ConsolePath, http.StatusFound))

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		check := r
		if !strings.HasPrefix(r.URL.Path, ConsolePath+"api/") {
			// A link elsewhere may lead to the page itself.
			check = &http.Request{Host: r.Host, Header: http.Header{}}
		}
		err := sameorigin.Check(check, s.ownHost)
		if err != nil {
			reply(w, nil, refused{http.StatusForbidden, "flexfn dev: " + err.Error()})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// refused is an error with the status to answer it with. Any other error is
// answered with 400.
type refused struct {
	status int
	text   string
}

func (r refused) Error() string { return r.text }

// reply writes value as JSON, or err if it is not nil. Answers are never
// cached, and never taken for anything but JSON.
func reply(w http.ResponseWriter, value any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusBadRequest
		if r, ok := errors.AsType[refused](err); ok {
			status = r.status
		}
		value = map[string]string{"error": err.Error()}
	}
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // fails only if the console was closed
}

// everything returns what the console shows at first. Later changes come as
// events.
func (s *Server) everything() any {
	people := []Person{}
	if s.o.Fake != nil {
		people = People()
	}
	return map[string]any{
		"base": s.o.Base, "live": s.o.Fake == nil, "account": s.o.Account, "hasToken": s.o.FlexToken != "",
		"status": s.currentStatus(), "functions": s.functions(), "people": people, "presets": presets(),
		"requests": s.log.list(), "seconds": s.metrics.list(time.Now()),
	}
}

// Clear empties the log of requests. Open consoles are told to ask for
// everything again.
func (s *Server) Clear() {
	s.log.clear()
	s.hub.send("lost", struct{}{})
}

// find returns the entry that the path names. The log is bounded, so an entry
// that the page still shows may be gone.
func (s *Server) find(r *http.Request) (*Entry, error) {
	if e := s.log.find(r.PathValue("id")); e != nil {
		return e, nil
	}
	return nil, refused{http.StatusNotFound, "this request is no longer in the log"}
}

// callOrder is the console's request to call a function. An unknown key is an
// error, so that a page from an older flexfn, still open in a tab, fails
// visibly.
type callOrder struct {
	Path       string `json:"path"`
	Person     string `json:"person"` // empty: a person who may call the function
	Parameters []Pair `json:"parameters"`
	JSON       bool   `json:"json"`
	Curl       bool   `json:"curl"` // return the curl command instead of calling
}

// call sends the request that the console's form describes, as the chosen
// person. With the real Twilio there are no development tokens: the call needs
// the developer's own Flex token, and the curl command shows it masked. The
// path must be that of a function, since the console is not a proxy for other
// addresses.
func (s *Server) call(r *http.Request) (any, error) {
	var order callOrder
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&order); err != nil {
		return nil, err
	}
	list, err := s.gate.built(r.Context())
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(f Function) bool { return f.Path == order.Path })
	if i < 0 {
		return nil, refused{http.StatusNotFound, "no function at this path"}
	}
	f := list[i]
	c := Call{Address: s.o.Base + f.Path, Parameters: order.Parameters, JSON: order.JSON}
	switch person := cmp.Or(order.Person, suitable(f)); {
	case person == Twilio:
		c.SignWith = s.o.SignWith
	case person == Nobody:
	case s.o.Fake == nil:
		if c.Token = s.o.FlexToken; c.Token == "" {
			return nil, errors.New("the real Twilio needs a real Flex token: set the environment variable FLEX_TOKEN")
		}
	default:
		c.Token = developmentToken(person)
	}
	if order.Curl {
		if s.o.Fake == nil {
			c.Token = strings.Map(func(rune) rune { return '*' }, c.Token)[:min(len(c.Token), 8)]
		}
		return map[string]string{"curl": c.Curl()}, nil
	}
	request, err := c.Request(r.Context())
	if err != nil {
		return nil, err
	}
	return s.send(request), nil
}

// send sends one of the console's own requests to the functions. It goes
// through the same code as a request from outside, and so appears in the log.
func (s *Server) send(r *http.Request) *Entry {
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	return s.answer(new(recorder.Writer), r)
}

// replay sends a recorded request again, byte for byte. Its signature and its
// token are sent again as well, so a token that has expired since is refused.
func (s *Server) replay(r *http.Request) (any, error) {
	e, err := s.find(r)
	if err != nil {
		return nil, err
	}
	if e.raw == nil {
		return nil, errors.New("the request was too long to keep, so it cannot be sent again")
	}
	again, err := http.NewRequestWithContext(r.Context(), e.raw.method, "http://"+e.raw.host+e.raw.uri, bytes.NewReader(e.raw.body))
	if err != nil {
		return nil, err
	}
	again.Header = e.raw.header.Clone()
	return s.send(again), nil
}

// events streams events until the console disconnects or the server ends. The
// stream has no write deadline, since it lasts as long as the page is open. A
// client that reconnects starts with the present: the hub keeps no history.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	sub := s.hub.subscribe()
	if sub == nil {
		reply(w, nil, refused{http.StatusServiceUnavailable, "flexfn dev is shutting down"})
		return
	}
	defer s.hub.leave(sub)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{})
	write := func(text string) bool {
		_, err := io.WriteString(w, text)
		return err == nil && control.Flush() == nil
	}
	if !write("retry: 1000\n\n") {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case e, ok := <-sub.events:
			if !ok || !write("event: "+e.kind+"\ndata: "+string(e.data)+"\n\n") {
				return
			}
		}
	}
}
