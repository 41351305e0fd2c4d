//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/vaguemestre/vaguemestre/internal/mailgen"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
)

func sha(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

func (b *bench) order(who, user string) order {
	return order{Who: who, Host: b.st.Host(mailstack.Good), Port: b.st.IMAP, User: b.st.Address(user)}
}

// turns runs the contestants in turns; the first is the floor.
func (b *bench) turns(os []order, before func(*order)) ([][]result, error) {
	all := make([][]result, len(os))
	for range b.rounds {
		for i, o := range os {
			if before != nil {
				before(&o)
			}
			r, err := ask(b.ctx, o)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], r)
		}
	}
	return all, nil
}

// ratio is the median over the rounds of one contestant's time over another's.
func ratio(a, b []result) float64 {
	var q []float64
	for i := range a {
		q = append(q, a[i].Seconds/b[i].Seconds)
	}
	slices.Sort(q)
	return q[len(q)/2]
}

func best(rs []result) result {
	return slices.MinFunc(rs, func(x, y result) int {
		if x.Seconds < y.Seconds {
			return -1
		}
		return 1
	})
}

func peak(rs []result) (m int64) {
	for _, r := range rs {
		m = max(m, r.RSS)
	}
	return m
}

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// line prints one figure with its goal.
func line(what, figure, goal string) {
	if goal != "" {
		goal = "goal " + goal
	}
	fmt.Printf("  %-46s %-34s %s\n", what, figure, goal)
}

func (b *bench) collect() error {
	n := b.count(10_000)
	size, err := b.fill("bench", n)
	if err != nil {
		return err
	}
	fmt.Printf("collect: %d mails, %.0f MB on the wire, %d rounds\n", n, float64(size)/1e6, b.rounds)
	// Once for the page cache and the server's index, unmeasured.
	if _, err := ask(b.ctx, b.order("floor", "bench")); err != nil {
		return err
	}
	who := []order{b.order("floor", "bench"), b.order("job, null sink", "bench"), b.order("job, directory", "bench"),
		b.order("go-imap + go-message", "bench"), b.order("go-imap Collect + go-message", "bench")}
	// A directory for each round, removed at the end only: ext4 is slow to make files for
	// some seconds after many were removed.
	round := 0
	all, err := b.turns(who, func(o *order) {
		if o.Who == "job, directory" {
			round++
			d := fmt.Sprintf("%s/round%d", b.dir, round)
			_ = os.MkdirAll(d, 0o755)
			o.Dir, o.DB = d+"/out", d+"/state.db"
		}
	})
	if err != nil {
		return err
	}
	goals := []string{"", "<= 2.0 x", "<= 4.0 x", "", ""}
	for i, o := range who {
		r := best(all[i])
		line(o.Who, fmt.Sprintf("%.2f x  (best %.2f s, %.0f MB/s)", ratio(all[i], all[0]), r.Seconds, float64(size)/1e6/r.Seconds), goals[i])
		memory := "<= 64 MiB"
		if i == 0 || i >= 3 {
			memory = ""
		}
		line("", fmt.Sprintf("%.2f s CPU, peak %s, %d documents", r.CPU, mib(peak(all[i])), r.Docs), memory)
	}
	for _, i := range []int{3, 4} {
		line(who[i].Who+" / job, null sink", fmt.Sprintf("%.1f x", ratio(all[i], all[1])), ">= 4 x")
	}
	o := b.order("verify", "bench")
	o.Manifest = b.dir + "/gen-bench/" + mailgen.ManifestName
	v, err := ask(b.ctx, o)
	if err != nil {
		return err
	}
	line("documents right in bytes and names", fmt.Sprintf("%d, wrong %d %s", v.Docs, v.Wrong, v.Note), "wrong 0")
	return nil
}

// second runs over mails that the ledger knows.
func (b *bench) second() error {
	o := b.order("job, directory", "bench")
	o.Dir, o.DB = b.dir+"/round1/out", b.dir+"/round1/state.db"
	if _, err := os.Stat(o.DB); err != nil {
		return fmt.Errorf("it needs what collect leaves: %w", err)
	}
	all, err := b.turns([]order{o}, nil)
	if err != nil {
		return err
	}
	cpu := all[0][0]
	for _, r := range all[0] {
		if r.CPU < cpu.CPU {
			cpu = r
		}
		if r.Items != 0 {
			return fmt.Errorf("the second pass read %d mails", r.Items)
		}
	}
	fmt.Printf("second pass over %d known mails\n", b.count(10_000))
	line("own CPU", fmt.Sprintf("%.3f s (%.2f s in all)", cpu.CPU, cpu.Seconds), fmt.Sprintf("<= %.3f s", 0.3*b.scale))
	return nil
}

// large compares the memory for one large mail with that for one small mail.
func (b *bench) large() error {
	size := 200 << 20
	if b.scale < 1 {
		size = max(int(200*b.scale), 20) << 20
	}
	raw, _ := mailgen.Large(size / 78 * 57) // so many that base64 makes size
	small, _ := mailgen.Large(1000)
	if err := b.st.Append("large", "INBOX", raw); err != nil {
		return err
	}
	if err := b.st.Append("small", "INBOX", small); err != nil {
		return err
	}
	raw = nil
	all, err := b.turns([]order{b.order("job, null sink", "small"), b.order("job, null sink", "large"), b.order("floor", "large")}, nil)
	if err != nil {
		return err
	}
	for _, r := range all[1] {
		if r.Docs != 1 {
			return fmt.Errorf("%d documents of the large mail", r.Docs)
		}
	}
	fmt.Printf("one mail of %d MiB\n", size>>20)
	line("peak memory beyond that for a small mail", "+"+mib(peak(all[1])-peak(all[0])), "<= +32 MiB")
	line("time", fmt.Sprintf("%.2f x the floor (%.2f s)", ratio(all[1], all[2]), best(all[1]).Seconds), "")
	return nil
}

// distant puts 10 ms each way between client and server.
func (b *bench) distant() error {
	n := min(b.count(20_000), 1000) // all of them in CI, too: it is the round trips that count
	if _, err := b.fill("distant", n); err != nil {
		return err
	}
	port, stop, err := delayed(net.JoinHostPort(b.st.Host(mailstack.Good), strconv.Itoa(b.st.IMAP)), 10*time.Millisecond)
	if err != nil {
		return err
	}
	defer stop()
	who := []order{b.order("floor", "distant"), b.order("job, null sink", "distant"), b.order("go-imap + go-message", "distant")}
	for i := range who {
		who[i].Host, who[i].Port = "127.0.0.1", port
	}
	if _, err := ask(b.ctx, b.order("floor", "distant")); err != nil {
		return err
	}
	all, err := b.turns(who, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%d mails behind a round trip of 20 ms\n", n)
	for i, goal := range []string{"", "<= 1.5 x", ""} {
		line(who[i].Who, fmt.Sprintf("%.2f x  (best %.2f s)", ratio(all[i], all[0]), best(all[i]).Seconds), goal)
	}
	return nil
}

// smtp sends beside Postfix's own smtp-source into its smtp-sink.
func (b *bench) smtp() error {
	source, err := exec.LookPath("smtp-source")
	if err != nil {
		source = "/usr/sbin/smtp-source"
	}
	if _, err := os.Stat(source); err != nil || b.st.Sink == 0 {
		fmt.Println("smtp: skipped: no smtp-source or smtp-sink here")
		return nil
	}
	for _, c := range []struct {
		name string
		n    int
		size int
	}{{"1 KB", b.count(10_000), 1024}, {"1 MB", b.count(200), 1 << 20}} {
		var ref, own []result
		for range b.rounds {
			begin := time.Now()
			cmd := exec.CommandContext(b.ctx, source, "-d", "-s", "1", "-l", strconv.Itoa(c.size), "-m", strconv.Itoa(c.n),
				"-f", "a@"+mailstack.Domain, "-t", "b@"+mailstack.Domain, fmt.Sprintf("127.0.0.1:%d", b.st.Sink))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("smtp-source: %w: %s", err, out)
			}
			ref = append(ref, result{Seconds: time.Since(begin).Seconds()})
			r, err := ask(b.ctx, order{Who: "smtp", Host: "127.0.0.1", Port: b.st.Sink, N: c.n, Size: c.size})
			if err != nil {
				return err
			}
			own = append(own, r)
		}
		fmt.Printf("%d mails of %s into smtp-sink, one connection\n", c.n, c.name)
		line("smtp-source", fmt.Sprintf("1.00 x  (best %.2f s, %.0f mails/s)", best(ref).Seconds, float64(c.n)/best(ref).Seconds), "")
		line("connector.SMTP", fmt.Sprintf("%.2f x  (best %.2f s, %.2f s CPU)", ratio(own, ref), best(own).Seconds, best(own).CPU), "<= 1.5 x")
		line("", "peak "+mib(peak(own)), "")
	}
	return nil
}
