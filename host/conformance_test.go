package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// target is a platform that the conformance suite runs against: a way to get
// requests to conformanceHandler through [Serve].
type target struct {
	transport http.RoundTripper
	base      string // of URLs for transport; http://flexfn.test when empty

	limit     time.Duration // the platform's limit for a request; zero if it reports none
	largest   int           // body of an answer in bytes; zero: no limit worth testing
	streams   bool          // answers arrive as they are written
	leaves    bool          // the handler learns that the client has left
	oneQuery  bool          // only the last of repeated query keys arrives
	oneCookie bool          // only the last Set-Cookie arrives
	oneHeader bool          // equal request headers arrive joined with commas
	decodes   bool          // escapes in the path are lost
	prefix    string        // of the path that was called, not of the handler's
}

// seen is the report of /echo on its request.
type seen struct {
	Method, Path, EscapedPath, RawQuery, RequestURI, Host, RemoteAddr string
	Query                                                             map[string][]string
	Header                                                            http.Header
	Cookies                                                           map[string]string
	Body                                                              []byte
	ContentLength                                                     int64
	Left                                                              time.Duration // until ctx's deadline; zero: it has none
}

// conformanceHandler returns the handler that the suite calls.
func conformanceHandler() http.Handler {
	var gone atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/echo/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		s := seen{
			Method: r.Method, Path: r.URL.Path, EscapedPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
			RequestURI: r.RequestURI, Host: r.Host, RemoteAddr: r.RemoteAddr, Query: r.URL.Query(), Header: r.Header,
			Cookies: map[string]string{}, Body: body, ContentLength: r.ContentLength,
		}
		for _, c := range r.Cookies() {
			s.Cookies[c.Name] = c.Value
		}
		if at, ok := r.Context().Deadline(); ok {
			s.Left = time.Until(at)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s)
	})
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		w.Header().Set("X-Status", r.FormValue("code"))
		w.WriteHeader(code)
	})
	mux.HandleFunc("/nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/binary", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(everyByte())
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("bytes"))
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		_, _ = w.Write(bytes.Repeat([]byte("x"), n))
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Vary"] = []string{"Origin", "Accept"}
		h.Set("X-Comma", "a, b; c=\"d, e\"")
		h.Set("X-Empty", "")
		http.SetCookie(w, &http.Cookie{Name: "one", Value: "1", Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: "two", Value: "2", Path: "/", Expires: time.Unix(2e9, 0)})
		_, _ = io.WriteString(w, "<html>ö</html>")
	})
	mux.HandleFunc("/untyped", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "<html>short and stout</html>")
	})
	mux.HandleFunc("/no-body", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		_, err := io.WriteString(w, "x")
		if err != http.ErrBodyNotAllowed {
			panic(err)
		}
	})
	mux.HandleFunc("/panic-headed", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		panic("on purpose")
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			if i > 0 {
				select {
				case <-time.After(150 * time.Millisecond):
				case <-r.Context().Done():
				}
			}
			fmt.Fprintf(w, "line %d\n", i)
			w.(http.Flusher).Flush()
			w.Header().Set("X-Late", "too late")
		}
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("on purpose") })
	mux.HandleFunc("/panic-late", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half an answ")
		panic("on purpose")
	})
	mux.HandleFunc("/deadline", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusGatewayTimeout)
			_, _ = io.WriteString(w, r.Context().Err().Error())
		case <-time.After(20 * time.Second):
		}
	})
	mux.HandleFunc("/sleep", func(w http.ResponseWriter, r *http.Request) {
		d, _ := time.ParseDuration(r.FormValue("for"))
		time.Sleep(d)
		_, _ = io.WriteString(w, "slept")
	})
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		gone.Add(1)
	})
	mux.HandleFunc("/gone", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, gone.Load()) })
	return mux
}

func everyByte() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// conformance checks that requests and answers survive a platform.
func conformance(t *testing.T, p target) {
	if p.base == "" {
		p.base = "http://flexfn.test"
	}
	client := &http.Client{Transport: p.transport, Timeout: 20 * time.Second}
	do := func(t *testing.T, method, target, body string, header ...string) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, p.base+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Add(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, text
	}
	echo := func(t *testing.T, method, target, body string, header ...string) seen {
		t.Helper()
		resp, text := do(t, method, target, body, header...)
		var s seen
		if err := json.Unmarshal(text, &s); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %.300q, %v", resp.Status, text, err)
		}
		return s
	}
	equal := func(t *testing.T, what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %q, want %q", what, got, want)
		}
	}

	t.Run("methods and bodies", func(t *testing.T) {
		for _, body := range []string{"", "Token=a%20b&x=1+2", `{"a":"ö"}`, string(everyByte()), strings.Repeat("0123456789", 50_000)} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"} {
				if method != "POST" && body != "" && method != "PUT" {
					continue
				}
				s := echo(t, method, "/echo/", body, "Content-Type", "application/x-www-form-urlencoded")
				equal(t, "method", s.Method, method)
				if !bytes.Equal(s.Body, []byte(body)) {
					t.Errorf("%s: the body of %d bytes arrived as %d others", method, len(body), len(s.Body))
				}
				equal(t, "length", s.ContentLength, len(body))
				equal(t, "content type", s.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
			}
		}
	})
	t.Run("path and query", func(t *testing.T) {
		s := echo(t, "GET", "/echo/a-b_c.d~e?one=1&two=a%20b&empty=&%C3%B6=%2B%26%3D", "")
		equal(t, "path", s.Path, "/echo/a-b_c.d~e")
		equal(t, "query", s.Query, map[string][]string{"one": {"1"}, "two": {"a b"}, "empty": {""}, "ö": {"+&="}})
		path, query, _ := strings.Cut(s.RequestURI, "?")
		equal(t, "RequestURI", path, p.prefix+"/echo/a-b_c.d~e")
		equal(t, "its query", query, s.RawQuery)
		s = echo(t, "GET", "/echo/%C3%B6%20x", "")
		equal(t, "path", s.Path, "/echo/ö x")
		equal(t, "RequestURI", s.RequestURI, p.prefix+"/echo/%C3%B6%20x")
		if !p.decodes {
			s = echo(t, "GET", "/echo/a%2Fb", "")
			equal(t, "path", s.Path, "/echo/a/b")
			equal(t, "escaped path", s.EscapedPath, "/echo/a%2Fb")
		}
		s = echo(t, "GET", "/echo/?k=1&k=2&k=3", "")
		if p.oneQuery {
			equal(t, "repeated key", s.Query["k"], []string{"3"})
		} else {
			equal(t, "repeated key", s.Query["k"], []string{"1", "2", "3"})
		}
	})
	t.Run("headers and cookies", func(t *testing.T) {
		s := echo(t, "GET", "/echo/", "", "X-One", "1", "X-Two", "a, b", "X-Two", "c", "Cookie", "a=1; b=2", "Authorization", "Bearer abc",
			"X-Forwarded-For", "203.0.113.9", "X-Twilio-Signature", "a+b/c=")
		equal(t, "X-One", s.Header["X-One"], []string{"1"})
		equal(t, "X-Twilio-Signature", s.Header["X-Twilio-Signature"], []string{"a+b/c="})
		if p.oneHeader {
			equal(t, "X-Two", s.Header["X-Two"], []string{"a, b,c"})
		} else {
			equal(t, "X-Two", s.Header["X-Two"], []string{"a, b", "c"})
		}
		equal(t, "cookies", s.Cookies, map[string]string{"a": "1", "b": "2"})
		equal(t, "Authorization", s.Header.Get("Authorization"), "Bearer abc")
		if s.Host == "" || s.RemoteAddr == "" {
			t.Errorf("the host is %q and the caller's address %q", s.Host, s.RemoteAddr)
		}
	})
	t.Run("answers", func(t *testing.T) {
		resp, text := do(t, "GET", "/headers", "")
		equal(t, "body", string(text), "<html>ö</html>")
		equal(t, "content type", resp.Header.Get("Content-Type"), "text/html; charset=utf-8")
		equal(t, "Vary", strings.Join(resp.Header["Vary"], ", "), "Origin, Accept")
		equal(t, "X-Comma", resp.Header["X-Comma"], []string{"a, b; c=\"d, e\""})
		var cookies []string
		for _, c := range resp.Cookies() {
			cookies = append(cookies, c.Name+"="+c.Value)
		}
		if p.oneCookie {
			equal(t, "cookies", cookies, []string{"two=2"})
		} else {
			equal(t, "cookies", cookies, []string{"one=1", "two=2"})
		}
		resp, text = do(t, "GET", "/binary", "")
		if !bytes.Equal(text, everyByte()) {
			t.Errorf("binary: %d bytes came back, or others", len(text))
		}
		equal(t, "content type", resp.Header.Get("Content-Type"), "application/octet-stream")
		resp, text = do(t, "GET", "/nothing", "")
		equal(t, "an answer without anything", fmt.Sprint(resp.StatusCode, len(text)), "200 0")
		for _, code := range []int{200, 201, 204, 302, 304, 400, 403, 404, 429, 500, 503} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", p.base+"/status?code="+strconv.Itoa(code), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := p.transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			equal(t, "status", fmt.Sprintf("%d %s %d", resp.StatusCode, resp.Header.Get("X-Status"), len(text)), fmt.Sprintf("%d %d 0", code, code))
		}
		resp, text = do(t, "GET", "/untyped", "")
		equal(t, "an answer with a status and no type", fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Type"), " ", string(text)),
			"418 text/html; charset=utf-8 <html>short and stout</html>")
		resp, text = do(t, "GET", "/no-body", "")
		equal(t, "a body that is not allowed", fmt.Sprint(resp.StatusCode, len(text)), "204 0")
		resp, text = do(t, "HEAD", "/headers", "")
		equal(t, "HEAD", fmt.Sprint(resp.StatusCode, len(text)), "200 0")
	})
	t.Run("large answers", func(t *testing.T) {
		size := 5 << 20
		if p.largest > 0 {
			size = p.largest - 10<<10
		}
		resp, text := do(t, "GET", "/large?bytes="+strconv.Itoa(size), "")
		if resp.StatusCode != 200 || len(text) != size {
			t.Errorf("%s with %d bytes, want %d", resp.Status, len(text), size)
		}
		if p.largest > 0 {
			resp, text = do(t, "GET", "/large?bytes="+strconv.Itoa(p.largest+1), "")
			equal(t, "status of one too long", resp.StatusCode, 500)
			equal(t, "its CORS header", resp.Header.Get("Access-Control-Allow-Origin"), "*")
			if !bytes.HasPrefix(text, []byte(`{"message":"The answer is longer than `)) {
				t.Errorf("one too long was answered with %.100q", text)
			}
		}
	})
	t.Run("panics", func(t *testing.T) {
		resp, text := do(t, "GET", "/panic", "")
		equal(t, "status", resp.StatusCode, 500)
		equal(t, "body", strings.TrimSpace(string(text)), `{"message":"Internal error","success":false}`)
		for _, path := range []string{"/panic-late", "/panic-headed"} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", p.base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			// Cut off or replaced, but never a partial answer that looks
			// complete.
			if resp, err := client.Do(req); err == nil {
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err == nil && resp.StatusCode != 500 {
					t.Errorf("%s: half an answer, then a panic: %s with %q", path, resp.Status, text)
				}
			}
		}
		echo(t, "GET", "/echo/", "") // it is still alive
	})
	t.Run("deadline", func(t *testing.T) {
		left := echo(t, "GET", "/echo/", "").Left
		if p.limit == 0 {
			equal(t, "time left", left, time.Duration(0))
			return
		}
		margin := min(p.limit/10, 500*time.Millisecond)
		if left > p.limit-margin || left < p.limit-margin-time.Second {
			t.Errorf("of %s the handler has %s, want %s less a little", p.limit, left, p.limit-margin)
		}
		if p.limit > 5*time.Second {
			return
		}
		resp, text := do(t, "GET", "/deadline", "")
		equal(t, "answer at the deadline", fmt.Sprint(resp.StatusCode, " ", string(text)), "504 context deadline exceeded")
	})
	t.Run("late headers", func(t *testing.T) {
		resp, _ := do(t, "GET", "/stream", "")
		equal(t, "a header set after the answer began", resp.Header["X-Late"], []string(nil))
	})
	if p.streams {
		t.Run("streams", func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", p.base+"/stream", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var at []time.Time
			for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
				equal(t, "line", lines.Text(), fmt.Sprintf("line %d", len(at)))
				at = append(at, time.Now())
			}
			if len(at) != 3 || at[2].Sub(at[0]) < 100*time.Millisecond {
				t.Errorf("%d lines came, all at once: %v", len(at), at)
			}
		})
	}
	if p.leaves {
		t.Run("client gone", func(t *testing.T) {
			_, before := do(t, "GET", "/gone", "")
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, "GET", p.base+"/wait", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			_ = resp.Body.Close()
			for range 200 {
				if _, now := do(t, "GET", "/gone", ""); !bytes.Equal(now, before) {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Error("the handler never learnt that the client had gone")
		})
	}
}
