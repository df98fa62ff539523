package flexfn

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/internal/testing/memnet"
)

func TestOnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		upstream := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(50 * time.Millisecond)
			w.Header().Set("Twilio-Request-Id", "RQ1")
			if n++; n == 1 {
				w.WriteHeader(503)
			}
			w.Write([]byte(`{}`))
		}))
		var seen []Attempt
		var log bytes.Buffer
		app := testApp(t, func(c *Config) {
			c.Transport = upstream.Transport()
			c.LogAttempts = true
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.OnAttempt = func(_ context.Context, a Attempt) { seen = append(seen, a) }
		})
		defer app.HTTPClient().CloseIdleConnections()
		res := ExecuteWithRetry(app.Context(t.Context()), func(ctx context.Context) (struct{}, error) {
			req, _ := http.NewRequestWithContext(ctx, "GET", "http://lookups.twilio.com/v2/PhoneNumbers/+15551234567?Token=secret", nil)
			return ReadJSON[struct{}](app.HTTPClient().Do(req))
		})
		if !res.Success || len(seen) != 2 {
			t.Fatalf("%+v %v, saw %v", res, res.Err(), seen)
		}
		first, second := seen[0], seen[1]
		if first.Err == nil || !first.Retried || first.Wait < 100*time.Millisecond || first.Status != 503 || second.Err != nil || second.Retried || second.Wait != 0 || second.Status != 200 {
			t.Errorf("%+v\n%+v", first, second)
		}
		for i, a := range seen {
			if a.Number != i+1 || a.Method != "GET" || a.Host != "lookups.twilio.com" || a.Path != "/v2/PhoneNumbers/{…}" || a.TwilioRequestID != "RQ1" || a.Duration != 50*time.Millisecond {
				t.Errorf("%+v", a)
			}
		}
		ExecuteWithRetry(app.Context(t.Context()), func(ctx context.Context) (struct{}, error) {
			req, _ := http.NewRequestWithContext(ctx, "GET", "http://crm.test/people/ada", nil)
			req.Pattern = "/people/{name}"
			return ReadJSON[struct{}](app.HTTPClient().Do(req))
		})
		if a := seen[len(seen)-1]; a.Path != "/people/{name}" {
			t.Errorf("the request's own template became %s", a.Path)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "call.attempt=1") || !strings.Contains(lines[0], "call.retried=true") || !strings.Contains(lines[1], "level=INFO") {
			t.Errorf("log:\n%s", log.String())
		}
		if strings.Contains(log.String(), "5551234567") || strings.Contains(log.String(), "secret") || !strings.Contains(lines[0], "call.path=/v2/PhoneNumbers/{…}") {
			t.Errorf("the log has personal data:\n%s", log.String())
		}
	})
}
