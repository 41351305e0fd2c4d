package sasl

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

func TestATokenIsNeverSentAsAPassword(t *testing.T) {
	t.Parallel()
	all := []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"}
	for _, c := range []struct {
		name             string
		auth             string
		offered          []string
		secure, insecure bool
		want             string // "" is a config error
		says             string
	}{
		{"auto takes what both large providers describe", "auto", all, true, false, "XOAUTH2", ""},
		{"auto takes what there is", "", []string{"PLAIN", "OAUTHBEARER"}, true, false, "OAUTHBEARER", ""},
		{"by name", "oauthbearer", all, true, false, "OAUTHBEARER", ""},
		{"the server takes passwords only", "auto", all[:4], true, false, "", "no access token"},
		{"nothing offered", "auto", nil, true, false, "", "offers no authentication"},
		{"in clear", "auto", all, false, false, "", "takes the token in clear only"},
		{"in clear by name", "xoauth2", all, false, false, "", "allow_insecure_auth"},
		{"in clear, allowed", "auto", all, false, true, "XOAUTH2", ""},
		{"plain", "plain", all, true, true, "", "set auth to auto, xoauth2 or oauthbearer"},
		{"login", "login", all, true, true, "", "set auth to auto, xoauth2 or oauthbearer"},
		{"cram-md5", "cram-md5", all, true, true, "", "carries a password"},
		{"scram", "scram-sha-256", all, true, true, "", "carries a password"},
		{"not offered by name", "xoauth2", []string{"OAUTHBEARER"}, true, false, "", "does not offer XOAUTH2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, name, err := Choose(c.auth, c.offered, c.secure, c.insecure, Credentials{Account: "u", Password: "pw", Token: "canary"})
			if name != c.want || (err != nil) != (c.want == "") || err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
				t.Fatalf("got %q, %v", name, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("%q does not say %q", err, c.says)
			}
		})
	}
}

// A token that could end its field early would let somebody else choose what follows it.
func TestAStrangeTokenIsRefused(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"a\x01user=other", "a b", "a\r\n", "a\x00", "é", " "} {
		if _, _, err := Choose("auto", []string{"XOAUTH2"}, true, false, Credentials{Account: "u", Token: token}); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("%q: %v", token, err)
		}
	}
	if _, _, err := Choose("auto", []string{"XOAUTH2"}, true, false, Credentials{Account: "u\x01auth=Bearer x", Token: "t"}); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("a strange account: %v", err)
	}
}

// RFC 7628 section 4.1 and 4.3, and a name with a comma.
func TestOAuthBearer(t *testing.T) {
	t.Parallel()
	c := newOAuthBearer(Credentials{Account: "user@example.com", Token: "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", Host: "server.example.com", Port: 143})
	_, ir, _ := c.Start()
	want := "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
	if got := base64.StdEncoding.EncodeToString(ir); got != want {
		t.Errorf("%q", ir)
	}
	got, err := c.Next([]byte(`{"status":"invalid_token","scope":"example_scope"}`))
	if err != nil || string(got) != "\x01" || Problem(c) != `{"status":"invalid_token","scope":"example_scope"}` {
		t.Errorf("%q, %v, %q", got, err, Problem(c))
	}
	if _, err := c.Next([]byte("{}")); err == nil {
		t.Error("a second challenge was answered")
	}
	if _, ir, _ := newOAuthBearer(Credentials{Account: "a=b,c", Password: "t"}).Start(); string(ir) != "n,a=a=3Db=2Cc,\x01auth=Bearer t\x01\x01" {
		t.Errorf("%q", ir)
	}
}

// However a server repeats a token, whole, coded or cut, no piece of it is left to be used.
func TestMaskHidesAToken(t *testing.T) {
	t.Parallel()
	token := ""
	for i := range 60 {
		token += fmt.Sprintf("canary%03d.", i*7%101)
	}
	c := Credentials{Account: "compta@mondaine.fr", Token: token, Host: "smtp.mondaine.fr", Port: 587}
	mask := Mask(c)
	_, x, _ := newXOAuth2(c).Start()
	_, o, _ := newOAuthBearer(c).Start()
	for _, form := range []string{token, base64.StdEncoding.EncodeToString([]byte(token)), base64.StdEncoding.EncodeToString(x), base64.StdEncoding.EncodeToString(o)} {
		for _, cut := range []string{form, form[:len(form)/2], form[len(form)/2:], form[100:140], form[3:], form[60:] + "…"} {
			for _, frame := range []string{"501 you said %s", "%s", `{"token":"%s"}`, "AUTH XOAUTH2 %s is odd", "<%s>,<%[1]s>"} {
				got := mask(fmt.Sprintf(frame, cut))
				for i := 0; i+piece <= len(form); i++ {
					if strings.Contains(got, form[i:i+piece]) {
						t.Fatalf("%q is left of %q: %q", form[i:i+piece], cut, got)
					}
				}
			}
		}
	}
	for _, s := range []string{"535 5.7.8 the account compta@mondaine.fr at smtp.mondaine.fr is unknown", "2.0.0 Ok: queued as 4ZxYw33kQJz9vNcq", "", "é" + strings.Repeat("x", 40)} {
		if got := mask(s); got != s {
			t.Errorf("%q becomes %q", s, got)
		}
	}
	pw := Mask(Credentials{Account: "compta@mondaine.fr", Password: "ab"})
	if s := "abc compta@mondaine.fr"; pw(s) != s {
		t.Errorf("%q", pw(s))
	}
}
