// Quickstart shows the main job of the library with nothing to install and no network:
// it starts a small mail server in this process, collects its mailbox through the two
// documented filters into directories, makes a second pass that takes nothing, and
// sends a summary through the default connector. Then it collects a directory of envelopes
// (ACTES, PES, Chorus Pro), associates an account of a fake Microsoft 365, sends through it
// and collects from it.
//
//	go run ./examples/quickstart
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	err := run(ctx, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "vaguemestre-quickstart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	mails := demo.Mails()
	srv, err := demo.Start(dir, mails)
	if err != nil {
		return err
	}
	defer srv.Close()
	fmt.Fprintf(out, "A mailbox with %d mails waits at imaps://%s on 127.0.0.1:%d.\n\n", len(mails), demo.Account, srv.IMAPPort)

	raw := make([]byte, 32)
	rand.Read(raw)
	key, err := settings.NewKey(raw) // seals what accounts are granted
	if err != nil {
		return err
	}
	keys, err := settings.NewKeyring(key)
	if err != nil {
		return err
	}
	st, err := sqlite.Open(ctx, filepath.Join(dir, "state.db"), &sqlite.Options{Key: keys})
	if err != nil {
		return err
	}
	defer st.Close()

	// collect: two jobs on one mailbox, each with a documented filter
	filters := []string{`/.*\.(?!db).*/`, `/(?!debut_nom_fichier).*\..*/`}
	var jobs []*cold.Job
	rows := newTable(filters)
	for i, text := range filters {
		filter, err := cold.ParseFilter(text)
		if err != nil {
			return err
		}
		j := &cold.Job{
			Name:    fmt.Sprintf("filter %d", i+1),
			Filters: cold.Filters{Include: []cold.Filter{filter}},
			Sink:    cold.Dir(filepath.Join(dir, fmt.Sprintf("in-%d", i+1))),
			Ledger:  st.Ledger(),
			Launcher: &launcher.IMAP{Host: "127.0.0.1", Port: srv.IMAPPort, Account: demo.Account, Password: demo.Password,
				CAFile: srv.CAFile, Source: "INBOX"},
			OnDecision: func(d cold.Decided) { rows.add(i, d) },
		}
		jobs = append(jobs, j)
	}
	jobs[len(jobs)-1].After = cold.MoveTo("Traités") // the last one tidies up
	var total cold.Summary
	for _, j := range jobs {
		s, err := j.Run(ctx)
		if err != nil {
			return err
		}
		total.Delivered += s.Delivered
		total.Refused += s.Refused
	}
	rows.print(out)
	fmt.Fprintf(out, "\nTraités has %d mails now. INBOX keeps %d: one without a document, one whose document was refused.\n",
		srv.Folder("Traités"), srv.Folder("INBOX"))

	for _, j := range jobs {
		s, err := j.Run(ctx)
		if err != nil {
			return err
		}
		if s.Delivered != 0 {
			return fmt.Errorf("the second pass of %s took %d documents again", j.Name, s.Delivered)
		}
	}
	fmt.Fprintln(out, "A second pass took nothing.")

	// send: the summary, through the default connector
	var rt router.Router
	defer rt.Close()
	err = rt.AddConnector("main", &connector.SMTP{Host: "127.0.0.1", Port: srv.SMTPPort, TLS: connector.TLSImplicit,
		Account: demo.Account, Password: demo.Password, CAFile: srv.CAFile, Sender: demo.Account})
	if err != nil {
		return err
	}
	mail := router.Mail{Router: &rt}
	if err := rt.SetDefault(mail, "main"); err != nil {
		return err
	}
	receipt, err := mail.Send(ctx, &router.Message{To: []string{"Mairie <maire@example.org>"}, Subject: "Courrier collecté",
		Text: fmt.Sprintf("%d documents remis, %d refusés.\n", total.Delivered, total.Refused)}, nil)
	if err != nil {
		return err
	}
	if sent := srv.Sent(); len(sent) != 1 || !bytes.Contains(sent[0].Raw, []byte(receipt.MessageID)) {
		return errors.New("the summary did not arrive")
	}
	fmt.Fprintf(out, "A summary was sent: %s, through connector %q (%s): %s\n", receipt.State, receipt.Connector, receipt.Reason, receipt.Recipients[0].Text)

	if err := deposits(ctx, out, st, dir); err != nil {
		return err
	}
	return office365(ctx, out, st, filepath.Join(dir, "in-1"))
}

// table gathers what each filter decided about each document.
type table struct {
	filters []string
	order   []string
	size    map[string]int64
	verdict map[string][]cold.Decision
}

func newTable(filters []string) *table {
	return &table{filters: filters, size: map[string]int64{}, verdict: map[string][]cold.Decision{}}
}

func (t *table) add(filter int, d cold.Decided) {
	if t.verdict[d.Name] == nil {
		t.order = append(t.order, d.Name)
		t.verdict[d.Name] = make([]cold.Decision, len(t.filters))
	}
	t.size[d.Name] = d.Size
	t.verdict[d.Name][filter] = d.Decision
}

func (t *table) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "DOCUMENT\tBYTES")
	for _, f := range t.filters {
		fmt.Fprint(w, "\t", f)
	}
	fmt.Fprintln(w)
	for _, name := range t.order {
		fmt.Fprintf(w, "%s\t%d", name, t.size[name])
		for _, d := range t.verdict[name] {
			fmt.Fprint(w, "\t", d)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}
