// Collect runs the jobs of a configuration file: it brings what waits at their
// sources, filters it and hands it to their sinks, once.
//
//	go run ./examples/collect -config FILE [-once] [-dry-run] [-explain ITEM] [-json]
//
// Without -once it goes on at each job's "every" until Ctrl-C; a watched directory is looked
// into as soon as something is put there, and every 30 s. It ends with 0 when all
// went well, with 1 after a failure and with 2 when the call or the file is wrong.
// examples/example.json is such a file; relative paths in it start at its own folder. An
// account of it is associated with examples/account first.
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
	"sync"
	"syscall"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/examples/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	file         string
	once, dryRun bool
	explain      string
	json         bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("collect", flag.ContinueOnError)
	fs.StringVar(&o.file, "config", "", "configuration `FILE` (JSON)")
	fs.BoolVar(&o.once, "once", false, "make one pass over every job and end")
	fs.BoolVar(&o.dryRun, "dry-run", false, "show what a pass would do; change nothing")
	fs.StringVar(&o.explain, "explain", "", "tell what the ledger knows of `ITEM` (a key as -json prints it)")
	fs.BoolVar(&o.json, "json", false, "print one JSON object per line")
	if code, done := config.Flags(fs, args, stdout, stderr); done {
		return code
	}
	if o.file == "" {
		fmt.Fprintln(stderr, "collect: name the configuration file: -config FILE")
		return 2
	}
	stderr = &locked{w: stderr} // jobs of the loop write at once
	f, err := config.Load(o.file)
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return 2
	}
	// an item is explained and tried without making a store of what may be a wrong path
	st, err := f.OpenStore(ctx, !o.dryRun && o.explain == "")
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return config.Code(err)
	}
	if st != nil {
		defer st.Close()
	}
	accounts, err := f.OpenAccounts(st)
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return 2
	}
	jobs, err := f.Cold(accounts)
	if err == nil && len(jobs) == 0 {
		err = errors.New("configuration: no jobs: add one under \"jobs\"")
	}
	if err != nil {
		fmt.Fprintln(stderr, config.Sentence(err))
		return 2
	}
	out := &printer{out: stdout, json: o.json, dry: o.dryRun && !o.json}
	for i, j := range jobs {
		if st != nil {
			j.Ledger = st.Ledger()
		}
		j.OnDecision = out.decided
		j.OnEvent = (&progress{w: stderr, quiet: o.json}).event
		jobs[i] = j
	}
	switch {
	case o.explain != "":
		return explain(ctx, jobs, o.explain, out, stderr)
	case o.dryRun:
		return passes(jobs, out, stderr, func(j *cold.Job) (cold.Summary, error) { return dryRun(ctx, j) })
	case o.once:
		return passes(jobs, out, stderr, func(j *cold.Job) (cold.Summary, error) { return j.Run(ctx) })
	}
	return loop(ctx, f, jobs, accounts, out, stderr)
}

// passes runs every job once and prints what they did together.
func passes(jobs []*cold.Job, out *printer, stderr io.Writer, run func(*cold.Job) (cold.Summary, error)) int {
	code := 0
	var total cold.Summary
	for _, j := range jobs {
		s, err := run(j)
		add(&total, s)
		if err != nil {
			fmt.Fprintf(stderr, "job %s: %s\n", j.Name, config.Sentence(err))
			if code != 1 {
				code = config.Code(err)
			}
		}
	}
	out.summary(total)
	return code
}

// loop runs every job at its own rhythm until ctx ends, and keeps the accounts alive that no
// job uses.
func loop(ctx context.Context, f *config.File, jobs []*cold.Job, accounts *auth.Accounts, out *printer, stderr io.Writer) int {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if err := accounts.KeepAlive(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintf(stderr, "accounts: %s\n", config.Sentence(err))
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(24 * time.Hour):
			}
		}
	})
	var mu sync.Mutex
	var total cold.Summary
	for i, j := range jobs {
		wg.Go(func() {
			for {
				s, err := j.Run(ctx)
				mu.Lock()
				add(&total, s)
				if err != nil && ctx.Err() == nil {
					fmt.Fprintf(stderr, "job %s: %s; next try in %s\n", j.Name, config.Sentence(err), f.Jobs[i].Every)
				} else if err == nil && s != (cold.Summary{}) && !out.json {
					fmt.Fprintf(stderr, "job %s: %s\n", j.Name, words(s))
				}
				mu.Unlock()
				if rest(ctx, j.Launcher, f.Jobs[i].Every, err != nil) != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	out.summary(total)
	return 0
}

// waiter is a launcher that knows when to look again: a watched directory.
type waiter interface {
	Wait(ctx context.Context, max time.Duration) error
}

// rest waits for the next turn of a job, or for less if its launcher knows better. After a
// failure it waits for the turn. Its error is that of ctx.
func rest(ctx context.Context, l cold.Launcher, every time.Duration, failed bool) error {
	if w, ok := l.(waiter); ok && !failed {
		if err := w.Wait(ctx, every); err != nil {
			return err
		}
		every = min(every, 250*time.Millisecond) // what is being written tells of itself many times
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(every):
		return nil
	}
}

// explain prints all that the ledger knows of one item.
func explain(ctx context.Context, jobs []*cold.Job, key string, out *printer, stderr io.Writer) int {
	for _, j := range jobs {
		if j.Ledger == nil {
			break
		}
		e, err := j.Ledger.Explain(ctx, j.Name, key)
		if err != nil {
			fmt.Fprintln(stderr, config.Sentence(err))
			return 1
		}
		if e != nil {
			out.explain(j.Name, e)
			return 0
		}
	}
	fmt.Fprintf(stderr, "explain: no job knows the item %q; -json prints the keys of items\n", key)
	return 1
}

// dryRun sums up what a run would do.
func dryRun(ctx context.Context, j *cold.Job) (cold.Summary, error) {
	var s cold.Summary
	tell := j.OnEvent
	j.OnEvent = func(e cold.Event) {
		if e.Step == "open" {
			s.Items++ // also a mail without documents was read
		}
		tell(e)
	}
	all, err := j.DryRun(ctx)
	for _, d := range all {
		switch d.Decision {
		case cold.Accepted:
			s.Delivered++
			s.Bytes += d.Size
		case cold.Refused:
			s.Refused++
		case cold.Held:
			s.Held++
		case cold.Quarantined:
			s.Quarantined++
		}
	}
	return s, err
}

func add(t *cold.Summary, s cold.Summary) {
	t.Items += s.Items
	t.Delivered += s.Delivered
	t.Refused += s.Refused
	t.Held += s.Held
	t.Quarantined += s.Quarantined
	t.Bytes += s.Bytes
}

func words(s cold.Summary) string {
	return fmt.Sprintf("%d items read: %d documents delivered (%d bytes), %d refused, %d held, %d quarantined",
		s.Items, s.Delivered, s.Bytes, s.Refused, s.Held, s.Quarantined)
}

// printer writes results to standard output, for people or as JSON lines.
type printer struct {
	mu   sync.Mutex
	out  io.Writer
	json bool
	dry  bool // decisions are what a real pass would come to
}

func (p *printer) line(v any) {
	e := json.NewEncoder(p.out) // one object, one line
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // standard output is gone: nobody to tell
}

func (p *printer) decided(d cold.Decided) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.Decision == cold.Accepted {
		d.Decision = cold.Delivered
	}
	if p.json {
		p.line(struct {
			Job      string        `json:"job"`
			Item     string        `json:"item"`
			Document string        `json:"document"`
			Name     string        `json:"name"`
			Size     int64         `json:"size"`
			SHA256   string        `json:"sha256"`
			Decision cold.Decision `json:"decision"`
			Reason   string        `json:"reason"`
		}{d.Job, d.Item, d.Key, d.Name, d.Size, d.SHA256, d.Decision, d.Reason})
		return
	}
	would := ""
	if p.dry {
		would = "would be "
	}
	fmt.Fprintf(p.out, "%s%-11s %9d  %q  %s\n", would, d.Decision, d.Size, d.Name, d.Reason)
}

func (p *printer) summary(s cold.Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]cold.Summary{"summary": s})
		return
	}
	if p.dry {
		fmt.Fprint(p.out, "nothing was changed; a run would come to: ")
	}
	fmt.Fprintln(p.out, words(s))
}

func (p *printer) explain(job string, e *cold.Entry) {
	if p.json {
		docs := e.Docs
		if docs == nil {
			docs = []cold.Entered{}
		}
		p.line(map[string]any{"job": job, "item": e.Item.Key, "state": e.State, "reason": e.Reason, "attempts": e.Attempts,
			"after": e.Action, "receipt": e.Receipt, "documents": docs})
		return
	}
	fmt.Fprintf(p.out, "item     %s\njob      %s\nstate    %s\n", e.Item.Key, job, e.State)
	if e.Reason != "" {
		fmt.Fprintf(p.out, "reason   %s\n", e.Reason)
	}
	if e.Attempts > 0 {
		fmt.Fprintf(p.out, "attempts %d\n", e.Attempts)
	}
	if e.Action.Do != "" {
		fmt.Fprintf(p.out, "after    %s: %s\n", strings.TrimSpace(string(e.Action.Do)+" "+e.Action.Target), e.Receipt)
	}
	for _, d := range e.Docs {
		size := fmt.Sprint(d.Size)
		if d.Size < 0 { // never read
			size = "-"
		}
		fmt.Fprintf(p.out, "  %-11s %9s  %q\n              %s\n", d.Decision, size, d.Name, d.Reason)
		if d.Ref != "" {
			fmt.Fprintf(p.out, "              now at %s\n", d.Ref)
		}
		for _, r := range d.Repairs {
			fmt.Fprintf(p.out, "              mended: %s\n", r)
		}
	}
}

// locked lets several goroutines write lines.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// progress tells people what goes wrong with single mails and, unless it is quiet, that
// something goes on, at most twice a second.
type progress struct {
	w     io.Writer
	quiet bool
	last  time.Time
}

func (p *progress) event(e cold.Event) {
	switch {
	case e.Step == "error" && vaguemestre.ClassOf(e.Err) != vaguemestre.ClassCanceled && e.Item != "":
		fmt.Fprintf(p.w, "job %s: %s: %s\n", e.Job, e.Item, config.Sentence(e.Err))
	case p.quiet:
	case e.Step == "connect":
		fmt.Fprintf(p.w, "job %s: connecting\n", e.Job)
	case (e.Step == "open" || e.Step == "put") && e.Time.Sub(p.last) > 500*time.Millisecond:
		p.last = e.Time
		fmt.Fprintf(p.w, "job %s: %d of %d\n", e.Job, e.N, e.Total)
	}
}
