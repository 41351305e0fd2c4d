package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/transport"
	"github.com/vaguemestre/vaguemestre/internal/transport/certtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve accepts connections and gives each to f, until the test ends.
func serve(t *testing.T, f func(net.Conn)) transport.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return transport.Target{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Mode: transport.None, Timeout: 2 * time.Second}
}

func authority(t *testing.T) (*certtest.Authority, string) {
	t.Helper()
	ca, err := certtest.New()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	return ca, file
}

func TestTLSFailuresAreExplained(t *testing.T) {
	t.Parallel()
	ca, file := authority(t)
	_, other := authority(t)
	missing := filepath.Join(t.TempDir(), "none.pem")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := 90 * 24 * time.Hour
	cases := []struct {
		name    string
		left    time.Duration
		names   []string
		file    string
		server  string
		version uint16
		class   vaguemestre.Class // "" is success
		says    string
	}{
		{"good", long, []string{"127.0.0.1"}, file, "", 0, "", ""},
		{"good by server_name", long, []string{"mail.mondaine.fr"}, file, "mail.mondaine.fr", 0, "", ""},
		{"untrusted", long, []string{"127.0.0.1"}, other, "", 0, vaguemestre.ClassConfig, "ca_file"},
		{"system roots", long, []string{"127.0.0.1"}, "", "", 0, vaguemestre.ClassConfig, "not trusted"},
		{"wrong name", long, []string{"mail.mondaine.fr"}, file, "", 0, vaguemestre.ClassConfig, `"mail.mondaine.fr"`},
		{"no name", long, nil, file, "", 0, vaguemestre.ClassConfig, "server_name"},
		{"expired", -time.Hour, []string{"127.0.0.1"}, file, "", 0, vaguemestre.ClassConfig, "renew"},
		{"old TLS", long, []string{"127.0.0.1"}, file, "", tls.VersionTLS11, vaguemestre.ClassConfig, "older than 1.2"},
		{"no CA file", long, []string{"127.0.0.1"}, missing, "", 0, vaguemestre.ClassConfig, "ca_file"},
		{"CA file without certificate", long, []string{"127.0.0.1"}, empty, "", 0, vaguemestre.ClassConfig, "PEM"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			leaf, err := ca.Leaf(c.left, c.names...)
			if err != nil {
				t.Fatal(err)
			}
			cfg := &tls.Config{Certificates: []tls.Certificate{leaf}}
			if c.version != 0 {
				cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, c.version
			}
			target := serve(t, func(nc net.Conn) {
				s := tls.Server(nc, cfg)
				if s.Handshake() == nil {
					s.Write([]byte("hello\r\n"))
				}
			})
			target.Mode, target.CAFile, target.ServerName = transport.Implicit, c.file, c.server
			conn, err := transport.Dial(context.Background(), target)
			if c.class != "" {
				if vaguemestre.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("got %v, want class %s saying %q", err, c.class, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got, _ := io.ReadAll(conn)
			if string(got) != "hello\r\n" || !conn.Secure() || conn.State().Version < tls.VersionTLS12 {
				t.Errorf("got %q, secure %v", got, conn.Secure())
			}
		})
	}
}

func TestDialFailuresAreExplained(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().(*net.TCPAddr).Port
	l.Close()
	plain := serve(t, func(c net.Conn) { c.Write([]byte("220 ready\r\n")); io.Copy(io.Discard, c) })
	silent := serve(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	hangup := serve(t, func(c net.Conn) {})

	cases := []struct {
		name  string
		t     transport.Target
		class vaguemestre.Class
		says  string
	}{
		{"refused", transport.Target{Host: "127.0.0.1", Port: closed, Mode: transport.None}, vaguemestre.ClassSource, "refuses the connection"},
		{"no host", transport.Target{Port: 1}, vaguemestre.ClassConfig, "set host"},
		{"no port", transport.Target{Host: "127.0.0.1"}, vaguemestre.ClassConfig, "set port"},
		{"plain text where TLS is expected", with(plain, transport.Implicit, time.Second), vaguemestre.ClassConfig, "starttls"},
		{"silence where TLS is expected", with(silent, transport.Implicit, 200*time.Millisecond), vaguemestre.ClassSource, "does not finish"},
		{"hang up where TLS is expected", with(hangup, transport.Implicit, time.Second), vaguemestre.ClassSource, "closes the connection"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := transport.Dial(context.Background(), c.t)
			if vaguemestre.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want class %s saying %q", err, c.class, c.says)
			}
		})
	}
}

func with(t transport.Target, m transport.Mode, d time.Duration) transport.Target {
	t.Mode, t.Timeout = m, d
	return t
}

func dial(t *testing.T, target transport.Target) *transport.Conn {
	t.Helper()
	c, err := transport.Dial(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSilenceEndsARead(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	target.Timeout = 100 * time.Millisecond
	c := dial(t, target)
	c.SetReadDeadline(time.Now().Add(time.Hour)) // as a library does
	start := time.Now()
	_, err := c.Read(make([]byte, 10))
	if !transport.TimedOut(err) || time.Since(start) > time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
}

func TestSetSilenceReachesAWaitingRead(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	target.Timeout = time.Hour
	c := dial(t, target)
	time.AfterFunc(50*time.Millisecond, func() { c.SetSilence(50 * time.Millisecond) })
	start := time.Now()
	_, err := c.Read(make([]byte, 10))
	if !transport.TimedOut(err) || time.Since(start) > 2*time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
}

func TestADripIsEnded(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c net.Conn) {
		for {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	c := dial(t, target)
	c.SetEnd(time.Now().Add(200 * time.Millisecond))
	start := time.Now()
	_, err := io.Copy(io.Discard, c)
	if !transport.TimedOut(err) || time.Since(start) > 2*time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
}

func TestBindClosesWithinASecond(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	c := dial(t, target)
	ctx, cancel := context.WithCancel(context.Background())
	defer c.Bind(ctx)()
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, err := c.Read(make([]byte, 10))
	if err == nil || time.Since(start) > time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
}

func TestReleaseUnbinds(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c net.Conn) { io.Copy(c, c) })
	c := dial(t, target)
	ctx, cancel := context.WithCancel(context.Background())
	c.Bind(ctx)()
	cancel()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestCanceledDial(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := transport.Dial(ctx, with(target, transport.Implicit, time.Hour))
	if vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestEndlessLineIsCut(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c net.Conn) {
		c.Write([]byte(strings.Repeat("short\r\n", 100)))
		b := bytes.Repeat([]byte("x"), 1<<16)
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	})
	target.MaxLine = 1000
	c := dial(t, target)
	n, err := io.Copy(io.Discard, c)
	if !errors.Is(err, transport.ErrLineTooLong) || n > 4096 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, transport.ErrLineTooLong) {
		t.Errorf("the next read: %v", err)
	}
}

func TestSetMaxLineLiftsTheBound(t *testing.T) {
	t.Parallel()
	target := serve(t, func(c net.Conn) { c.Write(bytes.Repeat([]byte("x"), 5000)) })
	target.MaxLine = 10
	c := dial(t, target)
	c.SetMaxLine(0)
	if n, err := io.Copy(io.Discard, c); n != 5000 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestCheckTellsSteps(t *testing.T) {
	t.Parallel()
	ca, file := authority(t)
	for _, c := range []struct {
		left time.Duration
		want string
	}{
		{90 * 24 * time.Hour, "dns:ok tcp:ok tls:ok"},
		{20 * 24 * time.Hour, "dns:ok tcp:ok tls:warning"},
		{-time.Hour, "dns:ok tcp:ok tls:failed"},
	} {
		leaf, err := ca.Leaf(c.left, "localhost", "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		target := serve(t, func(nc net.Conn) { tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{leaf}}).Handshake() })
		target.Mode, target.CAFile = transport.Implicit, file
		var got []string
		conn, err := transport.Check(context.Background(), target, func(s vaguemestre.Step) {
			got = append(got, s.Name+":"+string(s.Status))
			if s.Status == vaguemestre.StatusFailed && (s.Err == nil || s.Help == "") {
				t.Errorf("step %q fails without error or help", s.Name)
			}
			if s.Status == vaguemestre.StatusWarning && !strings.Contains(s.Help, "renew") {
				t.Errorf("step %q warns with %q", s.Name, s.Help)
			}
		})
		if strings.Join(got, " ") != c.want || (err == nil) != (conn != nil) || (err != nil) != strings.HasSuffix(c.want, "failed") {
			t.Errorf("got %v, %v, want %s", got, err, c.want)
		}
		if conn != nil {
			conn.Close()
		}
	}
}

func TestUpgradeRefusesInjectedText(t *testing.T) {
	t.Parallel()
	_, file := authority(t)
	target := serve(t, func(c net.Conn) {
		c.Write([]byte("220 go ahead\r\n250 injected\r\n"))
		io.Copy(io.Discard, c)
	})
	target.Mode, target.CAFile = transport.StartTLS, file
	c := dial(t, target)
	if _, err := io.ReadFull(c, make([]byte, len("220 go ahead\r\n"))); err != nil {
		t.Fatal(err)
	}
	if err := c.Upgrade(context.Background(), target); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Fatalf("got %v", err)
	}
}
