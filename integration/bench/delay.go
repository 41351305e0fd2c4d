//go:build linux

package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// delayed is a line to addr that takes half a round trip longer each way, whatever
// flows: it delays, it does not throttle.
func delayed(addr string, half time.Duration) (port int, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", addr)
			if err != nil {
				near.Close()
				continue
			}
			wg.Go(func() { carry(far, near, half) })
			wg.Go(func() { carry(near, far, half) })
		}
	})
	return l.Addr().(*net.TCPAddr).Port, func() { l.Close(); wg.Wait() }, nil
}

// carry copies from one connection to the other, each piece half later than it came.
func carry(to, from net.Conn, half time.Duration) {
	type piece struct {
		due time.Time
		b   []byte
	}
	line := make(chan piece, 1<<14)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer to.Close()
		for p := range line {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.b); err != nil {
				break
			}
		}
		for range line { // let the reader end
		}
	})
	for {
		b := make([]byte, 64<<10)
		n, err := from.Read(b)
		if n > 0 {
			line <- piece{time.Now().Add(half), b[:n]}
		}
		if err != nil {
			if err != io.EOF {
				from.Close()
			}
			close(line)
			break
		}
	}
	wg.Wait()
}
