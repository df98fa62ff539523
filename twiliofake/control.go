package twiliofake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/flexfn/flexfn/internal/sameorigin"
)

// ControlPath is the prefix of the control API's paths, on whatever host. Twilio
// has no such API.
//
//	GET    /__twiliofake/state     the state as a document
//	PUT    /__twiliofake/state     replace the state
//	GET    /__twiliofake/kinds     all kinds of resources, a JSON array with the
//	                               name, the product and whether the kind is
//	                               modelled by hand
//	GET    /__twiliofake/faults    the rules in force, a JSON array, each with
//	                               how often it has struck
//	PUT    /__twiliofake/faults    replace the rules
//	POST   /__twiliofake/faults    add a rule
//	DELETE /__twiliofake/faults    remove all rules
//	GET    /__twiliofake/requests  the request log, a JSON array, narrowed by
//	                               the query's method, host and path
//	DELETE /__twiliofake/requests  empty the log
//	POST   /__twiliofake/tokens    make a Flex token for the [Token] in the
//	                               body; the answer is {"token": …}
//
// Errors are {"error": …}. The API is meant for the developer's own machine and
// takes no credentials. To keep web pages out, it refuses cross-origin
// requests, and any Host that is not an IP address, localhost or Twilio's (DNS
// rebinding).
//
// Paths are exact: a trailing slash or another method is 404. A command that
// fails is 400, and changes nothing. A body larger than 64 MiB is 413. Changes
// take effect for the next request that is carried out.
const ControlPath = "/__twiliofake/"

// control answers a request to the control API. It refuses cross-origin
// requests and foreign Host headers. An answer is never cached, since the
// console polls these paths.
func (t *Twilio) control(w http.ResponseWriter, r *http.Request) {
	status, answer := http.StatusOK, any(struct{}{})
	err := sameorigin.Check(r, func(host string) bool { return strings.HasSuffix(host, ".twilio.com") })
	if err != nil {
		status = http.StatusForbidden
	} else {
		r.Body = http.MaxBytesReader(w, r.Body, maxState)
		answer, err = t.command(r)
		switch {
		case errors.Is(err, errNoCommand):
			status = http.StatusNotFound
		case errors.As(err, new(*http.MaxBytesError)):
			status = http.StatusRequestEntityTooLarge
		case err != nil:
			status = http.StatusBadRequest
		}
	}
	if err != nil {
		answer = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client left
}

// maxState bounds the body of a control request, so that a stray upload cannot
// fill the memory of a long-running flexfn fake. It is much larger than the
// bound for Twilio's requests, since a whole state is one body.
const maxState = 64 << 20

var errNoCommand = errors.New("the control API has no such command")

// command runs one operation of the control API and returns its result. Most
// commands call one exported method, so the API and Go code cannot differ in
// what they do.
func (t *Twilio) command(r *http.Request) (any, error) {
	done := struct{}{}
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, ControlPath) {
	case "GET state":
		return t.State(), nil
	case "GET kinds":
		return theKinds(), nil
	case "PUT state":
		return done, t.Load(r.Body)
	case "GET faults":
		return t.Faults(), nil
	case "PUT faults":
		rules, err := decode[[]Fault](r.Body)
		if err != nil {
			return nil, err
		}
		return done, t.SetFaults(rules...)
	case "POST faults":
		rule, err := decode[Fault](r.Body)
		if err != nil {
			return nil, err
		}
		return done, t.AddFault(rule)
	case "DELETE faults":
		return done, t.SetFaults()
	case "GET requests":
		q := r.URL.Query()
		m := Match{q.Get("method"), q.Get("host"), q.Get("path")}
		return append([]Request{}, t.Requests(m)...), m.check()
	case "DELETE requests":
		t.ClearRequests()
		return done, nil
	case "POST tokens":
		token, err := decode[Token](r.Body)
		if err != nil {
			return nil, err
		}
		return map[string]string{"token": t.MintToken(token)}, nil
	}
	return nil, fmt.Errorf("%w: %s %s", errNoCommand, r.Method, r.URL.Path)
}

// A kindInfo describes a kind of the state document.
type kindInfo struct {
	Name     string `json:"name"`
	Product  string `json:"product"`
	Modelled bool   `json:"modelled"`
}

// theKinds returns the kinds that can have items, by name. The console offers
// them as a choice. The list never changes, so it is made once; making it
// decodes the table of operations.
var theKinds = sync.OnceValue(func() []kindInfo {
	var kinds []kindInfo
	w := theWorld()
	for name, k := range w.kinds {
		switch {
		case k.row != nil && (name != k.name || k.row.special != nil && k.row.fields == nil):
			continue // also named by its path, or without items
		case k.row == nil && !slices.ContainsFunc(w.ops[k], func(op *operation) bool { return op.class != "view" && op.class != "verb" }):
			continue
		}
		kinds = append(kinds, kindInfo{name, k.product, k.row != nil})
	}
	slices.SortFunc(kinds, func(a, b kindInfo) int { return strings.Compare(a.Name, b.Name) })
	return kinds
})

// decode reads one JSON value and refuses keys that T does not have, so that a
// misspelled key of a fault is an error, as in a state document.
func decode[T any](r io.Reader) (v T, err error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("the body: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return v, fmt.Errorf("the body: %w", errTrailing)
	}
	return v, nil
}
