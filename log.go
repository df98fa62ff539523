package flexfn

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"

	"github.com/flexfn/flexfn/internal/mask"
	"github.com/flexfn/flexfn/internal/spool"
)

func newRequestID() string { return rand.Text() }

// redactor is the one way to the log: it hides secrets and telephone numbers
// in every message and attribute, whoever wrote them.
type redactor struct {
	next    slog.Handler
	secrets []string // the account's
	call    *call    // whose token is hidden too; nil outside a request
}

func newLogger(c Config, lines *spool.Queue) *slog.Logger {
	next := c.Logger.Handler()
	lines.Report(func(lost int) {
		slog.New(next).Warn("log lines were lost while the log was not read", "lines", lost)
	})
	r := &redactor{next: lines.Handler(next)}
	for _, s := range append([]string{c.AuthToken, c.APIKeySecret, c.StoreSecret}, c.PreviousAuthTokens...) {
		if s != "" {
			r.secrets = append(r.secrets, s)
		}
	}
	return slog.New(r)
}

// of is the same for a request.
func (r *redactor) of(c *call) *redactor {
	return &redactor{next: r.next, secrets: r.secrets, call: c}
}

func (r *redactor) Enabled(ctx context.Context, level slog.Level) bool {
	return r.next.Enabled(ctx, level)
}

func (r *redactor) Handle(ctx context.Context, rec slog.Record) error {
	clean := slog.NewRecord(rec.Time, rec.Level, r.text(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(r.attr(a))
		return true
	})
	return r.next.Handle(ctx, clean)
}

func (r *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = r.attr(a)
	}
	return &redactor{next: r.next.WithAttrs(clean), secrets: r.secrets, call: r.call}
}

func (r *redactor) WithGroup(name string) slog.Handler {
	return &redactor{next: r.next.WithGroup(name), secrets: r.secrets, call: r.call}
}

func (r *redactor) attr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
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
		// Only a value that would give something away loses its structure.
		text := fmt.Sprintf("%+v", a.Value.Any())
		if clean := r.text(text); clean != text {
			a.Value = slog.StringValue(clean)
		}
	}
	return a
}

func (r *redactor) text(s string) string {
	for _, secret := range r.secrets {
		s = strings.ReplaceAll(s, secret, "(secret)")
	}
	if r.call != nil {
		if token := r.call.token.Load(); token != nil {
			s = strings.ReplaceAll(s, *token, "(token)")
		}
	}
	return mask.PhoneNumbers(s)
}
