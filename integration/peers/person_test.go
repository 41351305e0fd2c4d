package peers

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	form  = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`)
	input = regexp.MustCompile(`<input[^>]*>`)
	attr  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// signIn does what a person does in a browser: opens the page, types the code, logs in, says
// yes, until there is nothing more to fill in.
func signIn(t *testing.T, roots *x509.CertPool, page, code string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer tr.CloseIdleConnections()
	browser := &http.Client{Jar: jar, Transport: tr, Timeout: 10 * time.Second}
	answers := map[string]string{"user_code": code, "login": person, "password": "any"}
	var seen []string
	res, err := browser.Get(page)
	for range 10 {
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		seen = append(seen, fmt.Sprint(res.Status, " ", res.Request.URL.Path))
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%v: %s", seen, text)
		}
		f := form.FindStringSubmatch(text)
		if f == nil {
			if !strings.Contains(text, "Success") {
				t.Fatalf("%v: it ends without success: %s", seen, text)
			}
			return
		}
		values := url.Values{}
		for _, in := range input.FindAllString(text, -1) {
			a := map[string]string{}
			for _, m := range attr.FindAllStringSubmatch(in, -1) {
				a[m[1]] = html.UnescapeString(m[2])
			}
			if v, ok := answers[a["name"]]; ok && a["type"] != "hidden" {
				a["value"] = v
			}
			if a["name"] != "" && a["type"] != "submit" {
				values.Set(a["name"], a["value"])
			}
		}
		to, err := res.Request.URL.Parse(html.UnescapeString(f[1]))
		if err != nil {
			t.Fatal(err)
		}
		res, err = browser.PostForm(to.String(), values)
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("it never ends: %v", seen)
}
