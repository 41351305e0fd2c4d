package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
)

// bad is a bad line to a server.
type bad struct {
	*toxiproxy.Proxy
	port int
}

var proxies atomic.Int64

// badLine opens a line through which everything passes, until spoil.
func badLine(t testing.TB, to string) *bad {
	t.Helper()
	srv := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(srv, fmt.Sprintf("p%d", proxies.Add(1)), "127.0.0.1:0", to)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	_, port, err := net.SplitHostPort(p.Listen)
	if err != nil {
		t.Fatal(err)
	}
	b := &bad{Proxy: p}
	fmt.Sscan(port, &b.port)
	return b
}

// spoil adds one fault to new and open connections; "downstream" is towards the client.
func (b *bad) spoil(t testing.TB, kind, stream string, attributes map[string]int) {
	t.Helper()
	j, _ := json.Marshal(map[string]any{"name": kind, "type": kind, "stream": stream, "toxicity": 1, "attributes": attributes})
	if _, err := b.Toxics.AddToxicJson(strings.NewReader(string(j))); err != nil {
		t.Fatal(err)
	}
}

func (b *bad) heal() { b.Toxics.ResetToxics(context.Background()) }

// three mails, short so that a session can be cut at every byte of it.
var three = [][]byte{
	note("1", "Facture.pdf", "%PDF-1.4 un"), note("2", "Relevé.xml", "<a/>"), note("3", "devis.pdf", "%PDF-1.4 trois"),
}

func note(id, name, text string) []byte {
	return []byte("From: <a@societe-exemple.invalid>\r\nMessage-ID: <n" + id + "@x.invalid>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"" + name + "\"\r\n\r\n" + text + "\r\n")
}

func threeDocs() []string {
	return []string{"Facture.pdf " + hash([]byte("%PDF-1.4 un\r\n")), "Relevé.xml " + hash([]byte("<a/>\r\n")), "devis.pdf " + hash([]byte("%PDF-1.4 trois\r\n"))}
}

// trial is one mailbox that is collected over a line that breaks, then over a good one.
type trial struct {
	user string
	job  *cold.Job
	sink *basket
}

func newTrial(t testing.TB, user string, port int, mode launcher.TLSMode) *trial {
	t.Helper()
	if err := servers.Append(user, "INBOX", three...); err != nil {
		t.Fatal(err)
	}
	l := imapOf(user)
	l.Port, l.TLS, l.Timeout = port, mode, 2*time.Second
	x := &trial{user: user, sink: &basket{}}
	x.job = &cold.Job{Name: "j", Launcher: l, Sink: x.sink, Ledger: cold.NewMemoryLedger(), After: cold.MoveTo("Traités")}
	return x
}

// breaks runs over the bad line and checks that nothing wrong was handed over and that it ended.
func (x *trial) breaks(t testing.TB, what string, within time.Duration) error {
	t.Helper()
	begin := time.Now()
	_, err := x.job.Run(testContext(t))
	if took := time.Since(begin); took > within {
		t.Errorf("%s: the run took %v, allowed are %v (%v)", what, took, within, err)
	}
	if err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Errorf("%s: class %q: %v", what, vaguemestre.ClassOf(err), err)
	}
	good := threeDocs()
	for _, d := range x.sink.list() {
		if d != good[0] && d != good[1] && d != good[2] {
			t.Errorf("%s: a document was handed over that nobody sent: %s", what, d)
		}
	}
	return err
}

// recovers runs over the healed line: nothing lost, nothing twice. A busy server may let
// a login time out; the run after it goes on, as a host's does.
func (x *trial) recovers(t testing.TB, what string) {
	t.Helper()
	s, err := x.job.Run(testContext(t))
	for try := 0; try < 2 && vaguemestre.ClassOf(err) == vaguemestre.ClassSource; try++ {
		t.Logf("%s: afterwards: %v; once more", what, err)
		s, err = x.job.Run(testContext(t))
	}
	if err != nil {
		t.Errorf("%s: afterwards: %+v, %v", what, s, err)
	}
	same(t, what, x.sink.list(), threeDocs())
	_, in := folder(t, x.user, "INBOX")
	_, done := folder(t, x.user, "Traités")
	same(t, what+": INBOX", in, nil)
	same(t, what+": Traités", done, rawOf(three))
	if n := x.sink.twin; n != 0 {
		t.Logf("%s: %d documents came again under the same key", what, n)
	}
}

// measure counts the bytes of an undisturbed session, both ways.
func measure(t *testing.T, to string, mode launcher.TLSMode) (fromServer, fromClient int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer s.Close()
		done := make(chan struct{})
		go func() { fromServer, _ = io.Copy(c, s); close(done) }()
		fromClient, _ = io.Copy(s, c)
		s.Close()
		<-done
	})
	x := newTrial(t, user(t)+"-measure-"+string(mode), l.Addr().(*net.TCPAddr).Port, mode)
	if err := x.breaks(t, "undisturbed", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	x.job.Launcher.(*launcher.IMAP).Port = servers.IMAP
	same(t, "undisturbed", x.sink.list(), threeDocs())
	return fromServer, fromClient
}

// TestFaultCut cuts the line after every byte of a whole session, login to move, in
// both directions, and of a session under TLS after every 16th.
func TestFaultCut(t *testing.T) {
	st := stack(t)
	plain := net.JoinHostPort(st.Host(mailstack.Good), fmt.Sprint(st.IMAP))
	secure := net.JoinHostPort(st.Host(mailstack.Good), fmt.Sprint(st.IMAPS))
	server, client := measure(t, plain, launcher.TLSNone)
	tlsServer, _ := measure(t, secure, launcher.TLSImplicit)
	if server < 2000 {
		t.Errorf("the session has %d bytes from the server, want 2,000 at least", server)
	}
	// Plain `go test` takes samples; `make integration` cuts at every byte.
	step, tlsStep := int64(11), int64(101)
	if os.Getenv("VAGUEMESTRE_CUTS") == "all" {
		step, tlsStep = 1, 16
	}
	if os.Getenv("VAGUEMESTRE_LONG") != "" {
		step, tlsStep = 1, 1
	}
	type cut struct {
		stream string
		at     int64
		mode   launcher.TLSMode
	}
	cuts := make(chan cut)
	var broken, runs atomic.Int64
	var wg sync.WaitGroup
	for w := range 4 {
		lines := map[launcher.TLSMode]*bad{launcher.TLSNone: badLine(t, plain), launcher.TLSImplicit: badLine(t, secure)}
		wg.Go(func() {
			for c := range cuts {
				what := fmt.Sprintf("%s cut %s after %d bytes", c.mode, c.stream, c.at)
				b := lines[c.mode]
				x := newTrial(t, fmt.Sprintf("cut-%d-%s-%s-%d", w, c.mode, c.stream, c.at), b.port, c.mode)
				b.spoil(t, "limit_data", c.stream, map[string]int{"bytes": int(c.at)})
				if err := x.breaks(t, what, 10*time.Second); err != nil {
					broken.Add(1)
				}
				runs.Add(1)
				b.heal()
				x.recovers(t, what)
			}
		})
	}
	begin := time.Now()
	for i := int64(0); i < server && !t.Failed(); i += step {
		cuts <- cut{"downstream", i, launcher.TLSNone}
	}
	for i := int64(0); i < client && !t.Failed(); i += step {
		cuts <- cut{"upstream", i, launcher.TLSNone}
	}
	for i := int64(0); i < tlsServer && !t.Failed(); i += tlsStep {
		cuts <- cut{"downstream", i, launcher.TLSImplicit}
	}
	close(cuts)
	wg.Wait()
	t.Logf("%d sessions cut, after every %d bytes (server %d bytes, client %d, server under TLS %d), %d runs failed, in %v", runs.Load(), step, server, client, tlsServer, broken.Load(), time.Since(begin).Round(time.Second))
	if broken.Load() < runs.Load()/2 {
		t.Errorf("only %d of %d cuts broke a run: the cuts do not cut", broken.Load(), runs.Load())
	}
}

// TestFaultLines runs over slow, stalling and resetting lines.
func TestFaultLines(t *testing.T) {
	st := stack(t)
	plain := net.JoinHostPort(st.Host(mailstack.Good), fmt.Sprint(st.IMAP))
	for _, c := range []struct {
		name       string
		kind       string
		attributes map[string]int
		at         string // step of the job at which it begins; "" is at once
		fails      bool
	}{
		{"latency", "latency", map[string]int{"latency": 60, "jitter": 30}, "", false},
		{"slices", "slicer", map[string]int{"average_size": 3, "size_variation": 2, "delay": 100}, "", false},
		{"narrow", "bandwidth", map[string]int{"rate": 8}, "", false},
		{"slow close", "slow_close", map[string]int{"delay": 500}, "", false},
		{"reset at once", "reset_peer", map[string]int{"timeout": 0}, "", true},
		{"reset while listing", "reset_peer", map[string]int{"timeout": 0}, "list", true},
		{"reset while opening", "reset_peer", map[string]int{"timeout": 0}, "open", true},
		{"reset while settling", "reset_peer", map[string]int{"timeout": 0}, "settle", true},
		{"silent at once", "timeout", map[string]int{"timeout": 0}, "", true},
		{"silent while listing", "timeout", map[string]int{"timeout": 0}, "list", true},
		{"silent while opening", "timeout", map[string]int{"timeout": 0}, "open", true},
		{"silent while settling", "timeout", map[string]int{"timeout": 0}, "settle", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := badLine(t, plain)
			x := newTrial(t, user(t), b.port, launcher.TLSNone)
			var once sync.Once
			spoil := func() { once.Do(func() { b.spoil(t, c.kind, "downstream", c.attributes) }) }
			if c.at == "" {
				spoil()
			}
			seen := map[string]bool{}
			x.job.OnEvent = func(e cold.Event) {
				if seen[e.Step] = true; e.Step == c.at {
					spoil()
				}
			}
			// Opening and searching a folder may take five times the timeout.
			err := x.breaks(t, c.name, 20*time.Second)
			if c.at != "" && !seen[c.at] {
				t.Errorf("the run had the steps %v, not %q", seen, c.at)
			}
			if c.fails && c.at == "" && err == nil || !c.fails && err != nil {
				t.Errorf("the run ended with %v", err)
			}
			b.heal()
			x.recovers(t, c.name)
		})
	}
}

// TestFaultCancel ends the context while the server is silent.
func TestFaultCancel(t *testing.T) {
	st := stack(t)
	b := badLine(t, net.JoinHostPort(st.Host(mailstack.Good), fmt.Sprint(st.IMAP)))
	x := newTrial(t, user(t), b.port, launcher.TLSNone)
	x.job.Launcher.(*launcher.IMAP).Timeout = time.Minute
	b.spoil(t, "timeout", "downstream", map[string]int{"timeout": 0})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := x.job.Run(ctx)
	if took := time.Since(begin); err == nil || took > 1300*time.Millisecond {
		t.Errorf("%v after %v, want an error within a second of the context's end", err, took)
	}
	b.heal()
	x.job.Launcher.(*launcher.IMAP).Timeout = 10 * time.Second
	x.recovers(t, "after the cancelled run")
}

// TestFaultMemory collects a large mail over a line that delivers crumbs and breaks off
// near the end, again and again: memory stays far below the mail's size.
func TestFaultMemory(t *testing.T) {
	st := stack(t)
	u := user(t)
	const size = 48 << 20
	raw := make([]byte, 0, size+1000)
	raw = append(raw, "Message-ID: <gros@x.invalid>\nMIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=gros.bin\nContent-Transfer-Encoding: base64\n\n"...)
	line := []byte(strings.Repeat("QUJD", 19) + "\n")
	for len(raw) < size {
		raw = append(raw, line...)
	}
	if err := servers.Append(u, "INBOX", raw); err != nil {
		t.Fatal(err)
	}
	whole := hash(bytes.Repeat([]byte("ABC"), bytes.Count(raw, line)*19))
	raw = nil
	runtime.GC()
	var base runtime.MemStats
	runtime.ReadMemStats(&base)
	var peak atomic.Uint64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > peak.Load() {
				peak.Store(m.HeapAlloc)
			}
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	b := badLine(t, net.JoinHostPort(st.Host(mailstack.Good), fmt.Sprint(st.IMAP)))
	l := imapOf(u)
	l.Port = b.port
	sink := &basket{}
	job := &cold.Job{Name: "j", Launcher: l, Sink: sink, Ledger: cold.NewMemoryLedger(), Scratch: t.TempDir()}
	b.spoil(t, "limit_data", "downstream", map[string]int{"bytes": size * 9 / 10})
	// The launcher may go on with the mail over a new connection, or give up: then the
	// next run takes it. Either way it is handed over once, and whole.
	delivered := 0
	for range 2 {
		s, err := job.Run(testContext(t))
		if err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Errorf("%v, want class source", err)
		}
		delivered += s.Delivered
	}
	b.heal()
	b.spoil(t, "slicer", "downstream", map[string]int{"average_size": 4000, "size_variation": 3000, "delay": 1})
	if delivered += run(t, job).Delivered; delivered != 1 {
		t.Errorf("%d documents delivered, want 1", delivered)
	}
	if got := sink.list(); len(got) != 1 || got[0] != "gros.bin "+whole {
		t.Errorf("the sink has %q, want %q", got, whole)
	}
	close(stop)
	wg.Wait()
	grown := int64(peak.Load()) - int64(base.HeapAlloc)
	t.Logf("heap grew by %d MiB for a mail of %d MiB", grown>>20, size>>20)
	if grown > 24<<20 {
		t.Errorf("the heap grew by %d MiB for a mail of %d MiB", grown>>20, size>>20)
	}
}
