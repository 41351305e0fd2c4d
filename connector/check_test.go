package connector

import (
	"context"
	"net"
	"strings"
	"testing"

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
