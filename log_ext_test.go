package flexfn_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/testing/blind"
	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// TestLogLeaks: whatever a handler logs, in any form, neither of slog's handlers
// writes the token, the auth token or a telephone number.
func TestLogLeaks(t *testing.T) {
	const token, number = "eyJhbGciOiJkaXIi.SECRETFLEXTOKEN+/=", "+15551234567"
	all := token + " " + number + " " + testAuthToken
	encoded, _ := json.Marshal(map[string]string{"a": token, "n": number, "k": testAuthToken})
	type inner struct{ P *string }
	for name, do := range map[string]func(l *slog.Logger){
		"message":   func(l *slog.Logger) { l.Info(all) },
		"string":    func(l *slog.Logger) { l.Info("x", "v", all) },
		"bytes":     func(l *slog.Logger) { l.Info("x", "v", []byte(all)) },
		"JSON":      func(l *slog.Logger) { l.Info("x", "v", json.RawMessage(encoded)) },
		"pointer":   func(l *slog.Logger) { l.Info("x", "v", new(all)) },
		"field":     func(l *slog.Logger) { l.Info("x", "v", inner{new(all)}) },
		"pointers":  func(l *slog.Logger) { l.Info("x", "v", &inner{new(all)}) },
		"map":       func(l *slog.Logger) { l.Info("x", "v", map[string]any{all: []string{all}}) },
		"key":       func(l *slog.Logger) { l.Info("x", all, 1) },
		"group":     func(l *slog.Logger) { l.Info("x", slog.Group(all, "v", all)) },
		"WithGroup": func(l *slog.Logger) { l.WithGroup(all).Info("x", "v", 1) },
		"With":      func(l *slog.Logger) { l.With("v", all).Info("x") },
		"in a URL":  func(l *slog.Logger) { l.Info("x", "v", url.QueryEscape(all)) },
		"basic": func(l *slog.Logger) {
			l.Info("x", "v", base64.StdEncoding.EncodeToString([]byte("AC00000000000000000000000000000001:"+testAuthToken)))
		},
		"as written": func(l *slog.Logger) { l.Info("+1 (555) 123-4567, (555) 123-4567, 555.123.4567") },
		"panic":      func(*slog.Logger) { panic(all) },
	} {
		var log bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			log.Reset()
			config := testConfig(new(iam))
			config.Logger = slog.New(handler)
			app := newApp(t, config)
			app.Handle("/f", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (struct{}, error) {
				do(flexfn.Logger(ctx))
				return struct{}{}, nil
			}))
			r := httptest.NewRequest("POST", "/f", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			app.ServeHTTP(httptest.NewRecorder(), r)
			if err := app.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"SECRETFLEXTOKEN", testAuthToken, "5551234567", "123-4567", "123.4567", "MDEyMzQ1Njc4OWFiY2RlZ"} {
				if log.Len() == 0 || strings.Contains(log.String(), secret) {
					t.Errorf("%s: %T writes %s: %s", name, handler, secret, log.String())
				}
			}
		}
	}
}

// TestShortTokenInLog: a token that is too short to be real is not masked,
// which would mangle the log.
func TestShortTokenInLog(t *testing.T) {
	var log bytes.Buffer
	config := testConfig(new(iam))
	config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	app := newApp(t, config)
	app.Handle("/express/index", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (struct{}, error) {
		flexfn.Logger(ctx).Info("next")
		return struct{}{}, nil
	}))
	post(t, app, "/express/index", url.Values{"Token": {"x"}})
	if err := app.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "function=/express/index") || !strings.Contains(log.String(), "msg=next") {
		t.Errorf("the log is %s", log.String())
	}
}

// TestTwilioURLIsNotPrinted: the error about a faulty FLEXFN_TWILIO_URL does
// not show the password in it.
func TestTwilioURLIsNotPrinted(t *testing.T) {
	config := testConfig(nil)
	config.TwilioURL = "https://user:hunter2@proxy.example.com"
	if _, err := flexfn.New(config); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// TestStrangersCannotFillTheLog: refused requests leave a bounded number of
// lines for each function. A line that a handler causes is logged each time.
func TestStrangersCannotFillTheLog(t *testing.T) {
	const many = 500
	synctest.Test(t, func(t *testing.T) {
		var log syncbuf.Buffer
		config := testConfig(&iam{answer: func(string) (int, string) { return 500, `{}` }})
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		config.MaxBodiesBytes = 12 << 20
		app := newApp(t, config)
		for _, path := range []string{"/studio/a", "/studio/b"} {
			app.Handle(path, flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (any, error) { return nil, nil }))
		}
		app.Handle("/flex", flexfn.PrepareFlexFunction(func(context.Context, flexfn.Event) (any, error) { return nil, nil }))
		open := func(context.Context, struct {
			List []string `json:"list"`
		}) (any, error) {
			return nil, errors.New("on purpose")
		}
		app.Handle("/open", flexfn.PrepareStudioFunction(open, flexfn.OpenToAnyone()))
		lines := func(message, path string) (n int) {
			_ = app.Wait(t.Context())
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, message) && strings.Contains(line, "function="+path+" ") {
					n++
				}
			}
			return n
		}
		call := func(n int, path, body string, header ...string) {
			for range n {
				r := httptest.NewRequest("POST", path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				for i := 0; i < len(header); i += 2 {
					r.Header.Set(header[i], header[i+1])
				}
				app.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		call(many, "/studio/a", "a=1")
		call(many, "/studio/a", "a=1", "X-Twilio-Signature", strings.Repeat("A", 27)+"=")
		call(1, "/studio/b", "a=1")
		if a, b := lines("signature refused", "/studio/a"), lines("signature refused", "/studio/b"); a != 20 || b != 1 {
			t.Errorf("%d refused signatures left %d lines, one of another function %d", 2*many, a, b)
		}
		time.Sleep(10 * time.Second)
		call(2, "/studio/a", "a=1")
		if n := lines(fmt.Sprint("left_out=", 2*many-20), "/studio/a"); n != 1 {
			t.Errorf("%d lines say how many were left out: %s", n, log.String())
		}
		call(many, "/studio/b", "a", "X-Twilio-Signature", "x", "Content-Type", "application/json; charset=utf-16")
		call(many/10, "/studio/b", strings.Repeat("x", 7<<20), "X-Twilio-Signature", "x")
		if n := lines("", "/studio/b"); n > 21 {
			t.Errorf("bodies that are refused left %d lines", n)
		}
		call(many, "/flex", "Token="+strings.Repeat("t", 40))
		if n := lines("function failed", "/flex"); n == 0 || n > 60 { // the retries of the token check take their time
			t.Errorf("%d tokens that cannot be checked left %d lines", many, n)
		}
		call(many, "/open", "list[]=1")
		if hints, failures := lines("were not read", "/open"), lines("function failed", "/open"); hints != 20 || failures != many {
			t.Errorf("%d calls of an open function left %d hints and %d failures", many, hints, failures)
		}
	})
}

// FuzzLog: neither the auth token, nor the request's Flex token, nor a
// telephone number is in the log, whatever text surrounds it and however it is
// written.
func FuzzLog(f *testing.F) {
	const token = "flex.token/1+=="
	for _, s := range []string{"", "a", `\`, `"`, "%2", "\n", "(", "\u2028", "\xff", "Bearer ", "+1"} {
		for _, inJSON := range []bool{false, true} {
			f.Add(s, s, inJSON)
			f.Add(s, "", inJSON)
		}
	}
	var log bytes.Buffer
	var writers []func(text string) // each with a logger of a request: as text, and as JSON
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		config := testConfig(new(iam))
		config.Logger = slog.New(h)
		app := newApp(f, config)
		app.Handle("/f", flexfn.PrepareFlexFunction(func(ctx context.Context, _ struct{}) (any, error) {
			logger := flexfn.Logger(ctx)
			writers = append(writers, func(text string) {
				log.Reset()
				logger.Info(text, text, text, "bytes", []byte(text), "error", errors.New(text), "map", map[string]*string{"a": &text})
				_ = app.Wait(context.Background())
			})
			return nil, nil
		}))
		post(f, app, "/f", url.Values{"Token": {token}})
	}
	if len(writers) != 2 {
		f.Fatal("the token was not accepted")
	}
	blind.Fuzz(f, func(t *testing.T, before, after string, inJSON bool) {
		write := writers[0]
		if inJSON {
			write = writers[1]
		}
		write(before + testAuthToken + after + token + strings.Map(notDigit, before) + "+15550100123")
		for _, secret := range []string{testAuthToken, token, "5550100123"} {
			if bytes.Contains(log.Bytes(), []byte(secret)) {
				t.Fatalf("the log has %q: %s", secret, log.String())
			}
		}
	})
}

// notDigit drops characters that could continue a number.
func notDigit(r rune) rune {
	if r < 'A' {
		return ' '
	}
	return r
}
