package flexfn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/flexfn/flexfn"
)

type benchParams struct {
	Task     string `json:"taskSid" kind:"WT" purpose:"unique ID of task"`
	Hold     bool   `json:"hold" purpose:"whether to hold"`
	Priority int    `json:"priority" purpose:"priority of the task"`
	Note     string `json:"note" purpose:"what the agent wrote"`
	URL      string `json:"url"`
}

type benchReply struct {
	Task     string `json:"taskSid"`
	Priority int    `json:"priority"`
	Held     bool   `json:"held"`
}

const benchForm = "Token=eyJhbGciOiJkaXIi&taskSid=WT00000000000000000000000000000001&hold=true&priority=5&note=called+back%2C+no+answer&url=https%3A%2F%2Fexample.com%2Fhold.mp3"

// bareHandler is the same function written without flexfn. It does not check a
// token.
func bareHandler(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	hold, err1 := strconv.ParseBool(r.Form.Get("hold"))
	priority, err2 := strconv.Atoi(r.Form.Get("priority"))
	task, note := r.Form.Get("taskSid"), r.Form.Get("note")
	if err := errors.Join(err1, err2); err != nil || task == "" || note == "" {
		http.Error(w, "bad parameters", 400)
		return
	}
	_ = r.Form.Get("url")
	body, err := json.Marshal(struct {
		benchReply
		Success bool `json:"success"`
	}{benchReply{task, priority, hold}, true})
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Set("Content-Type", "application/json")
	w.Write(body)
}

// BenchmarkFunction compares a Flex function, with a cached token and typed
// parameters, with the bare handler. The target is 1.25 times the bare
// handler's time and 8 more allocations.
func BenchmarkFunction(b *testing.B) {
	app := newApp(b, testConfig(new(iam)))
	app.Handle("/f", flexfn.PrepareFlexFunction(func(_ context.Context, in benchParams) (benchReply, error) {
		return benchReply{in.Task, in.Priority, in.Hold}, nil
	}))
	for _, c := range []struct {
		name    string
		handler http.Handler
	}{{"bare", http.HandlerFunc(bareHandler)}, {"flexfn", app}} {
		b.Run("handler="+c.name, func(b *testing.B) {
			// As under net/http, the request has a ctx that can end.
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "POST", "/f", nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.ContentLength = int64(len(benchForm))
			body := &rewinder{text: []byte(benchForm)}
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r := *req
				body.Reset()
				r.Body = body
				clear(w.header)
				w.status, w.size = 0, 0
				c.handler.ServeHTTP(w, &r)
				if w.size == 0 || w.status > 200 {
					b.Fatalf("status %d, %d bytes", w.status, w.size)
				}
			}
		})
	}
}

type rewinder struct {
	bytes.Reader
	text []byte
}

func (r *rewinder) Reset()       { r.Reader.Reset(r.text) }
func (r *rewinder) Close() error { return nil }

type discard struct {
	header       http.Header
	status, size int
}

func (d *discard) Header() http.Header { return d.header }

// SetReadDeadline exists because net/http's writer has it.
func (d *discard) SetReadDeadline(time.Time) error { return nil }
func (d *discard) WriteHeader(s int)               { d.status = s }
func (d *discard) Write(p []byte) (int, error) {
	d.size += len(p)
	return len(p), nil
}

var _ io.ReadCloser = (*rewinder)(nil)
