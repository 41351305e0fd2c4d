//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/mailgen"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
)

// bench is one invocation.
type bench struct {
	ctx    context.Context
	st     *mailstack.Stack // nil until a part needs it
	scale  float64
	rounds int
	dir    string // on disk, for mails and for the durable directory
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "child" {
		child()
		return
	}
	scale := flag.Float64("scale", 1, "`part` of the full size: 1 is 10,000 mails, about 1 GB")
	rounds := flag.Int("rounds", 3, "`turns` of every contestant")
	only := flag.String("only", "collect,second,large,distant,smtp,pop3,pes,chorus,folder", "`parts` to run")
	dir := flag.String("dir", "", "`folder` for about 6 GB of mails, documents and copies; default a temporary one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *scale, *rounds, *only, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, scale float64, rounds int, only, dir string) error {
	b := &bench{ctx: ctx, scale: scale, rounds: max(rounds, 1), dir: dir}
	if dir == "" {
		var err error
		if b.dir, err = os.MkdirTemp("", "vgbench"); err != nil {
			return err
		}
		defer os.RemoveAll(b.dir)
	}
	for _, p := range []struct {
		name string
		run  func() error
		mail bool // it needs the mail servers
	}{{"collect", b.collect, true}, {"second", b.second, true}, {"large", b.large, true}, {"distant", b.distant, true}, {"smtp", b.smtp, true},
		{"pop3", b.pop3, true}, {"pes", b.pes, false}, {"chorus", b.chorus, false}, {"folder", b.folder, false}} {
		if !strings.Contains(","+only+",", ","+p.name+",") {
			continue
		}
		if p.mail && b.st == nil {
			st, err := mailstack.Start(ctx, &mailstack.Options{NoPostfix: true})
			if errors.Is(err, mailstack.ErrMissing) && os.Getenv("CI") != "true" {
				fmt.Printf("%s: skipped: %v\n", p.name, err)
				continue
			} else if err != nil {
				return err
			}
			defer st.Stop()
			b.st = st
		}
		begin := time.Now()
		if err := p.run(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Printf("(%s took %.0f s)\n\n", p.name, time.Since(begin).Seconds())
	}
	return nil
}

// fill puts n mails into a user's INBOX, once.
func (b *bench) fill(user string, n int) (bytes int64, err error) {
	dir := b.dir + "/gen-" + user
	es, err := mailgen.Write(dir, n, 1, &mailgen.Options{LF: true})
	if err != nil {
		return 0, err
	}
	for _, e := range es {
		bytes += e.Size
	}
	return bytes, b.st.Link(user, "INBOX", dir+"/mails")
}

func (b *bench) count(full int) int { return max(int(float64(full)*b.scale), 20) }
