package soak

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twiliofake"
)

// hostile is a server for strangers to attack, over plain HTTP.
type hostile struct {
	address string
	fake    *twiliofake.Twilio
	ready   []flexfn.Route // ready-made
	canary  atomic.Int64   // requests that reached a function no request may reach
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	app, err := flexfn.New(flexfn.Config{
		AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
		WorkspaceSID: twiliofake.DevelopmentWorkspaceSID, PublicURL: publicURL, Transport: fake.Client().Transport,
		StudioDeadline: 500 * time.Millisecond, FlexDeadline: 500 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	workflow := "WW00000000000000000000000000000001"
	features := functions.Config{
		ChatServiceSID: twiliofake.DevelopmentChatServiceSID, SyncServiceSID: twiliofake.DevelopmentChatServiceSID,
		CallbackWorkflowSID: workflow, ChatTransferWorkflowSID: workflow, InternalCallWorkflowSID: workflow,
	}
	if err := features.Add(app); err != nil {
		t.Fatal(err)
	}
	h := &hostile{fake: fake, ready: app.Routes()}
	app.Handle("/canary", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (struct{}, error) {
		h.canary.Add(1)
		return struct{}{}, nil
	}, flexfn.OpenToAnyone()))
	app.Handle("/echo", flexfn.PrepareStudioFunction(func(_ context.Context, in flexfn.Event) (flexfn.Event, error) {
		return flexfn.Event{"got": len(in)}, nil
	}, flexfn.OpenToAnyone()))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- host.Serve(ctx, app, host.Config{Listener: listener, Logger: slog.New(slog.DiscardHandler), Drain: 2 * time.Second})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("the server ended with: %v", err)
		}
		fake.Close()
	})
	return h
}

// raw sends text on a new connection and returns the answers until the server
// closes the connection or stays silent for a while.
func (h *hostile) raw(t *testing.T, text string) (answers []*http.Response, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, text) }()
	r := bufio.NewReader(conn)
	wait := 3 * time.Second // a missing body takes half a second to time out
	for {
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		wait = 200 * time.Millisecond
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			timeout, ok := err.(net.Error)
			return answers, !ok || !timeout.Timeout()
		}
		// This may fail if the server closes with unread input.
		body, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		answers = append(answers, resp)
	}
}

// checkObject fails the test unless resp is one of an app's answers.
func checkObject(t *testing.T, resp *http.Response) {
	t.Helper()
	body, _ := io.ReadAll(resp.Body)
	var object map[string]any
	if json.Unmarshal(body, &object) != nil || object == nil || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("status %d: not a JSON object with CORS headers: %q", resp.StatusCode, body)
	}
}

func post(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: functions.example.com\r\n%s\r\n%s", path, headers, body)
}

const (
	smuggled = "POST /canary HTTP/1.1\r\nHost: functions.example.com\r\nContent-Length: 0\r\n\r\n"
	isForm   = "Content-Type: " + formType + "\r\n"
)

func length(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }

// TestSmuggling sends requests whose end two servers could place differently,
// each with another request hidden behind it. Each is refused and its connection
// closed, so that nothing behind it is read as a request.
func TestSmuggling(t *testing.T) {
	h := newHostile(t)
	chunked := "Transfer-Encoding: chunked\r\n"
	end := "0\r\n\r\n"
	for name, text := range map[string]string{
		"two lengths":                   post("/echo", isForm+length(0)+length(len(smuggled)), smuggled),
		"two lengths in one header":     post("/echo", isForm+"Content-Length: 0, 76\r\n", smuggled),
		"signed length":                 post("/echo", isForm+"Content-Length: +0\r\n", smuggled),
		"negative length":               post("/echo", isForm+"Content-Length: -1\r\n", smuggled),
		"hexadecimal length":            post("/echo", isForm+"Content-Length: 0x0\r\n", smuggled),
		"empty length":                  post("/echo", isForm+"Content-Length: \r\n", smuggled),
		"huge length":                   post("/echo", isForm+"Content-Length: 99999999999999999999\r\n", smuggled),
		"space before the colon":        post("/echo", isForm+"Content-Length : 0\r\n", smuggled),
		"chunked, before the colon":     post("/echo", isForm+"Transfer-Encoding : chunked\r\n", end+smuggled),
		"nearly chunked":                post("/echo", isForm+"Transfer-Encoding: xchunked\r\n", end+smuggled),
		"chunked and more":              post("/echo", isForm+"Transfer-Encoding: chunked, identity\r\n", end+smuggled),
		"chunked twice":                 post("/echo", isForm+chunked+chunked, end+smuggled),
		"chunked with vertical tab":     post("/echo", isForm+"Transfer-Encoding: \x0bchunked\r\n", end+smuggled),
		"folded header":                 post("/echo", isForm+"Transfer-Encoding:\r\n chunked\r\nX: y\r\n z\r\n"+"Content-Length: 0\r\n", end+smuggled),
		"header without a name":         post("/echo", isForm+": x\r\n"+length(0), smuggled),
		"NUL in a header":               post("/echo", isForm+"X: a\x00b\r\n"+length(0), smuggled),
		"bare CR in a header":           post("/echo", isForm+"X: a\rContent-Length: 0\r\n"+length(0), smuggled),
		"chunk size that overflows":     post("/echo", isForm+chunked, "10000000000000000\r\nx\r\n"+end+smuggled),
		"chunk size that is negative":   post("/echo", isForm+chunked, "-1\r\nx\r\n"+end+smuggled),
		"chunk that is longer":          post("/echo", isForm+chunked, "1\r\nxxxx\r\n"+end+smuggled),
		"chunk size with underscore":    post("/echo", isForm+chunked, "1_0\r\nx\r\n"+end+smuggled),
		"chunk without its end":         post("/echo", isForm+chunked, "1\r\nx"+end+smuggled),
		"two hosts":                     "POST /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + smuggled,
		"no host":                       "POST /echo HTTP/1.1\r\n\r\n" + smuggled,
		"host with a slash":             "POST /echo HTTP/1.1\r\nHost: a/b\r\n\r\n" + smuggled,
		"protocol of the future":        "POST /echo HTTP/9.9\r\nHost: a\r\n\r\n" + smuggled,
		"protocol with more":            "POST /echo HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n" + smuggled,
		"method with a line":            "POST\n/echo HTTP/1.1\r\nHost: a\r\n\r\n" + smuggled,
		"no protocol":                   "GET /echo\r\n\r\n" + smuggled,
		"both a length and chunked":     post("/echo", isForm+chunked+length(len(end)+len(smuggled)), end+smuggled),
		"both, the other way about":     post("/echo", isForm+length(4)+chunked, "5c\r\n"+smuggled+"\r\n"+end),
		"both, in HTTP/1.0":             strings.Replace(post("/echo", isForm+chunked+length(len(end)+len(smuggled)), end+smuggled), "HTTP/1.1", "HTTP/1.0", 1),
		"upgrade to HTTP/2 with a body": post("/echo", isForm+"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"+length(len(smuggled)), smuggled),
	} {
		t.Run(name, func(t *testing.T) {
			answers, _ := h.raw(t, text)
			if h.canary.Load() > 0 {
				t.Fatal("the hidden request was run")
			}
			if len(answers) > 1 {
				t.Errorf("%d answers to one request", len(answers))
			}
			for _, a := range answers {
				if a.StatusCode >= 500 && a.StatusCode != 501 && a.StatusCode != 505 {
					t.Errorf("status %d", a.StatusCode)
				}
			}
		})
	}
	// The check proves nothing unless the hidden request runs on its own.
	if h.raw(t, smuggled); h.canary.Load() != 1 {
		t.Error("the hidden request does not run when it is sent alone")
	}
}

// TestHostileRequests sends well-formed HTTP with bad intentions. Each request
// gets one of the app's answers, and none reaches Twilio.
func TestHostileRequests(t *testing.T) {
	h := newHostile(t)
	form := func(path string, status int, body string) [3]any {
		return [3]any{post(path, isForm+length(len(body)), body), status, true}
	}
	withJSON := func(status int, body string) [3]any {
		return [3]any{post(updatePath, "Content-Type: application/json\r\n"+length(len(body)), body), status, true}
	}
	lines := func(status int, request string) [3]any {
		return [3]any{request + "\r\nHost: a\r\n\r\n", status, true}
	}
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	for name, c := range map[string][3]any{ // what is sent, the status, whether the app answers
		"thousands of parameters":         form("/echo", 413, strings.Repeat("a=1&", 5000)),
		"thousands in the query":          lines(400, "GET /echo?"+strings.Repeat("a=1&", 5000)+" HTTP/1.1"),
		"one key a thousand times":        form("/echo", 200, strings.Repeat("a=1&", 999)),
		"a parameter of a megabyte":       form("/echo", 200, "a="+strings.Repeat("%41", 1<<20/3)),
		"invalid UTF-8 in a form":         form("/echo", 200, "a=\xff\xfe&\xc0\xaf=%ff%c0%af"),
		"broken escapes":                  form("/echo", 200, "a=%&b=%z&c=%1&%%%=%%%"),
		"NUL":                             form("/echo", 200, "a=\x00&\x00=%00"),
		"prototype":                       form("/echo", 200, "__proto__=x&constructor[prototype]=y"),
		"deep JSON":                       withJSON(400, deep),
		"deep JSON in a form":             form(updatePath, 403, "attributesUpdate="+deep),
		"a million brackets":              withJSON(400, strings.Repeat("[", 1_000_000)),
		"invalid UTF-8 in JSON":           withJSON(403, "{\"taskSid\":\"\xff\xfe\"}"),
		"a lone surrogate":                withJSON(403, `{"taskSid":"\ud800"}`),
		"a huge number":                   withJSON(403, `{"taskSid":1`+strings.Repeat("0", 100_000)+`}`),
		"a JSON list":                     withJSON(400, `[{"Token":"dev-agent"}]`),
		"JSON with more behind":           withJSON(400, `{"Token":"dev-agent"}{"Token":"dev-agent"}`),
		"a token that is an object":       withJSON(403, `{"Token":{"valid":true}}`),
		"a token that is a list":          form(updatePath, 403, "Token=dev-agent&Token=dev-agent"),
		"a token of ten kilobytes":        form(updatePath, 403, "Token="+strings.Repeat("x", 10<<10)),
		"a token with line ends":          form(updatePath, 403, "Token=dev-agent%0d%0aX:+y"),
		"a compressed body":               {post("/echo", isForm+"Content-Encoding: gzip\r\n"+length(4), "\x1f\x8b\x08\x00"), 415, true},
		"another character set":           {post("/echo", "Content-Type: application/json; charset=utf-16\r\n"+length(2), "{}"), 415, true},
		"multipart":                       {post("/echo", "Content-Type: multipart/form-data; boundary=x\r\n"+length(10), "--x\r\n\r\n--x"), 200, true},
		"too long a body":                 {post("/echo", isForm+length(7<<20), strings.Repeat("a", 7<<20)), 413, true},
		"a body that claims to be huge":   {post("/echo", isForm+"Expect: 100-continue\r\n"+length(1<<40), ""), 413, true},
		"a body that never comes":         {post("/echo", isForm+length(100), "a=1"), 408, true},
		"a deep path":                     lines(404, "GET "+strings.Repeat("/a", 5000)+" HTTP/1.1"),
		"dots in the path":                lines(404, "POST /common/flex/../studio/taskrouter/create-task HTTP/1.1"),
		"escaped dots":                    lines(404, "POST /canary/%2e%2e/canary HTTP/1.1"),
		"an escaped slash":                lines(404, "POST /%2fcanary HTTP/1.1"),
		"an escaped letter":               lines(404, "POST /c%61nary/ HTTP/1.1"),
		"two slashes":                     lines(404, "POST //canary HTTP/1.1"),
		"a backslash":                     lines(404, "POST /\\canary HTTP/1.1"),
		"a path parameter":                lines(404, "POST /canary;x=y HTTP/1.1"),
		"NUL in the path":                 lines(404, "POST /canary%00 HTTP/1.1"),
		"invalid UTF-8 in the path":       lines(404, "POST /canary%ff%fe HTTP/1.1"),
		"another letter case":             lines(404, "POST /Canary HTTP/1.1"),
		"an unknown method":               lines(405, "FUZZ /canary HTTP/1.1"),
		"TRACE":                           lines(405, "TRACE /canary HTTP/1.1"),
		"CONNECT":                         lines(404, "CONNECT iam.twilio.com:443 HTTP/1.1"),
		"a method in small letters":       lines(405, "post /canary HTTP/1.1"),
		"everything's options":            {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200, false},
		"headers of a megabyte":           {post("/echo", "X: "+strings.Repeat("x", 1<<20)+"\r\n", ""), 431, false},
		"thousands of headers":            {post("/echo", strings.Repeat("X: y\r\n", 50_000), ""), 431, false},
		"a preflight with 30 KB of names": {"OPTIONS /echo HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Headers: " + strings.Repeat("a,", 15_000) + "\r\n\r\n", 204, false},
		"HTTP/2 in the open, cut short":   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\xff\xff", 0, false},
		"TLS to a plain port":             {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 0, false},
		"noise":                           {strings.Repeat("\x00\xff\r\n", 1000), 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers, _ := h.raw(t, c[0].(string))
			if c[1] == 0 { // any outcome will do
				return
			}
			if len(answers) != 1 || answers[0].StatusCode != c[1] {
				for _, a := range answers {
					t.Logf("answered %s", a.Status)
				}
				t.Fatalf("%d answers, want one with status %d", len(answers), c[1])
			}
			if c[2].(bool) {
				checkObject(t, answers[0])
			}
		})
	}
	t.Cleanup(func() {
		for _, r := range h.fake.Requests(twiliofake.Match{}) {
			if !strings.HasPrefix(r.Host, "iam.") {
				t.Errorf("Twilio was asked: %s %s%s", r.Method, r.Host, r.Path)
			}
		}
		if h.canary.Load() > 0 {
			t.Error("a malformed path reached a function")
		}
	})
}

// TestPathsInSIDs asks every ready-made function for a resource whose SID leads
// elsewhere. Each answers 400, and nothing reaches Twilio.
func TestPathsInSIDs(t *testing.T) {
	h := newHostile(t)
	const hex = "00000000000000000000000000000001"
	tricks := []string{
		"PREFIX" + hex + "/../../Workers/WK" + hex, "../Workers/WK" + hex, "%2e%2e/Workers/WK" + hex, `\..\Workers\WK` + hex,
		"PREFIX" + hex + "?Attributes={}", "PREFIX" + hex + "#", "PREFIX" + hex + "/", "PREFIX" + hex + "%2f..", "PREFIX" + hex + "\n", "PREFIX" + hex + "\x00",
		" PREFIX" + hex, "PREFIX" + hex + " ", "PREFIX" + hex[1:], "PREFIX" + hex + "0", "prefix" + hex, "PREFIX" + strings.Repeat("\uff10", 31) + "1",
		"PREFIX" + hex[1:] + "g", "XX" + hex, "PREFIX" + hex + ".json", "{Sid}", "PREFIX\xff" + hex[1:], strings.Repeat("A", 10_000),
	}
	// Have the token cached before the first attempt, however slow the machine
	// is.
	for range 20 {
		resp, err := http.PostForm("http://"+h.address+"/common/flex/taskrouter/get-queues", url.Values{"Token": {"dev-admin"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			break
		}
	}
	requests := 0
	for _, route := range h.ready {
		for _, p := range route.Function.Describe().Parameters {
			prefix, _, _ := strings.Cut(p.Kind, "|")
			named := strings.HasPrefix(route.Path, "/common/") && slices.Contains([]string{"phoneNumber", "conference", "participant", "channelSid", "conversationSid", "workerChannelSid"}, p.Name) ||
				strings.HasSuffix(route.Path, "/add-participant") && p.Name == "taskSid"
			if len(prefix) != 2 && !named { // only SIDs and names end up in a path
				continue
			}
			for _, trick := range tricks {
				form := url.Values{"Token": {"dev-admin"}}
				for _, other := range route.Function.Describe().Parameters {
					if other.Required {
						form.Set(other.Name, "1")
						if kind, _, _ := strings.Cut(other.Kind, "|"); len(kind) == 2 {
							form.Set(other.Name, kind+hex)
						}
					}
				}
				trick = strings.ReplaceAll(strings.ReplaceAll(trick, "PREFIX", prefix), "prefix", strings.ToLower(prefix))
				if named && len(trick) <= 512 && utf8.ValidString(trick) && !strings.ContainsAny(trick, "/%\\?#\x00\n{") {
					continue // Twilio decides whether it exists
				}
				requests++
				form.Set(p.Name, trick)
				h.fake.ClearRequests()
				body := form.Encode()
				r, err := http.NewRequest("POST", "http://"+h.address+route.Path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", formType)
				r.Header.Set("X-Twilio-Signature", signature.Sign(twiliofake.DevelopmentAuthToken, publicURL+route.Path, formType, []byte(body)))
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != http.StatusBadRequest {
					t.Errorf("%s, %s=%q: status %d", route.Path, p.Name, trick, resp.StatusCode)
				}
				checkObject(t, resp)
				_ = resp.Body.Close()
				for _, r := range h.fake.Requests(twiliofake.Match{}) {
					if !strings.HasPrefix(r.Host, "iam.") {
						t.Errorf("%s, %s=%q: Twilio was asked: %s %s%s", route.Path, p.Name, trick, r.Method, r.Host, r.Path)
					}
				}
			}
		}
	}
	if requests < 200 {
		t.Errorf("only %d requests were tried", requests)
	}
	t.Logf("%d requests", requests)
}

// TestSlowClients holds two hundred connections that send a byte now and then.
// Other requests are still answered, and the slow ones are cut off.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	var slow sync.WaitGroup
	began := time.Now()
	const most = 20 * time.Second // the host allows ten seconds for the headers
	for i := range 200 {
		slow.Go(func() {
			conn, err := net.Dial("tcp", h.address)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if i%2 == 0 { // in the body
				_, _ = io.WriteString(conn, post("/echo", isForm+length(1000), ""))
			} else { // in the headers
				_, _ = io.WriteString(conn, "POST /echo HTTP/1.1\r\nX: ")
			}
			go func() {
				for {
					if _, err := io.WriteString(conn, "a"); err != nil {
						return
					}
					time.Sleep(200 * time.Millisecond)
				}
			}()
			_ = conn.SetReadDeadline(began.Add(most))
			text, err := io.ReadAll(conn)
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Errorf("a slow client was still served after %s", time.Since(began))
			}
			if i%2 == 0 && !bytes.HasPrefix(text, []byte("HTTP/1.1 408 ")) {
				t.Errorf("a slow body was answered with %.40q", text)
			}
		})
	}
	for time.Since(began) < 2*time.Second {
		answers, _ := h.raw(t, post("/echo", isForm+"Connection: close\r\n"+length(3), "a=b"))
		if len(answers) != 1 || answers[0].StatusCode != 200 {
			t.Fatal("others were not answered meanwhile")
		}
		time.Sleep(50 * time.Millisecond)
	}
	slow.Wait()
}
