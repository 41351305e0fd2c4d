//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message/mail"

	_ "github.com/emersion/go-message/charset" // as its documentation advises

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/internal/mailgen"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// order is what a child process is told on its standard input.
type order struct {
	Who      string // contestant
	Host     string
	Port     int
	User     string // account
	Dir      string // of the durable directory
	DB       string
	Manifest string // of mailgen, for verify
	N, Size  int    // mails to send or to read, bytes of each
	From     string // file to decode, or directory to collect
}

// result is what it answers.
type result struct {
	Seconds float64 // of the work, without starting the process
	CPU     float64 // of the work, own
	RSS     int64   // peak resident bytes of the process
	Items   int
	Docs    int
	Bytes   int64
	Wrong   int    // documents that are not in the manifest, or missing
	Note    string // what was wrong
}

// ask runs one contestant in a process of its own.
func ask(ctx context.Context, o order) (result, error) {
	var r result
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	in, err := json.Marshal(o)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, "child")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s: %w", o.Who, err)
	}
	return r, json.Unmarshal(out, &r)
}

func child() {
	var o order
	err := json.NewDecoder(os.Stdin).Decode(&o)
	var r result
	if err == nil {
		work := map[string]func(context.Context, order, *result) error{
			"floor": floor, "job, null sink": jobNull, "job, directory": jobDir, "go-imap + go-message": peer, "go-imap Collect + go-message": collecting,
			"verify": verify, "smtp": smtpSend,
			"RawToken": rawToken, "helios.Decode": heliosDecode, "chorus.Decode": chorusDecode,
			"xml.Unmarshal of PES": unmarshalPES, "xml.Unmarshal of pivot": unmarshalPivot,
			"pop3 floor": popFloor, "pop3 launcher": popLauncher, "pop3 job, null sink": popJob,
			"copy": copying, "folder, directory": jobFolder,
		}[o.Who]
		if d := os.Getenv("VAGUEMESTRE_PROFILE"); d != "" {
			stop, perr := profile(d, o.Who)
			if perr != nil {
				fmt.Fprintln(os.Stderr, "bench:", perr)
				os.Exit(1)
			}
			defer stop()
		}
		begin, cpu := time.Now(), cpuTime()
		err = work(context.Background(), o, &r)
		if r.Seconds == 0 {
			r.Seconds, r.CPU = time.Since(begin).Seconds(), cpuTime()-cpu
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", o.Who+":", err)
		os.Exit(1)
	}
	r.RSS = peakRSS()
	_ = json.NewEncoder(os.Stdout).Encode(r)
}

// profile writes a CPU profile of this contestant into a folder.
func profile(dir, who string) (stop func(), err error) {
	f, err := os.Create(filepath.Join(dir, strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, who)+".pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

func cpuTime() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peakRSS reads VmHWM: the maximum that getrusage gives counts the parent, too, from
// whom this process was forked.
func peakRSS() int64 {
	b, _ := os.ReadFile("/proc/self/status")
	_, s, _ := strings.Cut(string(b), "VmHWM:")
	var kb int64
	_, _ = fmt.Sscan(s, &kb)
	return kb << 10
}

// floor is the least that an IMAP client can do.
func floor(ctx context.Context, o order, r *result) error {
	c, err := net.Dial("tcp", net.JoinHostPort(o.Host, fmt.Sprint(o.Port)))
	if err != nil {
		return err
	}
	defer c.Close()
	br := bufio.NewReader(c)
	if _, err := br.ReadString('\n'); err != nil {
		return err
	}
	for i, l := range []string{"LOGIN " + o.User + " " + mailstack.Password, "EXAMINE INBOX"} {
		fmt.Fprintf(c, "a%d %s\r\n", i, l)
		for {
			s, err := br.ReadString('\n')
			if err != nil {
				return err
			}
			if strings.HasPrefix(s, fmt.Sprintf("a%d ", i)) {
				if !strings.Contains(s, " OK ") {
					return errors.New(s)
				}
				break
			}
		}
	}
	fmt.Fprintf(c, "z9 UID FETCH 1:* BODY.PEEK[]\r\n")
	buf := make([]byte, 256<<10)
	var tail []byte
	for {
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		r.Bytes += int64(n)
		tail = append(tail[:0], append(tail, buf[max(0, n-200):n]...)...)
		tail = tail[max(0, len(tail)-400):]
		if i := bytes.LastIndex(tail, []byte("\r\nz9 OK")); i >= 0 && bytes.HasSuffix(tail, []byte("\r\n")) {
			return nil
		}
	}
}

func imapOf(o order) *launcher.IMAP {
	return &launcher.IMAP{Host: o.Host, Port: o.Port, TLS: launcher.TLSNone, AllowInsecureAuth: true, Auth: "plain",
		Account: o.User, Password: settings.Secret(mailstack.Password), Timeout: 2 * time.Minute}
}

// null takes documents and forgets them.
type null struct{ r *result }

func (n null) Put(ctx context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	for _, d := range docs {
		n.r.Docs++
		n.r.Bytes += d.Size
	}
	return make([]cold.Stored, len(docs)), nil
}

// forgetful is a ledger that keeps no manifests, so that the memory of the job itself
// is seen.
type forgetful struct{ cold.Ledger }

func (f forgetful) Lock(ctx context.Context, job string) (cold.Lease, error) {
	l, err := f.Ledger.Lock(ctx, job)
	return forgetfulLease{l}, err
}

type forgetfulLease struct{ cold.Lease }

func (f forgetfulLease) Record(ctx context.Context, entries []cold.Entry) error {
	short := make([]cold.Entry, len(entries))
	for i, e := range entries {
		short[i] = cold.Entry{Item: cold.Item{Key: e.Item.Key, Epoch: e.Item.Epoch}, State: e.State}
	}
	return f.Lease.Record(ctx, short)
}

func jobNull(ctx context.Context, o order, r *result) error {
	job := cold.Job{Name: "bench", Launcher: imapOf(o), Sink: null{r}, Ledger: forgetful{cold.NewMemoryLedger()}}
	s, err := job.Run(ctx)
	r.Items = s.Items
	return err
}

// jobDir runs over what the store at o.DB already knows, if anything.
func jobDir(ctx context.Context, o order, r *result) error {
	st, err := sqlite.Open(ctx, o.DB, nil)
	if err != nil {
		return err
	}
	defer st.Close()
	job := cold.Job{Name: "bench", Launcher: imapOf(o), Sink: cold.Dir(o.Dir), Ledger: st.Ledger()}
	begin, cpu := time.Now(), cpuTime()
	s, err := job.Run(ctx)
	r.Seconds, r.CPU = time.Since(begin).Seconds(), cpuTime()-cpu
	r.Items, r.Docs, r.Bytes = s.Items, s.Delivered, s.Bytes
	return err
}

// read walks a mail with go-message and hashes its attachments, as a job does.
func (r *result) read(raw io.Reader) error {
	mr, err := mail.CreateReader(raw)
	if err != nil {
		return err
	}
	for {
		p, err := mr.NextPart()
		if err != nil {
			return nil // at the end, and at what it cannot read
		}
		if _, ok := p.Header.(*mail.AttachmentHeader); ok {
			n, _ := io.Copy(sha256.New(), p.Body)
			r.Docs++
			r.Bytes += n
		}
	}
}

// collecting is go-imap and go-message in batches of 50 that Collect reads, as programs
// do that do not want to stream.
func collecting(ctx context.Context, o order, r *result) error {
	c, err := peerConnect(o)
	if err != nil {
		return err
	}
	defer c.Close()
	found, err := c.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
	if err != nil {
		return err
	}
	for uids := range slices.Chunk(found.AllUIDs(), 50) {
		section := &imap.FetchItemBodySection{Peek: true}
		ms, err := c.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
		if err != nil {
			return err
		}
		for _, m := range ms {
			r.Items++
			if err := r.read(bytes.NewReader(m.FindBodySection(section))); err != nil {
				return err
			}
		}
	}
	return nil
}

func peerConnect(o order) (*imapclient.Client, error) {
	c, err := imapclient.DialInsecure(net.JoinHostPort(o.Host, fmt.Sprint(o.Port)), nil)
	if err != nil {
		return nil, err
	}
	if err := c.Login(o.User, mailstack.Password).Wait(); err != nil {
		c.Close()
		return nil, err
	}
	if _, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// peer is go-imap and go-message at their best: one streamed FETCH of all.
func peer(ctx context.Context, o order, r *result) error {
	c, err := peerConnect(o)
	if err != nil {
		return err
	}
	defer c.Close()
	cmd := c.Fetch(imap.UIDSet{imap.UIDRange{Start: 1, Stop: 0}}, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	for {
		m := cmd.Next()
		if m == nil {
			break
		}
		for {
			item := m.Next()
			if item == nil {
				break
			}
			body, ok := item.(imapclient.FetchItemDataBodySection)
			if !ok {
				continue
			}
			r.Items++
			if err := r.read(body.Literal); err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, body.Literal)
		}
	}
	return cmd.Close()
}

// verify compares every document with the manifest, in bytes and name.
func verify(ctx context.Context, o order, r *result) error {
	f, err := os.Open(o.Manifest)
	if err != nil {
		return err
	}
	defer f.Close()
	want := map[string]int{}
	for d := json.NewDecoder(f); ; {
		var e mailgen.Entry
		if err := d.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		for _, f := range e.Files {
			if !f.Inline {
				want[f.SHA256+" "+f.Name]++
			}
		}
	}
	job := cold.Job{Name: "bench", Launcher: imapOf(o), Ledger: cold.NewMemoryLedger(), Sink: check{r, want}}
	s, err := job.Run(ctx)
	r.Items = s.Items
	for k, n := range want {
		if n != 0 {
			r.Wrong += max(n, -n)
			r.Note = fmt.Sprintf("%d of %q", n, k)
		}
	}
	return err
}

type check struct {
	r    *result
	want map[string]int
}

func (c check) Put(ctx context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	for _, d := range docs {
		f, err := d.Open()
		if err != nil {
			return nil, err
		}
		sum, err := sha(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		c.want[sum+" "+d.Name]--
		c.r.Docs++
		c.r.Bytes += d.Size
	}
	return make([]cold.Stored, len(docs)), nil
}

// smtpSend sends o.N mails of about o.Size bytes on the wire over one connection.
func smtpSend(ctx context.Context, o order, r *result) error {
	c := &connector.SMTP{Host: o.Host, Port: o.Port, TLS: connector.TLSNone, Sender: "a@" + mailstack.Domain, MaxConnections: 1}
	defer c.Close()
	m := router.Message{From: "a@" + mailstack.Domain, To: []string{"b@" + mailstack.Domain}, Subject: "mesure"}
	if o.Size < 10_000 {
		m.Text = strings.Repeat("Bonjour, ceci est une ligne de mesure.\n", max(1, (o.Size-450)/40))
	} else {
		data := make([]byte, o.Size/78*57)
		for i := range data {
			data[i] = byte(i * 7)
		}
		m.Attachments = []router.Attachment{router.Bytes("mesure.bin", "application/octet-stream", data)}
	}
	for i := range o.N {
		m.MessageID, m.Date = fmt.Sprintf("%d@%s", i, mailstack.Domain), time.Now()
		rec, err := c.SendMail(ctx, &m)
		if err != nil {
			return err
		}
		if rec.State != router.Accepted {
			return fmt.Errorf("mail %d: %+v", i, rec)
		}
		r.Items++
	}
	return nil
}
