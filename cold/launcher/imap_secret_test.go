package launcher

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// However a launcher is printed, its password is not.
func TestNoSecretInPrint(t *testing.T) {
	t.Parallel()
	const canary = "canari-9f3a"
	l := &IMAP{Host: "imap.example.org", Account: "ged", Password: canary}
	type host struct{ Launchers []*IMAP }
	for _, v := range []any{l, []*IMAP{l}, host{[]*IMAP{l}}, &host{[]*IMAP{l}}, map[string]*IMAP{"a": l}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %T shows the password: %s", verb, v, got)
			}
		}
		if b, err := json.Marshal(v); err != nil || strings.Contains(string(b), canary) {
			t.Errorf("json of %T: %s, %v", v, b, err)
		}
	}
	if got, want := l.String(), "imap ged@imap.example.org:993/INBOX"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
