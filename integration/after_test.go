package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
)

// TestAfter does every after-action on servers with and without MOVE and UIDPLUS. A
// mail that somebody else marked \Deleted must survive them all.
func TestAfter(t *testing.T) {
	st := stack(t)
	for _, v := range []struct {
		name    string
		variant mailstack.Variant
	}{{"full", mailstack.Good}, {"no move", mailstack.NoMove}, {"no uidplus", mailstack.NoUIDPlus}} {
		for _, do := range []cold.After{cold.Leave(), cold.MarkSeen(), cold.Tag("Vaguemestre"), cold.MoveTo("Traités"), cold.Delete()} {
			t.Run(fmt.Sprintf("%s %s", v.name, do.Do), func(t *testing.T) {
				t.Parallel()
				u := user(t)
				_, raws := fill(t, u, "INBOX", 12)
				other := marked(t, u)
				l := imapOf(u)
				l.Host = st.Host(v.variant)
				job := &cold.Job{Name: "j", Launcher: l, Sink: &basket{}, Ledger: cold.NewMemoryLedger(), After: do, AfterRefused: do,
					Take: cold.Take{Attachments: true, EML: true}} // every mail has a document, so every mail is acted upon
				s := run(t, job)
				if s.Items != 12 {
					t.Errorf("%+v", s)
				}
				if s := run(t, job); s.Items != 0 || s.Delivered != 0 {
					t.Errorf("second run: %+v", s)
				}

				in, inHash := folder(t, u, "INBOX")
				_, done := folder(t, u, "Traités")
				all := append(rawOf(raws), other)
				onlyMarked := v.variant == mailstack.NoUIDPlus // the source copies stay, marked
				switch do.Do {
				case cold.DoMove:
					same(t, "Traités", done, rawOf(raws))
					if onlyMarked {
						same(t, "INBOX", inHash, all)
					} else {
						same(t, "INBOX", inHash, []string{other})
					}
				case cold.DoDelete:
					same(t, "Traités", done, nil)
					if onlyMarked {
						same(t, "INBOX", inHash, all)
					} else {
						same(t, "INBOX", inHash, []string{other})
					}
				default:
					same(t, "INBOX", inHash, all)
				}
				letters, err := servers.Keywords(u, "INBOX")
				if err != nil {
					t.Fatal(err)
				}
				for i, m := range in {
					if inHash[i] == other {
						if m.Flags != "T" {
							t.Errorf("the marked mail has flags %q", m.Flags)
						}
						continue
					}
					want := ""
					switch {
					case do.Do == cold.DoSeen:
						want = "S"
					case do.Do == cold.DoTag:
						for letter, k := range letters {
							if k == "Vaguemestre" {
								want = letter
							}
						}
						if want == "" {
							t.Fatalf("keywords are %v", letters)
						}
					case do.Do == cold.DoMove || do.Do == cold.DoDelete:
						want = "T"
					}
					if m.Flags != want {
						t.Errorf("flags %q, want %q", m.Flags, want)
					}
				}
			})
		}
	}
}

// marked adds a mail that somebody else marked \Deleted and returns its hash.
func marked(t *testing.T, u string) string {
	t.Helper()
	raw := []byte("Subject: d'un autre\nMessage-ID: <autre@x.invalid>\n\nà garder\n")
	if err := servers.Append(u, "INBOX", raw); err != nil {
		t.Fatal(err)
	}
	ms, hashes := folder(t, u, "INBOX")
	want := rawOf([][]byte{raw})[0]
	for i, h := range hashes {
		if h == want {
			d, f := filepath.Split(ms[i].File)
			if err := os.Rename(ms[i].File, filepath.Join(strings.TrimSuffix(d, "new/"), "cur", f+":2,T")); err != nil {
				t.Fatal(err)
			}
		}
	}
	return want
}
