package auth

import "github.com/vaguemestre/vaguemestre/settings"

// Kinds returns a new registry of the providers: microsoft, oauth2. Those it opens keep
// their grants in store.
func Kinds(store Store) (*settings.Registry[Provider], error) {
	r := &settings.Registry[Provider]{}
	err := r.Register(settings.Kind[Provider]{
		Name:  "microsoft",
		Title: settings.Text{EN: "Microsoft 365", FR: "Office 365"},
		Help: settings.Text{EN: "Accounts of Microsoft 365, which sign in with a code, through the browser, or as an application.",
			FR: "Comptes Office 365, qui se connectent par un code, par le navigateur ou en tant qu'application."},
		New: func() Provider { return &Microsoft{Tokens: store} },
	}, settings.Kind[Provider]{
		Name:  "oauth2",
		Title: settings.Text{EN: "Other provider (OAuth2)", FR: "Autre fournisseur (OAuth2)"},
		Help: settings.Text{EN: "Accounts of Google or of any provider that speaks OAuth2, to log in to mail servers with a token.",
			FR: "Comptes de Google ou de tout fournisseur compatible OAuth2, pour se connecter aux serveurs de messagerie par jeton."},
		New: func() Provider { return &OAuth2{Tokens: store} },
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}
