// Package suite proves conformance suites: a suite is worth something only if it
// fails on a wrong implementation.
package suite

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const env = "VAGUEMESTRE_WRONG"

// Wrong runs a suite against a deliberately wrong implementation in a process of its
// own, and fails t unless the case wantCase fails there. t must be of the form
// TestX/name, each name used once.
func Wrong(t *testing.T, wantCase string, run func(t *testing.T)) {
	t.Helper()
	if os.Getenv(env) == t.Name() {
		run(t)
		return
	}
	if os.Getenv(env) != "" {
		t.SkipNow() // this process is for another one
	}
	var pattern []string
	for _, p := range strings.Split(t.Name(), "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(p)+"$")
	}
	cmd := exec.Command(os.Args[0], "-test.run="+strings.Join(pattern, "/"), "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), env+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the suite passes a wrong implementation; expected case %q to fail", wantCase)
	}
	// a case that panics is the last one that was begun
	inCase := strings.Contains(string(out), "--- FAIL: "+t.Name()+"/"+wantCase+" (")
	if strings.Contains(string(out), "panic: test timed out") || !inCase {
		t.Fatalf("the suite failed, but not in case %q:\n%s", wantCase, cut(string(out)))
	}
}

func cut(s string) string {
	if len(s) > 4000 {
		return s[:4000] + " …"
	}
	return s
}
