package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"

	"github.com/flexfn/flexfn"
)

// The same function in every framework. It reads five parameters from a form
// or, if a framework cannot read forms into a struct, from a JSON object, and
// answers with JSON and the headers that a browser needs. Only flexfn checks a
// Flex token and a SID, keeps a deadline and survives a panic.
const (
	form     = "Token=t&taskSid=WT00000000000000000000000000000001&hold=true&priority=5&note=called+back%2C+no+answer&url=https%3A%2F%2Fexample.com%2Fhold.mp3"
	jsonForm = `{"taskSid":"WT00000000000000000000000000000001","hold":true,"priority":5,"note":"called back, no answer","url":"https://example.com/hold.mp3"}`
)

type params struct {
	Task     string `json:"taskSid" form:"taskSid" binding:"required"`
	Hold     bool   `json:"hold" form:"hold" binding:"required"`
	Priority int    `json:"priority" form:"priority" binding:"required"`
	Note     string `json:"note" form:"note" binding:"required"`
	URL      string `json:"url" form:"url"`
}

// flexfnParams is the same; flexfn refuses tags that it does not know.
type flexfnParams struct {
	Task     string `json:"taskSid" kind:"WT" purpose:"unique ID of task"`
	Hold     bool   `json:"hold" purpose:"whether to hold"`
	Priority int    `json:"priority" purpose:"priority of the task"`
	Note     string `json:"note" purpose:"what the agent wrote"`
	URL      string `json:"url"`
}

func echoOf(_ context.Context, in flexfnParams) (reply, error) { return answer(params(in)).reply, nil }

type reply struct {
	Task     string `json:"taskSid"`
	Priority int    `json:"priority"`
	Held     bool   `json:"held"`
}

type envelope struct {
	reply
	Success bool `json:"success"`
}

func answer(p params) envelope { return envelope{reply{p.Task, p.Priority, p.Hold}, true} }

func cors(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
}

func bare(w http.ResponseWriter, r *http.Request) {
	var p params
	err := r.ParseForm()
	var err1, err2 error
	p.Hold, err1 = strconv.ParseBool(r.Form.Get("hold"))
	p.Priority, err2 = strconv.Atoi(r.Form.Get("priority"))
	p.Task, p.Note, p.URL = r.Form.Get("taskSid"), r.Form.Get("note"), r.Form.Get("url")
	if err := errors.Join(err, err1, err2); err != nil || p.Task == "" || p.Note == "" {
		http.Error(w, "bad parameters", 400)
		return
	}
	body, err := json.Marshal(answer(p))
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	cors(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

func flexfnHandler(tb testing.TB) http.Handler {
	app, err := flexfn.New(flexfn.Config{
		AccountSID: "AC00000000000000000000000000000001", AuthToken: "0123456789abcdef0123456789abcdef",
		Logger: slog.New(slog.DiscardHandler), Transport: everyToken{},
	})
	if err != nil {
		tb.Fatal(err)
	}
	app.Handle("/f", flexfn.PrepareFlexFunction(echoOf))
	return app
}

// everyToken is a Twilio that accepts every token as an agent's.
type everyToken struct{}

func (everyToken) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(
		`{"valid": true, "roles": ["agent"], "worker_sid": "WK00000000000000000000000000000001"}`))}, nil
}

func ginHandler(path string) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.POST(path, func(c *gin.Context) {
		var p params
		if err := c.ShouldBind(&p); err != nil {
			c.JSON(400, gin.H{"success": false, "message": err.Error()})
			return
		}
		cors(c.Writer.Header())
		c.JSON(200, answer(p))
	})
	return r
}

func echoHandler(path string) http.Handler {
	e := echo.New()
	e.POST(path, func(c echo.Context) error {
		var p params
		if err := c.Bind(&p); err != nil || p.Task == "" || p.Note == "" {
			return c.JSON(400, map[string]any{"success": false})
		}
		cors(c.Response().Header())
		return c.JSON(200, answer(p))
	})
	return e
}

func humaHandler(path string) http.Handler {
	mux := http.NewServeMux()
	api := humago.New(mux, huma.DefaultConfig("bench", "1"))
	type output struct {
		Origin  string `header:"Access-Control-Allow-Origin"`
		Methods string `header:"Access-Control-Allow-Methods"`
		Headers string `header:"Access-Control-Allow-Headers"`
		Body    envelope
	}
	huma.Post(api, path, func(_ context.Context, in *struct{ Body params }) (*output, error) {
		return &output{"*", "GET, POST, OPTIONS", "Content-Type", answer(in.Body)}, nil
	})
	return mux
}

// BenchmarkFunction calls the handlers without a network.
func BenchmarkFunction(b *testing.B) {
	for _, c := range []struct {
		lib, contentType, body string
		handler                http.Handler
	}{
		{"bare", formType, form, http.HandlerFunc(bare)},
		{"flexfn", formType, form, flexfnHandler(b)},
		{"gin", formType, form, ginHandler("/f")},
		{"echo", formType, form, echoHandler("/f")},
		{"huma", "application/json", jsonForm, humaHandler("/f")},
	} {
		b.Run("lib="+c.lib, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			req := httptest.NewRequestWithContext(ctx, "POST", "/f", nil)
			req.Header.Set("Content-Type", c.contentType)
			req.ContentLength = int64(len(c.body))
			body := &rewinder{text: []byte(c.body)}
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r := *req
				body.Reset(body.text)
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

func (r *rewinder) Close() error { return nil }

type discard struct {
	header       http.Header
	status, size int
}

func (d *discard) Header() http.Header             { return d.header }
func (d *discard) WriteHeader(s int)               { d.status = s }
func (d *discard) SetReadDeadline(time.Time) error { return nil }
func (d *discard) Write(p []byte) (int, error) {
	d.size += len(p)
	return len(p), nil
}
