package sasl

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	all := []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"}
	cases := []struct {
		name             string
		auth             string
		offered          []string
		secure, insecure bool
		want             string // "" is a config error
		says             string
	}{
		{"auto prefers scram", "auto", all, true, false, "SCRAM-SHA-256", ""},
		{"empty is auto", "", all, true, false, "SCRAM-SHA-256", ""},
		{"auto under TLS", "auto", []string{"LOGIN", "PLAIN", "CRAM-MD5"}, true, false, "PLAIN", ""},
		{"auto in clear takes a hidden one", "auto", []string{"LOGIN", "PLAIN", "CRAM-MD5"}, false, false, "CRAM-MD5", ""},
		{"auto in clear, plain only", "auto", []string{"LOGIN", "PLAIN"}, false, false, "", "allow_insecure_auth"},
		{"auto in clear, allowed", "auto", []string{"LOGIN"}, false, true, "LOGIN", ""},
		{"auto never sends a password as a token", "auto", []string{"XOAUTH2"}, true, false, "", "XOAUTH2"},
		{"auto, nothing offered", "auto", nil, true, false, "", "offers no authentication"},
		{"plain in clear", "plain", all, false, false, "", "allow_insecure_auth"},
		{"token in clear", "xoauth2", all, false, false, "", "allow_insecure_auth"},
		{"bearer in clear", "oauthbearer", all, false, false, "", "allow_insecure_auth"},
		{"plain in clear, allowed", "plain", all, false, true, "PLAIN", ""},
		{"login in clear", "login", all, false, false, "", "allow_insecure_auth"},
		{"not offered", "scram-sha-256", []string{"PLAIN"}, true, false, "", "does not offer SCRAM-SHA-256"},
		{"unknown", "ntlm", all, true, false, "", "unknown auth"},
		{"lower case offer", "plain", []string{"plain"}, true, false, "PLAIN", ""},
		{"bearer", "oauthbearer", all, true, false, "OAUTHBEARER", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl, name, err := Choose(c.auth, c.offered, c.secure, c.insecure, Credentials{Account: "u", Password: "canary-pw"})
			if c.want == "" {
				if err == nil || vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
					t.Fatalf("got %q, %v, want a config error", name, err)
				}
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("%q does not say %q", err, c.says)
				}
				if strings.Contains(err.Error(), "canary") {
					t.Errorf("%q holds the password", err)
				}
				return
			}
			if err != nil || name != c.want {
				t.Fatalf("got %q, %v, want %q", name, err, c.want)
			}
			if m, _, _ := cl.Start(); m != c.want {
				t.Errorf("the client is %q", m)
			}
		})
	}
}

func TestChooseRefusesNUL(t *testing.T) {
	t.Parallel()
	_, _, err := Choose("plain", []string{"PLAIN"}, true, false, Credentials{Account: "a\x00b", Password: "p"})
	if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Fatalf("got %v", err)
	}
}

// RFC 2195 section 2.
func TestCramMD5Vector(t *testing.T) {
	t.Parallel()
	c := newCramMD5(Credentials{Account: "tim", Password: "tanstaaftanstaaf"})
	got, err := c.Next([]byte("<1896.697170952@postoffice.reston.mci.net>"))
	if err != nil || string(got) != "tim b913a602c7eda7a495b4e6e7334d3890" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := c.Next([]byte("x")); err == nil {
		t.Error("a second challenge was answered")
	}
}

// RFC 7677 section 3.
func TestScramVector(t *testing.T) {
	t.Parallel()
	first := "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	mk := func() *scram {
		s := &scram{c: Credentials{Account: "user", Password: "pencil"}, nonce: "rOprNGfwEbeRWgbNEkqO"}
		_, ir, _ := s.Start()
		if string(ir) != "n,,n=user,r=rOprNGfwEbeRWgbNEkqO" {
			t.Fatalf("first message %q", ir)
		}
		return s
	}
	s := mk()
	got, err := s.Next([]byte(first))
	want := "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if err != nil || string(got) != want {
		t.Fatalf("%q, %v", got, err)
	}
	if err := Verify(s); err == nil {
		t.Error("verified before the server's proof")
	}
	if _, err := s.Next([]byte("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")); err != nil {
		t.Fatal(err)
	}
	if err := Verify(s); err != nil {
		t.Fatal(err)
	}

	for _, bad := range []string{"v=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "v=", "", "e=invalid-proof", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="} {
		s := mk()
		if _, err := s.Next([]byte(first)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Next([]byte(bad)); err == nil || Verify(s) == nil {
			t.Errorf("server-final %q was taken", bad)
		}
	}
	for _, bad := range []string{
		"", "r=,s=,i=", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		strings.Replace(first, "4096", "1", 1), strings.Replace(first, "4096", "999999999", 1), strings.Replace(first, "4096", "x", 1),
		strings.Replace(first, "W22", "!!", 1), "m=ext," + first,
	} {
		if _, err := mk().Next([]byte(bad)); err == nil {
			t.Errorf("server-first %q was taken", bad)
		}
	}
}

func TestScramEscapesTheName(t *testing.T) {
	t.Parallel()
	s := &scram{c: Credentials{Account: "a=b,c"}, nonce: "x"}
	_, ir, _ := s.Start()
	if string(ir) != "n,,n=a=3Db=2Cc,r=x" {
		t.Fatalf("%q", ir)
	}
}

func TestXOAuth2KeepsTheReason(t *testing.T) {
	t.Parallel()
	c := newXOAuth2(Credentials{Account: "someuser@example.com", Password: "ya29.token"})
	_, ir, _ := c.Start()
	if string(ir) != "user=someuser@example.com\x01auth=Bearer ya29.token\x01\x01" {
		t.Fatalf("%q", ir)
	}
	got, err := c.Next([]byte(`{"status":"401"}`))
	if err != nil || got == nil || len(got) != 0 || Problem(c) != `{"status":"401"}` {
		t.Fatalf("%q, %v, %q", got, err, Problem(c))
	}
	if _, err := c.Next(nil); err == nil {
		t.Error("a second challenge was answered")
	}
}

func TestLoginIgnoresPrompts(t *testing.T) {
	t.Parallel()
	c := newLogin(Credentials{Account: "u", Password: "p"})
	c.Start()
	a, _ := c.Next([]byte("User Name\x00"))
	b, _ := c.Next([]byte("Mot de passe"))
	if string(a) != "u" || string(b) != "p" {
		t.Fatalf("%q %q", a, b)
	}
	if _, err := c.Next(nil); err == nil {
		t.Error("a third prompt was answered")
	}
}

func ExampleChoose() {
	_, name, err := Choose("auto", []string{"PLAIN", "LOGIN"}, true, false, Credentials{Account: "marie", Password: "secret"})
	fmt.Println(name, err)
	_, _, err = Choose("plain", []string{"PLAIN"}, false, false, Credentials{Account: "marie", Password: "secret"})
	fmt.Println(vaguemestre.ClassOf(err))
	// Output:
	// PLAIN <nil>
	// config
}
