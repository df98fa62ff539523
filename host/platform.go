package host

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Platform identifies a platform. Its value is the one for FLEXFN_PLATFORM.
// Each constant's description says by which variables the platform is
// recognised; they are tried in the order of docs/hosting.md.
//
// Any other value makes [Serve] fail.
type Platform string

// The platforms. Requests come as plain HTTP on all but [Lambda] and [Fn]; the
// others differ in the address, the time limit of a request, and how they shut
// down.
const (
	// HTTP is a laptop, a virtual machine or a container: everything that is
	// not recognised as another platform. It listens on PORT, or on 8080.
	HTTP Platform = "http"
	// Kubernetes is a pod behind a Service (KUBERNETES_SERVICE_HOST). After the
	// signal to stop it accepts requests for 5 s more, since the cluster takes
	// that long to stop sending.
	Kubernetes Platform = "kubernetes"
	// CloudRun is Cloud Run, and Cloud Run functions (K_SERVICE and K_REVISION,
	// outside Kubernetes). The limit of a request is taken from
	// CLOUD_RUN_TIMEOUT_SECONDS, which the recipe sets. It drains in 8 s, of the
	// ten that the platform allows.
	CloudRun Platform = "cloud-run"
	// Knative is Knative Serving (K_SERVICE and K_REVISION, within Kubernetes).
	Knative Platform = "knative"
	// Azure is an Azure Functions custom handler, with plain HTTP passed on
	// (FUNCTIONS_CUSTOMHANDLER_PORT).
	Azure Platform = "azure-functions"
	// OpenFaaS is a function behind of-watchdog in mode http (mode,
	// function_process and http_upstream_url). The limits are the watchdog's:
	// exec_timeout, and healthcheck_interval when it is told to stop.
	OpenFaaS Platform = "openfaas"
	// Fn is Fn, and Oracle Functions, with the format http-stream
	// (FN_LISTENER).
	Fn Platform = "fn"
	// Lambda is AWS Lambda's Runtime API (AWS_LAMBDA_RUNTIME_API): function
	// URLs, API Gateway's REST and HTTP APIs, load balancers, SQS and
	// EventBridge. The limit of a request is the invocation's.
	Lambda Platform = "aws-lambda"
	// LambdaWebAdapter is Lambda with the Lambda Web Adapter, which sends plain
	// HTTP (an AWS_LWA variable, or its file in the image).
	LambdaWebAdapter Platform = "aws-lambda-web-adapter"
)

// platform is a row of the table: how to recognise the platform, its settings,
// and how serving on it differs.
type platform struct {
	name Platform
	// found returns the reason for the detection; empty if it is another
	// platform.
	found func(env func(string) string) string
	// configure reads the platform's own variables; nil if it has none.
	configure func(c *Config, env func(string) string)
	// wrap unwraps the requests of platforms that wrap them; nil if they are
	// plain.
	wrap func(http.Handler) http.Handler
	// listen opens a Unix socket; nil means [listenSocket].
	listen func(ctx context.Context, path string) (net.Listener, error)
	// serve answers until ctx ends; nil means [serveHTTP].
	serve func(ctx context.Context, front *front, config Config) error
}

// platforms are tried in order; the last one always matches.
var platforms = []platform{
	{name: LambdaWebAdapter, found: findWebAdapter, wrap: fromWebAdapter, configure: func(c *Config, env func(string) string) {
		port := env("AWS_LWA_PORT")
		if port == "" {
			port = env("PORT")
		}
		if port == "" {
			port = "8080"
		}
		c.Listen = "127.0.0.1:" + port
	}},
	{name: Lambda, found: all("AWS_LAMBDA_RUNTIME_API"), serve: serveLambda},
	{name: Azure, found: all("FUNCTIONS_CUSTOMHANDLER_PORT"), configure: func(c *Config, env func(string) string) {
		c.Listen = "127.0.0.1:" + env("FUNCTIONS_CUSTOMHANDLER_PORT")
	}},
	{name: Fn, found: all("FN_LISTENER"), wrap: fromFn, listen: listenFn, configure: func(c *Config, env func(string) string) {
		c.Listen = env("FN_LISTENER")
		if format := env("FN_FORMAT"); format != "" && format != "http-stream" {
			c.faults = append(c.faults, fmt.Errorf("FN_FORMAT %q is not known: set the function's format to http-stream", format))
		}
	}},
	{name: OpenFaaS, found: findWatchdog, configure: func(c *Config, env func(string) string) {
		name, value := first(env, watchdogUpstream...)
		upstream, err := url.Parse(value)
		if err != nil || upstream.Port() == "" {
			c.faults = append(c.faults, fmt.Errorf("%s %q has no port: write one such as http://127.0.0.1:8082", name, value))
			return
		}
		c.Listen = "127.0.0.1:" + upstream.Port()
		// These are the watchdog's defaults.
		c.RequestLimit = c.duration(env, "exec_timeout", 30*time.Second)
		// When told to stop, it keeps passing on requests for this long; then it
		// drains and ends with the container.
		c.LameDuck = c.duration(env, "healthcheck_interval", c.duration(env, "write_timeout", 30*time.Second)) + time.Second
	}},
	{name: CloudRun, found: findCloudRun, configure: func(c *Config, env func(string) string) {
		listenOnPort(c, env)
		c.RequestLimit = c.duration(env, "CLOUD_RUN_TIMEOUT_SECONDS", 0)
		c.Drain = 8 * time.Second // of the ten that it allows
	}},
	// Its queue-proxy stops sending before the program gets the signal.
	{name: Knative, found: all("K_SERVICE", "K_REVISION"), configure: listenOnPort},
	{name: Kubernetes, found: all("KUBERNETES_SERVICE_HOST"), configure: func(c *Config, env func(string) string) {
		listenOnPort(c, env)
		c.LameDuck = clusterLameDuck
	}},
	{name: HTTP, found: func(env func(string) string) string {
		if env("PORT") != "" {
			return "PORT is set, and no other platform was detected"
		}
		return "no other platform was detected"
	}, configure: listenOnPort},
}

// clusterLameDuck is how long a cluster may take to notice that an instance is
// ending; it keeps sending requests until then.
const clusterLameDuck = 5 * time.Second

// find detects the platform and applies its settings. FLEXFN_PLATFORM overrides
// the detection. A platform that is chosen gets its settings even where its
// variables are missing.
func (c *Config) find(env func(string) string) {
	chosen := Platform(env("FLEXFN_PLATFORM"))
	for _, p := range platforms {
		because := p.found(env)
		switch {
		case chosen == p.name:
			because = "FLEXFN_PLATFORM says so"
		case chosen != "" || because == "":
			continue
		}
		c.Platform, c.because = p.name, because
		if p.configure != nil {
			p.configure(c, env)
		}
		return
	}
	c.Platform = chosen // withDefaults reports an unknown one
}

// row returns the row of platform p.
func (p Platform) row() (row platform, ok bool) {
	for _, row := range platforms {
		if row.name == p {
			return row, true
		}
	}
	return platform{}, false
}

func platformNames() string {
	var names []string
	for _, p := range platforms {
		names = append(names, string(p.name))
	}
	return strings.Join(names, ", ")
}

// all matches a platform that sets all of these variables.
func all(names ...string) func(env func(string) string) string {
	return func(env func(string) string) string {
		for _, n := range names {
			if env(n) == "" {
				return ""
			}
		}
		return strings.Join(names, " and ") + " set"
	}
}

// webAdapterFile is the path of the Lambda Web Adapter in container images.
const webAdapterFile = "/opt/extensions/lambda-adapter"

// findWebAdapter detects the adapter, which talks to the Runtime API itself and
// sends HTTP to the program. A zip archive names the adapter's layer as its
// wrapper; an image has the adapter's file. The other variables are the
// adapter's own settings.
func findWebAdapter(env func(string) string) string {
	if env("AWS_LAMBDA_RUNTIME_API") == "" {
		return ""
	}
	for _, n := range []string{"AWS_LWA_PORT", "AWS_LWA_READINESS_CHECK_PATH", "AWS_LWA_READINESS_CHECK_PORT", "AWS_LWA_INVOKE_MODE", "AWS_LWA_ASYNC_INIT"} {
		if env(n) != "" {
			return n + " set"
		}
	}
	if env("AWS_LAMBDA_EXEC_WRAPPER") == "/opt/bootstrap" {
		return "AWS_LAMBDA_EXEC_WRAPPER is /opt/bootstrap"
	}
	if _, err := os.Stat(webAdapterFile); err == nil {
		return webAdapterFile + " exists"
	}
	return ""
}

// of-watchdog has two names for these; as there, the first one wins.
var (
	watchdogProcess  = []string{"function_process", "fprocess"}
	watchdogUpstream = []string{"http_upstream_url", "upstream_url"}
)

func findWatchdog(env func(string) string) string {
	process, _ := first(env, watchdogProcess...)
	upstream, _ := first(env, watchdogUpstream...)
	if env("mode") != "http" || process == "" || upstream == "" {
		return ""
	}
	return "mode is http, " + process + " and " + upstream + " set"
}

// first returns the first of these variables that is set, with its value.
func first(env func(string) string, names ...string) (name, value string) {
	for _, name := range names {
		if value := env(name); value != "" {
			return name, value
		}
	}
	return "", ""
}

// findCloudRun distinguishes Cloud Run from Knative, which sets the same
// variables.
func findCloudRun(env func(string) string) string {
	if env("K_SERVICE") == "" || env("K_REVISION") == "" || env("KUBERNETES_SERVICE_HOST") != "" {
		return ""
	}
	return "K_SERVICE and K_REVISION set, outside Kubernetes"
}

// listenOnPort takes the port from PORT, which most platforms set. Without it
// the default stays.
func listenOnPort(c *Config, env func(string) string) {
	if port := env("PORT"); port != "" {
		c.Listen = ":" + port
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			c.faults = append(c.faults, fmt.Errorf("PORT %q is not a port's number", port))
		}
	}
}

// duration parses one of the platform's times: seconds, or a number with a
// unit. A negative or malformed one is a fault, which Serve reports.
func (c *Config) duration(env func(string) string, name string, otherwise time.Duration) time.Duration {
	v := env(name)
	if v == "" {
		return otherwise
	}
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(n) * time.Second
	}
	d, err := parseTime(v)
	if err != nil {
		c.faults = append(c.faults, fmt.Errorf("%s: %w", name, err))
	}
	return d
}
