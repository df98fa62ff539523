package flexfn

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestBodyRoom(t *testing.T) {
	const total = 1 << 20
	room := newBodyRoom(total)
	if room.ordinary != total/4 || room.long != total*3/4 {
		t.Fatalf("%d and %d bytes", room.ordinary, room.long)
	}
	for _, c := range []struct{ size, ordinary, long int64 }{
		{0, 0, 0},
		{freeBodyBytes, 0, 0},
		{freeBodyBytes + 1, 1, 0},
		{ordinaryBodyBytes, ordinaryBodyBytes - freeBodyBytes, 0},
		{ordinaryBodyBytes + 1, 0, ordinaryBodyBytes + 1},
		{total * 3 / 4, 0, total * 3 / 4},
	} {
		l := bodyLease{room: room}
		if !l.grow(c.size) || room.ordinary != total/4-c.ordinary || room.long != total*3/4-c.long {
			t.Errorf("a body of %d bytes leaves %d and %d", c.size, room.ordinary, room.long)
		}
		l.release()
		if room.ordinary != total/4 || room.long != total*3/4 {
			t.Fatalf("after one of %d bytes: %d and %d", c.size, room.ordinary, room.long)
		}
	}
	l := bodyLease{room: room}
	if l.grow(total*3/4+1) || room.long != total*3/4 {
		t.Error("a body longer than the room fits")
	}
	others := make([]bodyLease, 9) // ordinary ones, of which eight fit exactly
	for i := range others {
		others[i].room = room
		if got := others[i].grow(freeBodyBytes + total/32); got != (i < 8) {
			t.Errorf("body %d fits: %t", i, got)
		}
	}
}

func TestReadBody(t *testing.T) {
	const text, limit = "hello world", 64 << 10
	read := func(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }
	long := strings.Repeat("x", limit)
	for name, c := range map[string]struct {
		body   io.ReadCloser
		length int64
		want   string
		status int // of the error; 0: none
	}{
		"whole":                      {read(text), int64(len(text)), text, 0},
		"of unknown length":          {read(text), -1, text, 0},
		"longer than it says":        {read(text), 3, text, 0},
		"shorter than it says":       {read(text), 100, text, 0},
		"none":                       {http.NoBody, 0, "", 0},
		"taken away":                 {nil, 5, "", 0},
		"as long as may be":          {read(long), limit, long, 0},
		"as long, of unknown length": {read(long), -1, long, 0},
		"too long":                   {read(long + "x"), limit + 1, "", 413},
		"too long, unknown length":   {read(long + "x"), -1, "", 413},
		"cut":                        {io.NopCloser(io.MultiReader(strings.NewReader(text), failing{})), -1, "", 408},
	} {
		r := &http.Request{Body: c.body, ContentLength: c.length}
		// The deadline has passed, which matters only if reading fails.
		got, err := readBody(r, limit, time.Now().Add(-time.Second), &bodyLease{room: newBodyRoom(1 << 20)})
		status := 0
		if e, ok := err.(*Error); ok {
			status = e.Status
		}
		if string(got) != c.want || status != c.status || (err == nil) != (status == 0) {
			t.Errorf("%s: %.20q, %v", name, got, err)
		}
	}
	r := httptest.NewRequest("POST", "/x", io.MultiReader(strings.NewReader(text), failing{}))
	if _, err := readBody(r, limit, time.Now().Add(time.Hour), &bodyLease{room: newBodyRoom(1 << 20)}); err == nil || err.(*Error).Status != 400 {
		t.Errorf("cut before the deadline: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
