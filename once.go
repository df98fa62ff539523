package flexfn

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/openapi"
	"github.com/flexfn/flexfn/signature"
)

// Once runs the handler once per key, across all instances that share a Store.
// Concurrent calls with the same key, and later ones within keep (1 s to 30 days),
// get the first call's answer, with its status and headers.
//
// With parameters, the key is their values, read after Validate; [App.Handle]
// panics if the function lacks one of them. Without, the key comes with the
// request: the Idempotency-Key header (Flex) or Twilio's
// I-Twilio-Idempotency-Token (Studio). A request without a key runs unguarded.
// Keys belong to the function and to the caller: another worker who sends the
// same parameters gets 409, and an Idempotency-Key that is sent again with other
// parameters gets 422. In Studio functions, parameters also belong to the account
// that signed them, and Twilio's token belongs to its signature.
//
// Once keeps successes, refusals (4xx), and failures whose outcome is unknown
// ([Error].OutcomeUnknown). Other failures (408, 425, 429, 5xx, a panic) go to
// the callers that are already waiting, and the next call runs the handler
// again. The result of a handler that runs past its deadline is kept too. An
// answer longer than 256 KiB goes to the first caller only; later ones get 409.
//
// If an instance dies during a call, the next call with the key runs the handler
// again once the rest of the first one's deadline and 2 s have passed. What the
// handler did before the instance died, such as creating a task, may then happen
// a second time, because no record of it was made. To prevent that, pass the key
// on to a service that refuses duplicates: the parameters' values, or the
// request's header, from [RequestHeader].
//
// The first call runs to its end even if its caller leaves. Others wait for it
// at most until their own deadline, and then get 503.
//
// While the Store fails, guarded calls get 503 with Retry-After and the handler
// does not run; [Deduplicate] does the opposite. If the Store fails after the
// handler has run, the caller gets the answer, the log says that it was not
// recorded, and flexfn keeps trying to record it until the claim ends. After
// that the handler may run again.
//
// Once cannot be combined with [OpenToAnyone].
//
// However often a plugin sends the click on a button, it makes one callback:
//
//	flexfn.PrepareFlexFunction(requestCallback, flexfn.Once(time.Hour, "taskSid"))
func Once(keep time.Duration, parameters ...string) Option {
	return onceOption("Once", onceRule{keep: keep, parameters: parameters})
}

// Deduplicate is [Once] for handlers that must answer even if that means
// running twice, such as those that return TwiML: while the Store fails, it
// uses this instance's memory alone.
//
//	flexfn.PrepareStudioFunction(greetCaller, flexfn.Deduplicate(time.Minute))
//
// Without parameters it catches Twilio's own redeliveries, which carry the same
// I-Twilio-Idempotency-Token. Use Once where running twice is worse than not
// running, such as for a payment.
func Deduplicate(keep time.Duration, parameters ...string) Option {
	return onceOption("Deduplicate", onceRule{keep: keep, parameters: parameters, alone: true})
}

// onceRule is how Once or Deduplicate guards a function.
type onceRule struct {
	name       string // of the option
	keep       time.Duration
	parameters []string
	index      [][]int // of the parameters in In; nil for an untyped function
	alone      bool    // handlers run while the Store fails
}

const (
	longestKeep    = 30 * 24 * time.Hour // a day less than the Store's longest ttl
	leaseMargin    = 2 * time.Second     // after the deadline, to record the answer
	maxKeptAnswer  = 256 << 10           // sealed, it fits a Store's value
	maxHeaderKey   = 255                 // longer than any random id
	idempotencyKey = "Idempotency-Key"
	twilioKey      = "I-Twilio-Idempotency-Token"
)

// onceOption makes the option that sets rule. It refuses a keep that is out of
// range.
func onceOption(name string, rule onceRule) Option {
	rule.name, rule.parameters = name, slices.Clone(rule.parameters)
	return option(func(f *Function) {
		if f.once != nil {
			f.fail("%s: the function has %s already", name, f.once.name)
		}
		if rule.keep < time.Second || rule.keep > longestKeep {
			f.fail("%s(%s): an answer is kept for a second to 30 days", name, rule.keep)
		}
		own := rule // an option may be given to several functions
		f.once = &own
	})
}

// finish resolves the rule's parameters.
func (o *onceRule) finish(f *Function) {
	if f.open {
		f.fail("%s cannot be combined with OpenToAnyone: a stranger could ask for another's answer", o.name)
	}
	for _, name := range o.parameters {
		i := slices.IndexFunc(f.parameters, func(p parameter) bool { return p.Name == name })
		switch {
		case i >= 0:
			o.index = append(o.index, f.parameters[i].index)
		case !slices.ContainsFunc(f.required, func(p openapi.Parameter) bool { return p.Name == name }):
			f.fail("%s: the function has no parameter %q", o.name, name)
		}
	}
}

// always reports whether every call with an Idempotency-Key is guarded, so that
// a client may repeat one. If the key is made of optional parameters, a call
// that leaves them all out runs unguarded.
func (o *onceRule) always(f *Function) bool {
	if o.alone {
		return false
	}
	return len(o.parameters) == 0 || slices.ContainsFunc(f.describeParameters(), func(p openapi.Parameter) bool {
		return p.Required && slices.Contains(o.parameters, p.Name)
	})
}

// carriedOn reports whether the call continues if its caller leaves, so that
// the next call finds its answer.
func (c *call) carriedOn() bool {
	return c.fn.once != nil && (len(c.fn.once.parameters) > 0 || c.headerKey() != "")
}

// headerKey returns the key that came with the request.
func (c *call) headerKey() string {
	if c.fn.studio {
		return c.request.Header.Get(twilioKey)
	}
	return c.request.Header.Get(idempotencyKey)
}

// guard returns the claim that the call must get, and whether it must get one.
//
// A key is made of the path, the account that signed, and the parameters'
// values or the caller's own key; package claim hashes it. The claim's check
// must equal the recorded one for a call to share the answer: with parameters
// it is the caller, with an Idempotency-Key it is the parameters.
func (c *call) guard(vs *values, in any) (req claim.Request, guarded bool, err error) {
	o := c.fn.once
	if o == nil {
		return req, false, nil
	}
	caller := "Twilio"
	if c.owner != nil {
		caller = c.owner.WorkerSID + "\x00" + c.owner.Identity
	}
	// Twilio does not sign its token, so the signature is part of the key.
	// Otherwise someone who holds another signed request could send it with
	// this token, and read this call's answer or replace it. A redelivery has
	// the same signature.
	signed := ""
	if c.fn.studio {
		signed = c.request.Header.Get(signature.Header)
	}
	keys := c.app.claims.Entries()
	if len(o.parameters) > 0 {
		parts := make([]string, 2, 2+len(o.parameters))
		parts[0], parts[1] = c.path, c.signedBy
		given := false
		for i, name := range o.parameters {
			text := ""
			if o.index == nil {
				v := vs.get(name)
				text = v.text + strings.Join(v.list, "\x00")
				given = given || !v.missing()
			} else {
				field := reflect.ValueOf(in).Elem().FieldByIndex(o.index[i])
				if field.Kind() == reflect.String {
					text = field.String()
				} else if b, err := json.Marshal(field.Interface()); err == nil {
					text = string(b)
				}
				given = given || !field.IsZero() || !vs.get(name).missing()
			}
			parts = append(parts, text)
		}
		req.Key, req.Check, guarded = keys.Key("once", parts...), sumOf(caller), given
	} else if key := c.headerKey(); key != "" {
		if len(key) > maxHeaderKey {
			return req, false, Errorf(http.StatusBadRequest, "%s has %d bytes; it may have at most %d", idempotencyKey, len(key), maxHeaderKey)
		}
		req.Key, guarded = keys.Key("key", c.path, caller, signed, key), true
		if !c.fn.studio {
			req.Check = vs.sum(c.fn.tokenKey())
		}
	}
	req.Keep = o.keep
	return req, guarded, nil
}

// sumOf is the checksum of a caller or of parameters that a claim's record
// holds.
func sumOf(s string) (sum claim.Sum) {
	var room [128]byte // for the caller's SID and identity
	full := sha256.Sum256(append(room[:0], s...))
	copy(sum[:], full[:])
	return sum
}

// sum returns a checksum of the parameters, to notice an idempotency key that is
// sent again with other parameters.
func (vs *values) sum(without string) claim.Sum {
	var b []byte
	add := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	for _, list := range [][]form.Pair{vs.query, vs.form} {
		for _, p := range list {
			if p.Key != without {
				add(p.Key)
				add(p.Value)
			}
		}
		b = append(b, 0xff)
	}
	keys := make([]string, 0, len(vs.json))
	for k := range vs.json {
		if k != without {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		add(k)
		add(string(vs.json[k]))
	}
	return sumOf(string(b))
}

// guarded binds the parameters and runs the handler, or answers with what an
// earlier call with the same key recorded.
func (c *call) guarded(vs *values) answer {
	in, err := c.fn.bind(c, vs)
	if err != nil {
		return c.failed(err)
	}
	req, guarded, err := c.guard(vs, in)
	switch {
	case err != nil:
		return c.failed(err)
	case guarded:
		return c.once(req, in)
	}
	ans, _ := c.handle(in)
	return ans
}

// once runs the handler if this call gets the claim for its key. Otherwise it
// waits for the call that has it, and returns that call's answer.
func (c *call) once(req claim.Request, in any) answer {
	req.Lease = max(time.Until(c.at), 0) + leaseMargin
	claims := c.app.claims
	mine, kept, err := claims.Take(c, req)
	if err != nil && c.fn.once.alone && !errors.Is(err, claim.ErrOther) && !errors.Is(err, claim.ErrBusy) {
		claims = c.app.alone
		mine, kept, err = claims.Take(c, req)
		if err != nil && !errors.Is(err, claim.ErrOther) && !errors.Is(err, claim.ErrBusy) {
			c.logger().Warn("this call cannot be recorded: it may run twice", "error", err)
			ans, _ := c.handle(in)
			return ans
		}
	}
	switch {
	case errors.Is(err, claim.ErrOther) && len(c.fn.once.parameters) > 0:
		return c.failed(Errorf(http.StatusConflict, "Another caller has made this call; only they get its answer"))
	case errors.Is(err, claim.ErrOther):
		return c.failed(Errorf(http.StatusUnprocessableEntity, "The %s was used before, with other parameters: draw a new one for each call", idempotencyKey))
	case errors.Is(err, claim.ErrBusy):
		return c.failed(&Error{Status: http.StatusServiceUnavailable, Message: "The same call is still being answered; try again", RetryAfter: time.Second, Err: err})
	case err != nil:
		return c.failed(&Error{
			Status: http.StatusServiceUnavailable, RetryAfter: time.Second, Err: err,
			Message: "The call was not made, because it could not be guaranteed to run only once; try again",
		})
	case mine == nil:
		return c.keptAnswer(kept)
	}
	c.claim = mine
	var ans answer
	var handlerErr error
	settled := false
	defer func() {
		if !settled { // the handler panicked: a waiting call runs it
			c.settle(mine, nil, false)
		}
	}()
	ans, handlerErr = c.handle(in)
	settled = true
	told, _ := errors.AsType[*Error](handlerErr)
	keep := told != nil && told.OutcomeUnknown || lasting(ans.status)
	if kept := c.settle(mine, ans.encode(), keep); kept != nil {
		return c.keptAnswer(kept)
	}
	return ans
}

// lasting reports whether an answer with this status is kept, because another
// call would get the same.
func lasting(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, statusCallerGone:
		return false
	}
	return status < 500
}

// settle records the call's answer, or frees the claim if the answer is not to be
// kept. If this call's claim had ended and another call's answer was recorded
// first, it returns that answer. If the Store fails, a goroutine keeps trying
// until the claim ends; App.Wait waits for it.
//
// The answer is sent even if it could not be recorded: the work was done, and a
// caller who was told otherwise would try again.
func (c *call) settle(mine *claim.Claim, data []byte, keep bool) (other []byte) {
	record := func() ([]byte, error) {
		ctx := context.WithoutCancel(c)
		if keep {
			return mine.Finish(ctx, data)
		}
		return nil, mine.Free(ctx, func([]byte) []byte { return data })
	}
	other, err := record()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, claim.ErrTwice):
		c.logger().Error("the call was made twice", "error", err)
		return other
	}
	c.logger().Error("the answer could not be recorded: the call may be made again", "error", err)
	c.outlives() // App.Wait waits for it
	go func() {
		defer c.app.overdue.leave()
		for time.Until(mine.Ends()) > 0 {
			time.Sleep(min(time.Until(mine.Ends()), leaseMargin/4))
			if _, err := record(); err == nil || errors.Is(err, claim.ErrTwice) {
				return
			}
		}
	}()
	return nil
}

// keptAnswer reads a recorded answer.
func (c *call) keptAnswer(data []byte) answer {
	if len(data) == 0 {
		return c.failed(Errorf(http.StatusConflict, "The call was made; its answer was too long to be kept"))
	}
	a, err := decodeAnswer(data)
	if err != nil {
		return c.failed(err)
	}
	return a
}

// encode writes a for the Store. It returns nil if a is too long.
func (a answer) encode() []byte {
	n := len(a.body) + len(a.contentType) + 16
	for name, values := range a.header {
		n += len(name) + 4
		for _, v := range values {
			n += len(v) + 4
		}
	}
	if n > maxKeptAnswer {
		return nil
	}
	b := make([]byte, 0, n)
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	b = binary.AppendUvarint(b, uint64(a.status))
	text(a.contentType)
	b = binary.AppendUvarint(b, uint64(len(a.header)))
	for name, values := range a.header {
		text(name)
		b = binary.AppendUvarint(b, uint64(len(values)))
		for _, v := range values {
			text(v)
		}
	}
	return append(b, a.body...)
}

var errKeptAnswer = errors.New("the answer that was kept cannot be read")

// decodeAnswer reads what encode wrote. The Store's entries are authenticated,
// so a fault here means another version of flexfn.
func decodeAnswer(b []byte) (a answer, err error) {
	number := func() int {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > 1<<20 {
			err = errKeptAnswer
			b = nil
			return 0
		}
		b = b[size:]
		return int(n)
	}
	text := func() string {
		n := number()
		if n > len(b) {
			err = errKeptAnswer
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	a.status, a.contentType = number(), text()
	if n := number(); n > 0 {
		a.header = http.Header{}
		for i := 0; i < n && err == nil; i++ {
			name := text()
			for j := number(); j > 0 && err == nil; j-- {
				a.header[name] = append(a.header[name], text())
			}
		}
	}
	if err == nil && (a.status < 200 || a.status > 599) {
		err = fmt.Errorf("%w: status %d", errKeptAnswer, a.status)
	}
	a.body = b
	return a, err
}
