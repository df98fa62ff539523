package dev

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/recorder"
	"github.com/flexfn/flexfn/internal/twilioevent"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// Trigger is an order to send events to the functions as Twilio does.
//
// It exists because Twilio delivers some events twice, late, out of order, or
// gives up on a slow answer, and handlers must be tried against that without
// waiting for it to happen.
type Trigger struct {
	// Types are the events, in the order in which they happen. All are about
	// the same task, call and so on.
	Types []string `json:"types"`
	// Fields replace fields of the samples, by Twilio's names.
	Fields map[string]string `json:"fields,omitempty"`
	// To is the path of the function. If it is empty, it is the one function
	// that takes the events.
	To string `json:"to,omitempty"`
	// Stream sends the events as one batch of Event Streams.
	Stream bool `json:"stream,omitempty"`
	// Times is how often each delivery is sent; zero is once.
	Times int `json:"times,omitempty"`
	// OutOfOrder sends the latest event first.
	OutOfOrder bool `json:"outOfOrder,omitempty"`
	// Delay is the wait before each delivery.
	Delay time.Duration `json:"delay,omitempty"`
	// Cut is how long Twilio waits for an answer before it hangs up; zero is 15 s.
	Cut time.Duration `json:"cut,omitempty"`
}

// A Triggered is a delivery that was sent. Keys are what listeners use to
// recognise an event: its SID or, without one, the idempotency token.
type Triggered struct {
	Request  string   `json:"request"` // its id in the log
	Path     string   `json:"path"`
	Types    []string `json:"types"`
	Keys     []string `json:"keys"`
	Status   int      `json:"status"`   // 499: the call was cut before the answer
	Duration float64  `json:"duration"` // in milliseconds
	Body     string   `json:"body,omitempty"`
	// Unheard are those of Types that no listener of the function takes.
	Unheard []string `json:"unheard,omitempty"`
}

// Bounds of a [Trigger], which is answered only once everything is delivered.
const (
	maxTriggered = 100 // events in one Trigger
	maxTimes     = 20
	maxDelay     = time.Minute
	twilioWaits  = 15 * time.Second // at most, for any answer
)

// delivery is a request from Twilio, before it is signed. It can be sent
// several times with the same token, as Twilio does.
type delivery struct {
	path, contentType string
	body              []byte
	token             string // value of I-Twilio-Idempotency-Token
	types, keys       []string
	unheard           []string
	telling           bool // its answer says more than that it arrived
}

// trigger sends the events of a [Trigger]. Repetitions come after the whole
// list, so that a second delivery of the first event follows the last event.
func (s *Server) trigger(r *http.Request) (any, error) {
	var o Trigger
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	functions, err := s.gate.built(r.Context())
	if err != nil {
		return nil, err
	}
	list, err := s.deliveries(o, functions)
	if err != nil {
		return nil, err
	}
	if o.OutOfOrder {
		slices.Reverse(list)
	}
	sent := []Triggered{}
	for range max(o.Times, 1) {
		for _, one := range list {
			if !pause(r.Context(), o.Delay) {
				return nil, r.Context().Err()
			}
			t, err := s.deliver(r.Context(), one, cmp.Or(o.Cut, twilioWaits))
			if err != nil {
				return nil, err
			}
			sent = append(sent, t)
		}
	}
	return sent, nil
}

// pause waits for d and reports whether ctx is still going.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// deliveries returns the requests that o asks for.
//
// All samples are of one story (package twilioevent), so they agree on SIDs,
// and their times follow the order of Types. Events of Event Streams are
// collected in one batch, the last delivery; each other event is a delivery of
// its own.
func (s *Server) deliveries(o Trigger, functions []Function) ([]delivery, error) {
	switch {
	case len(o.Types) == 0 || len(o.Types) > maxTriggered:
		return nil, fmt.Errorf("name 1 to %d events", maxTriggered)
	case o.Times < 0 || o.Times > maxTimes:
		return nil, fmt.Errorf("times is %d: it must be from 1 to %d", o.Times, maxTimes)
	case o.Delay < 0 || o.Delay > maxDelay:
		return nil, fmt.Errorf("delay is %s: it must be from 0 to %s", o.Delay, maxDelay)
	case o.Cut < 0 || o.Cut > twilioWaits:
		return nil, fmt.Errorf("cut is %s: it must be from 0 to %s", o.Cut, twilioWaits)
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	story := twilioevent.Story{
		Account: cmp.Or(s.o.Account, twiliofake.DevelopmentAccountSID), Workspace: twiliofake.DevelopmentWorkspaceSID,
		Time: time.Now(), ID: hex.EncodeToString(id[:]),
	}
	var list []delivery
	batch := delivery{contentType: jsonType, token: token()}
	var events []map[string]any
	for n, t := range o.Types {
		source, err := twilioevent.SourceOf(t)
		if err != nil {
			return nil, err
		}
		asBatch := o.Stream
		if plain, ok := twilioevent.Plain(t); ok {
			t, source, asBatch = plain, twilioevent.TaskRouter, true
		}
		if asBatch {
			if source != twilioevent.TaskRouter && source != twilioevent.Stream {
				return nil, fmt.Errorf("type %s is not one of Event Streams: leave out --stream", t)
			}
			source = twilioevent.Stream
		}
		f, err := taker(functions, o.To, source, t)
		if err != nil {
			return nil, err
		}
		fields := story.Sample(t, n)
		for name, v := range o.Fields {
			fields[name] = v
		}
		telling := f.Source == "" || f.Source == string(twilioevent.Assignment) || f.Source == string(twilioevent.Before)
		var unheard []string
		if len(o.Fields) == 0 && !f.takes(t) { // fields may change the type
			unheard = []string{t}
		}
		if f.Source == string(twilioevent.Stream) {
			event := story.CloudEvent(t, n, fields)
			id, _ := event["id"].(string)
			batch.path, events = f.Path, append(events, event)
			batch.unheard = append(batch.unheard, unheard...)
			batch.types, batch.keys = append(batch.types, t), append(batch.keys, cmp.Or(fields["Sid"], id))
			continue
		}
		form := url.Values{}
		for name, v := range fields {
			form.Set(name, v)
		}
		one := token()
		list = append(list, delivery{f.Path, formType, []byte(form.Encode()), one, []string{t}, []string{cmp.Or(fields["Sid"], one)}, unheard, telling})
	}
	if len(events) > 0 {
		if o.OutOfOrder {
			slices.Reverse(events)
		}
		var err error
		if batch.body, err = json.Marshal(events); err != nil {
			return nil, err
		}
		list = append(list, batch)
	}
	return list, nil
}

// token returns a random token in the form of Twilio's idempotency tokens. It
// is a random UUID (version 4).
func token() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// taker returns the function of list at to or, if to is empty, the only one
// that takes events of source. t is the event's type, for messages. If several
// functions fit, it returns an error instead of choosing one: an event that
// reached the wrong function would be hard to explain.
func taker(list []Function, to string, source twilioevent.Source, t string) (*Function, error) {
	var fit []*Function
	var paths []string
	for i, f := range list {
		if to != "" && f.Path == to {
			return &list[i], nil
		}
		if f.Source == string(source) {
			fit, paths = append(fit, &list[i]), append(paths, f.Path)
		}
	}
	switch {
	case to != "":
		return nil, refused{http.StatusNotFound, fmt.Sprintf("there is no function at %s", to)}
	case source == twilioevent.Webhook:
		return nil, fmt.Errorf("say which function %s goes to: give its path", t)
	case len(fit) == 0:
		return nil, refused{http.StatusNotFound, fmt.Sprintf("no function takes %s: add an events.%s, or say which function it goes to", t, source)}
	case len(fit) > 1:
		return nil, fmt.Errorf("several functions take %s: say which it goes to, %s", t, strings.Join(paths, " or "))
	}
	return fit[0], nil
}

// deliver signs d and lets the function answer. It does not use the network:
// the request enters where one from outside would, so it is checked, recorded
// and traced in the same way.
func (s *Server) deliver(ctx context.Context, d delivery, waits time.Duration) (Triggered, error) {
	address := s.o.Base + d.path
	if d.contentType == jsonType {
		address = signature.AddBodyHash(address, d.body)
	}
	ctx, cancel := context.WithTimeout(ctx, waits)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(d.body))
	if err != nil {
		return Triggered{}, err
	}
	r.Header.Set("Content-Type", d.contentType)
	r.Header.Set("User-Agent", "TwilioProxy/1.1")
	r.Header.Set("I-Twilio-Idempotency-Token", d.token)
	r.Header.Set(signature.Header, signature.Sign(s.o.SignWith, address, d.contentType, d.body))
	e := s.send(r)
	t := Triggered{Request: e.ID, Path: d.path, Types: d.types, Keys: d.keys, Status: e.Status, Duration: e.Duration, Unheard: d.unheard}
	// An answer after Twilio hung up does not count. The clock is checked as
	// well, since the function may notice its deadline before ctx ends.
	if deadline, _ := ctx.Deadline(); ctx.Err() != nil || !time.Now().Before(deadline) {
		t.Status = statusGivenUp
	}
	if e.Status >= 300 || d.telling {
		t.Body = e.Answer.Body
	}
	return t, nil
}

// triggerCommand returns a command line that sends f an event. The example is
// one of the types that f takes.
func triggerCommand(f Function, base string) string {
	example := f.Trigger
	if f.Source == string(twilioevent.Stream) && !strings.HasPrefix(example, "com.twilio.") {
		example += " --stream"
	}
	return "flexfn trigger " + example + " --to " + Quote(f.Path) + " --url " + Quote(base)
}

// example returns a type of event that f takes and that can be triggered: the
// first that fits the types of f's listeners, in their order. It is "" if f
// takes no events.
func (f *Function) example() string {
	var known []string // what Twilio may send to f
	for source, types := range twilioevent.Types {
		fromTaskRouter := source == twilioevent.TaskRouter
		if f.Source != string(source) && !(fromTaskRouter && f.Source == string(twilioevent.Stream)) {
			continue
		}
		if fromTaskRouter {
			known = append(known, "task.created") // the first that fits "*"
		}
		known = append(known, types...)
	}
	if len(known) == 0 {
		return ""
	}
	for _, pattern := range f.Types {
		for _, t := range known {
			if f.matches(pattern, t) {
				return t
			}
		}
	}
	// Event Streams has more types than are listed.
	for _, pattern := range f.Types {
		if strings.HasPrefix(pattern, "com.twilio.") && !strings.HasSuffix(pattern, "*") {
			return pattern
		}
	}
	return known[0]
}

// takes reports whether a listener of f takes events of type t. A function
// without listeners, such as one for assignments, takes all; the test event of
// Event Streams needs no listener.
func (f *Function) takes(t string) bool {
	return len(f.Types) == 0 || t == twilioevent.TestEvent || slices.ContainsFunc(f.Types, func(pattern string) bool { return f.matches(pattern, t) })
}

// matches reports whether t matches pattern, which may end in "*". Listeners of
// Event Streams may name TaskRouter's types in either form.
func (f *Function) matches(pattern, t string) bool {
	if f.Source == string(twilioevent.Stream) && twilioevent.Matches(pattern, twilioevent.StreamType(t)) {
		return true
	}
	return twilioevent.Matches(pattern, t)
}

// eventTypes lists the events that can be triggered, by source.
func eventTypes() any {
	type of struct {
		Source twilioevent.Source `json:"source"`
		Types  []string           `json:"types"`
	}
	var list []of
	for source, types := range twilioevent.Types {
		list = append(list, of{source, types})
	}
	return list
}

// ledger asks the program for its deliveries and dead letters, or to replay or
// delete a dead letter. The program has the Store, so only it can do that. The
// dev key lets it answer.
func (s *Server) ledger(r *http.Request) (any, error) {
	build, err := s.gate.acquire(r.Context())
	if err != nil {
		return nil, refused{http.StatusServiceUnavailable, err.Error()}
	}
	defer build.release()
	path := link.EventsPath
	if id := r.PathValue("id"); id != "" {
		path += "/" + url.PathEscape(id)
	}
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	ask.RequestURI, ask.RemoteAddr = path, "127.0.0.1:0"
	ask.Header.Set(link.KeyHeader, s.o.Key)
	w := new(recorder.Writer)
	build.handler.ServeHTTP(w, ask)
	text := s.mask.text(string(w.Body.Bytes()))
	if w.Status() != http.StatusOK {
		var told struct{ Message string }
		if json.Unmarshal([]byte(text), &told) != nil || told.Message == "" {
			return nil, errors.New("the program does not report its events; it may use another version of flexfn")
		}
		return nil, refused{w.Status(), told.Message}
	}
	return json.RawMessage(text), nil
}
