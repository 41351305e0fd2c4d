package mailstack

import (
	"fmt"
	"os"
)

// startTunnel puts stunnel in client mode in front of POP3S, as people do for programs that
// speak no TLS.
func (s *Stack) startTunnel() error {
	conf := s.path("stunnel.conf")
	text := fmt.Sprintf("foreground = yes\npid =\nsyslog = no\n[pop3]\nclient = yes\naccept = %s\nconnect = %s\nCAfile = %s\nverifyChain = yes\ncheckHost = localhost\n",
		s.addr(s.Tunnel), s.addr(s.POP3S), s.CAFile)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return err
	}
	return s.spawn("stunnel", lookPath("stunnel4"), conf)
}
