package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/vaguemestre/vaguemestre"
)

// explainDial turns the error of a dial into what a person can act upon.
func explainDial(ctx context.Context, t Target, err error) error {
	if ctx.Err() != nil {
		return fail(vaguemestre.ClassCanceled, "canceled while connecting", ctx.Err())
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		if dns.IsNotFound {
			return fail(vaguemestre.ClassConfig, fmt.Sprintf("the name %q is not known: check host", t.Host), nil)
		}
		return fail(vaguemestre.ClassSource, fmt.Sprintf("the name %q cannot be looked up: check this machine's DNS", t.Host), err)
	}
	switch {
	case isErrno(err, syscall.ECONNREFUSED, wsaRefused):
		return fail(vaguemestre.ClassSource, fmt.Sprintf("%s refuses the connection: nothing listens there, or a firewall says no; check host and port", t.addr()), nil)
	case isErrno(err, syscall.EHOSTUNREACH, wsaHostUnreach), isErrno(err, syscall.ENETUNREACH, wsaNetUnreach):
		return fail(vaguemestre.ClassSource, fmt.Sprintf("there is no way to %s: check this machine's network", t.addr()), nil)
	case timedOut(err):
		return fail(vaguemestre.ClassSource, fmt.Sprintf("%s does not answer within %v: check host and port, and that the firewall lets them out", t.addr(), t.timeout()), nil)
	}
	return fail(vaguemestre.ClassSource, fmt.Sprintf("cannot connect to %s", t.addr()), err)
}

// explainTLS turns the error of a handshake into what a person can act upon.
func explainTLS(ctx context.Context, t Target, err error) error {
	if ctx.Err() != nil {
		return fail(vaguemestre.ClassCanceled, "canceled during the TLS handshake", ctx.Err())
	}
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     *net.OpError
	)
	cfg := vaguemestre.ClassConfig
	switch {
	case errors.As(err, &name):
		want := t.ServerName
		if want == "" {
			want = t.Host
		}
		return fail(cfg, fmt.Sprintf("the certificate is for %s, not for %q: use the name in the certificate as host, or set server_name", namesOf(name.Certificate), want), nil)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		text := "the certificate has expired or is not yet valid: renew it on the server, and check this machine's clock"
		if invalid.Cert != nil {
			text = fmt.Sprintf("the certificate is valid from %s to %s only: renew it on the server, and check this machine's clock",
				invalid.Cert.NotBefore.UTC().Format("2006-01-02"), invalid.Cert.NotAfter.UTC().Format("2006-01-02"))
		}
		return fail(cfg, text, nil)
	case errors.As(err, &authority):
		return fail(cfg, "the certificate comes from an authority that is not trusted here: set ca_file to the authority's certificate, or install one that is known on the server", nil)
	case errors.As(err, &verify), errors.As(err, &invalid):
		return fail(cfg, "the certificate is refused: replace it on the server, or set ca_file", err)
	case errors.As(err, &record):
		return fail(cfg, fmt.Sprintf("port %d does not speak TLS from the first byte: check port, or set tls to starttls", t.Port), nil)
	case strings.Contains(err.Error(), "protocol version not supported"), strings.Contains(err.Error(), "server selected unsupported protocol version"):
		// crypto/tls has no exported type for its alerts: the words are its own, not the server's.
		return fail(cfg, "the server speaks only a TLS older than 1.2: update the server", nil)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return fail(cfg, "the server refuses the TLS handshake: it and this program have no cipher in common, or it wants another name (server_name)", err)
	case timedOut(err), errors.Is(err, context.DeadlineExceeded):
		return fail(vaguemestre.ClassSource, fmt.Sprintf("%s does not finish the TLS handshake within %v: check port and tls, or try later", t.addr(), t.timeout()), nil)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isErrno(err, syscall.ECONNRESET, wsaReset):
		return fail(vaguemestre.ClassSource, fmt.Sprintf("%s closes the connection during the TLS handshake: check port and tls, or try later", t.addr()), nil)
	}
	return fail(vaguemestre.ClassSource, "the TLS handshake failed", err)
}

// What Windows calls these; syscall has other numbers for the portable names there.
const (
	wsaNetUnreach  = syscall.Errno(10051)
	wsaReset       = syscall.Errno(10054)
	wsaTimedOut    = syscall.Errno(10060)
	wsaRefused     = syscall.Errno(10061)
	wsaHostUnreach = syscall.Errno(10065)
)

func isErrno(err error, want ...syscall.Errno) bool {
	var e syscall.Errno
	if !errors.As(err, &e) {
		return false
	}
	for _, w := range want {
		if e == w {
			return true
		}
	}
	return false
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout() || isErrno(err, syscall.ETIMEDOUT, wsaTimedOut)
}

// TimedOut reports whether err is a deadline that passed: the silence, or the end set
// with [Conn.SetEnd].
func TimedOut(err error) bool { return timedOut(err) }

// namesOf lists the names of a stranger's certificate, quoted and cut.
func namesOf(c *x509.Certificate) string {
	if c == nil {
		return "another name"
	}
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host at all (it has no names, only a subject)"
	}
	more := ""
	if len(names) > 5 {
		names, more = names[:5], " and others"
	}
	for i, n := range names {
		if len(n) > 80 {
			n = n[:80] + "…"
		}
		names[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(names, ", ") + more
}
