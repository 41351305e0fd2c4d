package graphtest

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// page is what both pages show.
type page struct {
	Title, Text, App string
	Error            string
	Form             bool // ask for a decision
	Ask              bool // ask for the code
	Code, User       string
	Scopes           []string
}

// pages has no script and no style of its own: it is there for a person at a terminal and for
// programs that fill in forms.
var pages = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{with .Error}}<p role="alert">{{.}}</p>{{end}}{{with .Text}}<p>{{.}}</p>{{end}}
{{if .Ask}}<form method="get"><label>Code <input name="code" value="{{.Code}}" autocomplete="off"></label> <button>Next · Suivant</button></form>{{end}}
{{if .Form}}<form method="post"><p>{{.App}} asks for · demande :</p><ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<input type="hidden" name="user_code" value="{{.Code}}">
<p><label>Account · Compte <input name="user" type="email" value="{{.User}}"></label></p>
<p><button name="answer" value="accept">Accept · Accepter</button> <button name="answer" value="decline">Decline · Refuser</button></p></form>{{end}}
</html>
`))

func show(w http.ResponseWriter, status int, p page) {
	var b bytes.Buffer
	if pages.Execute(&b, p) != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// descriptions are what the consent says in place of a scope's name.
var descriptions = map[string]string{
	"mail.read":             "Read your mail · Lire votre courrier",
	"mail.readwrite":        "Read and write access to your mail · Lire et écrire dans votre courrier",
	"mail.send":             "Send mail as you · Envoyer du courrier en votre nom",
	"mail.read.shared":      "Read mail you can access · Lire le courrier auquel vous avez accès",
	"mail.readwrite.shared": "Read and write mail you can access · Lire et écrire dans le courrier auquel vous avez accès",
	"mail.send.shared":      "Send mail on behalf of others or yourself · Envoyer du courrier au nom d'autres personnes ou en votre nom",
	"user.read":             "Sign you in and read your profile · Vous connecter et lire votre profil",
	"offline_access":        "Maintain access to data you have given it access to · Conserver l'accès aux données auxquelles vous lui avez donné accès",
	"openid":                "Sign you in · Vous connecter",
	"profile":               "View your basic profile · Voir votre profil de base",
}

func describe(asked []scope) []string {
	var out []string
	for _, p := range asked {
		text := p.String()
		if d := descriptions[strings.ToLower(text)]; d != "" {
			text += ": " + d
		}
		out = append(out, text)
	}
	return out
}

// devicePage is the verification page: a person types the code, sees what is asked and answers.
func (s *Server) devicePage(w http.ResponseWriter, r *http.Request, body []byte) {
	p := page{Title: "Sign in with a code · Se connecter avec un code"}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p.Code = r.URL.Query().Get("code")
		s.entra.mu.Lock()
		d := s.waiting(p.Code)
		s.entra.mu.Unlock()
		switch {
		case d != nil:
			p.Form, p.App, p.Code, p.Scopes = true, d.app.ID, d.userCode, describe(d.asked)
		case p.Code != "":
			p.Ask, p.Error = true, "That code did not work. · Ce code ne fonctionne pas."
		default:
			p.Ask = true
		}
		show(w, http.StatusOK, p)
	case http.MethodPost:
		form, _ := url.ParseQuery(string(body))
		var err error
		if form.Get("answer") == "accept" {
			err = s.Approve(form.Get("user_code"), Consent{User: form.Get("user")})
		} else {
			err = s.Decline(form.Get("user_code"))
		}
		if err != nil {
			p.Error, p.Ask = err.Error(), true
			show(w, http.StatusBadRequest, p)
			return
		}
		p.Text = "You may close this window. · Vous pouvez fermer cette fenêtre."
		show(w, http.StatusOK, p)
	default:
		show(w, http.StatusMethodNotAllowed, p)
	}
}

// authorizePage is the page of the authorization endpoint (RFC 6749 section 3.1).
func (s *Server) authorizePage(w http.ResponseWriter, r *http.Request, tenant string, body []byte) {
	p := page{Title: "Sign in · Se connecter"}
	a, no, err := s.readAuth(tenant, r.URL.Query())
	if err != nil {
		p.Error = err.Error()
		show(w, http.StatusBadRequest, p)
		return
	}
	to := ""
	switch {
	case no != nil:
		to = a.refused(no)
	case r.Method == http.MethodPost:
		form, _ := url.ParseQuery(string(body))
		if form.Get("answer") != "accept" {
			to = a.refused(entraFault(0, "access_denied", 65004, "User declined to consent to access the app."))
		} else if to, err = s.authorized(a, Consent{User: form.Get("user")}); err != nil {
			p.Error = err.Error()
		}
	}
	if to != "" {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
		return
	}
	p.Form, p.App, p.User, p.Scopes = true, a.app.ID, a.query.Get("login_hint"), describe(a.asked)
	show(w, http.StatusOK, p)
}
