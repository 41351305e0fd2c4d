//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/settings"
)

// pop3 collects a mailbox beside a client that only asks and drops.
func (b *bench) pop3() error {
	n := b.count(10_000)
	size, err := b.fill("pop", n)
	if err != nil {
		return err
	}
	var who []order
	for _, w := range []string{"pop3 floor", "pop3 launcher", "pop3 job, null sink"} {
		o := b.order(w, "pop")
		o.Port, o.N = b.st.POP3, n
		who = append(who, o)
	}
	// Once for the page cache and the server's sizes, unmeasured.
	if _, err := ask(b.ctx, who[0]); err != nil {
		return err
	}
	all, err := b.turns(who, nil)
	if err != nil {
		return err
	}
	fmt.Printf("pop3: %d mails, %.0f MB on the wire, %d rounds\n", n, float64(size)/1e6, b.rounds)
	for i, o := range who {
		r, speed, memory := best(all[i]), "", ""
		if r.Items != n {
			return fmt.Errorf("%s: %d of %d mails", o.Who, r.Items, n)
		}
		if i > 0 {
			speed = "<= 3.0 x"
		}
		if i == 2 {
			memory = "<= 64 MiB"
		}
		line(o.Who, fmt.Sprintf("%.2f x  (best %.2f s, %.0f MB/s)", ratio(all[i], all[0]), r.Seconds, float64(size)/1e6/r.Seconds), speed)
		line("", fmt.Sprintf("%.2f s CPU, peak %s, %d documents", r.CPU, mib(peak(all[i])), r.Docs), memory)
	}
	return nil
}

// popFloor is the least that a POP3 client can do: every RETR is sent ahead (RFC 2449
// section 6.6), and what comes is looked at only for the lines that end a mail.
func popFloor(ctx context.Context, o order, r *result) error {
	c, err := net.Dial("tcp", net.JoinHostPort(o.Host, fmt.Sprint(o.Port)))
	if err != nil {
		return err
	}
	defer c.Close()
	br := bufio.NewReaderSize(c, 256<<10)
	for _, command := range []string{"", "USER " + o.User, "PASS " + mailstack.Password} {
		if command != "" {
			fmt.Fprintf(c, "%s\r\n", command)
		}
		if s, err := br.ReadString('\n'); err != nil || !strings.HasPrefix(s, "+OK") {
			return errors.Join(err, errors.New("the server says "+s))
		}
	}
	sent := make(chan error, 1)
	go func() {
		w := bufio.NewWriter(c)
		for i := range o.N {
			fmt.Fprintf(w, "RETR %d\r\n", i+1)
		}
		sent <- w.Flush()
	}()
	for begun := false; r.Items < o.N; {
		l, err := br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		r.Bytes += int64(len(l))
		switch {
		case !begun && !bytes.HasPrefix(l, []byte("+OK")):
			return fmt.Errorf("mail %d: %q", r.Items+1, l)
		case !begun:
			begun = true
		case string(l) == ".\r\n":
			begun = false
			r.Items++
		}
	}
	return <-sent
}

func popOf(o order) *launcher.POP3 {
	return &launcher.POP3{Host: o.Host, Port: o.Port, TLS: launcher.TLSNone, AllowInsecureAuth: true, Auth: "user",
		Account: o.User, Password: settings.Secret(mailstack.Password), Timeout: 2 * time.Minute, MinInterval: time.Millisecond}
}

// popLauncher lists and reads every mail, and drops it.
func popLauncher(ctx context.Context, o order, r *result) error {
	s, err := popOf(o).Connect(ctx, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	var items []cold.Item
	for page := (cold.Page{More: true}); page.More; items = append(items, page.Items...) {
		if page, err = s.List(ctx, page.Cursor); err != nil {
			return err
		}
	}
	return s.Open(ctx, items, func(_ cold.Item, c *cold.Content) error {
		if c == nil {
			r.Items++
			return nil
		}
		if c.Err != nil {
			return c.Err
		}
		n, err := io.Copy(io.Discard, c.Body)
		r.Bytes += n
		return err
	})
}

func popJob(ctx context.Context, o order, r *result) error {
	job := cold.Job{Name: "bench", Launcher: popOf(o), Sink: null{r}, Ledger: forgetful{cold.NewMemoryLedger()}}
	s, err := job.Run(ctx)
	r.Items = s.Items
	return err
}
