package cold_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// A run with a lasting cursor that dies at any time it saves one, or at any call of sink
// or source, comes to the same end as one that was not interrupted. It is not parallel:
// the hook is the process's.
func TestCrashCursor(t *testing.T) {
	const mails = 7
	hits := 0
	for limit := range 4 {
		for _, st := range []step.Name{step.LedgerCursor, step.Settle, step.SinkPut} {
			for _, after := range []bool{false, true} {
				for nth := 1; ; nth++ {
					j, m, s, l := newJob(t)
					m.LastingCursor, m.PageSize = true, 2
					j.After, j.Limits.Items = cold.MoveTo("x"), limit
					for i := range mails {
						m.AddMail(mail(fmt.Sprint(i), file{"a.pdf", fmt.Sprint(i)}))
					}
					n := 0
					step.Set(func(name step.Name, a bool) {
						if name == st && a == after {
							if n++; n == nth {
								panic("crash")
							}
						}
					})
					die(j)
					step.Set(nil)
					l.Crash()
					what := fmt.Sprintf("%s after=%v, time %d, limit %d", st, after, nth, limit)
					m.AddMail(mail("new", file{"a.pdf", "new"}))
					for range mails + 3 {
						run(t, j)
					}
					if len(s.docs) != mails+1 || len(m.Contents("x")) != mails+1 || len(m.Contents("")) != 0 {
						t.Errorf("%s: %d documents, %d mails moved, %d left; want %d, all moved", what,
							len(s.docs), len(m.Contents("x")), len(m.Contents("")), mails+1)
					}
					if n < nth {
						break
					}
					hits++
				}
			}
		}
	}
	if hits < 40 {
		t.Errorf("only %d crashes", hits)
	}
	t.Logf("%d crashes", hits)
}

// die runs j as far as it gets.
func die(j *cold.Job) {
	defer func() { recover() }()
	j.Run(context.Background())
}
