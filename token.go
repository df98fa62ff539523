package flexfn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
)

// Owner is whom a Flex token belongs to, as Twilio told it.
type Owner struct {
	// Identity is the user's identity in Twilio's encoding, such as
	// "agent_40example_2Ecom"; RealmUserID is the name at the single
	// sign-on provider.
	Identity, RealmUserID string
	// WorkerSID is the TaskRouter worker; empty for a guest.
	WorkerSID string
	// Roles are those of the user in Flex, such as "agent" or "supervisor".
	Roles []string
	// Expiration is when the token ends; zero when Twilio did not say.
	Expiration time.Time
}

// HasRole reports whether the owner has at least one of roles.
func (o Owner) HasRole(roles ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(o.Roles, r) })
}

// Guest reports whether the owner is no worker: the token was made for a
// visitor of a web chat.
func (o Owner) Guest() bool { return o.WorkerSID == "" || o.HasRole("guest") }

const (
	maxTokenBytes = 8 << 10
	maxTokens     = 50_000           // cached; about 300 bytes each
	shortestTTL   = time.Second      // of any answer
	refusalTTL    = 10 * time.Second // how long a refusal is remembered
	iamTimeout    = 3 * time.Second  // of one attempt
	iamTotal      = 6 * time.Second  // of all attempts
)

// tokenValidator asks Twilio about Flex tokens and remembers the answers.
type tokenValidator struct {
	app   *App
	url   string
	cache *otter.Cache[[sha256.Size]byte, tokenVerdict]
	// shared is asked before Twilio; nil without one.
	shared *sharedTokens
}

// tokenVerdict is what Twilio said, believed until then. The time is wall
// time: an instance that was frozen must not believe it longer.
type tokenVerdict struct {
	owner   *Owner
	refusal string // for the caller, when owner is nil
	until   time.Time
}

func (v tokenVerdict) fresh() bool { return time.Now().Round(0).Before(v.until) }

func newTokenValidator(a *App) (*tokenValidator, error) {
	host := "iam.twilio.com"
	if a.config.Region != "" {
		region, _, _ := strings.Cut(a.config.Region, "-")
		host = "iam." + region + ".twilio.com"
	}
	cache, err := otter.New(&otter.Options[[sha256.Size]byte, tokenVerdict]{MaximumSize: maxTokens})
	if err != nil {
		return nil, err
	}
	return &tokenValidator{
		app:    a,
		url:    "https://" + host + "/v1/Accounts/" + a.config.AccountSID + "/Tokens/validate",
		cache:  cache,
		shared: newSharedTokens(a),
	}, nil
}

// admit finds the request's token and decides whether its owner may call.
func (t *tokenValidator) admit(c *call, vs *values) (*Owner, error) {
	token := vs.get("Token")
	if token.kind == absentValue {
		if scheme, credential, _ := strings.Cut(c.request.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
			token = value{kind: stringValue, text: strings.TrimSpace(credential)}
		}
	}
	switch {
	case token.missing():
		return nil, Errorf(http.StatusForbidden, "Unauthorized: Token was not provided")
	case token.kind != stringValue || len(token.text) > maxTokenBytes:
		return nil, Errorf(http.StatusForbidden, "Unauthorized: Token is not one string of at most %d bytes", maxTokenBytes)
	}
	c.token.Store(&token.text)
	v, err := t.verdict(c, token.text)
	switch {
	case err != nil:
		return nil, err
	case v.owner == nil:
		return nil, &Error{Status: http.StatusForbidden, Message: v.refusal}
	case v.owner.Guest() && !c.fn.guests:
		return nil, Errorf(http.StatusForbidden, "This function is for workers; the token belongs to a guest")
	case len(c.fn.roles) > 0 && !v.owner.HasRole(c.fn.roles...):
		return nil, Errorf(http.StatusForbidden, "This function is for the role %s", strings.Join(c.fn.roles, " or "))
	}
	return v.owner, nil
}

// verdict asks the cache, which asks Twilio once however many requests wait.
func (t *tokenValidator) verdict(ctx context.Context, token string) (tokenVerdict, error) {
	key := sha256.Sum256([]byte(token))
	if v, ok := t.cache.GetIfPresent(key); ok && v.fresh() {
		return v, nil
	}
	// The question is asked on behalf of everyone who waits for it: the
	// first caller's leaving must not take it away from the others.
	ctx = context.WithoutCancel(ctx)
	ask := otter.LoaderFunc[[sha256.Size]byte, tokenVerdict](
		func(ctx context.Context, _ [sha256.Size]byte) (tokenVerdict, error) {
			ctx, cancel := context.WithTimeout(ctx, iamTotal)
			defer cancel()
			if v, ok := t.shared.get(ctx, token); ok {
				return v, nil
			}
			res := ExecuteWithRetry(ctx, func(ctx context.Context) (tokenVerdict, error) {
				return t.ask(ctx, token)
			}, RetryLimit(2), AttemptTimeout(iamTimeout))
			switch {
			case res.Success:
				t.shared.set(ctx, token, res.Data)
				return res.Data, nil
			case res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden:
				return tokenVerdict{}, fmt.Errorf("asking Twilio about a Flex token; are ACCOUNT_SID and AUTH_TOKEN right? %w", &logOnly{res.Err()})
			}
			return tokenVerdict{}, &Error{
				Status:     http.StatusServiceUnavailable,
				Message:    "Twilio could not be asked about the Flex token; try again",
				RetryAfter: max(retryDelay(res.Err()), time.Second),
				Err:        res.Err(),
			}
		})
	for {
		v, err := t.cache.Get(ctx, key, ask)
		if err != nil || v.fresh() {
			return v, err
		}
		// Forgotten only while it is still the answer that was found stale.
		t.cache.ComputeIfPresent(key, func(old tokenVerdict) (tokenVerdict, otter.ComputeOp) {
			if old.until.Equal(v.until) {
				return old, otter.InvalidateOp
			}
			return old, otter.CancelOp
		})
	}
}

// logOnly keeps an error's text and hides its type, so that an *Error in it
// does not choose the answer.
type logOnly struct{ err error }

func (e *logOnly) Error() string { return e.err.Error() }

// iamAnswer is Twilio's answer. What is not of the expected type is left out
// rather than believed.
type iamAnswer struct {
	Valid       json.RawMessage `json:"valid"`
	Message     json.RawMessage `json:"message"`
	Expiration  json.RawMessage `json:"expiration"`
	RealmUserID string          `json:"realm_user_id"`
	Identity    string          `json:"identity"`
	Roles       []string        `json:"roles"`
	WorkerSID   string          `json:"worker_sid"`
}

// ask asks Twilio once. Only HTTP status 200 with a boolean "valid" decides.
func (t *tokenValidator) ask(ctx context.Context, token string) (tokenVerdict, error) {
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
	now := time.Now().Round(0)
	switch string(said.Valid) {
	case "true":
		v := tokenVerdict{until: now.Add(t.app.config.TokenTTL), owner: &Owner{
			Identity: said.Identity, RealmUserID: said.RealmUserID, WorkerSID: said.WorkerSID,
			Roles: said.Roles,
		}}
		if e := &v.owner.Expiration; json.Unmarshal(said.Expiration, e) == nil && !e.IsZero() && e.Before(v.until) {
			// Twilio has just said that it is valid, whatever this clock says.
			v.until = e.Round(0)
			if v.until.Before(now.Add(shortestTTL)) {
				v.until = now.Add(shortestTTL)
			}
		}
		return v, nil
	case "false":
		v := tokenVerdict{refusal: "Unauthorized: the Flex token is not valid", until: now.Add(refusalTTL)}
		var message string
		if json.Unmarshal(said.Message, &message) == nil && message != "" {
			v.refusal = message
		}
		return v, nil
	}
	return tokenVerdict{}, badAnswer(resp, "did not say whether the Flex token is valid", errors.New(`no boolean "valid"`))
}
