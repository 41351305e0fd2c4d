package office365

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
)

func init() { children["send"] = sendChild }

// peak is the most memory that this process ever had, in kB; 0 where the system does not tell.
func peak() int {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n
		}
	}
	return 0
}

// sendChild sends the file FILE and tells its peak of memory before and after.
func sendChild() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	st, err := openStore(ctx, os.Getenv("STORE"))
	if err != nil {
		return err
	}
	defer st.Close()
	c := &connector.Office365{Account: provider(st.Tokens(), os.Getenv("URL"), os.Getenv("CA"), os.Getenv("ID"), os.Getenv("TENANT")).Account("compta"),
		Sender: "compta@mondaine.fr"}
	var rt router.Router
	defer rt.Close()
	if err := rt.AddConnector("main", c); err != nil {
		return err
	}
	ml := router.Mail{Router: &rt}
	if err := rt.SetDefault(ml, "main"); err != nil {
		return err
	}
	send := func(a router.Attachment) error {
		r, err := ml.Send(ctx, &router.Message{To: []string{"mairie@example.org"}, Subject: "Envoi", Text: "Bonjour",
			Attachments: []router.Attachment{a}}, nil)
		if err == nil && r.State != router.Accepted {
			err = fmt.Errorf("state %s", r.State)
		}
		return err
	}
	// A small one first: idle is a process that is logged in and has sent.
	if err := send(router.Bytes("petit.txt", "text/plain", []byte("petit"))); err != nil {
		return err
	}
	runtime.GC()
	idle := peak()
	if err := send(router.File(os.Getenv("FILE"))); err != nil {
		return err
	}
	fmt.Println(idle, peak())
	return nil
}

// attachmentOf finds the hash of the first attachment of a mail.
func attachmentOf(t *testing.T, raw []byte) (name, sum string, size int64) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err != nil {
			t.Fatalf("no attachment: %v", err)
		}
		if p.FileName() == "" {
			continue
		}
		h := sha256.New()
		n, err := io.Copy(h, base64.NewDecoder(base64.StdEncoding, p))
		if err != nil {
			t.Fatal(err)
		}
		return p.FileName(), hex.EncodeToString(h.Sum(nil)), n
	}
}

// TestSendSizes: attachments of every path arrive byte for byte, and the largest costs no
// memory to speak of.
func TestSendSizes(t *testing.T) {
	srv := start(t, nil)
	srv.AddUser(graphtest.User{Address: "compta@mondaine.fr", Language: "fr"})
	dir := t.TempDir()
	store := filepath.Join(dir, "state.db")
	associate(t, srv, store, "compta", "compta@mondaine.fr")
	const mb = 1_000_000
	for _, c := range []struct {
		size int
		op   string // by which it must have gone
	}{{1024, "sendMail"}, {29 * mb / 10, "messages.send"}, {31 * mb / 10, "messages.send"}, {35 * mb, "upload.put"}, {140 * mb, "upload.put"}} {
		t.Run(fmt.Sprint(c.size), func(t *testing.T) {
			if c.size > 50*mb && testing.Short() {
				t.Skip("short")
			}
			data := pseudo(c.size, 1)
			want := hash(data)
			file := filepath.Join(dir, fmt.Sprintf("plan-%d.pdf", c.size))
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			data = nil
			srv.ResetCalls()
			before := len(srv.Outbox())
			out := output(t, child(t, "send", "STORE="+store, "URL="+srv.URL, "CA="+srv.CAFile, "ID="+srv.ClientID, "TENANT="+srv.Tenant, "FILE="+file))
			box := srv.Outbox()
			if len(box) != before+2 {
				t.Fatalf("%d mails were sent, want 2", len(box)-before)
			}
			name, sum, n := attachmentOf(t, box[len(box)-1].Raw)
			if name != filepath.Base(file) || sum != want || n != int64(c.size) {
				t.Errorf("arrived: %s, %d bytes, %s", name, n, sum)
			}
			if srv.Count(c.op) == 0 {
				t.Errorf("no call of %s", c.op)
			}
			var idle, most int
			fmt.Sscan(out, &idle, &most)
			t.Logf("%d bytes: peak %d MiB over idle (%d MiB)", c.size, (most-idle)>>10, idle>>10)
			if limit := 32 << 10; most-idle > limit {
				t.Errorf("memory grew by %d MiB, want at most 32", (most-idle)>>10)
			}
			for _, m := range srv.Calls() {
				if m.Upload && m.Header.Get("Authorization") != "" {
					t.Error("the token went to an upload address")
				}
			}
		})
	}
}
