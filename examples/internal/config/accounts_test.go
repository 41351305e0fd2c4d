package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
	"github.com/vaguemestre/vaguemestre/internal/transport/certtest"
)

// opened opens the accounts of a file with these; ca.pem lies beside it.
func opened(t *testing.T, accounts, more string) (*File, *auth.Accounts, error) {
	t.Helper()
	f, err := load(t, fmt.Sprintf(`{"key":%q,"accounts":[%s]%s}`, demo.Key, accounts, more))
	if err != nil {
		return nil, nil, err
	}
	ca, err := certtest.New()
	if err == nil {
		err = os.WriteFile(filepath.Join(f.dir, "ca.pem"), ca.PEM, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	st, err := f.OpenStore(t.Context(), false)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { st.Close() })
	got, err := f.OpenAccounts(st)
	return f, got, err
}

const compta = `{"name":"compta","kind":"microsoft","settings":{"client_id":"x","ca_file":"ca.pem"}}`

// TestAccounts: every kind of account is opened, its files lie beside the configuration.
func TestAccounts(t *testing.T) {
	t.Parallel()
	f, accounts, err := opened(t, compta+`,{"name":"google","kind":"oauth2","settings":{"preset":"google","client_id":"y","client_secret":"z"}}`, "")
	if err != nil {
		t.Fatal(err)
	}
	compta, _ := accounts.Get("compta")
	google, _ := accounts.Get("google")
	if m, ok := compta.Provider().(*auth.Microsoft); !ok || m.ClientID != "x" || m.CAFile != filepath.Join(f.dir, "ca.pem") || m.Tokens == nil {
		t.Errorf("compta is %T with %v", compta.Provider(), m.CAFile)
	}
	if o, ok := google.Provider().(*auth.OAuth2); !ok || o.Preset != auth.PresetGoogle || o.CAFile != "" || o.Tokens == nil {
		t.Errorf("google is %T", google.Provider())
	}
}

// TestWrongAccounts: each mistake is refused before anything is asked, with its place.
func TestWrongAccounts(t *testing.T) {
	t.Parallel()
	const imap = `{"host":"imap.example.org","account":"a","oauth_account":"comta"}`
	job := func(kind, settings string) string {
		return fmt.Sprintf(`,"jobs":[{"name":"a","launcher":{"kind":%q,"settings":%s},"sink":{"kind":"dir","settings":{"path":"in"}}}]`, kind, settings)
	}
	connector := func(kind, settings string) string {
		return fmt.Sprintf(`,"connectors":[{"name":"a","kind":%q,"settings":%s}]`, kind, settings)
	}
	for name, c := range map[string]struct {
		accounts, more string
		want           []string
	}{
		"twice":             {compta + "," + compta, "", []string{"accounts[1]", `"compta" stands twice`}},
		"no name":           {`{"kind":"microsoft","settings":{"client_id":"x"}}`, "", []string{"accounts[0].name"}},
		"no client":         {`{"name":"a","kind":"microsoft"}`, "", []string{"accounts[0].settings.client_id", "is missing"}},
		"unknown kind":      {`{"name":"a","kind":"microsft"}`, "", []string{`unknown kind "microsft"`, `mean "microsoft"`}},
		"unknown role":      {`{"name":"a","kind":"microsoft","settings":{"client_id":"x","roles":["sent"]}}`, "", []string{"accounts[0].settings.roles[0]", "use one of send,"}},
		"no ca file":        {strings.ReplaceAll(compta, "ca.pem", "absent.pem"), "", []string{"accounts[0]", "absent.pem"}},
		"unknown setting":   {`{"name":"a","kind":"microsoft","settings":{"client_id":"x","tokens":{}}}`, "", []string{`unknown key "tokens"`}},
		"launcher":          {compta, job("office365", `{"account":"comta"}`), []string{"jobs[0].launcher.settings", `unknown account "comta"`, `known: "compta"`}},
		"launcher without":  {compta, job("office365", `{}`), []string{"jobs[0].launcher.settings.account", "is missing"}},
		"imap":              {compta, job("imap", imap), []string{"jobs[0].launcher.settings", `unknown account "comta"`}},
		"connector":         {compta, connector("office365", `{"account":"comta"}`), []string{"connectors[0].settings", `unknown account "comta"`}},
		"smtp":              {compta, connector("smtp", `{"host":"smtp.example.org","oauth_account":"comta"}`), []string{"connectors[0].settings", `unknown account "comta"`}},
		"connector without": {compta, connector("office365", `{}`), []string{"connectors[0].settings.account", "is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, accounts, err := opened(t, c.accounts, c.more)
			if err == nil {
				_, err = f.Cold(accounts)
			}
			if err == nil {
				_, err = f.Router(accounts)
			}
			if err == nil || Code(err) != 2 {
				t.Fatalf("%v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(Sentence(err), want) {
					t.Errorf("the sentence does not say %q: %s", want, Sentence(err))
				}
			}
		})
	}
}

// TestKeyOfAccounts: whoever has no key yet is told how to make one and where it goes.
func TestKeyOfAccounts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"none":   `{"accounts":[` + compta + `]}`,
		"absent": `{"key":{"env":"VAGUEMESTRE_ABSENT"},"accounts":[` + compta + `]}`,
		"short":  `{"key":"dHJvcCBjb3VydA==","accounts":[` + compta + `]}`,
	} {
		f, err := load(t, text)
		if err == nil {
			st, failed := f.OpenStore(t.Context(), true)
			if err = failed; err == nil {
				defer st.Close()
				_, err = f.OpenAccounts(st)
			}
		}
		if err == nil || Code(err) != 2 || !strings.Contains(Sentence(err), "openssl rand -base64 32") || strings.Contains(err.Error(), "dHJvcCBjb3VydA") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Account(&auth.Accounts{}, "compta"); err == nil || Code(err) != 2 || !strings.Contains(err.Error(), `under "accounts"`) {
		t.Errorf("no accounts: %v", err)
	}
}
