package flexfn_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/setting"
)

func fromMap(env map[string]string) flexfn.Config {
	return flexfn.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
}

func TestAllConfigurationFaultsAtOnce(t *testing.T) {
	_, err := flexfn.New(fromMap(map[string]string{
		"ACCOUNT_SID":                "SK123",
		"AUTH_TOKEN":                 "abc def",
		"TWILIO_AUTH_TOKEN":          "another",
		"TWILIO_API_KEY":             "SK00000000000000000000000000000001",
		"TWILIO_REGION":              "https://ie1",
		"TWILIO_EDGE":                "Dublin!",
		"TWILIO_FLEX_WORKSPACE_SID":  "WS1",
		"FLEXFN_TWILIO_URL":          "localhost:8080",
		"FLEXFN_ALLOWED_ORIGINS":     "",
		"FLEXFN_FLEX_DEADLINE":       "10",
		"FLEXFN_STUDIO_DEADLINE":     "-1s",
		"FLEXFN_MAX_BODY_BYTES":      "6MB",
		"FLEXFN_TOKEN_TTL":           "1h",
		"TWILIO_SERVICE_RETRY_LIMIT": "Infinity",
		"TWILIO_SERVICE_MIN_BACKOFF": "-1",
		"TWILIO_SERVICE_MAX_BACKOFF": "abc",
		"ENABLE_LOCAL_LOGGING":       "yes please",
		"PUBLIC_URL":                 "example.com",
	}))
	if err == nil {
		t.Fatal("a faulty configuration was accepted")
	}
	for _, want := range []string{
		"ACCOUNT_SID is not an account SID",
		"AUTH_TOKEN and TWILIO_AUTH_TOKEN are both set and differ",
		"AUTH_TOKEN has characters other than letters and digits",
		"TWILIO_API_KEY and TWILIO_API_SECRET go together",
		`TWILIO_REGION "https://ie1"`, `TWILIO_EDGE "Dublin!"`, `TWILIO_FLEX_WORKSPACE_SID "WS1"`,
		"FLEXFN_TWILIO_URL: this is not a base URL", "FLEXFN_ALLOWED_ORIGINS is empty",
		`FLEXFN_FLEX_DEADLINE: "10"`, `FLEXFN_STUDIO_DEADLINE: "-1s"`, `FLEXFN_MAX_BODY_BYTES: "6MB"`, "FLEXFN_TOKEN_TTL is 1h0m0s",
		`TWILIO_SERVICE_RETRY_LIMIT: "Infinity"`, `TWILIO_SERVICE_MIN_BACKOFF: "-1"`, `TWILIO_SERVICE_MAX_BACKOFF: "abc"`,
		`ENABLE_LOCAL_LOGGING: "yes please"`, "PUBLIC_URL",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q", want)
		}
	}
	for _, secret := range []string{"abc def", "another"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats the secret %q", secret)
		}
	}
}

func TestEnvironment(t *testing.T) {
	app, err := flexfn.New(fromMap(map[string]string{
		"TWILIO_ACCOUNT_SID":     "AC00000000000000000000000000000001",
		"TWILIO_AUTH_TOKEN":      testAuthToken,
		"AUTH_TOKEN":             "", // empty counts as unset
		"TWILIO_REGION":          "ie1",
		"TWILIO_EDGE":            "dublin",
		"FLEXFN_ALLOWED_ORIGINS": "https://a.example, https://b.example",
		"FLEXFN_FLEX_DEADLINE":   "1m30s",
		"FLEXFN_MAX_BODY_BYTES":  "1024",
	}))
	if err != nil {
		t.Fatal(err)
	}
	c := app.Config()
	if c.AccountSID != "AC00000000000000000000000000000001" || c.AuthToken != testAuthToken || c.Region != "ie1" || c.Edge != "dublin" ||
		strings.Join(c.AllowedOrigins, "|") != "https://a.example|https://b.example" || c.FlexDeadline != 90*time.Second ||
		c.StudioDeadline != 8*time.Second || c.MaxBodyBytes != 1024 || c.TokenTTL != time.Minute {
		t.Errorf("got %+v", c)
	}
}

// Container platforms mount secrets as files.
func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := map[string]string{
		"ACCOUNT_SID":                      "AC00000000000000000000000000000001",
		"AUTH_TOKEN_FILE":                  file("token", testAuthToken+"\r\n"),
		"TWILIO_API_KEY":                   "SK00000000000000000000000000000001",
		"TWILIO_API_SECRET_FILE":           file("secret", "keysecret"),
		"FLEXFN_PREVIOUS_AUTH_TOKENS_FILE": file("previous", "one,two\n"),
	}
	c := fromMap(env)
	if _, err := flexfn.New(c); err != nil {
		t.Fatal(err)
	}
	if c.AuthToken != testAuthToken || c.APIKeySecret != "keysecret" || strings.Join(c.PreviousAuthTokens, "|") != "one|two" {
		t.Errorf("got %q, %q and %q", c.AuthToken, c.APIKeySecret, c.PreviousAuthTokens)
	}

	env["AUTH_TOKEN"] = "fromtheenvironment"
	if c := fromMap(env); c.AuthToken != "fromtheenvironment" {
		t.Errorf("the file hides AUTH_TOKEN: %q", c.AuthToken)
	}
	delete(env, "AUTH_TOKEN")

	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "none: no such file",
		dir:                        "is a directory",
		file("empty", "\n"):        "empty is empty",
		file("long", strings.Repeat("verysecret", 10_000)): "is longer than 65536 bytes",
		file("longer", strings.Repeat("x", 65537)):         "is longer than 65536 bytes",
	} {
		env["AUTH_TOKEN_FILE"], env["FLEXFN_FLEX_DEADLINE"] = path, "x" // both faults are reported
		_, err := flexfn.New(fromMap(env))
		if err == nil || !strings.Contains(err.Error(), "AUTH_TOKEN_FILE: ") || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "FLEXFN_FLEX_DEADLINE") {
			t.Errorf("%s: %v does not say %q", path, err, want)
		} else if strings.Contains(err.Error(), "verysecret") {
			t.Errorf("the error repeats the file: %v", err)
		}
	}
	delete(env, "FLEXFN_FLEX_DEADLINE")
	env["AUTH_TOKEN_FILE"] = file("just", strings.Repeat("x", 65536))
	if _, err := flexfn.New(fromMap(env)); err != nil {
		t.Errorf("a file of 65536 bytes: %.200v", err)
	}
}

func TestBoundsOfTheConfiguration(t *testing.T) {
	for _, c := range []struct {
		variable, value, fault string // part of the error; empty: accepted
	}{
		{"FLEXFN_MAX_CALLS", "1", ""},
		{"FLEXFN_MAX_CALLS", "1000000", ""},
		{"FLEXFN_MAX_CALLS", "1000001", "from 1 to 1000000"},
		{"FLEXFN_MAX_CALLS", "0", "above zero"},
		{"FLEXFN_MAX_CALLS", "x", "above zero"},
		{"FLEXFN_MAX_BODY_BYTES", "1", ""},
		{"FLEXFN_MAX_BODY_BYTES", "0", "above zero"},
		{"FLEXFN_MAX_BODY_BYTES", "2147483647", ""},
		{"FLEXFN_MAX_BODY_BYTES", "2147483648", "at most 2147483647"},
		{"FLEXFN_MAX_BODIES_BYTES", "9437184", ""}, // 1.5 times 6 MiB
		{"FLEXFN_MAX_BODIES_BYTES", "9437183", "at least 9437184"},
		{"FLEXFN_FLEX_DEADLINE", "1ms", ""},
		{"FLEXFN_FLEX_DEADLINE", "1h", ""},
		{"FLEXFN_FLEX_DEADLINE", "999us", "from 1ms to 1h0m0s"},
		{"FLEXFN_FLEX_DEADLINE", "3600001ms", "from 1ms to 1h0m0s"},
		{"FLEXFN_STUDIO_DEADLINE", "0s", "above zero"},
		{"FLEXFN_PREVIOUS_AUTH_TOKENS", "a b,c d", "letters and digits"},
		{"FLEXFN_ALLOWED_ORIGINS", "https://a.example,https://b.example/", "trailing slash"},
		{"FLEXFN_ALLOWED_ORIGINS", "https://a~b.example", ""},
		{"FLEXFN_ALLOWED_ORIGINS", "https://a b.example", "write scheme and host"},
		{"FLEXFN_ALLOWED_ORIGINS", "https://a\x7f.example", "write scheme and host"},
		{"FLEXFN_TWILIO_URL", "http://127.0.0.1:8080", ""},
		{"FLEXFN_TWILIO_URL", "https://x.example", ""},
		{"FLEXFN_TWILIO_URL", "ftp://x.example", "not a base URL"},
		{"FLEXFN_TWILIO_URL", "https://", "not a base URL"},
		{"FLEXFN_TWILIO_URL", "https://x.example?a", "not a base URL"},
		{"FLEXFN_TWILIO_URL", "https://x.example#a", "not a base URL"},
		{"FLEXFN_TWILIO_URL", "https://a@x.example", "not a base URL"},
		{"FLEXFN_SHARED_KEYS", "a=1,b=2", ""},
		{"FLEXFN_SHARED_KEYS", "a=1,a=2", "item 2"},
		{"FLEXFN_SHARED_KEYS", "=1", "item 1"},
		{"FLEXFN_SHARED_KEYS", "a=", "item 1"},
		{"TWILIO_API_KEY", "SK00000000000000000000000000000001", "go together"},
		{"TWILIO_FLEX_WORKSPACE_SID", "WS00000000000000000000000000000001", ""},
	} {
		_, err := flexfn.New(fromMap(map[string]string{
			"ACCOUNT_SID": "AC00000000000000000000000000000001", "AUTH_TOKEN": testAuthToken, c.variable: c.value,
		}))
		switch {
		case c.fault == "" && err != nil:
			t.Errorf("%s=%s: %v", c.variable, c.value, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault) || strings.Count(err.Error(), c.variable) != 1):
			t.Errorf("%s=%s: %v does not say %q, once", c.variable, c.value, err, c.fault)
		}
	}
	_, err := flexfn.New(flexfn.Config{AccountSID: "AC00000000000000000000000000000001", AuthToken: testAuthToken, MaxCalls: -1, MaxBodyBytes: -1})
	if err == nil || !strings.Contains(err.Error(), "FLEXFN_MAX_CALLS is -1") || !strings.Contains(err.Error(), "FLEXFN_MAX_BODY_BYTES is -1") {
		t.Errorf("negative bounds: %v", err)
	}
	app, err := flexfn.New(flexfn.Config{AccountSID: "AC00000000000000000000000000000001", AuthToken: testAuthToken, MaxBodyBytes: 10 << 20})
	if err != nil || app.Config().MaxBodiesBytes != 30<<20 {
		t.Errorf("three long bodies do not fit: %v", err)
	}
}

var update = flag.Bool("update", false, "rewrite the generated tables of docs/configuration.md")

// The tables of docs/configuration.md are generated from the settings; -update
// rewrites them.
func TestConfigurationIsDocumented(t *testing.T) {
	const path, head = "docs/configuration.md", "## App\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, _, ok := strings.Cut(string(doc), head)
	if !ok {
		t.Fatalf("%s has no heading %q", path, head)
	}
	for _, part := range []struct {
		heading, about string
		settings       []setting.Setting
	}{
		{"App", "Read by `flexfn.FromEnv`.", setting.App()},
		{"Server", "Read by `host.Main`, `host.FromEnv` and `flexfn serve`. Each platform has its own variables too, by which it is\ndetected: [hosting.md](hosting.md#platforms).", setting.Server()},
		{"Ready-made functions", "Read by `functions.FromEnv` and `flexfn serve`.", functions.Settings()},
	} {
		want += "## " + part.heading + "\n\n" + part.about + "\n\n| variable | meaning |\n|---|---|\n"
		for _, s := range part.settings {
			want += "| `" + strings.Join(s.Names, "`, `") + "` | " + strings.ReplaceAll(s.Doc, "|", `\|`) + " |\n"
		}
		want += "\n"
	}
	want = strings.TrimSuffix(want, "\n")
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(doc) {
		t.Errorf("%s is stale: run go test . -run TestConfigurationIsDocumented -update", path)
	}
}

// TestSettingsAreRead: each documented variable is read, and each variable that
// is read is documented.
func TestSettingsAreRead(t *testing.T) {
	asked := map[string]bool{}
	flexfn.FromLookup(func(name string) (string, bool) {
		asked[name] = true
		return "1", true // FromLookup panics if no setter reads it
	})
	for _, s := range setting.App() {
		for _, name := range s.Names {
			if !asked[name] {
				t.Errorf("%s is not read", name)
			}
		}
	}
}
