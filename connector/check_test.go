package connector

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// The step tls tells version, names and end of the certificate, whenever TLS begins.
func TestCheckTellsTheLine(t *testing.T) {
	t.Parallel()
	for _, mode := range []TLSMode{TLSImplicit, TLSStartTLS} {
		_, s := secure(t, mode, nil)
		found := ""
		if err := s.Check(context.Background(), func(st vaguemestre.Step) {
			if st.Name == "tls" {
				found += st.Detail
			}
		}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"TLS 1.3", "certificate for ", "until 20"} {
			if strings.Count(found, want) != 1 {
				t.Errorf("%s: %q has not %q once", mode, found, want)
			}
		}
	}
	if st := unprotected(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 25}); st.Status != vaguemestre.StatusWarning || st.Help == "" {
		t.Errorf("an open line on a network: %+v", st)
	}
	if st := unprotected(&net.TCPAddr{IP: net.IPv6loopback, Port: 25}); st.Status != vaguemestre.StatusOK {
		t.Errorf("an open line within the machine: %+v", st)
	}
}

// A refusal at RCPT fails the step sender only if it is about us.
func TestCheckSender(t *testing.T) {
	t.Parallel()
	for say, want := range map[string]vaguemestre.Status{
		"553 5.7.1 Sender address rejected: not owned by user": vaguemestre.StatusFailed,
		"554 5.7.1 Client host rejected: Access denied":        vaguemestre.StatusFailed,
		"550 5.7.60 send as denied":                            vaguemestre.StatusFailed,
		"530 5.7.0 login first":                                vaguemestre.StatusFailed,
		"553 sorry":                                            vaguemestre.StatusFailed,
		"350 what?":                                            vaguemestre.StatusFailed,
		"550 5.1.1 no such user":                               vaguemestre.StatusWarning,
		"552 5.2.2 full":                                       vaguemestre.StatusWarning,
		"451 4.7.1 greylisted":                                 vaguemestre.StatusWarning,
		"251 2.1.5 will forward":                               vaguemestre.StatusOK,
	} {
		f := newFake(t, func(f *fake) {
			f.on = func(_ *fake, verb, _ string) *action {
				if verb == "RCPT" {
					return &action{say: say}
				}
				return nil
			}
		})
		var last vaguemestre.Step
		err := f.smtp(nil).Check(context.Background(), func(st vaguemestre.Step) { last = st })
		if last.Name != "sender" || last.Status != want || (err != nil) != (want == vaguemestre.StatusFailed) || (last.Help == "") != (want == vaguemestre.StatusOK) {
			t.Errorf("%q: %+v, %v", say, last, err)
		}
		if len(f.sent()) != 0 {
			t.Errorf("%q: something was sent", say)
		}
	}
}

// A port that waits for a TLS hello looks dead to one who waits for a greeting.
func TestSilentPortNamesTLS(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(f *fake) {
		f.on = func(_ *fake, verb, _ string) *action { return &action{stall: verb == "CONNECT"} }
	})
	s := f.smtp(func(s *SMTP) { s.Timeout = 100 * time.Millisecond })
	if err := s.Check(context.Background(), nil); class(err) != vaguemestre.ClassSource || !strings.Contains(err.Error(), "implicit") {
		t.Errorf("%v", err)
	}
}

func TestQueueID(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"Ok: queued as 4ABC":                 "4ABC",
		"OK id=1abcDE-0001-Xy":               "1abcDE-0001-Xy",
		"Ok: queued as ":                     "Ok: queued as",
		"44Ab Message accepted for delivery": "44Ab Message accepted for delivery",
		"<m@x> [InternalId=12, Hostname=y] Queued mail for delivery": "<m@x> [InternalId=12, Hostname=y] Queued mail for delivery",
	} {
		if got := queueID(reply{code: 250, lines: []string{words}}); got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}
