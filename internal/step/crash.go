//go:build crash && unix

package step

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// A crash build obeys VAGUEMESTRE_CRASH="name:before:3" (the third time) and writes
// the steps it hits to the file VAGUEMESTRE_STEPS, a line each.
func init() {
	want, log := os.Getenv("VAGUEMESTRE_CRASH"), os.Getenv("VAGUEMESTRE_STEPS")
	if want == "" && log == "" {
		return
	}
	var f *os.File
	if log != "" {
		f, _ = os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	}
	name, when, nth := "", "", 1
	if p := strings.Split(want, ":"); len(p) == 3 {
		name, when = p[0], p[1]
		nth, _ = strconv.Atoi(p[2])
	}
	var seen atomic.Int64
	Set(func(n Name, after bool) {
		w := "before"
		if after {
			w = "after"
		}
		if f != nil {
			f.WriteString(string(n) + ":" + w + "\n")
		}
		if string(n) == name && w == when && seen.Add(1) == int64(nth) {
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
}
