package flexfn_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
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
		t.Fatal("nonsense is accepted")
	}
	for _, want := range []string{
		"ACCOUNT_SID is not an account SID",
		"AUTH_TOKEN and TWILIO_AUTH_TOKEN are both set and differ",
		"AUTH_TOKEN has characters other than letters and digits",
		"TWILIO_API_KEY and TWILIO_API_SECRET go together",
		`TWILIO_REGION "https://ie1"`, `TWILIO_EDGE "Dublin!"`, `TWILIO_FLEX_WORKSPACE_SID "WS1"`,
		`FLEXFN_TWILIO_URL: "localhost:8080"`, "FLEXFN_ALLOWED_ORIGINS is empty",
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
		"AUTH_TOKEN":             "", // empty is unset
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

// docs/configuration.md is complete: every variable, with what it does.
func TestConfigurationIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range flexfn.Settings() {
		row := "| `" + strings.Join(s.Names, "`, `") + "` | " + strings.ReplaceAll(s.Doc, "|", `\|`) + " |"
		if !strings.Contains(string(doc), row) {
			t.Errorf("docs/configuration.md lacks the row\n%s", row)
		}
	}
}
