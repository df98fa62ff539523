package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/flexfn/flexfn/internal/files"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/spool"
)

// Config says how to serve. The zero value serves plain HTTP on port 8080 of
// all addresses; it does not detect the platform, which [FromEnv] does. [Serve]
// validates it, and joins all faults in one error. The variable that sets a
// field, if there is one, is named at the end of its description. [Serve] works
// on a copy: changes to a Config that is being served have no effect.
type Config struct {
	_ [0]func() // not comparable

	// Platform is the platform to serve on; empty means [HTTP]. [FromEnv]
	// detects it. (FLEXFN_PLATFORM)
	Platform Platform
	// Listen is the address for HTTP: "host:port", ":port", or
	// "unix:/path/of/socket". Empty means ":8080". A path must not hold
	// another file; a socket that a killed process left behind is replaced.
	// (FLEXFN_LISTEN; PORT and the platform's own otherwise)
	Listen string
	// Listener, if not nil, is served instead of Listen. [Serve] closes it.
	// Use it for a socket that systemd opened, or for port 0 in a test.
	Listener net.Listener
	// TLSCertFile and TLSKeyFile are PEM files. If both are set, the server
	// speaks HTTPS, including HTTP/2, and rereads the files when they change.
	// If only one is set, Serve fails. (FLEXFN_TLS_CERT_FILE,
	// FLEXFN_TLS_KEY_FILE)
	TLSCertFile, TLSKeyFile string
	// StripPrefix is a path such as "/api" that a gateway leaves in front of
	// the handler's paths. The request's RequestURI keeps it. Requests without
	// it are passed on unchanged. (FLEXFN_STRIP_PREFIX)
	StripPrefix string

	// RequestLimit is when the platform gives up on a request. The request's
	// ctx ends a tenth of that earlier, but at most half a second, so that an
	// answer still gets through. Zero means no limit, or the limit that the
	// platform sends with each request. (FLEXFN_REQUEST_LIMIT)
	RequestLimit time.Duration
	// MaxBodyBytes bounds a request's body: reading beyond it fails. Zero
	// means 32 MiB. An app has a smaller limit of its own.
	// (FLEXFN_MAX_BODY_BYTES, if it is more than 32 MiB)
	MaxBodyBytes int64
	// LameDuck is how long requests are still accepted after ctx has ended.
	// [ReadyPath] already answers 503 then, so that load balancers stop
	// sending before the port closes. Zero closes the port at once. On
	// Kubernetes it is 5 s unless it is set. (FLEXFN_LAME_DUCK)
	LameDuck time.Duration
	// Drain is how long requests in flight, and handlers that outlived their
	// answers, may take after that. Zero means 20 s. The platform must wait
	// longer before it kills the process: LameDuck and Drain together, plus a
	// second for the log. (FLEXFN_DRAIN)
	Drain time.Duration

	// LambdaStreaming streams answers to function URLs and REST APIs of AWS
	// Lambda. Set it if, and only if, the function URL's invoke mode is
	// RESPONSE_STREAM, or the REST API's response transfer mode is STREAM: the
	// event does not say. (FLEXFN_LAMBDA_STREAMING)
	LambdaStreaming bool

	// MaxConnections bounds the clients' open connections. Further ones wait,
	// and idle ones are closed to make room. Zero means half of what the limit
	// of open files leaves, so that handlers can open the other half. A
	// negative number means no limit. (FLEXFN_MAX_CONNECTIONS)
	MaxConnections int
	// MaxHTTP2Connections bounds those of them that speak HTTP/2 at once, which
	// can take 2.3 MB each if their clients open streams and reset them. Later
	// clients are offered HTTP/1.1 or, without TLS, told to use it. Raise it
	// where a proxy that speaks nothing but HTTP/2 opens more. Zero means 16. A
	// negative number means no limit. (FLEXFN_MAX_HTTP2_CONNECTIONS)
	MaxHTTP2Connections int

	// EventBridge handles the events of Amazon EventBridge that invoke the
	// Lambda function, including those of schedules. If it returns an error or
	// panics, the invocation fails, and Lambda repeats it. Nil accepts
	// scheduled events, and fails others.
	EventBridge func(context.Context, events.EventBridgeEvent) error
	// SQS handles each message of the Amazon SQS queues that invoke the Lambda
	// function, one after another. A message for which it returns an error or
	// panics is delivered again. So are those for which no time is left and,
	// in a FIFO queue, all after the first failure. The event source mapping
	// must have ReportBatchItemFailures among its FunctionResponseTypes;
	// without it, Lambda deletes the failed messages of a batch in which
	// others succeeded. Nil fails the invocation.
	SQS func(context.Context, events.SQSMessage) error

	// Logger receives what the package logs; nil is [slog.Default]. No answer
	// waits for it longer than 100 ms; see flexfn.Config.
	Logger *slog.Logger

	// describe is the query of the document to print instead of serving; nil
	// serves.
	describe url.Values

	row     platform
	lines   *spool.Queue // behind Logger
	output  *spool.Queue // behind the standard logger; nil unless [Main] put it there
	because string       // why Platform was chosen
	faults  []error      // found by FromLookup, reported by Serve
}

// FromEnv reads a Config from the process's environment; see [FromLookup].
func FromEnv() Config { return FromLookup(os.LookupEnv) }

// FromLookup detects the platform from the variables that lookup knows, and
// reads the rest of the Config from those that docs/configuration.md lists. It
// never fails: [Serve] reports everything that is wrong with them in one error.
//
// An empty value counts as unset. The platform's own variables are read first,
// so that those of flexfn override them, whatever their order.
func FromLookup(lookup func(name string) (string, bool)) Config {
	env := func(name string) string { v, _ := lookup(name); return v }
	var c Config
	c.find(env)
	for _, s := range settings {
		if v := env(s.name); v != "" {
			if err := s.set(&c, v); err != nil {
				c.faults = append(c.faults, fmt.Errorf("%s: %w", s.name, err))
			}
		}
	}
	return c
}

// settings lists this package's variables. They override the platform's own.
// set gets a value that is not empty. Its error need not name the variable:
// FromLookup adds that.
var settings = []struct {
	name string
	set  func(*Config, string) error
}{
	{"FLEXFN_LISTEN", func(c *Config, v string) error {
		err := checkAddress(v)
		if err == nil {
			c.Listen = v
		}
		return err
	}},
	{"FLEXFN_TLS_CERT_FILE", func(c *Config, v string) error { c.TLSCertFile = v; return nil }},
	{"FLEXFN_TLS_KEY_FILE", func(c *Config, v string) error { c.TLSKeyFile = v; return nil }},
	{"FLEXFN_STRIP_PREFIX", func(c *Config, v string) error { c.StripPrefix = v; return nil }},
	{"FLEXFN_REQUEST_LIMIT", func(c *Config, v string) (err error) { c.RequestLimit, err = parseTime(v); return err }},
	{"FLEXFN_LAME_DUCK", func(c *Config, v string) (err error) { c.LameDuck, err = parseTime(v); return err }},
	{"FLEXFN_DRAIN", func(c *Config, v string) (err error) { c.Drain, err = parseTime(v); return err }},
	{"FLEXFN_MAX_CONNECTIONS", func(c *Config, v string) (err error) { c.MaxConnections, err = parseCount(v); return err }},
	{"FLEXFN_MAX_HTTP2_CONNECTIONS", func(c *Config, v string) (err error) { c.MaxHTTP2Connections, err = parseCount(v); return err }},
	{"FLEXFN_LAMBDA_STREAMING", func(c *Config, v string) (err error) {
		if c.LambdaStreaming, err = strconv.ParseBool(v); err != nil {
			err = fmt.Errorf("%q is neither true nor false", v)
		}
		return err
	}},
	{link.DescribeVariable, func(c *Config, v string) error {
		c.describe, _ = url.ParseQuery(v) // anything unreadable is ignored
		return nil
	}},
	// The app's limit; this package's limit only goes around it.
	{"FLEXFN_MAX_BODY_BYTES", func(c *Config, v string) error {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil { // the app reports the error
			c.MaxBodyBytes = max(n, defaultMaxBody)
		}
		return nil
	}},
}

// checkAddress does not resolve the host or look the port up: listening reports
// that.
func checkAddress(v string) error {
	path, socket := strings.CutPrefix(v, "unix:")
	if _, _, err := net.SplitHostPort(v); (socket && path == "") || (!socket && err != nil) {
		return fmt.Errorf("%q is not an address; write one such as :8080, 127.0.0.1:8080 or unix:/run/flexfn/http.sock", v)
	}
	return nil
}

func parseTime(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time; write one such as 500ms or 8s", v)
	}
	return d, nil
}

func parseCount(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number above zero", v)
	}
	return n, nil
}

const (
	defaultListen  = ":8080"
	defaultDrain   = 20 * time.Second
	defaultMaxBody = 32 << 20
)

// withDefaults validates c and fills in the defaults. The error joins everything
// that is wrong, including what FromLookup found.
func (c Config) withDefaults() (Config, error) {
	faults := c.faults
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Platform == "" {
		c.Platform = HTTP
	}
	if c.because == "" {
		c.because = "the program says so"
	}
	var known bool
	if c.row, known = c.Platform.row(); !known {
		fault("FLEXFN_PLATFORM %q is not known: use one of %s", c.Platform, platformNames())
	}
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if err := checkAddress(c.Listen); err != nil {
		fault("listen: %w", err)
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		fault("FLEXFN_TLS_CERT_FILE and FLEXFN_TLS_KEY_FILE go together: set both or neither")
	}
	c.StripPrefix = strings.TrimRight(c.StripPrefix, "/")
	if c.StripPrefix != "" && !strings.HasPrefix(c.StripPrefix, "/") {
		fault("FLEXFN_STRIP_PREFIX %q is not a path: write one such as /api", c.StripPrefix)
	}
	for name, d := range map[string]time.Duration{"RequestLimit": c.RequestLimit, "LameDuck": c.LameDuck, "Drain": c.Drain} {
		if d < 0 {
			fault("%s is %s: it must not be negative", name, d)
		}
	}
	if c.Drain == 0 {
		c.Drain = defaultDrain
	}
	if c.MaxBodyBytes == 0 {
		c.MaxBodyBytes = defaultMaxBody
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = files.Half()
	}
	if c.MaxHTTP2Connections == 0 {
		c.MaxHTTP2Connections = defaultHTTP2Connections
	}
	c.faults = nil
	return c, errors.Join(faults...)
}
