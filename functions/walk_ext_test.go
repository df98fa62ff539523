package functions_test

import (
	"encoding/xml"
	"flag"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/signature"
)

var walks = flag.Int("walks", 200, "how many callers walk through the wait experience")

// TestWalks has callers press random keys in the wait experience while Twilio's
// API fails at random. Whatever they press, TwiML leads them on, to an agent, a
// callback, a voicemail or the end of the call. For 100,000 callers, in a few
// minutes: go test ./functions -run TestWalks -walks 100000 -timeout 60m.
func TestWalks(t *testing.T) {
	if *walks > 1000 {
		defer debug.SetGCPercent(debug.SetGCPercent(400)) // a third of the time otherwise
	}
	callers := runtime.GOMAXPROCS(0)
	counts := make([]map[string]int, callers)
	var all sync.WaitGroup
	for i := range callers {
		line := &upstream{random: rand.New(rand.NewPCG(1, uint64(i)))}
		app := newApp(t, func(c *flexfn.Config) {
			c.APIKeySID, c.APIKeySecret = "", ""
			c.Transport, c.Logger, c.RetryBudget = line, slog.New(slog.DiscardHandler), -1
		})
		counts[i] = map[string]int{}
		all.Go(func() {
			for range (*walks + callers - 1) / callers {
				counts[i][walk(t, app, line)]++
			}
		})
	}
	all.Wait()
	ends := map[string]int{}
	for _, count := range counts {
		for end, n := range count {
			ends[end] += n
		}
	}
	for _, end := range []string{"agent", "callback", "voicemail", "hung up"} {
		if ends[end] == 0 {
			t.Errorf("no walk ended with %s: %v", end, ends)
		}
	}
	t.Log(ends)
}

// upstream is Twilio for one caller: a queue, a task, a call; every request may
// fail.
type upstream struct {
	random              *rand.Rand
	status              string // of the call's task
	moved               string // where the call was redirected
	callbacks, messages int
}

func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
	}
	answer := func(status int, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Etag": {"1"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
	task := func() string {
		return `{"sid":"WT` + one + `","workflow_sid":"WW` + one + `","task_channel_unique_name":"voice","assignment_status":"` + u.status +
			`","attributes":"{\"call_sid\":\"CA` + one + `\",\"from\":\"+15550001111\"}"}`
	}
	switch u.random.IntN(12) {
	case 0:
		return answer(500, `{"code":20500,"message":"no"}`)
	case 1:
		return nil, io.ErrUnexpectedEOF
	}
	form, _ := url.ParseQuery(body)
	switch path := r.URL.Path; {
	case strings.Contains(path, "/Queues/"):
		return answer(200, `{"friendly_name":"WW`+one+`"}`)
	case strings.Contains(path, "/Calls/"):
		u.moved = form.Get("Url")
		return answer(200, `{"sid":"CA`+one+`"}`)
	case strings.HasSuffix(path, "/Tasks") && r.Method == http.MethodGet:
		return answer(200, `{"tasks":[`+task()+`],"meta":{"key":"tasks"}}`)
	case strings.HasSuffix(path, "/Tasks"):
		if strings.Contains(form.Get("Attributes"), `"voicemail"`) {
			u.messages++
		} else {
			u.callbacks++
		}
		return answer(201, `{"sid":"WT00000000000000000000000000000009"}`)
	case strings.HasSuffix(path, "9"):
		u.callbacks-- // undone
		return answer(200, `{"sid":"WT00000000000000000000000000000009"}`)
	case form.Get("AssignmentStatus") != "":
		if u.status != "pending" {
			return answer(400, `{"code":20001,"message":"no"}`)
		}
		u.status = form.Get("AssignmentStatus")
	}
	return answer(200, task())
}

// walk follows one caller to the end of the call.
func walk(t *testing.T, app *flexfntest.App, u *upstream) string {
	t.Helper()
	u.status, u.moved, u.callbacks, u.messages = "pending", "", 0, 0
	method, next, form := "", "https://functions.example.com/features/callback-and-voicemail/studio/wait-experience", url.Values{}
	for range 60 {
		if u.status == "pending" && u.random.IntN(40) == 0 {
			u.status = "assigned"
		}
		form.Set("CallSid", "CA"+one)
		form.Set("QueueSid", "QU"+one)
		form.Set("Caller", []string{"+15550001111", "anonymous", ""}[u.random.IntN(3)])
		form.Set("Called", "+15550002222")
		text := ask(t, app, method, next, form)
		if text == "" {
			return "failed"
		}
		if u.moved != "" {
			method, next, form = http.MethodPost, u.moved, url.Values{}
			u.moved = ""
			continue
		}
		var end string
		method, next, form, end = listen(t, app, u, text)
		switch {
		case end == "hung up" && u.callbacks > 0:
			return "callback"
		case end == "hung up" && u.messages > 0:
			return "voicemail"
		case end != "":
			return end
		case next == "":
			t.Errorf("a caller is left in silence by %s", text)
			return "silence"
		}
	}
	if u.status == "assigned" {
		return "agent"
	}
	return "queue"
}

// ask gets TwiML, as Twilio does.
func ask(t *testing.T, app *flexfntest.App, method, u string, form url.Values) string {
	t.Helper()
	const kind = "application/x-www-form-urlencoded"
	r := httptest.NewRequest(http.MethodPost, u, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Twilio-Signature", signature.Sign(app.Config().AuthToken, u, kind, []byte(form.Encode())))
	if method == http.MethodGet { // Twilio adds its parameters to the link's own
		u += "&" + form.Encode()
		r = httptest.NewRequest(method, u, nil)
		r.Header.Set("X-Twilio-Signature", signature.Sign(app.Config().AuthToken, u, "", nil))
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") {
		t.Errorf("%s: status %d, %s", u, w.Code, w.Body)
		return ""
	}
	return w.Body.String()
}

// listen runs TwiML as Twilio does, with a caller who presses random keys.
func listen(t *testing.T, app *flexfntest.App, u *upstream, text string) (method, next string, form url.Values, end string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	attribute := func(e xml.StartElement, name string) string {
		for _, a := range e.Attr {
			if a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	for {
		token, err := d.Token()
		if err != nil {
			return "", "", nil, ""
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch e.Name.Local {
		case "Gather":
			if digits := []string{"", "*", "*", "*", "1", "1", "1", "2", "2", "3", "15550003333", "5550003333"}[u.random.IntN(12)]; digits != "" {
				return attribute(e, "method"), attribute(e, "action"), url.Values{"Digits": {digits}}, ""
			}
		case "Record":
			if u.random.IntN(2) == 0 {
				saved := attribute(e, "transcribeCallback")
				if u.random.IntN(4) == 0 { // Twilio does not transcribe what is so short
					return attribute(e, "method"), attribute(e, "action"), url.Values{"RecordingDuration": {"1"}}, ""
				}
				r := url.Values{"RecordingSid": {"RE" + one}}
				const kind = "application/x-www-form-urlencoded"
				req := httptest.NewRequest(http.MethodPost, saved, strings.NewReader(r.Encode()))
				req.Header.Set("Content-Type", kind)
				req.Header.Set("X-Twilio-Signature", signature.Sign(app.Config().AuthToken, saved, kind, []byte(r.Encode())))
				app.ServeHTTP(httptest.NewRecorder(), req) // the caller has hung up, so it may fail
				return attribute(e, "method"), attribute(e, "action"), url.Values{"RecordingDuration": {"7"}}, ""
			}
		case "Redirect":
			var u string
			_ = d.DecodeElement(&u, &e)
			return "", u, url.Values{}, ""
		case "Hangup":
			return "", "", nil, "hung up"
		}
	}
}
