package demo

import (
	"context"
	"os"
	"path/filepath"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// Microsoft gives an account at the fake. It puts the certificate authority beside the
// configuration file, into dir, and names it relative to that.
func Microsoft(srv *graphtest.Server, dir, name string, roles ...string) (Object, error) {
	ca, err := os.ReadFile(srv.CAFile)
	if err != nil {
		return nil, err
	}
	const file = "microsoft-ca.pem"
	set := Object{"client_id": srv.ClientID, "authority": srv.URL, "graph_url": srv.URL, "ca_file": file}
	if len(roles) > 0 {
		set["roles"] = roles
	}
	return Object{"name": name, "kind": "microsoft", "settings": set}, os.WriteFile(filepath.Join(dir, file), ca, 0o600)
}

// Associate signs in to the account as user, as somebody did with examples/account before.
// The store is made at path, under [Key].
func Associate(ctx context.Context, srv *graphtest.Server, path, name, user string, roles ...auth.Role) error {
	k, err := settings.ParseKey(Key)
	if err != nil {
		return err
	}
	keys, err := settings.NewKeyring(k)
	if err != nil {
		return err
	}
	st, err := sqlite.Open(ctx, path, &sqlite.Options{Key: keys})
	if err != nil {
		return err
	}
	defer st.Close()
	ms := &auth.Microsoft{ClientID: srv.ClientID, Authority: srv.URL, GraphURL: srv.URL, CAFile: srv.CAFile, Roles: roles, Tokens: st.Tokens()}
	return srv.SignIn(ctx, ms.Account(name), user)
}
