package flexfn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	maxTokenBytes  = 8 << 10
	maxTokens      = 50_000           // cached; about 300 bytes each
	refusalTTL     = 10 * time.Second // how long a refusal is remembered
	iamTimeout     = 3 * time.Second  // of one attempt
	iamTotal       = 6 * time.Second  // of all attempts
	iamAnswerBytes = 1 << 20
)

// tokenValidator asks Twilio about Flex tokens and remembers the answers.
type tokenValidator struct {
	app   *App
	url   string
	cache *otter.Cache[[sha256.Size]byte, tokenVerdict]
}

// tokenVerdict is what Twilio said, believed until then. The time is wall
// time: an instance that was frozen must not believe it longer.
type tokenVerdict struct {
	owner   *Owner
	refusal string // for the caller, when owner is nil
	until   time.Time
}

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
		app:   a,
		url:   "https://" + host + "/v1/Accounts/" + a.config.AccountSID + "/Tokens/validate",
		cache: cache,
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
	c.token = token.text
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
	// The question is asked on behalf of everyone who waits for it: the
	// first caller's leaving must not take it away from the others.
	v, err := t.cache.Get(context.WithoutCancel(ctx), key, otter.LoaderFunc[[sha256.Size]byte, tokenVerdict](
		func(ctx context.Context, _ [sha256.Size]byte) (tokenVerdict, error) {
			ctx, cancel := context.WithTimeout(ctx, iamTotal)
			defer cancel()
			return t.ask(ctx, token)
		}))
	return v, err
}

// iamAnswer is Twilio's answer. What is not of the expected type is left out
// rather than believed.
type iamAnswer struct {
	Valid       json.RawMessage `json:"valid"`
	Message     json.RawMessage `json:"message"`
	Expiration  time.Time       `json:"expiration"`
	RealmUserID string          `json:"realm_user_id"`
	Identity    string          `json:"identity"`
	Roles       []string        `json:"roles"`
	WorkerSID   string          `json:"worker_sid"`
}

var errIAM = errors.New("asking Twilio about a Flex token")

// unavailable says that the token could not be checked, and never that it is
// bad or good.
func unavailable(retryAfter time.Duration, format string, args ...any) error {
	return &Error{
		Status:     http.StatusServiceUnavailable,
		Message:    "Twilio could not be asked about the Flex token; try again",
		RetryAfter: max(retryAfter, time.Second),
		Err:        fmt.Errorf("%w: %w", errIAM, fmt.Errorf(format, args...)),
	}
}

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
	resp, err := t.app.client.Do(req)
	if err != nil {
		return tokenVerdict{}, unavailable(0, "%w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, iamAnswerBytes))
	switch {
	case err != nil:
		return tokenVerdict{}, unavailable(0, "%w", err)
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return tokenVerdict{}, fmt.Errorf("%w: it answered %s: check ACCOUNT_SID and AUTH_TOKEN", errIAM, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return tokenVerdict{}, unavailable(0, "it answered %s", resp.Status)
	}
	var said iamAnswer
	if err := json.Unmarshal(text, &said); err != nil {
		return tokenVerdict{}, unavailable(0, "its answer is not as documented: %w", err)
	}
	now := time.Now().Round(0)
	switch string(said.Valid) {
	case "true":
		v := tokenVerdict{until: now.Add(t.app.config.TokenTTL), owner: &Owner{
			Identity: said.Identity, RealmUserID: said.RealmUserID, WorkerSID: said.WorkerSID,
			Roles: said.Roles, Expiration: said.Expiration,
		}}
		if e := said.Expiration; !e.IsZero() && e.Before(v.until) {
			v.until = e
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
	return tokenVerdict{}, unavailable(0, "its answer has no boolean \"valid\"")
}
