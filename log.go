package flexfn

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/flexfn/flexfn/internal/mask"
	"github.com/flexfn/flexfn/internal/spool"
)

// newRequestID draws an id of 26 letters and digits, more than 128 random
// bits, so that it can be an idempotency key.
func newRequestID() string { return rand.Text() }

// redactor is the handler of the app's logger and of the loggers that [Logger]
// returns. It masks the app's secrets, the request's Flex token and telephone
// numbers in messages, group names, keys and values, whether flexfn or a
// handler wrote them. Values are judged in the form in which they will be
// written.
//
// It cannot mask a number that is logged as an integer, a secret shorter than
// eight characters, or a secret in an encoding that package mask does not know.
// Other loggers, such as slog's default, do not use it.
type redactor struct {
	next    slog.Handler
	secrets []mask.Secret // of the app's Config, and the credentials made from them
	call    *call         // whose token is masked too; nil outside a request
}

// newLogger returns the app's logger. It masks each line and hands it to the
// queue, which writes it with c.Logger. The report of lost lines goes to
// c.Logger directly, since it is the queue that lost them; it has nothing to
// mask.
func newLogger(c Config, lines *spool.Queue) *slog.Logger {
	next := c.Logger.Handler()
	lines.Report(func(lost int) {
		slog.New(next).Warn("log lines were lost while the log was not read", "lines", lost)
	})
	r := &redactor{next: lines.Handler(next)}
	for _, s := range slices.AppendSeq(append([]string{
		c.AuthToken, c.APIKeySecret, c.StoreSecret, basic(c.AccountSID, c.AuthToken), basic(c.APIKeySID, c.APIKeySecret),
	}, c.PreviousAuthTokens...), maps.Values(c.SharedKeys)) {
		if secret := mask.NewSecret(s); secret != nil {
			r.secrets = append(r.secrets, secret)
		}
	}
	return slog.New(r)
}

// basic returns the credential of a Basic Authorization header, which would
// otherwise get past a search for the password.
func basic(user, password string) string {
	if password == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// of returns the handler for the request of c, which masks its token too.
func (r *redactor) of(c *call) *redactor {
	return &redactor{next: r.next, secrets: r.secrets, call: c}
}

// Enabled implements [slog.Handler].
func (r *redactor) Enabled(ctx context.Context, level slog.Level) bool {
	return r.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler]. It writes a copy, since the record may be
// shared with other handlers.
func (r *redactor) Handle(ctx context.Context, rec slog.Record) error {
	clean := slog.NewRecord(rec.Time, rec.Level, r.text(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(r.attr(a))
		return true
	})
	return r.next.Handle(ctx, clean)
}

// WithAttrs implements [slog.Handler]. The attributes are masked once, here.
func (r *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = r.attr(a)
	}
	return &redactor{next: r.next.WithAttrs(clean), secrets: r.secrets, call: r.call}
}

// WithGroup implements [slog.Handler].
func (r *redactor) WithGroup(name string) slog.Handler {
	return &redactor{next: r.next.WithGroup(r.text(name)), secrets: r.secrets, call: r.call}
}

// attr masks the key and the value of an attribute. A value of another type
// than string keeps its structure, unless its written form contains something
// to mask.
func (r *redactor) attr(a slog.Attr) slog.Attr {
	a.Key, a.Value = r.text(a.Key), a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(r.text(a.Value.String()))
	case slog.KindGroup:
		group := make([]slog.Attr, 0, len(a.Value.Group()))
		for _, member := range a.Value.Group() {
			group = append(group, r.attr(member))
		}
		a.Value = slog.GroupValue(group...)
	case slog.KindAny:
		// Only a value with something to mask becomes a string.
		for _, text := range written(a.Value.Any()) {
			if clean := r.text(text); clean != text {
				a.Value = slog.StringValue(clean)
				break
			}
		}
	}
	return a
}

// written returns v as slog's handlers write it, as text and as JSON. Both are
// needed: JSON follows pointers, which the text shows as addresses.
func written(v any) []string {
	switch v := v.(type) {
	case error:
		return []string{fmt.Sprintf("%+v", v), v.Error()}
	case []byte:
		return []string{string(v)}
	case json.RawMessage:
		return []string{string(v)}
	}
	texts := []string{fmt.Sprintf("%+v", v)}
	if b, err := json.Marshal(v); err == nil {
		texts = append(texts, string(b))
	}
	return texts
}

// text masks secrets, the request's token and telephone numbers in s. Secrets
// come first, since masking a number within a secret would hide the secret from
// the search.
func (r *redactor) text(s string) string {
	for _, secret := range r.secrets {
		s = secret.Replace(s, "(secret)")
	}
	if r.call != nil {
		if token := r.call.token.Load(); token != nil {
			s = mask.NewSecret(*token).Replace(s, "(token)")
		}
	}
	return mask.PhoneNumbers(s)
}
