// Send sends one mail through the connectors of a configuration file.
//
//	go run ./examples/send -config FILE -from A -to B[,C] -subject S [-text T] [-html H] \
//	    [-attach F]… [-instance I] [-connector C] [-json]
//
// It ends with 0 when every recipient was accepted, with 1 after a failure and with 2
// when the call or the file is wrong. examples/example.json is such a file; an account of
// it is associated with examples/account first.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/examples/internal/config"
	"github.com/vaguemestre/vaguemestre/router"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var file, to, cc, bcc string
	var asJSON bool
	var m router.Message
	var o router.SendOptions
	fs := flag.NewFlagSet("send", flag.ContinueOnError)
	fs.StringVar(&file, "config", "", "configuration `FILE` (JSON)")
	fs.StringVar(&m.From, "from", "", "sender; without it the connector's own")
	fs.StringVar(&to, "to", "", "recipients, with commas between them")
	fs.StringVar(&cc, "cc", "", "recipients of a copy")
	fs.StringVar(&bcc, "bcc", "", "recipients of a copy that nobody sees")
	fs.StringVar(&m.Subject, "subject", "", "subject")
	fs.StringVar(&m.Text, "text", "", "text of the mail")
	fs.StringVar(&m.HTML, "html", "", "text of the mail in HTML")
	fs.Func("attach", "attach the file `F`; may be given several times", func(path string) error {
		st, err := os.Stat(path)
		if err == nil && !st.Mode().IsRegular() {
			err = errors.New("not a regular file")
		}
		if err != nil {
			return err
		}
		m.Attachments = append(m.Attachments, router.File(path))
		return nil
	})
	fs.StringVar(&o.Instance, "instance", "", "instance of the mail service")
	fs.StringVar(&o.Connector, "connector", "", "connector, instead of the instance's or the default")
	fs.BoolVar(&asJSON, "json", false, "print the receipt as JSON")
	if code, done := config.Flags(fs, args, stdout, stderr); done {
		return code
	}
	if file == "" || to == "" && cc == "" && bcc == "" {
		fmt.Fprintln(stderr, "send: give at least -config FILE and -to ADDRESS")
		return 2
	}
	m.To, m.Cc, m.Bcc = split(to), split(cc), split(bcc)
	if err := m.Check(); err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return 2
	}
	f, err := config.Load(file)
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return 2
	}
	accounts := &auth.Accounts{}
	if len(f.Accounts) > 0 { // without any, nothing is kept
		st, err := f.OpenStore(ctx, true)
		if err == nil {
			defer st.Close()
			accounts, err = f.OpenAccounts(st)
		}
		if err != nil {
			fmt.Fprintln(stderr, config.Sentence(err))
			return config.Code(err)
		}
	}
	rt, err := f.Router(accounts)
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return 2
	}
	defer rt.Close()

	receipt, err := router.Mail{Router: rt}.Send(ctx, &m, &o)
	if receipt != nil {
		show(stdout, stderr, receipt, asJSON)
	}
	switch {
	case err != nil && receipt == nil:
		fmt.Fprintln(stderr, config.Sentence(err))
		return config.Code(err)
	case err != nil:
		fmt.Fprintln(stderr, config.Sentence(err))
		return 1
	}
	var missed []string
	for _, r := range receipt.Recipients {
		if r.State != router.Accepted {
			missed = append(missed, strings.TrimSpace(fmt.Sprintf("%s is %s: %s %s", r.Address, r.State, r.Code, r.Text)))
		}
	}
	if len(missed) > 0 {
		fmt.Fprintf(stderr, "send: not everybody gets it: %s\n", strings.Join(missed, "; "))
		return 1
	}
	return 0
}

// fate is one recipient, as -json prints it.
type fate struct {
	Address string       `json:"address"`
	State   router.State `json:"state"`
	Code    string       `json:"code"`
	Text    string       `json:"text"`
}

// show prints the receipt. Notes are for people in both forms.
func show(stdout, stderr io.Writer, r *router.Receipt, asJSON bool) {
	if !asJSON {
		fmt.Fprintf(stdout, "%s through connector %q (%s), Message-ID %s\n", r.State, r.Connector, r.Reason, r.MessageID)
		for _, one := range r.Recipients {
			fmt.Fprintf(stdout, "  %-9s %s  %s %s\n", one.State, one.Address, one.Code, one.Text)
		}
	} else {
		fates := []fate{}
		for _, one := range r.Recipients {
			fates = append(fates, fate(one))
		}
		b, err := json.Marshal(struct {
			MessageID  string        `json:"message_id"`
			Connector  string        `json:"connector"`
			Reason     router.Reason `json:"reason"`
			State      router.State  `json:"state"`
			Recipients []fate        `json:"recipients"`
		}{r.MessageID, r.Connector, r.Reason, r.State, fates})
		if err == nil {
			fmt.Fprintf(stdout, "%s\n", b)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(stderr, "note: %s\n", n)
	}
}

// split cuts a list of addresses at its commas, but not at those inside quotes.
func split(s string) []string {
	var out []string
	quoted := false
	for _, p := range strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	}) {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}
