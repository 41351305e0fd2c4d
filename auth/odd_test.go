package auth

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// with is an answer with members changed; nil takes one out.
func (a reply) with(change map[string]any) reply {
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		panic(err)
	}
	for k, v := range change {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	b, _ := json.Marshal(m)
	a.body = string(b)
	return a
}

func zipped(a reply) reply {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(a.body))
	_ = w.Close()
	a.body, a.header = b.String(), http.Header{"Content-Encoding": {"gzip"}}
	return a
}

// What is odd about a success does not cost it: the tokens of an answer cannot be had twice.
func TestOddAnswersAssociate(t *testing.T) {
	t.Parallel()
	mail := grantOf("florian@mondaine.fr", "mail")
	asked := []string{"mail", "offline_access"}
	for name, c := range map[string]struct {
		answer  reply
		granted []string
	}{
		"no scope":             {mail.with(map[string]any{"scope": nil}), asked},
		"scope null":           {mail.with(map[string]any{"scope": json.RawMessage("null")}), asked},
		"scope as a list":      {mail.with(map[string]any{"scope": []string{"mail", "x"}}), []string{"mail", "x"}},
		"scope of no sense":    {mail.with(map[string]any{"scope": 7}), asked},
		"scopes turned round":  {mail.with(map[string]any{"scope": "openid mail"}), []string{"openid", "mail"}},
		"bearer":               {mail.with(map[string]any{"token_type": "bearer"}), []string{"mail"}},
		"no token_type":        {mail.with(map[string]any{"token_type": nil}), []string{"mail"}},
		"no id_token":          {mail.with(map[string]any{"id_token": nil}), []string{"mail"}},
		"id_token of no sense": {mail.with(map[string]any{"id_token": "a.b.c"}), []string{"mail"}},
		"expires_in as text":   {mail.with(map[string]any{"expires_in": "3600"}), []string{"mail"}},
		"expires_in fraction":  {mail.with(map[string]any{"expires_in": 3599.5}), []string{"mail"}},
		"no expires_in":        {mail.with(map[string]any{"expires_in": nil}), []string{"mail"}},
		"byte order mark":      {reply{status: 200, body: "\xef\xbb\xbf" + mail.body}, []string{"mail"}},
		"gzip":                 {zipped(mail), []string{"mail"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIDP(t, pending, c.answer, refuse("invalid_grant"))
			a := s.oauth2(t, new(Memory), newClock()).Account("a")
			p, err := begin(t, a, nil).Wait(t.Context(), nil)
			if err != nil || !slices.Equal(p.Granted, c.granted) || len(p.Missing) > 0 {
				t.Fatalf("%+v, %v", p, err)
			}
			if tok, err := a.Token(t.Context(), IMAP); err != nil || tok.AccessToken != canaryAccess || tok.Type() != "Bearer" {
				t.Errorf("token: %v", err)
			}
			if n := len(s.tokenForms()); n != 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// The same of a refresh, whose answer may rotate the grant.
func TestOddAnswersRefresh(t *testing.T) {
	t.Parallel()
	fresh := reply{status: 200, body: `{"access_token":"second","refresh_token":"r2","token_type":"bearer","expires_in":"3600","scope":["mail"]}`}
	for name, c := range map[string]struct {
		answer reply
		next   string // refresh token of the request after
	}{
		"all as text":        {fresh, "r2"},
		"byte order mark":    {reply{status: 200, body: "\xef\xbb\xbf" + fresh.body}, "r2"},
		"gzip":               {zipped(fresh), "r2"},
		"no refresh token":   {fresh.with(map[string]any{"refresh_token": nil}), canaryRefresh},
		"null refresh token": {fresh.with(map[string]any{"refresh_token": json.RawMessage("null")}), canaryRefresh},
		"nothing but a token": {fresh.with(map[string]any{"refresh_token": nil, "token_type": nil, "scope": nil,
			"expires_in": 3600}), canaryRefresh},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newClock()
			s := newIDP(t, grantOf("florian@mondaine.fr", "mail"), c.answer, refuse("temporarily_unavailable"))
			a := s.oauth2(t, new(Memory), k).Account("a")
			if _, err := begin(t, a, nil).Wait(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			_ = k.sleep(t.Context(), 2*time.Hour)
			tok, err := a.Token(t.Context(), IMAP)
			if err != nil || tok.AccessToken != "second" || !tok.Expiry.Equal(k.now().Add(time.Hour)) {
				t.Fatalf("%v", err)
			}
			_, _ = a.Refresh(t.Context(), IMAP, "second")
			forms := s.tokenForms()
			if got := forms[len(forms)-1].Get("refresh_token"); got != c.next || len(forms) != 3 {
				t.Errorf("%d requests, the last with %q", len(forms), got)
			}
		})
	}
}

// A device answer may lack what RFC 8628 makes optional, and Google names the page otherwise.
func TestOddDeviceAnswers(t *testing.T) {
	t.Parallel()
	const page = "https://login.example.org/device"
	for name, c := range map[string]struct {
		change   map[string]any
		interval time.Duration
		life     time.Duration
	}{
		"no interval":             {map[string]any{"interval": nil}, 5 * time.Second, 15 * time.Minute},
		"interval 0":              {map[string]any{"interval": 0}, 5 * time.Second, 15 * time.Minute},
		"interval below zero":     {map[string]any{"interval": -3}, 5 * time.Second, 15 * time.Minute},
		"interval of a day":       {map[string]any{"interval": 86400}, longestInterval, 15 * time.Minute},
		"interval as text":        {map[string]any{"interval": "7"}, 7 * time.Second, 15 * time.Minute},
		"no expires_in":           {map[string]any{"expires_in": nil}, 5 * time.Second, 15 * time.Minute},
		"expires_in as text":      {map[string]any{"expires_in": "1800"}, 5 * time.Second, 30 * time.Minute},
		"expires_in of a century": {map[string]any{"expires_in": 1e300}, 5 * time.Second, longestCode},
		"Google's word":           {map[string]any{"verification_url": page, "verification_uri": nil}, 5 * time.Second, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, k := newIDP(t, pending), newClock()
			s.device = deviceReply(c.change)
			p := begin(t, s.oauth2(t, new(Memory), k).Account("a"), nil).Progress()
			if p.URL != page || p.Interval != c.interval || !p.Expires.Equal(k.now().Add(c.life)) {
				t.Errorf("%+v", p)
			}
		})
	}
}

// Pages of portals, redirects and errors of proxies while somebody signs in: the flow goes
// on, says what stands in the way, and then takes the answer.
func TestStrangersInTheWay(t *testing.T) {
	t.Parallel()
	page := "<html><body>Portail de la mairie</body></html>"
	for name, c := range map[string]struct {
		answer reply
		help   string
	}{
		"page with 200":   {reply{status: 200, body: page}, helpStranger.FR},
		"redirect":        {reply{status: 307, body: page, header: http.Header{"Location": {"https://portal.example.org/"}}}, helpStranger.FR},
		"page with 403":   {reply{status: 403, body: page}, helpStranger.FR},
		"page with 502":   {reply{status: 502, body: page}, helpFault.FR},
		"no token":        {reply{status: 200, body: `{"token_type":"Bearer"}`}, helpFault.FR},
		"an error of 5xx": {reply{status: 503, body: `{"error":"invalid_grant"}`}, helpFault.FR},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIDP(t, c.answer, granted1)
			var helps []string
			p, err := begin(t, s.microsoft(t, new(Memory), newClock()).Account("a"), nil).Wait(t.Context(), func(p Progress) {
				if p.Fault != nil {
					helps = append(helps, p.Help.FR)
				}
			})
			if err != nil || p.State != StateApproved || !slices.Equal(helps, []string{c.help}) {
				t.Errorf("%+v, %v, helps %q", p, err, helps)
			}
		})
	}
}

// slow_down counts whatever its status, with the pause that the header wishes.
func TestSlowDownOfAnyStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 403, 429, 503} {
		k := newClock()
		slow := refuse("slow_down")
		slow.status, slow.header = status, http.Header{"Retry-After": {"40"}}
		s := newIDP(t, slow, pending, granted1)
		if _, err := begin(t, s.microsoft(t, new(Memory), k).Account("a"), nil).Wait(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if got, want := k.slept(), []time.Duration{5 * time.Second, 40 * time.Second, 10 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("%d: slept %v, want %v", status, got, want)
		}
	}
}

// An authority may lie under a path, on plain http of this machine, and the tenant be a
// domain; its clock may go wrong by hours.
func TestAuthorityOfOnesOwn(t *testing.T) {
	t.Parallel()
	var paths []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		a := granted1
		if strings.HasSuffix(r.URL.Path, "/devicecode") {
			a = deviceReply(map[string]any{"verification_uri": "http://" + r.Host + "/page"})
		}
		w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
		fmt.Fprint(w, a.body)
	}))
	defer srv.Close()
	k := newClock()
	m := &Microsoft{ClientID: "id", Tenant: "Mondaine.fr", Authority: srv.URL + "/sso/", GraphURL: srv.URL + "/graph/", Tokens: new(Memory)}
	c, err := m.client()
	if err != nil {
		t.Fatal(err)
	}
	defer c.http.CloseIdleConnections()
	c.now, c.sleep = k.now, k.sleep
	p, err := begin(t, m.Account("a"), nil).Wait(t.Context(), nil)
	want := []string{"/sso/mondaine.fr/oauth2/v2.0/devicecode", "/sso/mondaine.fr/oauth2/v2.0/token"}
	if err != nil || !slices.Equal(paths, want) || len(p.Missing) > 0 {
		t.Errorf("%+v, %v, %q", p, err, paths)
	}
	st, err := m.Account("a").Status(t.Context())
	if err != nil || len(st.Missing) > 0 || st.Help != noHelp {
		t.Errorf("%+v, %v", st, err)
	}
}

// What was granted and what not is written alike, whatever the provider repeats and
// wherever Graph is, and Status says what to do about it.
func TestScopesAreNamedAlike(t *testing.T) {
	t.Parallel()
	for _, graph := range []string{"https://graph.microsoft.com", "https://127.0.0.1:9443/x"} {
		for _, scope := range []string{"User.Read Mail.Send", graph + "/User.Read " + graph + "/Mail.Send"} {
			s := newIDP(t, grantOf("florian@mondaine.fr", scope))
			a := s.microsoft(t, new(Memory), newClock(), func(m *Microsoft) { m.GraphURL = graph }).Account("a")
			p, err := begin(t, a, nil).Wait(t.Context(), nil)
			granted, missing := []string{"User.Read", "Mail.Send"}, []string{"Mail.ReadWrite"}
			if err != nil || !slices.Equal(p.Granted, granted) || !slices.Equal(p.Missing, missing) {
				t.Errorf("%+v, %v", p, err)
			}
			st, err := a.Status(t.Context())
			if err != nil || !slices.Equal(st.Granted, granted) || !slices.Equal(st.Missing, missing) || st.Standing != StandingReady || st.Help != helpMissing {
				t.Errorf("%+v, %v", st, err)
			}
		}
	}
}

// After a restart the issuer has to be asked again. A portal that answers in its place does
// not end the flow.
func TestPortalInPlaceOfTheIssuer(t *testing.T) {
	t.Parallel()
	s, store, k := newIDP(t, granted1), new(Memory), newClock()
	var portal atomic.Int32
	iss := httptest.NewServer(nil)
	iss.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if portal.Add(-1) >= 0 {
			fmt.Fprint(w, "<html>Portail</html>")
			return
		}
		fmt.Fprintf(w, "\xef\xbb\xbf"+`{"issuer":%q,"token_endpoint":%q,"device_authorization_endpoint":%q}`, iss.URL, s.URL+"/token", s.URL+"/device")
	})
	defer iss.Close()
	of := func(o *OAuth2) { o.Issuer, o.TokenURL, o.DeviceURL, o.AuthURL = iss.URL, "", "", "" }
	begin(t, s.oauth2(t, store, k, of).Account("a"), nil)
	portal.Store(2)
	f, err := s.oauth2(t, store, k, of).Account("a").Resume(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	faults := 0
	p, err := f.Wait(t.Context(), func(p Progress) {
		if p.Fault != nil {
			faults++
		}
	})
	if err != nil || p.State != StateApproved || faults != 2 {
		t.Errorf("%+v, %v, %d faults", p, err, faults)
	}
}

// A provider without Entra's codes says in words what displeases it: they stand in the error,
// quoted and without what the request carried.
func TestWordsOfOtherProviders(t *testing.T) {
	t.Parallel()
	b, _ := json.Marshal(map[string]string{"error": "invalid_request", "error_description": "no such client\x1b[2J for " + canaryDevice})
	s := newIDP(t, reply{status: 400, body: string(b)})
	p, err := begin(t, s.oauth2(t, new(Memory), newClock()).Account("a"), nil).Wait(t.Context(), nil)
	if p.State != StateFailed || p.Help != helpRequest || !strings.Contains(err.Error(), `it says "no such client[2J for •••"`) {
		t.Errorf("%+v, %v", p, err)
	}
}
