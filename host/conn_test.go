package host

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flexfn/flexfn/internal/testing/memnet"
	"github.com/flexfn/flexfn/internal/testing/peak"
)

// http2Frame returns a frame.
func http2Frame(kind, flags byte, stream uint32, payload string) string {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[5:], stream)
	return string(head) + payload
}

const (
	magic     = preface + "\r\n\r\nSM\r\n\r\n"
	noSetting = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
)

// refusesHTTP2 sends text, part by part, and reports whether the server refuses
// HTTP/2. A server begins with its settings; a refusal has none.
func refusesHTTP2(t *testing.T, conn net.Conn, text ...string) bool {
	t.Helper()
	var sending sync.WaitGroup
	defer sending.Wait() // a bubble ends only after its goroutines
	sending.Go(func() {
		for _, part := range text {
			_, _ = io.WriteString(conn, part)
			time.Sleep(time.Millisecond) // until it was read
		}
	})
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil || head[3] != 4 {
		t.Fatalf("the server began with %q, %v", head, err)
	}
	if head[2] > 0 { // the settings of a server that serves
		return false
	}
	rest, err := io.ReadAll(conn)
	if want := http2Frame(7, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x0d"); err != nil || string(rest) != want {
		t.Fatalf("a refusal goes on with %q, %v", rest, err)
	}
	return true
}

// serveInMemory serves in a synctest bubble until the test ends.
func serveInMemory(t *testing.T, config Config) (dial func() net.Conn, transport *http.Transport) {
	t.Helper()
	network := memnet.NewNetwork(t)
	config.Listener, config.Logger = network.Listener(), slog.New(slog.DiscardHandler)
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), config)
	}()
	dial = func() net.Conn {
		conn, err := network.Dial(t.Context(), "tcp", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	transport = &http.Transport{DialContext: network.Dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return dial, transport
}

// TestHTTP2Connections: HTTP/2 is spoken on a few connections at once. Others
// use HTTP/1.1.
func TestHTTP2Connections(t *testing.T) {
	byHTTP1 := func(t *testing.T, transport *http.Transport, url string) {
		t.Helper()
		if resp := get(t, transport, url); resp.StatusCode != 200 || resp.ProtoMajor != 1 {
			t.Errorf("the next client: %s %s", resp.Proto, resp.Status)
		}
	}
	t.Run("without TLS", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dial, transport := serveInMemory(t, Config{})
			var last net.Conn
			for i := range defaultHTTP2Connections {
				if last = dial(); refusesHTTP2(t, last, magic+noSetting) {
					t.Fatalf("connection %d was refused", i)
				}
			}
			for name, text := range map[string][]string{"at once": {magic + noSetting}, "in parts": {"P", "RI * HTTP/2", ".0\r\n\r\nSM\r\n\r\n" + noSetting}} {
				if !refusesHTTP2(t, dial(), text...) {
					t.Errorf("one more connection is served, sent %s", name)
				}
			}
			byHTTP1(t, transport, "http://flexfn.test/")
			_ = last.Close()
			synctest.Wait()
			if refusesHTTP2(t, dial(), magic+noSetting) {
				t.Error("no place was given back")
			}
		})
	})
	t.Run("unbounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dial, _ := serveInMemory(t, Config{MaxHTTP2Connections: -1})
			for i := range defaultHTTP2Connections + 1 {
				if refusesHTTP2(t, dial(), magic+noSetting) {
					t.Fatalf("connection %d was refused", i)
				}
			}
		})
	})
	t.Run("TLS", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const most = 3
			cert, key := keyFiles(t, t.TempDir(), "flexfn.test")
			dial, transport := serveInMemory(t, Config{TLSCertFile: cert, TLSKeyFile: key, MaxHTTP2Connections: most})
			open := func(protocols ...string) (conn *tls.Conn, speaks string) {
				t.Helper()
				conn = tls.Client(dial(), &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				return conn, conn.ConnectionState().NegotiatedProtocol
			}
			for range most + 5 {
				open("http/1.1") // takes no place
			}
			var last *tls.Conn
			for i := range most {
				conn, speaks := open("h2", "http/1.1")
				if last = conn; speaks != "h2" {
					t.Fatalf("connection %d speaks %q", i, speaks)
				}
			}
			if _, speaks := open("h2", "http/1.1"); speaks != "http/1.1" {
				t.Errorf("one more connection speaks %q", speaks)
			}
			byHTTP1(t, transport, "https://flexfn.test/")
			_ = last.Close()
			synctest.Wait()
			if _, speaks := open("h2", "http/1.1"); speaks != "h2" {
				t.Error("no place was given back")
			}
		})
	})
}

// TestHead counts the fields of a request as it arrives in pieces of each size.
func TestHead(t *testing.T) {
	for text, want := range map[string]head{
		"":                                   {},
		"GET / HT":                           {begun: true},
		"\r\n\n":                             {},
		"\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n": {lines: 2, ended: true},
		"GET / HTTP/1.1\r\n":                 {lines: 1},
		"GET / HTTP/1.1\r\nA: b\r\n\r":       {lines: 2},
		"GET / HTTP/1.1\r\nA: b\r\n\r\n":     {lines: 2, ended: true},
		"GET / HTTP/1.1\r\nA: b\r\n\r\nb\nc\nd\n": {lines: 2, ended: true},
		"GET / HTTP/1.1\nA: b\n c\nD:\n\nbody\n":  {lines: 4, ended: true},
	} {
		for size := 1; size <= max(1, len(text)); size++ {
			var h head
			for part := range slices.Chunk([]byte(text), size) {
				h.add(part)
			}
			if h != want {
				t.Errorf("%q in pieces of %d: %+v, want %+v", text, size, h, want)
			}
		}
	}
}

// TestFieldsAreCounted: a client is answered before its header fields end, in
// the first request on a connection or a later one. What a body has is not
// counted.
func TestFieldsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, _ := serveInMemory(t, Config{})
		var sending sync.WaitGroup
		defer sending.Wait()
		body := strings.Repeat("\n", 2*maxHeaders)
		whole := "POST / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", maxHeaders-1) + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
		for _, earlier := range []int{0, 1, 3} {
			conn := dial()
			answers := bufio.NewReader(conn)
			for range earlier {
				if _, err := io.WriteString(conn, whole); err != nil {
					t.Fatal(err)
				}
				if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != 200 {
					t.Fatalf("a request with %d fields: %v, %v", maxHeaders, resp, err)
				}
			}
			leading := ""
			if earlier > 0 { // net/http ignores it after a POST
				leading = "\r\n"
			}
			sending.Go(func() {
				_, _ = io.WriteString(conn, leading+"GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("A: b\r\n", maxHeaders+1))
			})
			resp, err := http.ReadResponse(answers, nil)
			if err != nil || resp.StatusCode != 431 {
				t.Fatalf("after %d requests: %v, %v", earlier, resp, err)
			}
			if text, err := io.ReadAll(resp.Body); err != nil || string(text) != fieldsMessage+"\n" {
				t.Errorf("after %d requests: %q, %v", earlier, text, err)
			}
		}
		if !strings.Contains(fieldsMessage, fmt.Sprint(maxHeaders)) {
			t.Errorf("the message says %q", fieldsMessage)
		}
	})
}

// TestMemoryUnderResets: clients open HTTP/2 streams, send a little of a long
// body, and reset them at once.
func TestMemoryUnderResets(t *testing.T) {
	besiege(t, 64, func(_ int, conn net.Conn) { reset(conn) })
}

// TestMemoryUnderEndlessHeads: clients send header fields without ending them,
// and half of them send a request first.
func TestMemoryUnderEndlessHeads(t *testing.T) {
	var fields strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&fields, "%x:\r\n", i)
	}
	besiege(t, 500, func(i int, conn net.Conn) { endless(conn, i%2 == 0, fields.String()[:35000]) })
}

// besiege runs clients against a server for three seconds, each over and over
// with a new connection. The server must answer other calls meanwhile, and stay
// below 128 MiB.
func besiege(t *testing.T, clients int, client func(i int, conn net.Conn)) {
	if testing.Short() {
		t.Skip("takes three seconds")
	}
	p, other := appServer(t, nil, "")
	peak.MiB(t, p.Process) // or skip
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var everyone sync.WaitGroup
	for i := range clients {
		everyone.Go(func() {
			for ctx.Err() == nil {
				conn, err := net.Dial("unix", p.socket)
				if err != nil {
					continue
				}
				stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
				client(i, conn)
				stop()
				_ = conn.Close()
			}
		})
	}
	calls, statuses := 0, map[int]int{}
	for ctx.Err() == nil {
		statuses[status(t, other, "/fine")]++
		calls++
		time.Sleep(20 * time.Millisecond)
	}
	everyone.Wait()
	mib, limit := peak.MiB(t, p.Process), 128
	if raceDetector { // it keeps several words for each word of the program
		limit *= 5
	}
	t.Logf("the server's memory was %d MiB at its highest; %d calls were answered %v", mib, calls, statuses)
	if mib > limit || calls == 0 || statuses[200] != calls {
		t.Error("the server used too much memory, or did not serve others")
	}
}

// endless sends the beginning of a request, and holds the connection until the
// server closes it.
func endless(conn net.Conn, second bool, fields string) {
	if second {
		_, _ = io.WriteString(conn, "GET /fine HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			return
		}
	}
	go func() { _, _ = io.WriteString(conn, "GET /fine HTTP/1.1\r\n"+fields) }() // ends with conn
	_, _ = io.Copy(io.Discard, conn)
}

// reset opens and resets streams on one connection until the server closes it.
func reset(conn net.Conn) {
	go func() { _, _ = io.Copy(io.Discard, conn) }() // ends with conn
	field := func(name, value string) string {
		return "\x00" + string(rune(len(name))) + name + string(rune(len(value))) + value
	}
	head := field(":method", "POST") + field(":scheme", "http") + field(":path", "/fine") + field(":authority", "x") +
		field("content-type", "application/json") + field("content-length", "6000000")
	var text bytes.Buffer
	text.WriteString(magic + noSetting)
	for stream := uint32(1); ; stream += 2 {
		text.WriteString(http2Frame(1, 4, stream, head) + http2Frame(0, 0, stream, `{"a":"`) + http2Frame(3, 0, stream, "\x00\x00\x00\x08"))
		if text.Len() > 4<<10 {
			if _, err := text.WriteTo(conn); err != nil {
				return
			}
		}
	}
}
