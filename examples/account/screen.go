package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/examples/internal/config"
)

// screen shows a flow to a person, or as JSON lines. Its methods are safe for concurrent use.
type screen struct {
	w       *words
	machine bool
	tty     bool          // the remaining time stands in one line that changes
	every   time.Duration // how often it is told

	mu    sync.Mutex
	out   io.Writer
	p     auth.Progress // the last that is known
	shown string        // the page and code that were shown
	fault string        // the last that was told
}

func newScreen(out io.Writer, w *words, machine bool) *screen {
	s := &screen{w: w, machine: machine, out: out, every: time.Minute}
	if f, ok := out.(*os.File); ok && !machine {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			s.tty, s.every = true, time.Second
		}
	}
	return s
}

// last returns the progress that is known last.
func (s *screen) last() auth.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.p
}

// begin says what begins. What somebody has to do comes with the first change: by then the
// browser can come back.
func (s *screen) begin(p auth.Progress, before auth.Status, resumed bool) {
	s.mu.Lock()
	s.p = p
	s.mu.Unlock()
	if s.machine {
		return
	}
	s.line(s.w.title, p.Account)
	if resumed {
		s.line("%s", s.w.resumed)
	}
	if before.User != "" {
		s.line(s.w.again, before.User)
	}
	s.line("")
}

// changed shows what is new since the last call; Wait calls it.
func (s *screen) changed(p auth.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.p = p
	if s.machine {
		s.json(p)
		return
	}
	if show := p.URL + " " + p.UserCode.Reveal(); p.State == auth.StateWaiting && show != s.shown {
		s.shown = show
		open := s.w.open
		if p.Method == auth.MethodCode {
			open = s.w.openHere
		}
		s.print(open, p.URL)
		if code := p.UserCode.Reveal(); code != "" {
			s.print(s.w.type_, code)
			s.print("%s", s.w.sign)
		}
		s.print("")
		s.countdown(time.Now(), true)
	}
	fault := s.trouble(p)
	if fault != s.fault && fault != "" {
		s.print(s.w.fault, fault)
	}
	s.fault = fault
}

// trouble says in the language of the person what is in the way, with its cause as it came.
func (s *screen) trouble(p auth.Progress) string {
	if p.Fault == nil {
		return ""
	}
	cause := p.Fault
	for errors.Unwrap(cause) != nil {
		cause = errors.Unwrap(cause)
	}
	switch help := s.w.help(p.Help); {
	case help == "":
		return config.Sentence(p.Fault)
	case cause.Error() == p.Help.EN: // there is no other
		return help
	default:
		return help + " (" + cause.Error() + ")"
	}
}

// live tells the remaining time until stop is called.
func (s *screen) live() (stop func()) {
	if s.machine {
		return func() {}
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(s.every)
		defer t.Stop()
		for {
			select {
			case <-ended:
				return
			case now := <-t.C:
				s.mu.Lock()
				s.countdown(now, false)
				s.mu.Unlock()
			}
		}
	}()
	return func() {
		close(ended)
		<-done
		if s.tty {
			fmt.Fprint(s.out, "\r\x1b[K")
		}
	}
}

// countdown tells the remaining time: in a line that changes, or else at first and then shorter.
func (s *screen) countdown(now time.Time, first bool) {
	if s.shown == "" || s.p.State != auth.StateWaiting {
		return
	}
	left := max(s.p.Expires.Sub(now).Round(time.Second), 0)
	switch {
	case s.p.Expires.IsZero():
		if first {
			s.print("%s", s.w.waiting)
		}
	case s.tty:
		fmt.Fprintf(s.out, "\r\x1b[K"+s.w.left, left)
	case first:
		s.print(s.w.left, left)
	default:
		s.print(s.w.minute, left)
	}
}

// end shows how it came out.
func (s *screen) end(p auth.Progress) {
	if s.machine {
		return // the last change has told it
	}
	if p.State != auth.StateApproved {
		state := s.w.states[p.State]
		if p.Code != "" {
			state += " (" + p.Code + ")"
		}
		s.line(s.w.standing, state, s.w.help(p.Help))
		return
	}
	if p.User == "" { // not every provider tells
		s.line("%s", s.w.associated)
	} else {
		s.line(s.w.approved, p.User)
	}
	s.scopes(p.Granted, p.Missing, s.w.help(p.Help))
}

// scopes shows what is granted, what is not, and what to do about that.
func (s *screen) scopes(granted, missing []string, help string) {
	if len(granted) > 0 {
		s.line(s.w.granted, strings.Join(granted, " "))
	}
	if len(missing) > 0 {
		s.line(s.w.missing, strings.Join(missing, " "))
	}
	if help != "" {
		first, n := utf8.DecodeRuneInString(help)
		s.line("%c%s.", unicode.ToUpper(first), strings.TrimSuffix(help[n:], "."))
	}
}

// status shows how an account stands.
func (s *screen) status(st auth.Status) {
	if s.machine {
		s.json(st)
		return
	}
	standing := s.w.standings[st.Standing]
	if st.Code != "" {
		standing += " (" + st.Code + ")"
	}
	s.line(s.w.standing, st.Account, standing)
	if st.User != "" {
		s.line(s.w.user, st.User)
	}
	if !st.Since.IsZero() {
		s.line(s.w.since, st.Since.Local().Format(s.w.date))
	}
	s.scopes(st.Granted, st.Missing, s.w.help(st.Help))
	if st.Pending {
		s.line("%s", s.w.pending)
	}
}

// line prints one line.
func (s *screen) line(format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(format, a...)
}

func (s *screen) print(format string, a ...any) {
	if s.tty {
		format = "\r\x1b[K" + format
	}
	for i, v := range a {
		if text, ok := v.(string); ok {
			a[i] = strings.Map(printable, text)
		}
	}
	fmt.Fprintf(s.out, format+"\n", a...)
}

// printable drops what would command a terminal: much of what is shown comes from afar.
func printable(r rune) rune {
	if r != ' ' && !unicode.IsGraphic(r) {
		return -1
	}
	return r
}

// progress is a Progress with what its JSON leaves out.
type progress struct {
	auth.Progress
	UserCode string `json:"user_code,omitempty"` // in clear
	Error    string `json:"error,omitempty"`
	Fault    string `json:"fault,omitempty"`
}

func (s *screen) json(v any) {
	if p, ok := v.(auth.Progress); ok {
		out := progress{Progress: p, UserCode: p.UserCode.Reveal()}
		if p.Err != nil {
			out.Error = config.Sentence(p.Err)
		}
		if p.Fault != nil {
			out.Fault = config.Sentence(p.Fault)
		}
		v = out
	}
	e := json.NewEncoder(s.out) // one object, one line
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // standard output is gone: nobody to tell
}
