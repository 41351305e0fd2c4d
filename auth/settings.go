package auth

import (
	"strings"

	"github.com/vaguemestre/vaguemestre/settings"
)

// codeConflict is the code of an issue where two settings exclude each other.
const codeConflict = "conflict"

// issues collects what is wrong over several keys.
type issues []settings.Issue

func (is *issues) add(path, code, en, fr string) {
	*is = append(*is, settings.Issue{Path: path, Code: code, Message: settings.Text{EN: en, FR: fr}})
}

// url checks an address that secrets are sent to.
func (is *issues) url(path, value string) {
	if value == "" {
		return
	}
	if _, err := parseURL(value); err != nil {
		is.add(path, settings.CodeBadFormat, err.Error(),
			"l'adresse doit commencer par https:// (http:// seulement pour cette machine même), sans nom d'utilisateur ni #")
	}
}

// base checks an address that others are made of.
func (is *issues) base(path, value string) {
	if strings.ContainsRune(value, '?') {
		is.add(path, settings.CodeBadFormat, "it holds a query (?), which does not belong there", "l'adresse contient une requête (?), qui n'y a pas sa place")
		return
	}
	is.url(path, value)
}

// ValidateSettings checks what concerns several keys.
func (m *Microsoft) ValidateSettings() []settings.Issue {
	var is issues
	is.base("authority", m.Authority)
	is.base("graph_url", m.GraphURL)
	is.base("outlook_url", m.Outlook)
	if !plainName(m.ClientID) {
		is.add("client_id", settings.CodeBadFormat, "it is no application id: copy \"Application (client) ID\" from the registration",
			"ce n'est pas un identifiant d'application : copiez « ID d'application (client) » depuis l'inscription")
	}
	if !plainName(m.Tenant) {
		is.add("tenant", settings.CodeBadFormat, "it is neither the id of a tenant nor a domain",
			"ce n'est ni l'identifiant d'un tenant ni un domaine")
	}
	if m.ClientSecret != "" && m.CertificateFile != "" {
		is.add("certificate_file", codeConflict, "there is a client secret already: keep one of the two",
			"un secret client est déjà donné : gardez l'un des deux")
	}
	if len(m.Roles) > 0 && !m.anyRole() {
		is.add("roles", settings.CodeBadFormat, "shared only widens other roles: add send, send_large or collect",
			"shared ne fait qu'étendre d'autres rôles : ajoutez send, send_large ou collect")
	}
	if m.Grant == Application {
		if m.ClientSecret == "" && m.CertificateFile == "" {
			is.add("client_secret", settings.CodeRequired, "an application that acts for itself needs its secret or certificate",
				"une application qui agit pour elle-même a besoin de son secret ou de son certificat")
		}
		switch strings.ToLower(m.Tenant) {
		case "":
			is.add("tenant", settings.CodeRequired, "an application that acts for itself needs the id or domain of its tenant",
				"une application qui agit pour elle-même a besoin de l'identifiant ou du domaine de son tenant")
		case "common", "organizations", "consumers":
			// learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
			is.add("tenant", settings.CodeBadFormat, "an application that acts for itself belongs to one tenant: give its id or domain",
				"une application qui agit pour elle-même appartient à un seul tenant : donnez son identifiant ou son domaine")
		}
	}
	return is
}

// anyRole reports whether there is a role that asks for something by itself.
func (m *Microsoft) anyRole() bool {
	for _, r := range m.Roles {
		if r != RoleShared {
			return true
		}
	}
	return false
}

// plainName reports whether s, which becomes part of an address, is of letters, digits, dots
// and dashes.
func plainName(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_') {
			return false
		}
	}
	return len(s) <= 200 && s != "." && s != ".."
}

// ValidateSettings checks what concerns several keys.
func (o *OAuth2) ValidateSettings() []settings.Issue {
	var is issues
	is.base("issuer", o.Issuer)
	is.url("device_url", o.DeviceURL)
	is.url("auth_url", o.AuthURL)
	is.url("token_url", o.TokenURL)
	if o.Preset != PresetGoogle && o.Issuer == "" {
		if o.TokenURL == "" {
			is.add("token_url", settings.CodeRequired, "it is needed where there is neither an issuer nor a preset",
				"elle est nécessaire sans émetteur ni fournisseur prédéfini")
		}
		if o.Grant != Application && o.DeviceURL == "" && o.AuthURL == "" {
			is.add("auth_url", settings.CodeRequired, "device_url or auth_url is needed to sign in",
				"device_url ou auth_url est nécessaire pour se connecter")
		}
	}
	if o.Grant == Application && o.ClientSecret == "" {
		is.add("client_secret", settings.CodeRequired, "an application that acts for itself needs its secret",
			"une application qui agit pour elle-même a besoin de son secret")
	}
	for _, s := range o.Scopes {
		if s == "" || len(s) > 500 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
			// RFC 6749 section 3.3.
			is.add("scopes", settings.CodeBadFormat, "a scope is one word without blanks or quotes: give each as an entry of its own",
				"un scope est un seul mot sans espace ni guillemet : donnez chacun comme une entrée à part")
			break
		}
	}
	return is
}
