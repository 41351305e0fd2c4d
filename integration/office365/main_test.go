package office365

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// children are what this test binary does in place of testing when it is told to: each is a
// process of its own.
var children = map[string]func() error{}

func TestMain(m *testing.M) {
	if name := os.Getenv("VAGUEMESTRE_CHILD"); name != "" {
		if err := children[name](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child starts this binary as the child of that name.
func child(t testing.TB, name string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(testContext(t), self)
	cmd.Env = append(append(os.Environ(), "VAGUEMESTRE_CHILD="+name), env...)
	return cmd
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t testing.TB, o *graphtest.Options) *graphtest.Server {
	t.Helper()
	srv, err := graphtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// keyText is the key of the stores here; it guards nothing.
const keyText = "5n0rVGSmW1X2Yy2bhcLd4GJ7c1hO0mnI8kAqvZp3R6w="

func openStore(ctx context.Context, path string) (*sqlite.Store, error) {
	key, err := settings.ParseKey(keyText)
	if err != nil {
		return nil, err
	}
	ring, err := settings.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, path, &sqlite.Options{Key: ring})
}

// provider is a provider as a program reads it from its settings.
func provider(store auth.Store, url, ca, id, tenant string) *auth.Microsoft {
	return &auth.Microsoft{ClientID: id, Tenant: tenant, Authority: url, GraphURL: url, CAFile: ca, Tokens: store,
		Roles: []auth.Role{auth.RoleSend, auth.RoleSendLarge, auth.RoleCollect, auth.RoleShared}}
}

// associate signs user in, for account name, in a new store at path.
func associate(t testing.TB, srv *graphtest.Server, path, name, user string) {
	t.Helper()
	ctx := testContext(t)
	st, err := openStore(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	p := srv.Provider(st.Tokens())
	if err := srv.SignIn(ctx, p.Account(name), user); err != nil {
		t.Fatal(err)
	}
}

func hash(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// pseudo fills n bytes that do not compress and differ by seed.
func pseudo(n int, seed byte) []byte {
	out := make([]byte, 0, n+32)
	block := sha256.Sum256([]byte{seed})
	for len(out) < n {
		out = append(out, block[:]...)
		block = sha256.Sum256(block[:])
	}
	return out[:n]
}

// output runs a child and returns what it printed.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%.4000s", err, errs.String())
	}
	return out.String()
}
