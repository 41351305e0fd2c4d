package graph

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
)

// TestOddFolderNames: whatever a person called a folder is found as they would write it.
func TestOddFolderNames(t *testing.T) {
	t.Parallel()
	x := &tree{folders: []Folder{
		{ID: "quote", Name: "l'été d'\"ici\"", Parent: "root"}, {ID: "percent", Name: "100 % & #1 + $top=2", Parent: "root"},
		{ID: "emoji", Name: "📥 Reçus 👩‍💼", Parent: "root"}, {ID: "blank", Name: " Factures  ", Parent: "root"},
		{ID: "nfd", Name: "Re\u0301ception", Parent: "root"}, {ID: "nfc", Name: "Délibérations", Parent: "root"},
		{ID: "slash", Name: "Achats / Marchés", Parent: "root"}, {ID: "below", Name: "2026/11", Parent: "slash"},
		{ID: "old//+=", Name: "Ancien", Parent: "root"}, {ID: "sub", Name: "Un", Parent: "old//+="}, {ID: "sub2", Name: "Deux", Parent: "old//+="}, {ID: "sub3", Name: "Trois", Parent: "old//+="},
	}}
	for i := range 300 {
		x.folders = append(x.folders, Folder{ID: fmt.Sprint("n", i), Name: fmt.Sprint("Dossier ", i), Parent: "root"})
	}
	filter := true
	f := newFake(t, false, func(n int, w http.ResponseWriter, r *http.Request) {
		if !filter && r.URL.Query().Get("$filter") != "" {
			graphError(w, 400, "ErrorInvalidUrlQueryFilter")
			return
		}
		x.answer(n, w, r)
	})
	x.srv = func() string { return f.srv.URL }
	for path, want := range map[string]string{
		"l'été d'\"ici\"": "quote", "100 % & #1 + $top=2": "percent", "📥 Reçus 👩‍💼": "emoji", "Factures": "blank",
		"Réception": "nfd", "De\u0301libe\u0301rations": "nfc", "Dossier 299": "n299",
		"Achats / Marchés": "slash", "achats/marchés": "slash", "Achats / Marchés/2026/11": "below",
	} {
		if got, err := f.client("").Folder(t.Context(), path); err != nil || got.ID != want {
			t.Errorf("%q is %q (%v), want %q", path, got.ID, err, want)
		}
	}
	c := f.client("")
	for range 2 { // the second time from memory
		if got, err := c.Folder(t.Context(), "Achats / Marchés/2026/11"); err != nil || got.ID != "below" {
			t.Errorf("got %q (%v)", got.ID, err)
		}
	}
	if _, err := c.Folder(t.Context(), "Achats / Marchés/2027/11"); err == nil || !strings.Contains(err.Error(), `"2027"`) {
		t.Errorf("a missing folder: %v", err)
	}
	filter = false
	if got, err := f.client("").Folder(t.Context(), "Dossier 7"); err != nil || got.ID != "n7" {
		t.Errorf("without a filter: %q (%v)", got.ID, err)
	}
}

// TestLinkWithOldID: an id of old may hold "//"; a link over it is followed as it stands,
// while what leads upwards within it is not.
func TestLinkWithOldID(t *testing.T) {
	t.Parallel()
	root, _ := url.Parse("https://graph.microsoft.com/v1.0")
	for link, ok := range map[string]bool{
		"https://graph.microsoft.com/v1.0/me/mailFolders/AQ%2F%2FxY%2B%3D/messages?$skip=10": true,
		"https://graph.microsoft.com/v1.0/me/mailFolders/a%2f%2Fb%2F/messages":               true,
		"https://graph.microsoft.com/v1.0/me/%2F../beta":                                     false,
		"https://graph.microsoft.com/v1.0/me/x%2F..%2F..%2Fbeta/me":                          false,
		"https://graph.microsoft.com/v1.0/me/x%2F./me":                                       false,
		"https://graph.microsoft.com/v1%2E0/me":                                              false,
		"https://graph.microsoft.com/v1.0%2Fme/x":                                            false,
	} {
		u, err := pin(root, link)
		if ok && (err != nil || u.String() != link) || !ok && err != ErrLink {
			t.Errorf("%s leads to %v (%v)", link, u, err)
		}
	}
}

// TestOddFaults: no body of an error does harm, and nothing that a terminal obeys gets out.
func TestOddFaults(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "html": "<html>Service Unavailable</html>", "null": "null", "text": `"no"`, "array": `[{"error":1}]`,
		"text as error": `{"error":"invalid_request","error_description":"x"}`, "array as error": `{"error":[{"code":"x"}]}`,
		"null error": `{"error":null}`, "numbers": `{"error":{"code":42,"message":{"lang":"fr"},"innererror":[1]}}`,
		"bytes": "{\"error\":{\"code\":\"\xff\xfe\",\"message\":\"\xc3\x28\",\"innerError\":{\"request-id\":\"\xff\"}}}",
		"bidi":  `{"error":{"code":"Error\u202eX\u001b[2J","message":"a\u2066b\u0085c"}}`,
		"huge":  `{"error":{"code":"` + strings.Repeat("é", 1<<20) + `"}}`,
		"cut":   `{"error":{"code":"ErrorItemNotFound","message":"half`,
		"lower": `{"ERROR":{"CODE":"ErrorItemNotFound","INNERERROR":{"Request-Id":"x"}}}`,
	} {
		f := newFake(t, false, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			fmt.Fprint(w, body)
		})
		err := f.client("").JSON(t.Context(), &Request{Op: "look", Path: "/x"}, nil)
		var fault *Fault
		if !errors.As(err, &fault) || fault.Kind != Denied || fault.Status != 403 || len(err.Error()) > 800 {
			t.Errorf("%s: got %.300v", name, err)
			continue
		}
		if i := strings.IndexFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%s: the text is %q", name, err.Error())
		}
	}
}

// TestRenewedOnceOnly: 401 for ever makes one forced renewal and no loop, also between
// throttles and broken lines.
func TestRenewedOnceOnly(t *testing.T) {
	t.Parallel()
	f := newFake(t, false, func(n int, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 1, 4:
			w.Header().Set("Retry-After", "1")
			graphError(w, 429, "TooManyRequests")
		case 3:
			hangUp(w)
		default:
			graphError(w, 401, "InvalidAuthenticationToken")
		}
	})
	err := f.client("").JSON(t.Context(), &Request{Op: "look", Path: "/x"}, nil)
	var fault *Fault
	if !errors.As(err, &fault) || fault.Status != 401 || f.renewed != 1 || f.calls() != 5 {
		t.Errorf("%d requests, %d renewals: %v", f.calls(), f.renewed, err)
	}
}

// TestCompressed: a packed answer is unpacked; a packed one that ends early is not taken.
func TestCompressed(t *testing.T) {
	t.Parallel()
	for _, cut := range []int{0, 5} {
		f := newFake(t, false, func(_ int, w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				t.Error("nothing packed is asked for")
			}
			w.Header().Set("Content-Encoding", "gzip")
			b := packed(t, `{"id":"A"}`)
			w.Write(b[:len(b)-cut])
		})
		var out struct{ ID string }
		err := f.client("").JSON(t.Context(), &Request{Op: "look", Path: "/x"}, &out)
		if (err == nil) != (cut == 0) || cut == 0 && out.ID != "A" {
			t.Errorf("without the last %d bytes: %q, %v", cut, out.ID, err)
		}
	}
}

func packed(t *testing.T, text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil || z.Close() != nil {
		t.Fatal("it cannot be packed")
	}
	return b.Bytes()
}
