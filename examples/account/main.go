// Account associates an account of a configuration file, in a terminal: it shows a code and
// the page to type it at, waits until somebody has signed in there, and tells who it was and
// what was granted.
//
//	go run ./examples/account -config FILE -name N [-method device|code] [-user ADDRESS] [-new] \
//	    [-lang fr|en] [-json]
//	go run ./examples/account -config FILE -name N -status | -forget
//
// Ctrl-C, or the end of the program in any other way, leaves a request open: the same command
// takes it up again, -new begins another. It ends with 0 when the account is associated, with 1
// when it is not and with 2 when the call or the file is wrong. -json prints an object per
// change, with the code in clear, since whoever asks for it shows it to somebody.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/examples/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], language(os.Getenv), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	file, name, lang              string
	begin                         auth.BeginOptions
	status, forget, anew, machine bool
}

func run(ctx context.Context, args []string, lang string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("account", flag.ContinueOnError)
	fs.StringVar(&o.file, "config", "", "configuration `FILE` (JSON)")
	fs.StringVar(&o.name, "name", "", "`NAME` of the account in the file")
	fs.Func("method", "`HOW` to sign in: device (a code, typed on any device) or code (a browser on this machine)", func(s string) error {
		o.begin.Method = auth.Method(s)
		if o.begin.Method != auth.MethodDevice && o.begin.Method != auth.MethodCode {
			return fmt.Errorf("use device or code")
		}
		return nil
	})
	fs.StringVar(&o.begin.User, "user", "", "`ADDRESS` of who should sign in; nobody else is taken then")
	fs.BoolVar(&o.anew, "new", false, "begin anew, also if an earlier request is still open")
	fs.BoolVar(&o.status, "status", false, "tell how the account stands and end")
	fs.BoolVar(&o.forget, "forget", false, "remove what is stored of the account and end")
	fs.StringVar(&o.lang, "lang", lang, "`LANGUAGE` of the texts: fr or en")
	fs.BoolVar(&o.machine, "json", false, "print one JSON object per line; it shows the code")
	if code, done := config.Flags(fs, args, stdout, stderr); done {
		return code
	}
	texts, ok := languages[o.lang]
	switch {
	case o.file == "" || o.name == "":
		fmt.Fprintln(stderr, "account: give at least -config FILE and -name NAME")
		return 2
	case !ok:
		fmt.Fprintf(stderr, "account: -lang %q: use fr or en\n", o.lang)
		return 2
	case o.status && o.forget:
		fmt.Fprintln(stderr, "account: give -status or -forget, not both")
		return 2
	}
	o.begin.Language = texts.tag

	f, err := config.Load(o.file)
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return 2
	}
	st, err := f.OpenStore(ctx, true)
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return config.Code(err)
	}
	defer st.Close()
	accounts, err := f.OpenAccounts(st)
	var a auth.Account
	if err == nil {
		a, err = config.Account(accounts, o.name)
	}
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return 2
	}

	s := newScreen(stdout, texts, o.machine)
	code := 0
	switch {
	case o.status:
		code, err = status(ctx, a, s)
	case o.forget:
		if err = a.Forget(ctx); err == nil && !o.machine {
			s.line(texts.forgotten, a.Name())
		}
	default:
		code, err = associate(ctx, a, &o, s)
	}
	if err != nil {
		fmt.Fprintln(stderr, sentence(ctx, err, texts, s.last()))
		return config.Code(err)
	}
	return code
}

// status shows how the account stands; 0 is an account that can be used.
func status(ctx context.Context, a auth.Account, s *screen) (int, error) {
	st, err := a.Status(ctx)
	if err != nil {
		return 1, err
	}
	s.status(st)
	if st.Standing == auth.StandingReady || st.Standing == auth.StandingDegraded {
		return 0, nil
	}
	return 1, nil
}

// associate takes up the request that is open, or begins one, and waits for its end.
func associate(ctx context.Context, a auth.Account, o *options, s *screen) (int, error) {
	st, err := a.Status(ctx)
	if err != nil && !o.anew { // what cannot be read can be replaced
		return 1, err
	}
	var flow *auth.Flow
	resumed := st.Pending && !o.anew
	if resumed {
		flow, err = a.Resume(ctx)
	} else {
		flow, err = a.Begin(ctx, &o.begin)
	}
	if err != nil {
		return 1, err
	}
	s.begin(flow.Progress(), st, resumed)
	stop := s.live()
	p, err := flow.Wait(ctx, s.changed)
	stop()
	if !p.State.Final() {
		return 1, err
	}
	s.end(p)
	if p.State == auth.StateApproved {
		return 0, nil
	}
	return 1, nil
}

// sentence is err for standard error; an end from outside tells how to go on.
func sentence(ctx context.Context, err error, texts *words, p auth.Progress) string {
	switch {
	case ctx.Err() == nil:
		said := config.Sentence(err)
		// The error is in English. What the screen has not told yet comes before it.
		if help, ok := auth.Explain(err); ok && !p.State.Final() && texts.help(help) != help.EN {
			said = texts.help(help) + "\n" + said
		}
		return said
	case p.Expires.IsZero():
		return texts.stopped
	}
	return fmt.Sprintf(texts.interrupted, p.Expires.Local().Format("15:04"))
}

// language chooses from the environment, as gettext does: the first variable that is set.
func language(env func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(v, "fr") {
				return "fr"
			}
			break
		}
	}
	return "en"
}
