package router

import (
	"fmt"

	"github.com/vaguemestre/vaguemestre/settings"
)

// textError is an error that an end user reads, in both languages.
type textError settings.Text

func (e *textError) Error() string { return e.EN }

// say makes one from two formats that take the same arguments.
func say(en, fr string, args ...any) error {
	return &textError{EN: fmt.Sprintf(en, args...), FR: fmt.Sprintf(fr, args...)}
}

// cut quotes what a stranger may have written, shortened.
func cut(s string) string {
	const most = 60
	if rs := []rune(s); len(rs) > most {
		s = string(rs[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
