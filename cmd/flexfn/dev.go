package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/joho/godotenv"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/demo"
	"github.com/flexfn/flexfn/openapi"
	"github.com/flexfn/flexfn/twiliofake"
)

type devCommand struct {
	Addr string `default:"127.0.0.1:3001" help:"Address and port to listen on (default: ${default})."`
	Env  string `name:"env-dir" default:"." type:"existingdir" help:"Folder with .env and .env.local."`
}

// Run serves until ctx ends.
func (d *devCommand) Run(ctx context.Context, env environment) error {
	lookup, err := dotenv(d.Env, env.lookup)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, d.Addr)
	if err != nil {
		return err
	}
	base := "http://" + reachable(listener.Addr())
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	config := flexfn.FromLookup(withFake(lookup, base))
	config.Development = true
	config.Logger = slog.New(slog.NewTextHandler(env.stderr, nil))
	app, err := flexfn.New(config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	demo.Add(app)
	if err := functions.Add(app); err != nil {
		return errors.Join(err, listener.Close())
	}

	fmt.Fprintf(env.stdout, "flexfn dev: serving on %s with a fake Twilio; Ctrl-C ends it\n\n", base)
	for _, r := range app.Routes() {
		fmt.Fprintf(env.stdout, "%s\n    for %s\n", r.Path, r.Function.Access())
		if doc := r.Function.Doc(); doc != "" {
			fmt.Fprintf(env.stdout, "    %s\n", doc)
		}
		fmt.Fprintf(env.stdout, "    %s\n\n", curl(r.Function, base+r.Path))
	}
	fmt.Fprintf(env.stdout, "OpenAPI: %s%s\n\n", base, openAPIPath)
	described := openapi.Handler(app, openapi.Info{Server: base})
	logged := logRequests(app, env)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The app's own calls to Twilio come back here, under Twilio's names.
		if isTwilio(r.Host) || strings.HasPrefix(r.URL.Path, twiliofake.ControlPath) {
			fake.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == openAPIPath {
			described.ServeHTTP(w, r)
			return
		}
		logged.ServeHTTP(w, r)
	})
	stop := context.AfterFunc(ctx, func() { fake.Close() }) // ends requests that a fault holds
	defer stop()
	err = serveUntil(ctx, listener, handler, config.Logger, 2*time.Second)
	if err == nil {
		fmt.Fprintln(env.stdout, "flexfn dev: ended")
	}
	return err
}

// openAPIPath is where the functions' OpenAPI document is, in development.
const openAPIPath = "/__flexfn/openapi.json"

func isTwilio(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return strings.HasSuffix(strings.ToLower(name), ".twilio.com")
}

// reachable is the address under which this machine reaches a listener.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// dotenv adds .env.local and .env of a folder to lookup; what is set already
// stays as it is.
func dotenv(dir string, lookup func(string) (string, bool)) (func(string) (string, bool), error) {
	for _, name := range []string{".env.local", ".env"} {
		vars, err := godotenv.Read(dir + "/" + name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w; write one NAME=value on a line", name, err)
		}
		outer := lookup
		lookup = func(name string) (string, bool) {
			if v, ok := outer(name); ok {
				return v, ok
			}
			v, ok := vars[name]
			return v, ok
		}
	}
	return lookup, nil
}

// withFake puts the fake's account in the place of whatever account, and
// whatever public address, the environment names.
func withFake(lookup func(string) (string, bool), base string) func(string) (string, bool) {
	account := map[string]string{
		"ACCOUNT_SID":                  twiliofake.DevelopmentAccountSID,
		"AUTH_TOKEN":                   twiliofake.DevelopmentAuthToken,
		"TWILIO_FLEX_WORKSPACE_SID":    twiliofake.DevelopmentWorkspaceSID,
		"TWILIO_FLEX_CHAT_SERVICE_SID": twiliofake.DevelopmentChatServiceSID,
		"FLEXFN_TWILIO_URL":            base,
	}
	hidden := []string{
		"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET", "FLEXFN_PREVIOUS_AUTH_TOKENS",
		"PUBLIC_URL", "FLEXFN_ADDED_PATH_PREFIX", "FLEXFN_TRUSTED_PROXIES",
	}
	return func(name string) (string, bool) {
		if v, ok := account[name]; ok {
			return v, true
		}
		if slices.Contains(hidden, name) {
			return "", false
		}
		return lookup(name)
	}
}

// logRequests prints a line for each request. The query is left out: the
// token may be in it.
func logRequests(next http.Handler, env environment) http.Handler {
	var mu sync.Mutex // one line at a time
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		took := time.Since(start)
		mu.Lock()
		defer mu.Unlock()
		id := w.Header().Get("X-Request-Id")
		fmt.Fprintf(env.stdout, "%s %-7s %s %d %s %s\n", start.Format(time.TimeOnly), r.Method, r.URL.Path, seen.status, took.Round(10*time.Microsecond), id)
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
