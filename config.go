package flexfn

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/files"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/setting"
	"github.com/flexfn/flexfn/internal/sid"
	"github.com/flexfn/flexfn/signature"
)

// Config configures an [App]. [FromEnv] reads one from the environment; the
// variable of each field is named at the end of its description, and
// docs/configuration.md lists them all. The zero value of each field is its
// documented default; only AccountSID and AuthToken are required. [New] checks
// all of it, and reports all faults at once.
//
//	config := flexfn.FromEnv()
//	config.Logger = slog.New(slog.NewJSONHandler(os.Stdout, nil))
//	config.Retry = append(config.Retry, flexfn.RetryLimit(2))
//	app, err := flexfn.New(config)
//
// It holds secrets, so do not log it.
type Config struct {
	_ [0]func()

	// AccountSID is the Twilio account, AC and 32 hex digits. Required.
	// (ACCOUNT_SID)
	AccountSID string
	// AuthToken is the account's auth token. Required, even with an API key:
	// Flex tokens and Twilio's signatures cannot be checked without it.
	// (AUTH_TOKEN)
	AuthToken string
	// APIKeySID (SK and 32 hex digits) and APIKeySecret are used for REST
	// calls instead of the auth token. Set both or neither. (TWILIO_API_KEY,
	// TWILIO_API_SECRET)
	APIKeySID, APIKeySecret string
	// Region is Twilio's processing region, such as "ie1"; empty is the United
	// States. Edge is the edge location, such as "dublin". (TWILIO_REGION,
	// TWILIO_EDGE)
	Region, Edge string
	// WorkspaceSID is the Flex workspace, WS and 32 hex digits; needed by
	// functions that use TaskRouter. (TWILIO_FLEX_WORKSPACE_SID)
	WorkspaceSID string
	// TwilioURL is the base URL of a fake or proxy that receives every request
	// for *.twilio.com, including its credentials; the Host header keeps the
	// original name. Empty sends them to Twilio. (FLEXFN_TWILIO_URL)
	TwilioURL string

	// AllowedOrigins lists the web origins that may call, each exactly as a
	// browser sends it, such as "https://flex.twilio.com". Nil, or a single
	// "*", allows any: the token is the credential, not a cookie. A list that
	// is empty but not nil is refused. (FLEXFN_ALLOWED_ORIGINS, separated by
	// commas)
	AllowedOrigins []string

	// AllowedHeaders are request headers that pages of other origins may send,
	// such as "baggage", in addition to Authorization, Content-Type and
	// Idempotency-Key. ExposedHeaders are answer headers that such pages may
	// read, in addition to Retry-After and X-Request-Id.
	// (FLEXFN_ALLOWED_HEADERS, FLEXFN_EXPOSED_HEADERS, separated by commas)
	AllowedHeaders, ExposedHeaders []string

	// PublicURL is the beginning of the URLs under which Twilio calls the app,
	// exactly as they are written in Twilio, such as
	// "https://functions.example.com": Twilio signs it. A path in it is one
	// that the gateway strips; user and password, and connection overrides
	// after a #, may be part of it. If it is set, the Host header is ignored,
	// so that a request that Twilio signed for another server of the same
	// account is refused. If it is empty, the URL is taken from the headers of
	// a proxy that ProxyTrust trusts, or from the request's Host header.
	// (PUBLIC_URL)
	PublicURL string
	// AddedPathPrefix is a path such as "/internal" that the gateway puts
	// before the one that Twilio called. (FLEXFN_ADDED_PATH_PREFIX)
	AddedPathPrefix string
	// ProxyTrust says from which proxies forwarded headers are trusted to hold
	// the URL that Twilio called. Nil trusts none. (FLEXFN_TRUSTED_PROXIES:
	// networks separated by commas, or "anyone")
	ProxyTrust signature.ProxyTrust
	// PreviousAuthTokens are tokens that Twilio may still sign with, in
	// addition to AuthToken, while the account's token is being rotated. Remove
	// them afterwards. (FLEXFN_PREVIOUS_AUTH_TOKENS, separated by commas)
	PreviousAuthTokens []string
	// SharedKeys are the secrets of the account's SharedKeys, by their ids.
	// Twilio signs webhooks with them by HMAC-SHA256 instead of with the auth
	// token. The key of a sub-account's secret is its account SID, a slash and
	// the id. (FLEXFN_SHARED_KEYS: id=secret, separated by commas)
	SharedKeys map[string]string
	// SubaccountAuthTokens returns the auth tokens of the sub-account that a
	// request names in AccountSid: each sub-account signs with its own. For an
	// account that must not call the app, it must return none. It is called
	// concurrently, and before the signature is checked, so it must be cheap.
	// An error is answered with 503. Nil admits AccountSID only. There is no
	// variable for it.
	SubaccountAuthTokens func(ctx context.Context, accountSID string) ([]string, error)

	// FlexDeadline and StudioDeadline bound the time of one request, from 1 ms
	// to 1 h. Zero is 10 s for Flex functions and 8 s for Studio functions,
	// since Studio itself waits 10 s. [Deadline] overrides them for one
	// function. (FLEXFN_FLEX_DEADLINE, FLEXFN_STUDIO_DEADLINE)
	FlexDeadline, StudioDeadline time.Duration
	// MaxCalls is how many calls of one function may run at once in this
	// process. A call counts until its handler returns, even if that is after
	// the deadline. Further calls of the function are answered 503 with
	// Retry-After, so that a handler that hangs cannot use up memory and file
	// descriptors. From 1 to 1,000,000; zero is 1,000, or half of what the
	// limit of open files leaves, if that is less. (FLEXFN_MAX_CALLS)
	MaxCalls int
	// MaxBodyBytes bounds a request body; a longer one is answered 413. Zero
	// is 6 MiB. The most is 2 GiB - 1. (FLEXFN_MAX_BODY_BYTES)
	MaxBodyBytes int64
	// MaxBodiesBytes bounds the bytes of all request bodies that are being
	// received or used at once; beyond it a request is answered 503 with
	// Retry-After. A quarter of it is reserved for bodies of up to 64 KiB, so
	// that a few long ones cannot lock out the others. The first 8 KiB of each
	// body do not count. A decoded body takes up to three times as much. It
	// must be at least one and a half times MaxBodyBytes. Zero is 16 MiB, or
	// three times MaxBodyBytes if that is more. (FLEXFN_MAX_BODIES_BYTES)
	MaxBodiesBytes int64
	// TokenTTL is how long an accepted Flex token is trusted before Twilio is
	// asked again: from 1 s to 10 min. Zero is 1 min. During that time a worker
	// who was logged out or locked out can still call. (FLEXFN_TOKEN_TTL)
	TokenTTL time.Duration

	// Store holds what the instances of the app share; nil is this process's
	// memory. See [Store]. Without a Store, instances do not know what [Once]
	// has done elsewhere, so a second instance runs the handler again.
	Store Store
	// StoreSecret is the secret from which the keys that encrypt the Store's
	// entries and their names are derived; at least 32 characters. All
	// instances must have the same. Empty is AuthToken; rotating it then makes
	// every entry unreadable. (FLEXFN_STORE_SECRET)
	StoreSecret string

	// Queue runs jobs that outlast an answer; see [Queue]. Nil means none,
	// except under flexfn dev, which provides one in memory.
	Queue Queue

	// Retry is the policy of every web-service call of this app; options given
	// to a call come after these. (TWILIO_SERVICE_RETRY_LIMIT,
	// TWILIO_SERVICE_MIN_BACKOFF, TWILIO_SERVICE_MAX_BACKOFF,
	// FLEXFN_ATTEMPT_TIMEOUT)
	Retry []RetryOption
	// RetryBudget is how many retries an outage may cause before they are
	// limited to a tenth of the calls, so that retries do not make it worse.
	// Calls beyond the budget fail with [ErrRetryBudget] instead of being
	// retried. Zero is 100; a negative number sets no limit.
	// (FLEXFN_RETRY_BUDGET; "off" sets no limit)
	RetryBudget int

	// Development shows the text of unexpected errors to the caller. Never
	// set it where strangers can call.
	Development bool
	// Logger receives what flexfn logs, masked; nil is [slog.Default]. No
	// answer waits for it longer than 100 ms: if its reader stalls, up to 1
	// MiB of lines is kept, and further ones are lost and counted.
	// docs/logging.md lists what is logged. Its [slog.Handler] decides level and
	// format.
	Logger *slog.Logger
	// LogAttempts logs every attempt of a web-service call to Logger.
	// (ENABLE_LOCAL_LOGGING)
	LogAttempts bool
	// OnAttempt is called after every attempt of a web-service call, on the
	// goroutine that made it, so the call waits for it. It is called
	// concurrently for concurrent calls.
	OnAttempt func(context.Context, Attempt)
	// Transport sends the app's outgoing requests. Nil is an HTTP/1.1 transport
	// with short timeouts that heeds HTTPS_PROXY and the like. The app uses a
	// copy of an *http.Transport.
	Transport http.RoundTripper

	faults []error // found by FromLookup, reported by New
	// See devlink.go.
	devKey     string // of flexfn dev
	describing bool   // for flexfn gen
}

// FromEnv reads a Config from the process's environment; see [FromLookup]. Set
// fields that have no variable, such as Logger and Store, afterwards.
func FromEnv() Config { return FromLookup(os.LookupEnv) }

// FromLookup reads a Config from the variables that lookup returns, as
// [os.LookupEnv] does; docs/configuration.md lists them. It also reads the files
// that variables such as AUTH_TOKEN_FILE name, if the secret's own variable is
// unset. It never fails: [New] reports everything that is wrong in one error.
//
// An empty variable counts as unset, except FLEXFN_ALLOWED_ORIGINS and
// FLEXFN_TRUSTED_PROXIES, where it is a fault. Times are written as
// [time.ParseDuration] reads them, such as 500ms, and sizes in bytes. A test
// gives its own variables:
//
//	config := flexfn.FromLookup(func(name string) (string, bool) {
//		v, ok := variables[name]
//		return v, ok
//	})
func FromLookup(lookup func(name string) (string, bool)) Config {
	var c Config
	for _, s := range setting.App() {
		var name, value string
		for _, n := range s.Names {
			v, ok := lookup(n)
			if !ok || v == "" && !s.EmptyCounts {
				continue
			}
			if name != "" && v != value {
				c.faults = append(c.faults, fmt.Errorf("%s and %s are both set and differ: keep one", name, n))
			}
			if name == "" {
				name, value = n, v
			}
		}
		if name == "" && s.Secret {
			file := s.Names[0] + setting.FileSuffix
			if path, ok := lookup(file); ok && path != "" {
				secret, err := readSecret(path)
				if err != nil {
					c.faults = append(c.faults, fmt.Errorf("%s: %w", file, err))
					continue
				}
				name, value = file, secret
			}
		}
		if name == "" {
			continue
		}
		if err := setterOf(s.Names[0])(&c, value); err != nil {
			c.faults = append(c.faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return c
}

// setters lists, by the first name of each variable of package setting, the
// functions that set its field. A test keeps the two lists in step. It is not a
// map, which every program would fill when it starts.
var setters = []struct {
	name string
	set  func(*Config, string) error
}{
	{"ACCOUNT_SID", func(c *Config, v string) error { c.AccountSID = v; return nil }},
	{"AUTH_TOKEN", func(c *Config, v string) error { c.AuthToken = v; return nil }},
	{"TWILIO_API_KEY", func(c *Config, v string) error { c.APIKeySID = v; return nil }},
	{"TWILIO_API_SECRET", func(c *Config, v string) error { c.APIKeySecret = v; return nil }},
	{"TWILIO_REGION", func(c *Config, v string) error { c.Region = v; return nil }},
	{"TWILIO_EDGE", func(c *Config, v string) error { c.Edge = v; return nil }},
	{"TWILIO_FLEX_WORKSPACE_SID", func(c *Config, v string) error { c.WorkspaceSID = v; return nil }},
	{"FLEXFN_TWILIO_URL", func(c *Config, v string) error { c.TwilioURL = v; return nil }},
	{"FLEXFN_ALLOWED_ORIGINS", func(c *Config, v string) error { c.AllowedOrigins = splitList(v); return nil }},
	{"FLEXFN_ALLOWED_HEADERS", func(c *Config, v string) error { c.AllowedHeaders = splitList(v); return nil }},
	{"FLEXFN_EXPOSED_HEADERS", func(c *Config, v string) error { c.ExposedHeaders = splitList(v); return nil }},
	{"FLEXFN_FLEX_DEADLINE", func(c *Config, v string) (err error) { c.FlexDeadline, err = parseDuration(v); return err }},
	{"FLEXFN_STUDIO_DEADLINE", func(c *Config, v string) (err error) { c.StudioDeadline, err = parseDuration(v); return err }},
	{"FLEXFN_MAX_CALLS", func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number above zero", v)
		}
		c.MaxCalls = n
		return nil
	}},
	{"FLEXFN_MAX_BODY_BYTES", func(c *Config, v string) (err error) { c.MaxBodyBytes, err = parseBytes(v); return err }},
	{"FLEXFN_MAX_BODIES_BYTES", func(c *Config, v string) (err error) { c.MaxBodiesBytes, err = parseBytes(v); return err }},
	{"FLEXFN_TOKEN_TTL", func(c *Config, v string) (err error) { c.TokenTTL, err = parseDuration(v); return err }},
	{"FLEXFN_STORE_SECRET", func(c *Config, v string) error { c.StoreSecret = v; return nil }},
	{"TWILIO_SERVICE_RETRY_LIMIT", func(c *Config, v string) error { return addRetry(c, v, "retries", RetryLimit) }},
	{"TWILIO_SERVICE_MIN_BACKOFF", func(c *Config, v string) error {
		return addRetry(c, v, "milliseconds", func(ms int) RetryOption { return minBackoff(time.Duration(ms) * time.Millisecond) })
	}},
	{"TWILIO_SERVICE_MAX_BACKOFF", func(c *Config, v string) error {
		return addRetry(c, v, "milliseconds", func(ms int) RetryOption { return maxBackoff(time.Duration(ms) * time.Millisecond) })
	}},
	{"FLEXFN_ATTEMPT_TIMEOUT", func(c *Config, v string) (err error) {
		var d time.Duration // 0: no timeout, as for AttemptTimeout
		if v != "0" {
			d, err = parseDuration(v)
		}
		c.Retry = append(c.Retry, AttemptTimeout(d))
		return err
	}},
	{"FLEXFN_RETRY_BUDGET", func(c *Config, v string) (err error) { c.RetryBudget, err = parseBudget(v); return err }},
	{"ENABLE_LOCAL_LOGGING", func(c *Config, v string) (err error) { c.LogAttempts, err = parseSwitch(v); return err }},
	{"PUBLIC_URL", func(c *Config, v string) error { c.PublicURL = v; return nil }},
	{"FLEXFN_ADDED_PATH_PREFIX", func(c *Config, v string) error { c.AddedPathPrefix = v; return nil }},
	{"FLEXFN_TRUSTED_PROXIES", func(c *Config, v string) error { c.ProxyTrust = parseProxyTrust(v); return nil }},
	{"FLEXFN_PREVIOUS_AUTH_TOKENS", func(c *Config, v string) error { c.PreviousAuthTokens = splitList(v); return nil }},
	{"FLEXFN_SHARED_KEYS", parseSharedKeys},
	{link.KeyVariable, (*Config).setDevKey},
	{link.DescribeVariable, (*Config).setDescribing},
}

// setterOf returns the function that sets the field of a variable.
func setterOf(name string) func(*Config, string) error {
	for _, s := range setters {
		if s.name == name {
			return s.set
		}
	}
	panic("no setter of " + name)
}

// maxSecretBytes bounds the size of a file with a secret.
const maxSecretBytes = 64 << 10

// readSecret reads a secret from a file, as container platforms mount them,
// without the line breaks that editors leave at its end.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the secret cannot be read: %w; mount the file, or let the program read it", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	secret := strings.TrimRight(string(b), "\r\n")
	switch {
	case err != nil:
		return "", fmt.Errorf("the secret cannot be read: %w", err)
	case len(b) > maxSecretBytes:
		return "", fmt.Errorf("%s is longer than %d bytes: name a file that holds the secret and nothing else", path, maxSecretBytes)
	case secret == "":
		return "", fmt.Errorf("%s is empty: write the secret into it", path)
	}
	return secret, nil
}

// splitList splits a list at commas. It drops empty items, so a trailing comma
// does no harm. The result is never nil.
func splitList(v string) []string {
	list := []string{}
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// parseSharedKeys reads FLEXFN_SHARED_KEYS. Its errors contain no secrets.
func parseSharedKeys(c *Config, v string) error {
	c.SharedKeys = map[string]string{}
	for i, item := range splitList(v) {
		id, secret, _ := strings.Cut(item, "=")
		if _, twice := c.SharedKeys[id]; twice || id == "" || secret == "" {
			return fmt.Errorf("item %d is not id=secret, or its id came before", i+1)
		}
		c.SharedKeys[id] = secret
	}
	return nil
}

// parseProxyTrust reads FLEXFN_TRUSTED_PROXIES. The ProxyTrust keeps what is
// wrong with the list until New checks it.
func parseProxyTrust(v string) signature.ProxyTrust {
	if v == "anyone" {
		return signature.TrustXForwardedFromAnyone()
	}
	return signature.TrustXForwarded(splitList(v)...)
}

// parseBytes reads a size in bytes, without a unit such as MiB.
func parseBytes(v string) (int64, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number of bytes above zero", v)
	}
	return n, nil
}

// parseDuration reads a time above zero. A number alone is refused, since its
// unit would be a guess.
func parseDuration(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a time above zero: write one such as 500ms or 8s", v)
	}
	return d, nil
}

// wordOf reports whether s has one character or more, all of them ASCII letters,
// digits or among more.
func wordOf(s, more string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(more, c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// locationName reports whether s can be a region or an edge, such as
// dublin-ix: it becomes part of a host's name.
func locationName(s string) bool {
	return wordOf(s, "-") && s == strings.ToLower(s) && s[0] != '-' && s[len(s)-1] != '-' && !strings.Contains(s, "--")
}

const (
	defaultMaxCalls = 1000
	maxMaxCalls     = 1_000_000
)

// withDefaults checks c and fills in the defaults. Each fault names the field's
// variable and the remedy, and never the value of a secret. Retry and the
// fields about signatures are checked by the parts of the app that read them.
func (c Config) withDefaults() (Config, []error) {
	faults := c.faults
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	setDefault := func(d *time.Duration, fallback, least, most time.Duration, name string) {
		switch {
		case *d == 0:
			*d = fallback
		case *d < least || *d > most:
			fault("%s is %s: it must be from %s to %s", name, *d, least, most)
		}
	}

	switch {
	case c.AccountSID == "":
		fault("ACCOUNT_SID is not set: give the SID of your Twilio account (%s, shown on the console's first page)", sid.Words("AC"))
	case !sid.Valid(c.AccountSID, "AC"):
		fault("ACCOUNT_SID is not an account SID: it must be %s", sid.Words("AC"))
	}
	switch {
	case c.AuthToken == "":
		fault("AUTH_TOKEN is not set: give the auth token of your Twilio account (shown on the console's first page)")
	case !wordOf(c.AuthToken, ""):
		fault("AUTH_TOKEN has characters other than letters and digits: copy it again from the console, without quotes or spaces")
	}
	if (c.APIKeySID == "") != (c.APIKeySecret == "") {
		fault("TWILIO_API_KEY and TWILIO_API_SECRET go together: set both or neither")
	} else if c.APIKeySID != "" && !sid.Valid(c.APIKeySID, "SK") {
		fault("TWILIO_API_KEY is not an API key's SID: it must be %s", sid.Words("SK"))
	}
	if c.Region != "" && !locationName(c.Region) {
		fault("TWILIO_REGION %q is not the name of a region: write one such as ie1 or au1, or unset it", c.Region)
	}
	if c.Edge != "" && !locationName(c.Edge) {
		fault("TWILIO_EDGE %q is not the name of an edge: write one such as dublin, or unset it", c.Edge)
	}
	if c.WorkspaceSID != "" && !sid.Valid(c.WorkspaceSID, "WS") {
		fault("TWILIO_FLEX_WORKSPACE_SID %q is not a workspace SID: it must be %s", c.WorkspaceSID, sid.Words("WS"))
	}
	if c.TwilioURL != "" {
		if _, err := parseBaseURL(c.TwilioURL); err != nil {
			fault("FLEXFN_TWILIO_URL: %w", err)
		}
	}
	faults = append(faults, checkOrigins(c.AllowedOrigins)...)
	for _, list := range []struct {
		variable string
		names    []string
	}{{"FLEXFN_ALLOWED_HEADERS", c.AllowedHeaders}, {"FLEXFN_EXPOSED_HEADERS", c.ExposedHeaders}} {
		for _, name := range list.names {
			if !wordOf(name, "-") {
				fault("%s: %q is not a header's name", list.variable, name)
			}
		}
	}
	for _, token := range c.PreviousAuthTokens {
		if !wordOf(token, "") {
			fault("FLEXFN_PREVIOUS_AUTH_TOKENS has a token with characters other than letters and digits: copy it again, without quotes or spaces")
			break
		}
	}
	setDefault(&c.FlexDeadline, 10*time.Second, time.Millisecond, time.Hour, "FLEXFN_FLEX_DEADLINE")
	setDefault(&c.StudioDeadline, 8*time.Second, time.Millisecond, time.Hour, "FLEXFN_STUDIO_DEADLINE")
	setDefault(&c.TokenTTL, time.Minute, shortestTTL, 10*time.Minute, "FLEXFN_TOKEN_TTL")
	switch {
	case c.MaxCalls < 0 || c.MaxCalls > maxMaxCalls:
		fault("FLEXFN_MAX_CALLS is %d: it must be from 1 to %d", c.MaxCalls, maxMaxCalls)
	case c.MaxCalls == 0:
		c.MaxCalls = min(defaultMaxCalls, files.Half())
	}
	switch {
	case c.MaxBodyBytes < 0 || c.MaxBodyBytes > math.MaxInt32:
		fault("FLEXFN_MAX_BODY_BYTES is %d: it must be above zero and at most %d", c.MaxBodyBytes, math.MaxInt32)
	case c.MaxBodyBytes == 0:
		c.MaxBodyBytes = 6 << 20
	}
	switch least := c.MaxBodyBytes + c.MaxBodyBytes/2; {
	case c.MaxBodiesBytes == 0:
		c.MaxBodiesBytes = max(defaultBodyRoom, 3*c.MaxBodyBytes)
	case c.MaxBodiesBytes < least:
		fault("FLEXFN_MAX_BODIES_BYTES is %d: it must be at least %d, one and a half times FLEXFN_MAX_BODY_BYTES", c.MaxBodiesBytes, least)
	}
	if err := checkStoreSecret(c.StoreSecret); err != nil {
		faults = append(faults, err)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.faults = nil
	return c, faults
}

// parseBaseURL takes an absolute http or https URL without query or fragment.
func parseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		// The error leaves out the URL, since it may hold a password.
		return nil, fmt.Errorf("this is not a base URL: write one such as http://127.0.0.1:8080, without a user, a query or a fragment")
	}
	return u, nil
}
