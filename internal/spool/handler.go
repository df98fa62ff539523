package spool

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
)

// Handler returns a handler that passes records to next through q. It formats
// their values first, since they may change after they were logged. Errors of
// next are ignored.
func (q *Queue) Handler(next slog.Handler) slog.Handler { return &handler{q, next} }

type handler struct {
	q    *Queue
	next slog.Handler
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, rec slog.Record) error {
	kept := slog.NewRecord(rec.Time, rec.Level, rec.Message, rec.PC)
	size := 100 + len(rec.Message)
	rec.Attrs(func(a slog.Attr) bool {
		a, n := keep(a)
		kept.AddAttrs(a)
		size += n
		return true
	})
	ctx = context.WithoutCancel(ctx)
	h.q.Do(size, func() { _ = h.next.Handle(ctx, kept) })
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	kept := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		kept[i], _ = keep(a)
	}
	return &handler{h.q, h.next.WithAttrs(kept)}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.q, h.next.WithGroup(name)}
}

// keep returns a with a value that cannot change any more, and its approximate
// size in bytes once written.
func keep(a slog.Attr) (kept slog.Attr, size int) {
	a.Value = a.Value.Resolve()
	size = len(a.Key) + 16
	defer func() {
		if p := recover(); p != nil { // as slog does
			if v := reflect.ValueOf(a.Value.Any()); v.Kind() == reflect.Pointer && v.IsNil() {
				p = "<nil>"
			} else {
				p = fmt.Sprintf("!PANIC: %v", p)
			}
			kept, size = slog.String(a.Key, p.(string)), size+64
		}
	}()
	switch a.Value.Kind() {
	case slog.KindString:
		size += len(a.Value.String())
	case slog.KindGroup:
		members := a.Value.Group()
		kept := make([]slog.Attr, len(members))
		for i, m := range members {
			var n int
			kept[i], n = keep(m)
			size += n
		}
		a.Value = slog.GroupValue(kept...)
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case nil:
		case *slog.Source:
		case []byte:
			a.Value = slog.AnyValue(bytes.Clone(v))
			size += len(v)
		case json.RawMessage:
			a.Value = slog.AnyValue(json.RawMessage(bytes.Clone(v)))
			size += len(v)
		case json.Marshaler:
			a.Value, size = written(v, size)
		case error:
			text := v.Error()
			a.Value = slog.StringValue(text)
			size += len(text)
		default:
			if k := reflect.TypeOf(v).Kind(); k > reflect.Complex128 && k != reflect.String {
				a.Value, size = written(v, size)
			}
		}
	}
	return a, size
}

// text is a value in the forms in which slog's own handlers write it.
type text struct {
	json  json.RawMessage // nil if the value has no JSON form
	plain string
}

func (t text) MarshalText() ([]byte, error) { return []byte(t.plain), nil }
func (t text) String() string               { return t.plain }
func (t text) MarshalJSON() ([]byte, error) {
	if t.json == nil {
		return json.Marshal(t.plain)
	}
	return t.json, nil
}

func written(v any, size int) (slog.Value, int) {
	t := text{plain: fmt.Sprintf("%+v", v)}
	if m, ok := v.(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if t.plain = string(b); err != nil {
			t.plain = err.Error()
		}
	}
	t.json, _ = json.Marshal(v)
	return slog.AnyValue(t), size + max(len(t.plain), len(t.json))
}
