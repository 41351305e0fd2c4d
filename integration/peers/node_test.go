package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// node is a script that runs: it tells one JSON object per line.
type node struct {
	t     *testing.T
	lines chan map[string]any // closed at its end
	stdin func()              // ends its input

	mu   sync.Mutex
	errs bytes.Buffer
}

// Write takes what the script says on standard error.
func (n *node) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.errs.Write(p)
}

func (n *node) stderr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.errs.String()
}

// start runs a script of this directory beside the installed packages, or skips the test.
// It ends with the test.
func start(t *testing.T, env []string, script string, args ...string) *node {
	t.Helper()
	installed := os.Getenv("VAGUEMESTRE_PEERS")
	if installed == "" {
		t.Skip("the peers are not installed: make peers")
	}
	// node looks for packages beside the script
	dir := t.TempDir()
	source, err := os.ReadFile(script)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, script), source, 0o600)
	}
	if err == nil {
		err = os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), env...), time.Second
	n := &node{t: t, lines: make(chan map[string]any, 1000)}
	cmd.Stderr = n
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.stdin = func() { in.Close() }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(n.lines)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var line map[string]any
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				line = map[string]any{"text": lines.Text()}
			}
			n.lines <- line
		}
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			n.lines <- map[string]any{"end": err.Error()}
		}
	}()
	t.Cleanup(func() {
		n.stdin()
		cancel()
		<-done
		if t.Failed() {
			t.Logf("%s said: %s", script, n.stderr())
		}
	})
	return n
}

// next returns the next line; key must be in it.
func (n *node) next(key string) map[string]any {
	n.t.Helper()
	select {
	case line, ok := <-n.lines:
		if !ok || line[key] == nil {
			n.t.Fatalf("a line with %q was awaited, it said %v", key, line)
		}
		return line
	case <-time.After(30 * time.Second):
		n.t.Fatalf("no line with %q came", key)
	}
	return nil
}

// step returns the line of that step.
func (n *node) step(name string) map[string]any {
	n.t.Helper()
	line := n.next("step")
	if line["step"] != name {
		n.t.Fatalf("step %q was awaited, it said %v", name, line)
	}
	return line
}
