package memnet

import (
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// GoAway is a network whose server speaks HTTP/2 without TLS and answers every
// request with GOAWAY, which says that it did not process it. The counter holds
// the number of requests.
func GoAway(t testing.TB) (*Network, *atomic.Int64) {
	n := NewNetwork(t)
	requests := new(atomic.Int64)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	n.Accepted = func(_ int, c *Conn) bool {
		running.Go(func() { goAway(c, requests) })
		return false
	}
	return n, requests
}

// HTTP2Transport returns a transport that speaks HTTP/2 without TLS.
func (n *Network) HTTP2Transport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{DialContext: n.Dial, Protocols: protocols}
}

// Frame types and flags of RFC 9113.
const (
	frameHeaders  = 1
	frameSettings = 4
	frameGoAway   = 7
	flagAck       = 1
)

func goAway(c *Conn, requests *atomic.Int64) {
	// Write in a goroutine: the pipe has no buffer, so writing must not block
	// reading.
	out := make(chan []byte, 16)
	var writing sync.WaitGroup
	writing.Go(func() {
		for b := range out {
			c.Write(b)
		}
	})
	defer writing.Wait()
	defer close(out)
	defer c.Close()
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(c, preface); err != nil {
		return
	}
	out <- frame(frameSettings, 0, nil)
	for {
		var header [9]byte
		if _, err := io.ReadFull(c, header[:]); err != nil {
			return
		}
		length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		if _, err := io.CopyN(io.Discard, c, length); err != nil {
			return
		}
		switch {
		case header[3] == frameSettings && header[4]&flagAck == 0:
			out <- frame(frameSettings, flagAck, nil)
		case header[3] == frameHeaders:
			requests.Add(1)
			out <- frame(frameGoAway, 0, make([]byte, 8)) // last stream 0, NO_ERROR
			io.Copy(io.Discard, c)                        // until the client hangs up
			return
		}
	}
}

func frame(kind, flags byte, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags, 0, 0, 0, 0)
	return append(b, payload...)
}
