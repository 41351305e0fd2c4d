package launcher

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// Check implements [vaguemestre.Checker]. Its steps are dns, tcp, tls, capabilities, auth,
// list and read. It deletes nothing: whether the server lets mails be deleted shows at QUIT
// only. It is not held back by MinInterval.
func (l *POP3) Check(ctx context.Context, tell func(vaguemestre.Step)) error {
	if tell == nil {
		tell = func(vaguemestre.Step) {}
	}
	r := &reporter{start: time.Now(), step: tell}
	s := &popSession{l: l, log: discard, readOnly: true}
	defer s.enter(ctx)()
	if err := s.connect(r); err != nil {
		return err
	}
	defer s.Close()
	if l.mode() == "none" {
		r.step(vaguemestre.Step{Name: "tls", Status: vaguemestre.StatusWarning, Detail: "the line is not encrypted",
			Help: "everybody on the way can read the password and the mails: set tls to implicit or starttls; a tunnel is no longer needed"})
	}
	r.begin()
	err := s.index()
	if err := r.done("list", s.listDetail(), err); err != nil {
		return err
	}
	if len(s.mails) == 0 {
		return nil
	}
	r.begin()
	detail, err := s.readOne()
	return r.done("read", detail, err)
}

func (s *popSession) listDetail() string {
	byHeader := 0
	for _, m := range s.mails {
		if m.epoch == s.l.mailbox()+";by=header" {
			byHeader++
		}
	}
	detail := fmt.Sprintf("%d messages wait", len(s.mails))
	if byHeader > 0 {
		detail += fmt.Sprintf("; %d have no id of their own (UIDL) and are known by their header", byHeader)
	}
	return detail
}

// readOne reads the header of the newest mail.
func (s *popSession) readOne() (string, error) {
	n := strconv.Itoa(s.mails[len(s.mails)-1].Number)
	head, err := s.hash("TOP " + n + " 0")
	if err != nil {
		return "", err
	}
	if head.head == "" {
		return "the server has no TOP; nothing was read", nil
	}
	return "the header of the newest message can be read", nil
}
