package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
)

// Associating an account: a page and a code are shown, and whoever opens that page on any
// device signs in.
func Example_device() {
	authority, caFile, stop := fakeAuthority()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	ms := &auth.Microsoft{
		ClientID:  "11111111-2222-3333-4444-555555555555",
		Tokens:    &auth.Memory{},            // a program that lives on takes auth.Files, or the store of store/sqlite
		Authority: authority, CAFile: caFile, // of the fake; leave both out
	}
	account := ms.Account("compta")

	flow, err := account.Begin(ctx, &auth.BeginOptions{Language: "fr-FR"})
	if err != nil {
		help, _ := auth.Explain(err)
		fmt.Println(err, help.FR)
		return
	}
	p := flow.Progress()
	fmt.Println("open", p.URL, "and enter", p.UserCode.Reveal())

	p, err = flow.Wait(ctx, func(p auth.Progress) { fmt.Println(p.State) })
	if err != nil {
		fmt.Println(p.Help.FR)
		return
	}
	fmt.Println(p.User, "signed in; missing:", p.Missing)

	token, err := account.Token(ctx, auth.Graph)
	fmt.Println(token != nil, err)

	// Output:
	// open https://login.example.org/device and enter YZMYLD4K
	// waiting
	// approved
	// florian@mondaine.fr signed in; missing: [Mail.ReadWrite]
	// true <nil>
}

// fakeAuthority is Entra ID as far as the example needs it.
func fakeAuthority() (url, caFile string, stop func()) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/devicecode") {
			fmt.Fprint(w, `{"user_code":"YZMYLD4K","device_code":"d","verification_uri":"https://login.example.org/device","expires_in":900,"interval":1}`)
			return
		}
		id := base64.RawURLEncoding.EncodeToString([]byte(`{"preferred_username":"florian@mondaine.fr"}`))
		fmt.Fprintf(w, `{"token_type":"Bearer","scope":"User.Read Mail.Send","expires_in":3599,"access_token":"a","refresh_token":"r","id_token":"e30.%s.x"}`, id)
	}))
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	caFile = filepath.Join(dir, "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(caFile, cert, 0o600); err != nil {
		panic(err)
	}
	return srv.URL, caFile, func() { srv.Close(); os.RemoveAll(dir) }
}
