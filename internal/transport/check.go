package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// warnBefore is how long before its end a certificate earns a warning.
const warnBefore = 21 * 24 * time.Hour

// Check is [Dial] told in steps: dns, tcp, and tls if t.Mode is Implicit. With StartTLS
// the caller goes on with [UpgradeStep] once the server has consented. A connection is
// returned exactly if no step failed; the caller closes it. step may be nil.
func Check(ctx context.Context, t Target, step func(vaguemestre.Step)) (*Conn, error) {
	if step == nil {
		step = func(vaguemestre.Step) {}
	}
	start := time.Now()
	detail, err := lookUp(ctx, t)
	if err := report(step, "dns", start, detail, err); err != nil {
		return nil, err
	}
	if _, err := t.TLSConfig(); err != nil { // before anything goes out
		return nil, report(step, "tls", time.Now(), "", err)
	}
	start = time.Now()
	c, err := connect(ctx, t)
	if err == nil {
		detail = "connected to " + c.RemoteAddr().String()
	}
	if err := report(step, "tcp", start, detail, err); err != nil {
		return nil, err
	}
	if t.Mode == Implicit {
		if err := UpgradeStep(ctx, c, t, step); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// UpgradeStep is [Conn.Upgrade] told as the step "tls": version, cipher, names and end of
// the certificate, with a warning if that end is less than 21 days away. On an error the
// connection is closed. step may be nil.
func UpgradeStep(ctx context.Context, c *Conn, t Target, step func(vaguemestre.Step)) error {
	if step == nil {
		step = func(vaguemestre.Step) {}
	}
	start := time.Now()
	if err := c.Upgrade(ctx, t); err != nil {
		return report(step, "tls", start, "", err)
	}
	step(tlsStep(c.State(), time.Now(), time.Since(start)))
	return nil
}

func tlsStep(st tls.ConnectionState, now time.Time, took time.Duration) vaguemestre.Step {
	s := vaguemestre.Step{Name: "tls", Status: vaguemestre.StatusOK, Took: took}
	s.Detail = tls.VersionName(st.Version) + ", " + tls.CipherSuiteName(st.CipherSuite)
	if len(st.PeerCertificates) == 0 {
		return s
	}
	cert := st.PeerCertificates[0]
	s.Detail += ", certificate for " + namesOf(cert) + " until " + cert.NotAfter.UTC().Format("2006-01-02")
	if left := cert.NotAfter.Sub(now); left < warnBefore {
		s.Status = vaguemestre.StatusWarning
		s.Help = fmt.Sprintf("the certificate ends in %d days: whoever runs the server has to renew it before", int(left.Hours()/24))
	}
	return s
}

// lookUp says what the host's name stands for.
func lookUp(ctx context.Context, t Target) (string, error) {
	if t.Host == "" {
		return "", fail(vaguemestre.ClassConfig, "no host: set host to the server's name", nil)
	}
	if _, err := netip.ParseAddr(t.Host); err == nil {
		return "an address, nothing to look up", nil
	}
	lctx, cancel := context.WithTimeout(ctx, t.timeout())
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(lctx, "ip", t.Host)
	if err != nil {
		return "", explainDial(ctx, t, err)
	}
	var list []string
	for i, a := range addrs {
		if i == 8 {
			list = append(list, "…")
			break
		}
		list = append(list, a.Unmap().String())
	}
	return strings.Join(list, ", "), nil
}

// report tells a step that ended well or with err, and returns err.
func report(step func(vaguemestre.Step), name string, start time.Time, detail string, err error) error {
	s := vaguemestre.Step{Name: name, Status: vaguemestre.StatusOK, Detail: detail, Took: time.Since(start)}
	if err != nil {
		s.Status, s.Detail, s.Err = vaguemestre.StatusFailed, "", err
		s.Help = Help(err)
	}
	step(s)
	return err
}

// Help is what an error of this module says to do next: its text without the operation
// and the code.
func Help(err error) string {
	var e *vaguemestre.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}
