package mailstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrMissing says that the servers are not installed here, or cannot run here.
var ErrMissing = errors.New("the mail servers are not installed")

// Domain is the domain of every user; mail for other domains ends in the sink.
const Domain = "example.test"

// Password is every user's password. Every name is a user, with an empty mailbox.
const Password = "secret-1"

// Recipients that Postfix does not simply take.
const (
	Unknown = "nobody@" + Domain // 550 5.1.1 at RCPT
	Later   = "later@" + Domain  // 450 4.2.1 at RCPT
	Full    = "full@" + Domain   // 552 5.2.2 at RCPT
)

// RefusedSender is a sender that Postfix refuses (553 5.7.1, told at RCPT).
const RefusedSender = "refused-sender@" + Domain

// Variant is a way in which the servers present themselves.
type Variant int

// The variants. All but Good are on other loopback addresses and the same ports.
const (
	Good      Variant = iota + 1 // right certificate; takes passwords without TLS
	Strict                       // LOGINDISABLED until STARTTLS
	Misnamed                     // certificate for another host
	Expired                      // certificate of last year
	Foreign                      // certificate of an authority that nobody trusts
	NoMove                       // IMAP without MOVE
	NoUIDPlus                    // IMAP without MOVE and UIDPLUS
)

var variants = []Variant{Good, Strict, Misnamed, Expired, Foreign, NoMove, NoUIDPlus}

// Options are the options of [Start]. The zero value is good for tests.
type Options struct {
	Dir       string // made if missing and kept by Stop; "" is a temporary folder that Stop removes
	SizeLimit int64  // Postfix's message_size_limit in bytes; 0 is 10 MiB
	NoPostfix bool   // Dovecot and smtp-sink only
}

// Stack is a running set of servers. Its methods are safe for concurrent use.
type Stack struct {
	Dir    string // configuration, logs, maildirs
	CAFile string // PEM, the authority of the good certificate

	// Ports; 0 where a server does not run.
	IMAP, IMAPS       int
	POP3, POP3S       int
	Tunnel            int // stunnel in client mode: plain here, POP3S there
	SMTP              int // 25: no AUTH needed for Domain, STARTTLS offered
	Submission, SMTPS int // 587: STARTTLS and AUTH required; 465: TLS at once and AUTH required
	Sink              int // smtp-sink, which takes and forgets everything

	SizeLimit int64 // bytes, of Postfix

	OAuth *OAuth // whose access tokens the servers take, by XOAUTH2 and OAUTHBEARER

	uid, gid int
	root     bool
	keep     bool
	mu       sync.Mutex // mail numbers, processes
	serial   int
	procs    []process
}

// Host is the address on which the servers present themselves as v.
func (s *Stack) Host(v Variant) string { return "127.0.0." + strconv.Itoa(int(v)) }

// Address is the mail address of a user, which is also the account name.
func (s *Stack) Address(user string) string { return user + "@" + Domain }

// Start configures and starts the servers and returns when all of them answer.
// ctx bounds the start alone. The error is ErrMissing (wrapped) where they are not
// installed or not of a version that this package can configure.
func Start(ctx context.Context, o *Options) (*Stack, error) {
	if o == nil {
		o = &Options{}
	}
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("mailstack: start: %w: it runs on linux only", ErrMissing)
	}
	s := &Stack{root: os.Getuid() == 0, uid: os.Getuid(), gid: os.Getgid(), SizeLimit: o.SizeLimit}
	if s.root {
		s.uid, s.gid = 5000, 5000 // any number; the servers need no name for it
	}
	if s.SizeLimit == 0 {
		s.SizeLimit = 10 << 20
	}
	withPostfix := s.root && !o.NoPostfix
	if err := installed(ctx, withPostfix); err != nil {
		return nil, fmt.Errorf("mailstack: start: %w", err)
	}
	reap()
	var err error
	// A port that was free may be taken before its server binds it: choose again.
	for try := 0; try < 3; try++ {
		if err = s.prepare(o); err != nil {
			return nil, fmt.Errorf("mailstack: prepare: %w", err)
		}
		if err = s.launch(ctx, withPostfix); err == nil {
			return s, nil
		}
		err = fmt.Errorf("mailstack: start: %w%s", err, s.logTail())
		s.Stop()
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func installed(ctx context.Context, withPostfix bool) error {
	need := []string{"dovecot", "stunnel4"}
	if withPostfix {
		need = append(need, "postfix")
	}
	for _, n := range need {
		if lookPath(n) == "" {
			return fmt.Errorf("%w: no %s in PATH or /usr/sbin (Debian: apt-get install dovecot-imapd dovecot-pop3d dovecot-lmtpd stunnel4 postfix)", ErrMissing, n)
		}
	}
	if l, _ := filepath.Glob("/usr/lib*/dovecot/pop3-login"); len(l) == 0 {
		return fmt.Errorf("%w: Dovecot has no POP3 (Debian: apt-get install dovecot-pop3d)", ErrMissing)
	}
	out, err := exec.CommandContext(ctx, lookPath("dovecot"), "--version").Output()
	if err != nil {
		return fmt.Errorf("%w: dovecot --version: %w", ErrMissing, err)
	}
	if v := strings.TrimSpace(string(out)); !strings.HasPrefix(v, "2.3.") {
		// Dovecot 2.4 (Debian 13) reads another configuration language.
		return fmt.Errorf("%w: dovecot %.20q: this harness writes the configuration of 2.3 only", ErrMissing, v)
	}
	return nil
}

// lookPath finds a server's program: /usr/sbin is not in everybody's PATH.
func lookPath(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	p := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(p); err == nil {
		return p
	}
	return ""
}

func (s *Stack) prepare(o *Options) error {
	s.Dir, s.keep = o.Dir, o.Dir != ""
	if s.Dir == "" {
		base := os.TempDir()
		if len(base) > 30 {
			base = "/tmp"
		}
		d, err := os.MkdirTemp(base, dirPrefix)
		if err != nil {
			return err
		}
		s.Dir = d
	}
	d, err := filepath.Abs(s.Dir)
	if err != nil {
		return err
	}
	s.Dir = d
	// unix(7): a socket's path has at most 107 bytes; ours add up to 40.
	if len(d) > 65 {
		return fmt.Errorf("folder %q is too long for unix sockets: give a shorter one", d)
	}
	for _, sub := range []string{"", "log", "tls", "mail", "dovecot", "dovecot/state"} {
		p := filepath.Join(d, sub)
		if err := os.MkdirAll(p, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(p, 0o755); err != nil { // MkdirTemp makes 0700
			return err
		}
	}
	if s.root {
		// The servers drop root and must still get through every parent.
		for p := d; p != filepath.Dir(p); p = filepath.Dir(p) {
			if fi, err := os.Stat(p); err != nil || fi.Mode()&0o001 == 0 {
				return fmt.Errorf("folder %q cannot be entered by other users: give another one", p)
			}
		}
	}
	if err := os.Chown(filepath.Join(d, "mail"), s.uid, s.gid); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("owner"), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return err
	}
	s.CAFile = s.path("tls", "ca.pem")
	if err := writeCertificates(s.path("tls")); err != nil {
		return err
	}
	ports, err := freePorts(9)
	if err != nil {
		return err
	}
	s.IMAP, s.IMAPS, s.SMTP, s.Submission, s.SMTPS, s.Sink = ports[0], ports[1], ports[2], ports[3], ports[4], ports[5]
	s.POP3, s.POP3S, s.Tunnel = ports[6], ports[7], ports[8]
	return nil
}

func (s *Stack) launch(ctx context.Context, withPostfix bool) error {
	var err error
	if s.OAuth, err = startOAuth(); err != nil {
		return err
	}
	if err := s.startDovecot(ctx); err != nil {
		return err
	}
	if err := s.startTunnel(); err != nil {
		return err
	}
	if sink := lookPath("smtp-sink"); sink != "" {
		args := []string{"-c", s.addr(s.Sink), "1000"}
		if s.root {
			args = append([]string{"-u", "nobody"}, args...) // as root it refuses to run as itself
		}
		if err := s.spawn("smtp-sink", sink, args...); err != nil {
			return err
		}
	} else {
		s.Sink = 0
	}
	if withPostfix {
		if err := s.startPostfix(ctx); err != nil {
			return err
		}
	} else {
		s.SMTP, s.Submission, s.SMTPS = 0, 0, 0
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for _, p := range []int{s.IMAP, s.IMAPS, s.POP3, s.POP3S, s.Tunnel, s.SMTP, s.Submission, s.SMTPS, s.Sink} {
		if p == 0 {
			continue
		}
		if err := waitPort(ctx, s.addr(p)); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the servers by their process ids and removes the folder if Start made it.
func (s *Stack) Stop() error {
	s.mu.Lock()
	procs := s.procs
	s.procs = nil
	s.mu.Unlock()
	stopAll(procs)
	if s.OAuth != nil {
		s.OAuth.close()
	}
	if s.keep || s.Dir == "" {
		return os.RemoveAll(s.path("owner"))
	}
	return os.RemoveAll(s.Dir)
}

// Log returns what the servers logged.
func (s *Stack) Log() string {
	var b strings.Builder
	for _, n := range []string{"dovecot.log", "postfix.log"} {
		if l, err := os.ReadFile(s.path("log", n)); err == nil {
			fmt.Fprintf(&b, "== %s\n%s", n, l)
		}
	}
	return b.String()
}

func (s *Stack) logTail() string {
	l := s.Log()
	if len(l) > 3000 {
		l = l[len(l)-3000:]
	}
	if l == "" {
		return ""
	}
	return "\n" + l
}

func (s *Stack) path(e ...string) string { return filepath.Join(append([]string{s.Dir}, e...)...) }

func (s *Stack) addr(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
