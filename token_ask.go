package flexfn

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/pace"
)

// Bounds on the requests to Twilio that strangers can cause. Anyone can send
// any number of tokens, and each unknown one costs a request with the account's
// credentials; Twilio limits how many of those run at once. Tokens that were
// valid when Twilio was last asked have their own places, which strangers
// cannot take. A worker's new token cannot be told from a stranger's, but
// waits in another line if it comes from another address, and keeps its place
// if it is refused and comes again.
const (
	strangersAtOnce = 10               // of the concurrent requests that Twilio allows the account
	strangersEach   = time.Second / 20 // between two, once the burst is used up
	strangersBurst  = 200              // after a quiet time, as when a shift begins
	strangersWait   = 2 * time.Second  // the longest wait for a turn
	knownAtOnce     = 10

	strangersWaiting = int(strangersWait / strangersEach) // at once; with more, the last would wait for nothing

	iamTimeout = 3 * time.Second // of one attempt
	iamTotal   = 6 * time.Second // of all attempts

	maxRefusalBytes = 200 // of Twilio's message
	minTokenBytes   = 20  // of Twilio's tokens; they have hundreds
)

// question is a request to Twilio about one token, shared by all requests that
// wait for the answer. Its goroutine ends soon after the last of them has left.
//
// Each waiter has its own deadline, and leaves when it passes. The question's
// ctx does not derive from a request's, so a caller who goes away does not fail
// the others.
type question struct {
	waiting int // guarded by the validator's mu
	cancel  context.CancelFunc

	done    chan struct{} // closed when verdict and err are set
	verdict tokenVerdict
	err     error
}

// join adds a waiter to the question about a token, and asks the question if it
// is not being asked yet. A waiter that gives up must call leave.
func (t *tokenValidator) join(ctx context.Context, key tokenKey, token string, known bool) *question {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.asking[key]
	if q == nil {
		var from pace.Address
		if c := callFrom(ctx); c != nil && c.request != nil {
			from = pace.AddressOf(c.request.RemoteAddr, c.request.Header)
		}
		// The question is asked for all waiters: if the first one leaves, the
		// others must still get the answer.
		q = t.begin(context.WithoutCancel(ctx), key, func(ctx context.Context) (tokenVerdict, error) {
			return t.find(ctx, key, token, known, from)
		})
	}
	q.waiting++
	return q
}

// leave removes a waiter from q, and cancels q if it was the last.
func (t *tokenValidator) leave(key tokenKey, q *question) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.waiting--; q.waiting == 0 {
		q.cancel()
		if t.asking[key] == q {
			delete(t.asking, key)
		}
	}
}

// renew asks again about a token whose verdict is still trusted. It does so in
// the background, and only if a place is free. After a failure the renewal is
// due again an eighth of the ttl later.
func (t *tokenValidator) renew(key tokenKey, token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asking[key] != nil {
		return
	}
	select {
	case t.known <- struct{}{}:
	default:
		return
	}
	q := t.begin(t.app.Context(context.Background()), key, func(ctx context.Context) (tokenVerdict, error) {
		defer func() { <-t.known }()
		v, err := t.ask(ctx, token, RetryLimit(0))
		if err != nil {
			t.mu.Lock()
			if old, ok := t.cache.get(key); ok {
				old.renew += old.ttl / 8
				t.cache.set(key, old)
			}
			t.mu.Unlock()
		}
		return v, err
	})
	q.waiting++ // so that it goes on when all waiters leave; iamTotal ends it
}

// begin asks on a new goroutine and caches the answer. The caller holds mu.
func (t *tokenValidator) begin(ctx context.Context, key tokenKey, find func(context.Context) (tokenVerdict, error)) *question {
	ctx, cancel := context.WithCancel(ctx)
	q := &question{cancel: cancel, done: make(chan struct{}), err: errPanic}
	t.asking[key] = q
	go func() {
		defer func() {
			if p := recover(); p != nil { // of a hook, a transport or a shared cache
				t.app.log.Error("asking Twilio about a Flex token panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
			cancel()
			t.mu.Lock()
			defer t.mu.Unlock()
			if q.err == nil {
				t.cache.set(key, q.verdict)
			}
			if t.asking[key] == q {
				delete(t.asking, key)
			}
			close(q.done)
		}()
		q.verdict, q.err = find(ctx)
	}()
	return q
}

// find asks the shared cache, and then Twilio when it is this token's turn.
//
// The order of the gates matters. A stranger's token waits for its turn first
// and then for a place, so that turns, which are cheap to wait for, bound how
// many wait for places. Tokens that were valid lately have their own places and
// need no turn.
func (t *tokenValidator) find(ctx context.Context, key tokenKey, token string, known bool, from pace.Address) (tokenVerdict, error) {
	if v, ok := t.shared.get(ctx, token); ok {
		return v, nil
	}
	places := t.known
	if !known {
		places = t.strangers
		switch err := t.turns.Wait(ctx, from, binary.LittleEndian.Uint64(key[:]), strangersWait); {
		case err == pace.ErrBusy:
			return tokenVerdict{}, &Error{
				Status:     http.StatusTooManyRequests,
				Message:    "Too many new Flex tokens are being checked at the moment; try again",
				RetryAfter: strangersWait,
			}
		case err != nil:
			return tokenVerdict{}, err
		}
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-ctx.Done():
		return tokenVerdict{}, ctx.Err()
	}
	return t.ask(ctx, token, RetryLimit(2))
}

// ask asks Twilio, and shares an accepted token with other instances.
//
// If Twilio refuses the app's own credentials, the configuration is wrong. The
// answer is 500 and not 403, which would tell every worker that they are logged
// out.
func (t *tokenValidator) ask(ctx context.Context, token string, retries RetryOption) (tokenVerdict, error) {
	ctx, cancel := context.WithTimeout(ctx, iamTotal)
	defer cancel()
	res := ExecuteWithRetry(ctx, func(ctx context.Context) (tokenVerdict, error) {
		return t.askOnce(ctx, token)
	}, retries, AttemptTimeout(iamTimeout), retryOption(func(p *retryPolicy) { p.budget = t.budget }))
	switch {
	case res.Success:
		t.shared.set(ctx, token, res.Data)
		return res.Data, nil
	case res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden:
		return tokenVerdict{}, fmt.Errorf("asking Twilio about a Flex token; are ACCOUNT_SID and AUTH_TOKEN right? %w", &logOnly{res.Err()})
	}
	return tokenVerdict{}, notAsked("Twilio could not be asked about the Flex token", res.Err())
}

// notAsked makes the answer if it is unknown whether the token is valid: 503,
// since a 403 would log the worker out. It hides the type of err, so that a
// deadline in it does not decide the answer.
func notAsked(what string, err error) error {
	e := &Error{
		Status:     http.StatusServiceUnavailable,
		Message:    what + "; try again",
		RetryAfter: max(retryDelay(err), time.Second),
	}
	if err != nil {
		e.Err = &logOnly{err}
	}
	return e
}

// logOnly keeps an error's text and hides its type, so that an *Error in it
// does not choose the answer.
type logOnly struct{ err error }

func (e *logOnly) Error() string { return e.err.Error() }

// iamAnswer is Twilio's answer. The deciding fields are kept raw, so that an
// unexpected type makes the answer invalid instead of leaving a zero value.
type iamAnswer struct {
	Valid       json.RawMessage `json:"valid"`
	Message     json.RawMessage `json:"message"`
	Expiration  json.RawMessage `json:"expiration"`
	RealmUserID string          `json:"realm_user_id"`
	Identity    string          `json:"identity"`
	Roles       []string        `json:"roles"`
	WorkerSID   string          `json:"worker_sid"`
}

// askOnce asks Twilio once. Only HTTP status 200 with a boolean "valid" decides.
func (t *tokenValidator) askOnce(ctx context.Context, token string) (tokenVerdict, error) {
	body, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		return tokenVerdict{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return tokenVerdict{}, err
	}
	req.SetBasicAuth(t.app.config.AccountSID, t.app.config.AuthToken)
	req.Header.Set("Content-Type", jsonType)
	resp, err := CheckResponse(t.app.client.Do(req))
	if err != nil {
		return tokenVerdict{}, err
	}
	said, err := ReadJSON[iamAnswer](resp, nil)
	if err != nil {
		return tokenVerdict{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return tokenVerdict{}, badAnswer(resp, "did not say whether the Flex token is valid", errors.New(resp.Status))
	}
	switch string(said.Valid) {
	case "true":
		owner := &Owner{Identity: said.Identity, RealmUserID: said.RealmUserID, WorkerSID: said.WorkerSID, Roles: said.Roles}
		ttl := t.app.config.TokenTTL
		if e := &owner.Expiration; json.Unmarshal(said.Expiration, e) == nil && !e.IsZero() {
			// Twilio has just said that the token is valid. If it seems to have
			// expired, this machine's clock is wrong.
			ttl = max(min(ttl, time.Until(e.Round(0))), shortestTTL)
		}
		return newVerdict(owner, "", ttl), nil
	case "false":
		return newVerdict(nil, refusalText(said.Message, token), refusalTTL), nil
	}
	return tokenVerdict{}, badAnswer(resp, "did not say whether the Flex token is valid", errors.New(`no boolean "valid"`))
}

// refusalText returns Twilio's message if it is short and does not repeat the
// token, and otherwise a general one.
func refusalText(raw json.RawMessage, token string) string {
	var message string
	if json.Unmarshal(raw, &message) != nil || message == "" || len(message) > maxRefusalBytes || len(token) >= minTokenBytes && strings.Contains(message, token) {
		return "Unauthorized: the Flex token is not valid"
	}
	return strings.Clone(message)
}
