package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// tree is a mailbox of folders.
type tree struct {
	mu      sync.Mutex
	folders []Folder
	exact   bool // the filter heeds case
	clash   bool // somebody else makes the folder first
	srv     func() string
}

var displayName = regexp.MustCompile(`^displayName eq '(.*)'$`)

func (x *tree) answer(_ int, w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1.0/me/mailFolders")
	parent := "root"
	if id, ok := strings.CutSuffix(path, "/childFolders"); ok {
		parent = strings.TrimPrefix(id, "/")
	} else if path != "" {
		for _, f := range x.folders {
			if f.ID == strings.TrimPrefix(path, "/") {
				json.NewEncoder(w).Encode(f)
				return
			}
		}
		graphError(w, 404, "ErrorItemNotFound")
		return
	}
	if r.Method == "POST" {
		name := fmt.Sprint("nouveau", len(x.folders))
		if x.clash {
			x.clash = false
			x.folders = append(x.folders, Folder{ID: name, Name: "Traités", Parent: parent})
			graphError(w, 409, "ErrorFolderExists")
			return
		}
		f := Folder{ID: name, Name: "Traités", Parent: parent}
		x.folders = append(x.folders, f)
		w.WriteHeader(201)
		json.NewEncoder(w).Encode(f)
		return
	}
	var list []Folder
	for _, f := range x.folders {
		if m := displayName.FindStringSubmatch(r.URL.Query().Get("$filter")); m != nil {
			want := strings.ReplaceAll(m[1], "''", "'")
			if x.exact && f.Name != want || !strings.EqualFold(f.Name, want) {
				continue
			}
		}
		if f.Parent == parent {
			list = append(list, f)
		}
	}
	// Pages of two.
	page := map[string]any{}
	skip := 0
	fmt.Sscan(r.URL.Query().Get("$skip"), &skip)
	if rest := list[min(skip, len(list)):]; len(rest) > 2 {
		q := r.URL.Query()
		q.Set("$skip", fmt.Sprint(skip+2))
		page["value"], page["@odata.nextLink"] = rest[:2], x.srv()+r.URL.Path+"?"+q.Encode()
	} else {
		page["value"] = rest
	}
	json.NewEncoder(w).Encode(page)
}

func TestFolders(t *testing.T) {
	t.Parallel()
	x := &tree{folders: []Folder{
		{ID: "inbox", Name: "Boîte de réception", Parent: "root"},
		{ID: "AB=", Name: "Courrier", Parent: "root"}, {ID: "AC=", Name: "Autre", Parent: "root"}, {ID: "AD=", Name: "COURRIER de l'été", Parent: "root"},
		{ID: "F1=", Name: "Factures", Parent: "inbox"}, {ID: "F2=", Name: "2026", Parent: "F1="},
		{ID: "X1=", Name: "Archive", Parent: "root"},
	}}
	f := newFake(t, false, x.answer)
	x.srv = func() string { return f.srv.URL }
	for _, exact := range []bool{false, true} {
		x.exact = exact
		c := f.client("")
		for path, want := range map[string]string{
			"inbox": "inbox", "INBOX": "inbox", "Boîte de réception": "inbox", "boîte de RÉCEPTION": "inbox",
			"Boîte de réception/Factures": "F1=", "inbox/factures/2026": "F2=", "/inbox/ Factures /": "F1=",
			"courrier de l'été": "AD=", "archive": "X1=",
		} {
			if got, err := c.Folder(t.Context(), path); err != nil || got.ID != want {
				t.Errorf("%q is %q (%v), want %q", path, got.ID, err, want)
			}
		}
		for path, part := range map[string]string{"inbox/Devis/2026": `"Devis" in "inbox"`, "Nulle part": `"Nulle part" in the mailbox`, "sentitems": "sentitems"} {
			_, err := c.Folder(t.Context(), path)
			var fault *Fault
			if !errors.As(err, &fault) || fault.Kind != Missing || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: got %v, want that %s is missing", path, err, part)
			}
		}
	}
	for _, path := range []string{"", "/", strings.Repeat("a/", 100), strings.Repeat("a", 5000)} {
		if _, err := f.client("").Folder(t.Context(), path); err == nil {
			t.Errorf("%.20q was taken", path)
		}
	}
}

func TestMakeFolder(t *testing.T) {
	t.Parallel()
	for _, clash := range []bool{false, true} {
		x := &tree{folders: []Folder{{ID: "inbox", Name: "Boîte de réception", Parent: "root"}}, clash: clash}
		f := newFake(t, false, x.answer)
		c := f.client("")
		first, err := c.MakeFolder(t.Context(), "inbox/Traités")
		if err != nil || first.Parent != "inbox" || first.Name != "Traités" {
			t.Fatalf("clash=%v: got %+v, %v", clash, first, err)
		}
		n := f.calls()
		if again, err := c.MakeFolder(t.Context(), "inbox/traités"); err != nil || again != first || f.calls() != n {
			t.Errorf("clash=%v: the second time gave %+v, %v after %d requests", clash, again, err, f.calls()-n)
		}
		if len(x.folders) != 2 {
			t.Errorf("clash=%v: there are %d folders", clash, len(x.folders))
		}
	}
}
