package mailstack

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const dirPrefix = "vgm-"

// process is a server that was started: by us as a child, or by itself as a daemon.
type process struct {
	pid  int
	mark string // what its command line contains: a pid may have been given to somebody else
	wait func() // reaps a child; nil for a daemon
}

// spawn starts a server that stays in the foreground.
func (s *Stack) spawn(name, prog string, args ...string) error {
	log, err := os.Create(s.path("log", name+".out"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(prog, args...)
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	return s.remember(process{pid: cmd.Process.Pid, mark: name, wait: func() { <-done }})
}

// run runs a program that leaves a daemon behind. Its output goes to a file: a pipe
// would stay open as long as the daemon lives.
func (s *Stack) run(ctx context.Context, name string, args ...string) error {
	file := s.path("log", name+".out")
	log, err := os.Create(file)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, lookPath(name), args...)
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		out, _ := os.ReadFile(file)
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// daemon notes a server that went into the background and wrote its pid to file.
func (s *Stack) daemon(ctx context.Context, mark, file string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		b, err := os.ReadFile(file)
		if pid, _ := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
			return s.remember(process{pid: pid, mark: mark})
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s wrote no pid: %w", mark, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Stack) remember(p process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.procs = append(s.procs, p)
	var b strings.Builder
	for _, p := range s.procs {
		fmt.Fprintf(&b, "%d %s\n", p.pid, p.mark)
	}
	return os.WriteFile(s.path("pids"), []byte(b.String()), 0o644)
}

func (p process) alive() bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "cmdline"))
	return err == nil && strings.Contains(string(b), p.mark)
}

func (p process) signal(sig os.Signal) {
	if !p.alive() {
		return
	}
	if q, err := os.FindProcess(p.pid); err == nil {
		_ = q.Signal(sig)
	}
}

// stopAll asks them to end, the last started first, and ends those that do not.
func stopAll(procs []process) {
	for i := len(procs) - 1; i >= 0; i-- {
		procs[i].signal(syscall.SIGTERM)
	}
	for _, p := range procs {
		for end := time.Now().Add(5 * time.Second); p.alive(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				p.signal(syscall.SIGKILL)
				break
			}
		}
		if p.wait != nil {
			p.wait()
		}
	}
}

// reap stops the stacks of programs that died without a Stop.
func reap() {
	for _, base := range []string{os.TempDir(), "/tmp"} {
		owners, _ := filepath.Glob(filepath.Join(base, dirPrefix+"*", "owner"))
		for _, o := range owners {
			b, err := os.ReadFile(o)
			pid, _ := strconv.Atoi(string(b))
			if err != nil || pid <= 1 {
				continue
			}
			if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil {
				continue
			}
			dir := filepath.Dir(o)
			var procs []process
			pids, _ := os.ReadFile(filepath.Join(dir, "pids"))
			for _, l := range strings.Split(string(pids), "\n") {
				var p process
				if n, _ := fmt.Sscan(l, &p.pid, &p.mark); n == 2 && p.pid > 1 {
					procs = append(procs, p)
				}
			}
			stopAll(procs)
			_ = os.RemoveAll(dir)
		}
	}
}

// freePorts holds n ports at once, so that they differ, and lets them go.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		// Every address: the servers bind several of them.
		l, err := net.Listen("tcp4", "0.0.0.0:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func waitPort(ctx context.Context, addr string) error {
	var d net.Dialer
	for {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing answers on %s: %w", addr, err)
		case <-time.After(30 * time.Millisecond):
		}
	}
}
