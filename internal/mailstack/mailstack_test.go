package mailstack

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T) *Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := Start(ctx, nil)
	if errors.Is(err, ErrMissing) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(st.Log())
		}
		if err := st.Stop(); err != nil {
			t.Error(err)
		}
		for _, p := range []int{st.IMAP, st.SMTP, st.Sink} {
			if c, err := net.Dial("tcp", st.addr(p)); p != 0 && err == nil {
				c.Close()
				t.Errorf("port %d still answers after Stop", p)
			}
		}
	})
	return st
}

// talk sends lines to an IMAP server, each after the last one's tagged answer.
func talk(t *testing.T, c net.Conn, lines ...string) string {
	t.Helper()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	all, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range lines {
		fmt.Fprintf(c, "t%d %s\r\n", i, l)
		for {
			got, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v after %q", l, err, all)
			}
			all += got
			if strings.HasPrefix(got, fmt.Sprintf("t%d ", i)) {
				break
			}
		}
	}
	return all
}

func TestStack(t *testing.T) {
	st := start(t)
	dial := func(v Variant, port int) net.Conn {
		c, err := net.Dial("tcp", net.JoinHostPort(st.Host(v), fmt.Sprint(port)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	login := "LOGIN " + st.Address("accueil") + " " + Password

	t.Run("variants", func(t *testing.T) {
		if got := talk(t, dial(Good, st.IMAP), "CAPABILITY"); strings.Contains(got, "LOGINDISABLED") || !strings.Contains(got, "AUTH=SCRAM-SHA-256") {
			t.Error(got)
		}
		if got := talk(t, dial(Strict, st.IMAP), "CAPABILITY"); !strings.Contains(got, "LOGINDISABLED") || strings.Contains(got, "AUTH=PLAIN") {
			t.Error(got)
		}
		for v, has := range map[Variant][2]bool{Good: {true, true}, NoMove: {false, true}, NoUIDPlus: {false, false}} {
			got := talk(t, dial(v, st.IMAP), login, "CAPABILITY")
			got = got[strings.Index(got, "* CAPABILITY"):]
			if m, u := strings.Contains(got, " MOVE"), strings.Contains(got, " UIDPLUS"); m != has[0] || u != has[1] {
				t.Errorf("variant %d: MOVE %v, UIDPLUS %v in %q", v, m, u, got)
			}
		}
	})

	t.Run("certificates", func(t *testing.T) {
		ca, err := os.ReadFile(st.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		ports := []int{st.IMAPS}
		if st.SMTPS != 0 {
			ports = append(ports, st.SMTPS)
		}
		for _, port := range ports {
			for v, want := range map[Variant]string{Good: "", Misnamed: "doesn't contain any IP SANs", Expired: "expired", Foreign: "unknown authority"} {
				c, err := tls.Dial("tcp", net.JoinHostPort(st.Host(v), fmt.Sprint(port)), &tls.Config{RootCAs: roots})
				if err == nil {
					c.Close()
				}
				if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
					t.Errorf("variant %d: %v, want %q", v, err, want)
				}
			}
		}
	})

	t.Run("folders", func(t *testing.T) {
		raw := []byte("Subject: un\n\nBonjour\n")
		if err := st.Append("accueil", "Factures reçues/À traiter", raw, raw); err != nil {
			t.Fatal(err)
		}
		folder := "\"" + encodeUTF7("Factures reçues/À traiter") + "\""
		got := talk(t, dial(Good, st.IMAP), login, "SELECT "+folder, `UID STORE 2 +FLAGS (\Seen Tri)`, "UID FETCH 1:* (RFC822.SIZE)")
		if !strings.Contains(got, "* 2 EXISTS") || !strings.Contains(got, "RFC822.SIZE 24") {
			t.Error(got)
		}
		ms, err := st.Folder("accueil", "Factures reçues/À traiter")
		if err != nil || len(ms) != 2 || ms[0].UID != 1 || ms[1].UID != 2 || ms[0].Flags != "" || ms[1].Flags != "Sa" || string(ms[1].Raw) != string(raw) {
			t.Errorf("%+v, %v", ms, err)
		}
		if k, err := st.Keywords("accueil", "Factures reçues/À traiter"); err != nil || k["a"] != "Tri" {
			t.Error(k, err)
		}
		if fs, err := st.Folders("accueil"); err != nil || len(fs) != 1 || fs[0] != "Factures reçues/À traiter" {
			t.Error(fs, err)
		}
		before := uidValidity(got)
		if err := st.Forget("accueil", "Factures reçues/À traiter"); err != nil {
			t.Fatal(err)
		}
		got = talk(t, dial(Good, st.IMAP), login, "SELECT "+folder)
		if after := uidValidity(got); before == "" || after == "" || after == before {
			t.Errorf("UIDVALIDITY %q, then %q", before, after)
		}
	})

	t.Run("access tokens", func(t *testing.T) {
		account := st.Address("jeton")
		token := func() string {
			st.OAuth.mu.Lock()
			defer st.OAuth.mu.Unlock()
			_, answer := st.OAuth.issue(account)
			return answer["access_token"].(string)
		}
		xoauth2 := func(user, token string) string {
			return base64.StdEncoding.EncodeToString([]byte("user=" + user + "\x01auth=Bearer " + token + "\x01\x01"))
		}
		bearer := func(user, token string) string {
			return base64.StdEncoding.EncodeToString([]byte("n,a=" + user + ",\x01auth=Bearer " + token + "\x01\x01"))
		}
		good := token()
		for _, line := range []string{"AUTHENTICATE XOAUTH2 " + xoauth2(account, good), "AUTHENTICATE OAUTHBEARER " + bearer(account, good)} {
			if got := talk(t, dial(Good, st.IMAP), line); !strings.Contains(got, "t0 OK") {
				t.Errorf("%.30s: %s", line, got)
			}
		}
		st.OAuth.Expire(account)
		fresh := token()
		for what, line := range map[string]string{
			"expired": "XOAUTH2 " + xoauth2(account, good), "another's": "XOAUTH2 " + xoauth2(st.Address("autre"), fresh),
			"expired bearer": "OAUTHBEARER " + bearer(account, good), "a password as a token": "XOAUTH2 " + xoauth2(account, Password),
			"a token as a password": "PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+account+"\x00"+fresh)),
		} {
			if got := talk(t, dial(Good, st.IMAP), "AUTHENTICATE "+line+"\r\n"); !strings.Contains(got, "t0 NO") {
				t.Errorf("%s: %s", what, got)
			}
		}
	})

	t.Run("postfix", func(t *testing.T) {
		if st.SMTP == 0 {
			t.Skip("no Postfix without root")
		}
		c, err := smtp.Dial(st.addr(st.SMTP))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if ok, size := c.Extension("SIZE"); !ok || size != fmt.Sprint(st.SizeLimit) {
			t.Errorf("SIZE %q", size)
		}
		if err := c.Mail("a@" + Domain); err != nil {
			t.Fatal(err)
		}
		for rcpt, want := range map[string]string{Unknown: "550 5.1.1", Later: "450 4.2.1", Full: "552 5.2.2", "x@else.invalid": "554 5.7.1"} {
			if err := c.Rcpt(rcpt); err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), `"`, ""), want) {
				t.Errorf("%s: %v, want %s", rcpt, err, want)
			}
		}
		if err := c.Rcpt(st.Address("mairie")); err != nil {
			t.Fatal(err)
		}
		w, err := c.Data()
		if err != nil {
			t.Fatal(err)
		}
		const head = "From: a@example.test\nDate: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <1@example.test>\nSubject: essai\n"
		fmt.Fprint(w, strings.ReplaceAll(head+"\nBonjour\n", "\n", "\r\n"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		ms := st.await(t, "mairie", 1)
		if !strings.HasSuffix(string(ms[0].Raw), head+"\nBonjour\n") {
			t.Errorf("%q", ms[0].Raw)
		}
	})
}

func (s *Stack) await(t *testing.T, user string, n int) []Mail {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ms, err := s.Folder(user, "INBOX")
		if err != nil {
			t.Fatal(err)
		}
		if len(ms) >= n {
			return ms
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d mails arrived", len(ms), n)
		}
	}
}

func uidValidity(s string) string {
	_, s, _ = strings.Cut(s, "[UIDVALIDITY ")
	s, _, _ = strings.Cut(s, "]")
	return s
}

func TestUTF7(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"INBOX": "INBOX", "Traités": "Trait&AOk-s", "R&D": "R&-D", "Éléments envoyés": "&AMk-l&AOk-ments envoy&AOk-s", "台北": "&U,BTFw-",
		"😀": "&2D3eAA-",
	} {
		if got := encodeUTF7(in); got != want {
			t.Errorf("encodeUTF7(%q) = %q, want %q", in, got, want)
		}
		if got := decodeUTF7(want); got != in {
			t.Errorf("decodeUTF7(%q) = %q, want %q", want, got, in)
		}
	}
}
