package host

import (
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/setting"
)

func TestPlatforms(t *testing.T) {
	type vars = map[string]string
	for name, c := range map[string]struct {
		vars     vars
		platform Platform
		listen   string
		limit    time.Duration
		lameDuck time.Duration
		drain    time.Duration
	}{
		"nothing set":          {vars{}, HTTP, ":8080", 0, 0, 20 * time.Second},
		"a port":               {vars{"PORT": "3000"}, HTTP, ":3000", 0, 0, 20 * time.Second},
		"an address":           {vars{"PORT": "3000", "FLEXFN_LISTEN": "127.0.0.1:9"}, HTTP, "127.0.0.1:9", 0, 0, 20 * time.Second},
		"kubernetes":           {vars{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, Kubernetes, ":8080", 0, 5 * time.Second, 20 * time.Second},
		"cloud run":            {vars{"K_SERVICE": "s", "K_REVISION": "r", "PORT": "8081", "CLOUD_RUN_TIMEOUT_SECONDS": "60"}, CloudRun, ":8081", time.Minute, 0, 8 * time.Second},
		"cloud run functions":  {vars{"K_SERVICE": "s", "K_REVISION": "r", "PORT": "8081", "FUNCTION_TARGET": "F"}, CloudRun, ":8081", 0, 0, 8 * time.Second},
		"knative":              {vars{"K_SERVICE": "s", "K_REVISION": "r", "PORT": "8081", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, Knative, ":8081", 0, 0, 20 * time.Second},
		"azure":                {vars{"FUNCTIONS_CUSTOMHANDLER_PORT": "40000", "PORT": "80"}, Azure, "127.0.0.1:40000", 0, 0, 20 * time.Second},
		"openfaas":             {vars{"mode": "http", "fprocess": "./f", "upstream_url": "http://127.0.0.1:8082", "exec_timeout": "10s", "write_timeout": "15s", "healthcheck_interval": "5s", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, OpenFaaS, "127.0.0.1:8082", 10 * time.Second, 6 * time.Second, 20 * time.Second},
		"openfaas, no timeout": {vars{"mode": "http", "fprocess": "./f", "upstream_url": "http://127.0.0.1:8082"}, OpenFaaS, "127.0.0.1:8082", 30 * time.Second, 31 * time.Second, 20 * time.Second},
		"openfaas, no limit":   {vars{"mode": "http", "fprocess": "./f", "upstream_url": "http://127.0.0.1:8082", "exec_timeout": "0", "write_timeout": "12s"}, OpenFaaS, "127.0.0.1:8082", 0, 13 * time.Second, 20 * time.Second},
		"openfaas, new names":  {vars{"mode": "http", "function_process": "./f", "http_upstream_url": "http://127.0.0.1:8083", "exec_timeout": "10"}, OpenFaaS, "127.0.0.1:8083", 10 * time.Second, 31 * time.Second, 20 * time.Second},
		"openfaas, both names": {vars{"mode": "http", "fprocess": "./f", "function_process": "./g", "upstream_url": "http://127.0.0.1:8082", "http_upstream_url": "http://127.0.0.1:8083"}, OpenFaaS, "127.0.0.1:8083", 30 * time.Second, 31 * time.Second, 20 * time.Second},
		"openfaas, streaming":  {vars{"mode": "streaming", "fprocess": "./f", "upstream_url": "http://127.0.0.1:8082"}, HTTP, ":8080", 0, 0, 20 * time.Second},
		"fn":                   {vars{"FN_LISTENER": "unix:/tmp/iofs/lsnr.sock", "FN_FORMAT": "http-stream"}, Fn, "unix:/tmp/iofs/lsnr.sock", 0, 0, 20 * time.Second},
		"lambda":               {vars{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}, Lambda, ":8080", 0, 0, 20 * time.Second},
		"web adapter, zip":     {vars{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", "PORT": "8000"}, LambdaWebAdapter, "127.0.0.1:8000", 0, 0, 20 * time.Second},
		"web adapter, image":   {vars{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_LWA_PORT": "8001", "PORT": "8000"}, LambdaWebAdapter, "127.0.0.1:8001", 0, 0, 20 * time.Second},
		"web adapter refused":  {vars{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_LWA_PORT": "8001", "FLEXFN_PLATFORM": "aws-lambda"}, Lambda, ":8080", 0, 0, 20 * time.Second},
		"chosen":               {vars{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "FLEXFN_PLATFORM": "http", "PORT": "1"}, HTTP, ":1", 0, 0, 20 * time.Second},
		"everything said":      {vars{"FLEXFN_REQUEST_LIMIT": "30s", "FLEXFN_LAME_DUCK": "2s", "FLEXFN_DRAIN": "3s"}, HTTP, ":8080", 30 * time.Second, 2 * time.Second, 3 * time.Second},
		"kubernetes, not lame": {vars{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "FLEXFN_LAME_DUCK": "0s"}, Kubernetes, ":8080", 0, 0, 20 * time.Second},
	} {
		config, err := FromLookup(lookup(c.vars)).withDefaults()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if config.Platform != c.platform || config.Listen != c.listen || config.RequestLimit != c.limit || config.LameDuck != c.lameDuck || config.Drain != c.drain {
			t.Errorf("%s: %s (%s) on %s, limit %s, lame duck %s, drain %s", name, config.Platform, config.because, config.Listen, config.RequestLimit, config.LameDuck, config.Drain)
		}
		if config.because == "" {
			t.Errorf("%s: no reason is given", name)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	err := Serve(t.Context(), http.NotFoundHandler(), FromLookup(lookup(map[string]string{
		"PORT": "http", "FLEXFN_LISTEN": "8080", "FLEXFN_TLS_CERT_FILE": "x.pem", "FLEXFN_STRIP_PREFIX": "api",
		"FLEXFN_REQUEST_LIMIT": "10", "FLEXFN_LAME_DUCK": "-1s", "FLEXFN_DRAIN": "soon", "FLEXFN_LAMBDA_STREAMING": "perhaps",
	})))
	for _, want := range []string{
		`PORT "http"`, `FLEXFN_LISTEN: "8080"`, "FLEXFN_TLS_CERT_FILE and FLEXFN_TLS_KEY_FILE", `FLEXFN_STRIP_PREFIX "api"`,
		`FLEXFN_REQUEST_LIMIT: "10"`, `FLEXFN_LAME_DUCK: "-1s"`, `FLEXFN_DRAIN: "soon"`, `FLEXFN_LAMBDA_STREAMING: "perhaps"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
	for _, c := range []Config{
		FromLookup(lookup(map[string]string{"FLEXFN_PLATFORM": "heroku"})),
		FromLookup(lookup(map[string]string{"FN_LISTENER": "unix:/tmp/x", "FN_FORMAT": "json"})),
		FromLookup(lookup(map[string]string{"mode": "http", "fprocess": "x", "upstream_url": "http://127.0.0.1"})),
		FromLookup(lookup(map[string]string{"mode": "http", "fprocess": "x", "upstream_url": "http://127.0.0.1:1", "exec_timeout": "soon"})),
		{Drain: -1}, {Platform: "x"}, {Listen: "unix:"},
	} {
		if err := Serve(t.Context(), http.NotFoundHandler(), c); err == nil {
			t.Errorf("accepted: %+v", c.Platform)
		}
	}
}

func TestMissingCertificate(t *testing.T) {
	err := Serve(t.Context(), http.NotFoundHandler(), Config{Listen: "127.0.0.1:0", TLSCertFile: "no.pem", TLSKeyFile: "no.key", Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "no.pem") {
		t.Errorf("a certificate that is not there: %v", err)
	}
}

// TestDocumentation checks that every variable is in the list from which
// docs/configuration.md and .env.example are made, and that docs/hosting.md
// names every platform.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/hosting.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{"FLEXFN_MAX_BODY_BYTES": true, link.DescribeVariable: true} // the app's
	for _, s := range setting.Server() {
		documented[s.Names[0]] = true
	}
	read := map[string]bool{}
	FromLookup(func(name string) (string, bool) { read[name] = true; return "", false })
	for name := range documented {
		if !read[name] {
			t.Errorf("%s is documented, and is not read", name)
		}
	}
	for _, s := range settings {
		if !documented[s.name] {
			t.Errorf("setting.Server does not list %s", s.name)
		}
	}
	var words []string
	for _, p := range platforms {
		words = append(words, string(p.name))
	}
	for _, w := range append(words, HealthPath, ReadyPath, "FLEXFN_PLATFORM") {
		if !strings.Contains(string(text), "`"+w+"`") && !strings.Contains(string(text), "`GET "+w+"`") {
			t.Errorf("docs/hosting.md does not name %s", w)
		}
	}
}
