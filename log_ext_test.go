package flexfn_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
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

// TestShortTokenInLog: masking a token too short to be real does not mangle the
// log.
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

// TestTwilioURLIsNotPrinted: the error that refuses FLEXFN_TWILIO_URL does not
// show its password.
func TestTwilioURLIsNotPrinted(t *testing.T) {
	config := testConfig(nil)
	config.TwilioURL = "https://user:hunter2@proxy.example.com"
	if _, err := flexfn.New(config); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
