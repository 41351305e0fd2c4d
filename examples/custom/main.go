// Custom shows what a host adds to the library, each thing in a file of its own and with
// nothing but the exported API: a service (sms.go) and its connector (gateway.go), a mail
// connector (pickup.go), a launcher (box.go), a decoder (mbox.go) and a sink (archive.go).
// kinds.go registers them beside those of the library; custom_test.go proves them with the
// library's own test suites.
//
//	go run ./examples/custom
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	err := run(ctx, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "custom:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "vaguemestre-custom-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"box", "pickup", "sms"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	known, err := newKinds()
	if err != nil {
		return err
	}
	archive := &Archive{}
	if err := collect(ctx, out, known, filepath.Join(dir, "box"), archive); err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	fmt.Fprintln(out)
	if err := send(ctx, out, known, dir, len(archive.Rows())); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// stored is an instance as a store or a file holds it.
func stored(name, kind, key, value string) settings.Instance {
	b, _ := json.Marshal(map[string]string{key: value})
	return settings.Instance{Name: name, Kind: kind, Settings: b}
}

// collect fills the box, and empties it with our launcher, decoder and sink.
func collect(ctx context.Context, out io.Writer, known *kinds, dir string, archive *Archive) error {
	for name, content := range map[string]string{"facture été.pdf": "%PDF-1.4\n%%EOF\n", "archives 2025.mbox": mailbox} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	box, err := known.launchers.Open(stored("scan", "box", "dir", dir), nil)
	if err != nil {
		return err
	}
	mbox, err := known.decoders.Open(settings.Instance{Kind: "mbox"}, nil)
	if err != nil {
		return err
	}
	job := cold.Job{Name: "box", Launcher: box, Decoders: []cold.Decoder{mbox}, Sink: archive,
		Ledger: cold.NewMemoryLedger(), After: cold.MoveTo("Traités")}
	first, err := job.Run(ctx)
	if err != nil {
		return err
	}
	second, err := job.Run(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Launcher box, decoder mbox, sink archive: %d files read, %d documents stored.\n", first.Items, first.Delivered)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, r := range archive.Rows() {
		from := "a file of the box"
		if len(r.Path) > 2 {
			from = "out of " + strings.Join(r.Path[1:len(r.Path)-1], ", ")
		}
		fmt.Fprintf(w, "  %s\t%d bytes\t%s\n", r.Name, len(r.Data), from)
	}
	w.Flush()
	left, err := os.ReadDir(filepath.Join(dir, "Traités"))
	if err != nil {
		return err
	}
	if first.Delivered != 3 || second.Items != 0 || len(left) != 2 {
		return fmt.Errorf("%d documents came, the second pass read %d files, %d were moved", first.Delivered, second.Items, len(left))
	}
	fmt.Fprintf(out, "The %d files lie in Traités now; a second pass read nothing.\n", len(left))
	return nil
}

// send wires two services, shows which wiring is refused, and sends through both.
func send(ctx context.Context, out io.Writer, known *kinds, dir string, documents int) error {
	var rt router.Router
	defer rt.Close()
	for _, in := range []settings.Instance{
		stored("drop", "pickup", "dir", filepath.Join(dir, "pickup")),
		stored("gateway", "sms-gateway", "dir", filepath.Join(dir, "sms")),
		stored("main", "smtp", "host", "smtp.example.org"),
	} {
		c, err := known.connectors.Open(in, nil)
		if err != nil {
			return err
		}
		if err := rt.AddConnector(in.Name, c); err != nil {
			return err
		}
	}
	sms, mail := SMS{Router: &rt}, router.Mail{Router: &rt}
	if err := errors.Join(rt.SetDefault(sms, "gateway"), rt.SetDefault(mail, "drop")); err != nil {
		return err
	}
	fmt.Fprintln(out, "Wiring that cannot work is refused at once:")
	for _, wrong := range []struct {
		s router.Service
		c string
	}{{sms, "main"}, {mail, "gateway"}} {
		err := rt.SetDefault(wrong.s, wrong.c)
		if err == nil {
			return fmt.Errorf("connector %s was taken for service %s", wrong.c, wrong.s.Name())
		}
		fmt.Fprintf(out, "  %v\n", err)
	}

	text := fmt.Sprintf("%d documents archivés.", documents)
	receipt, err := mail.Send(ctx, &router.Message{From: "ged@example.org", To: []string{"Mairie <maire@example.org>"},
		Subject: "Courrier collecté", Text: text}, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Mail %s by connector %q (%s): %s\n", receipt.State, receipt.Connector, receipt.Reason, receipt.Recipients[0].Text)
	taken, err := sms.Send(ctx, "+33639980123", text, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "SMS taken by connector %q (%s): %s\n", taken.Connector, taken.Reason, taken.Ref)
	return nil
}

// mailbox is what a mail program exported.
const mailbox = "From maire@example.org Mon Jan  5 09:30:00 2026\n" +
	"From: Maire <maire@example.org>\nSubject: =?utf-8?Q?D=C3=A9lib=C3=A9ration?=\n\nVoir ci-joint.\n\n" +
	"From achats@example.org Mon Jan  5 10:00:00 2026\n" +
	"From: Achats <achats@example.org>\nSubject: Bon de commande\n\nMerci de valider.\n>From demain, plus de papier.\n\n"
