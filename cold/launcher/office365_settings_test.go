package launcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

func TestOffice365ReadsTheProductsNotation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mailbox, source, address, folder string }{
		{"", "", "", "inbox"},
		{"accueil@mondaine.fr", "", "accueil@mondaine.fr", "inbox"},
		{"accueil@mondaine.fr:inbox", "", "accueil@mondaine.fr", "inbox"},
		{" accueil@mondaine.fr : Factures/2026 ", " inbox ", "accueil@mondaine.fr", "Factures/2026"},
		{"Accueil@Mondaine.fr:Boîte de réception/A:B", "INBOX", "Accueil@Mondaine.fr", "Boîte de réception/A:B"},
		{"accueil@mondaine.fr:inbox", "Factures", "accueil@mondaine.fr", "Factures"},
		{"accueil@mondaine.fr:Archive", "Factures", "accueil@mondaine.fr", "Factures"},
		{"accueil@mondaine.fr:", "", "accueil@mondaine.fr", "inbox"},
	} {
		l := &Office365{Mailbox: c.mailbox, Source: c.source}
		if l.address() != c.address || l.source() != c.folder {
			t.Errorf("%q, %q: %q, %q, want %q, %q", c.mailbox, c.source, l.address(), l.source(), c.address, c.folder)
		}
		if is := l.ValidateSettings(); len(is) > 0 {
			t.Errorf("%q: %v", c.mailbox, is)
		}
	}
	for _, bad := range []string{"accueil", "@mondaine.fr", "accueil@", "a b@mondaine.fr", "a@b@mondaine.fr", "../me@mondaine.fr", "a@mondaine.fr\r\nX: y",
		":inbox", "a@mondaine.fr/messages", "<a@mondaine.fr>", strings.Repeat("a", 400) + "@mondaine.fr"} {
		is := (&Office365{Mailbox: bad}).ValidateSettings()
		if len(is) != 1 || is[0].Path != "mailbox" || is[0].Code != settings.CodeBadFormat || is[0].Message.FR == "" {
			t.Errorf("%q: %v", bad, is)
		}
	}
}

func TestOffice365IsStoredBeforeItsAccountExists(t *testing.T) {
	t.Parallel()
	var accounts auth.Accounts
	kinds, err := Kinds(&accounts)
	if err != nil {
		t.Fatal(err)
	}
	doc := settings.Instance{Name: "m365", Kind: "office365", Settings: []byte(`{"account":"compta","mailbox":"accueil@mondaine.fr:inbox"}`)}
	v, err := kinds.Open(doc, nil)
	var missing *settings.Incomplete
	if !errors.As(err, &missing) || len(missing.Missing) != 1 || missing.Missing[0].Path != "account" {
		t.Fatalf("an account that is not known yet gives %v", err)
	}
	if _, err := v.Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), `"compta"`) {
		t.Errorf("it can be run: %v", err)
	}
	ms := &auth.Microsoft{ClientID: "id", Tokens: &auth.Memory{}}
	if err := accounts.Add("compta", ms); err != nil {
		t.Fatal(err)
	}
	if v, err = kinds.Open(doc, nil); err != nil {
		t.Fatalf("with its account: %v", err)
	}
	if e := v.(vaguemestre.Endpointer).Endpoints(); len(e) != 2 || e[0].Host != "login.microsoftonline.com" || e[1].Host != "graph.microsoft.com" || e[1].Port != 443 {
		t.Errorf("Endpoints: %v", e)
	}

	if err := accounts.Add("google", &auth.OAuth2{Preset: auth.PresetGoogle, ClientID: "id", Tokens: &auth.Memory{}}); err != nil {
		t.Fatal(err)
	}
	if err := accounts.Add("app", &auth.Microsoft{ClientID: "id", Tenant: "mondaine.fr", Grant: auth.Application, ClientSecret: "x", Cloud: auth.CloudChina}); err != nil {
		t.Fatal(err)
	}
	for doc, want := range map[string]string{
		`{"account":"google"}`:                               "account not_one_of",
		`{"account":"app"}`:                                  "mailbox required",
		`{"account":"app","mailbox":"accueil@mondaine.fr"}`:  "",
		`{"account":"compta","mailbox":"accueil"}`:           "mailbox bad_format",
		`{"account":"compta","listing":"often"}`:             "listing not_one_of",
		`{"account":"compta","source":"a\nb"}`:               "source bad_format",
		`{"mailbox":"accueil@mondaine.fr"}`:                  "account required",
		`{"account":"compta","source":"Boîte de réception"}`: "",
		`{"account":"compta","mailbox":"a@mondaine.fr:été"}`: "",
		`{"account":"compta","timeout":"10ms"}`:              "timeout out_of_range",
	} {
		_, err := kinds.Open(settings.Instance{Name: "m", Kind: "office365", Settings: []byte(doc)}, nil)
		got := ""
		var is settings.Issues
		if errors.As(err, &is) && len(is) == 1 {
			got = is[0].Path + " " + is[0].Code
		} else if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", doc, got, want)
		}
	}
}

func TestOffice365SaysWhatItCanDo(t *testing.T) {
	t.Parallel()
	l := &Office365{}
	for _, good := range []cold.After{{}, cold.Leave(), cold.MarkSeen(), cold.Delete(), cold.Tag("À traiter"), cold.MoveTo("Traités/2026")} {
		if err := l.Supports(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range []cold.After{{Do: "burn"}, cold.Tag(""), cold.Tag(" "), cold.Tag("a,b"), cold.Tag("a;b"), cold.Tag("a\nb"), cold.Tag(strings.Repeat("x", 256)),
		cold.MoveTo(""), cold.MoveTo(" / "), cold.MoveTo("a\x00b")} {
		if err := l.Supports(bad); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestOffice365Endpoints(t *testing.T) {
	t.Parallel()
	for cloud, want := range map[auth.Cloud]string{
		"":                 "login.microsoftonline.com:443 graph.microsoft.com:443",
		auth.CloudUSGov:    "login.microsoftonline.us:443 graph.microsoft.us:443",
		auth.CloudUSGovDoD: "login.microsoftonline.us:443 dod-graph.microsoft.us:443",
		auth.CloudChina:    "login.partner.microsoftonline.cn:443 microsoftgraph.chinacloudapi.cn:443",
	} {
		ms := &auth.Microsoft{Cloud: cloud, ClientID: "11111111-2222-4333-8444-555555555555", Tokens: &auth.Memory{}}
		var got []string
		for _, e := range (&Office365{Account: ms.Account("compta")}).Endpoints() {
			got = append(got, fmt.Sprintf("%s:%d", e.Host, e.Port))
			if e.Reason == "" {
				t.Errorf("%s: no reason for %s", cloud, e.Host)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", cloud, got, want)
		}
		root, _, err := ms.Graph()
		if err != nil || root.Hostname()+":443" != got[1] {
			t.Errorf("%s: accounts ask %v (%v), the firewall is told %s", cloud, root, err, got[1])
		}
	}
	if n := len((&Office365{}).Endpoints()); n != 2 {
		t.Errorf("without an account there are %d", n)
	}
}

func TestOffice365PrintsNoSecret(t *testing.T) {
	t.Parallel()
	var accounts auth.Accounts
	ms := &auth.Microsoft{ClientID: "id", Tenant: "mondaine.fr", Grant: auth.Application, ClientSecret: "canary-secret"}
	if err := accounts.Add("compta", ms); err != nil {
		t.Fatal(err)
	}
	l := &Office365{Account: ms.Account("compta"), Mailbox: "a@mondaine.fr:Factures", accounts: &accounts}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{l, struct{ L *Office365 }{l}, []*Office365{l}} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "canary") {
				t.Errorf("%s prints %s", verb, s)
			}
		}
	}
	if got, want := l.String(), "office365 compta, a@mondaine.fr:Factures"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (*Office365)(nil).String(); got != "<nil>" {
		t.Errorf("nil prints %q", got)
	}
}

func TestOffice365WithoutAnAccountIsAMistakeOfConfiguration(t *testing.T) {
	t.Parallel()
	google := (&auth.OAuth2{Preset: auth.PresetGoogle, ClientID: "id", Tokens: &auth.Memory{}}).Account("g")
	for name, l := range map[string]*Office365{
		"none":         {},
		"not its kind": {Account: google},
		"listing":      {Account: google, Listing: "often"},
		"mailbox":      {Account: google, Mailbox: "accueil"},
	} {
		_, err := l.Connect(context.Background(), nil)
		if c := vaguemestre.ClassOf(err); c != vaguemestre.ClassConfig && !errors.Is(err, auth.ErrNotAssociated) {
			t.Errorf("%s: %v (%s)", name, err, c)
		}
	}
}
