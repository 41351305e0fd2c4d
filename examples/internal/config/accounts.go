package config

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// makeKey tells where a key comes from and where it goes.
const makeKey = `make one with "openssl rand -base64 32", keep it in the environment, as VAGUEMESTRE_KEY say, ` +
	`and write "key": {"env": "VAGUEMESTRE_KEY"} into the file`

// OpenStore opens the store under the key; the caller closes it. With create false a store
// that is not there yet is not made, unless there are accounts: the result is nil then.
func (f *File) OpenStore(ctx context.Context, create bool) (*sqlite.Store, error) {
	keys, err := f.keyring()
	if err != nil {
		return nil, err
	}
	var o sqlite.Options
	if keys != nil {
		o.Key = keys
	}
	if _, err := os.Stat(f.storePath()); err != nil && !create && len(f.Accounts) == 0 {
		return nil, nil
	}
	st, err := sqlite.Open(ctx, f.storePath(), &o)
	if err != nil {
		return nil, fmt.Errorf("%w; \"store\" in the configuration names the file", err)
	}
	return st, nil
}

func (f *File) storePath() string { return f.path(f.Store) }

// keyring gives the key that seals secrets in the store; nil if the file names none.
func (f *File) keyring() (*settings.Keyring, error) {
	if f.Key == "" {
		return nil, nil
	}
	k, err := settings.ParseKey(f.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("configuration: key: %w; %s", err, makeKey)
	}
	return settings.NewKeyring(k)
}

// OpenAccounts opens the accounts. st keeps what they are granted; without accounts it may
// be nil, and the result is empty.
func (f *File) OpenAccounts(st *sqlite.Store) (*auth.Accounts, error) {
	accounts := &auth.Accounts{}
	if len(f.Accounts) == 0 {
		return accounts, nil
	}
	if f.Key == "" {
		return nil, config("key: is missing; it seals the tokens of the accounts in the store: %s", makeKey)
	}
	kinds, err := auth.Kinds(st.Tokens())
	if err != nil {
		return nil, err
	}
	for i, in := range f.Accounts {
		if in.Name == "" {
			return nil, config("accounts[%d].name: is missing; connectors and launchers name the account by it", i)
		}
		p, err := kinds.Open(in, f.options("accounts[%d]", i))
		if err != nil {
			return nil, fmt.Errorf("configuration: account %q: %w", in.Name, err)
		}
		switch p := p.(type) {
		case *auth.Microsoft:
			p.CAFile, p.CertificateFile = f.path(p.CAFile), f.path(p.CertificateFile)
		case *auth.OAuth2:
			p.CAFile = f.path(p.CAFile)
		}
		if err := accounts.Add(in.Name, p); err != nil {
			return nil, fmt.Errorf("configuration: accounts[%d]: %w", i, err)
		}
	}
	return accounts, nil
}

// Account returns one account of the file; the error for an unknown name lists the known.
func Account(accounts *auth.Accounts, name string) (auth.Account, error) {
	if a, ok := accounts.Get(name); ok {
		return a, nil
	}
	return auth.Account{}, config("%w", unknownAccount(name, accounts))
}

// known checks that an account that settings name, if any, is one of the file.
func known(a auth.Account, accounts *auth.Accounts) error {
	if _, ok := accounts.Get(a.Name()); ok || a.Name() == "" {
		return nil
	}
	return unknownAccount(a.Name(), accounts)
}

func unknownAccount(name string, accounts *auth.Accounts) error {
	var names []string
	for _, n := range accounts.Names() {
		names = append(names, fmt.Sprintf("%q", n))
	}
	if len(names) == 0 {
		return fmt.Errorf("unknown account %q: add it under \"accounts\"", name)
	}
	return fmt.Errorf("unknown account %q; known: %s", name, strings.Join(names, ", "))
}
