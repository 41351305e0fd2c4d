package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/router"
)

// No verb of fmt, no log and no encoder shows the password of a connector, before and while
// it holds a connection.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	_, s := secure(t, TLSImplicit, nil)
	if _, err := send(s, message("a@b.fr")); err != nil {
		t.Fatal(err)
	}
	if len(s.pool.idle) != 1 {
		t.Fatal("no connection is kept")
	}
	type holder struct {
		Name string
		Conn *SMTP
		Any  any
	}
	type embedder struct{ *SMTP }
	var rt router.Router
	if err := rt.AddConnector("main", s); err != nil {
		t.Fatal(err)
	}
	mail := router.Mail{Router: &rt}
	if err := rt.SetDefault(mail, "main"); err != nil {
		t.Fatal(err)
	}
	res, err := rt.Resolve(mail, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Release()
	things := map[string]any{
		"pointer": s, "list": []*SMTP{s}, "map": map[string]*SMTP{"a": s}, "interfaces": []router.Connector{s}, "pointer to pointer": &s,
		"struct": holder{"a", s, s}, "structs": []*holder{{"a", s, s}}, "embedded": embedder{s}, "channel": (*SMTP)(nil),
		"resolution": res, "mail": mail, "router": &rt, "session": s.pool.idle[0], "sessions": s.pool.idle, "pool": &s.pool,
	}
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "d", "p", "t", "c", "U", "e", "z", "20s", ".3d", "# x"} {
		for what, v := range things {
			if out := fmt.Sprintf("%"+verb, v); leaks(out) {
				t.Errorf("%%%s of %s: %s", verb, what, out)
			}
		}
	}
	if out := fmt.Sprintf("%s %d %v", s, s, []*SMTP{s}); out != fmt.Sprintf("smtp 127.0.0.1:%d smtp 127.0.0.1:%d [smtp 127.0.0.1:%d]", s.Port, s.Port, s.Port) {
		t.Error(out)
	}
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		l := slog.New(h)
		for what, v := range things {
			l.Info(what, "v", v)
		}
	}
	j, err := json.Marshal([]*SMTP{s})
	if err != nil || leaks(b.String()) || leaks(string(j)) {
		t.Errorf("%v\n%s\n%s", err, j, b.String())
	}
}

// leaks looks for the canary as it is, in hexadecimal and in numbers.
func leaks(out string) bool {
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary), strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]")} {
		if strings.Contains(out, form) {
			return true
		}
	}
	return false
}
