package unpack

import (
	"errors"
	"io"
	"strings"

	"github.com/vaguemestre/vaguemestre/internal/p7m"
	"github.com/vaguemestre/vaguemestre/internal/tnef"
)

// tnef reads winmail.dat. An attached message comes as a stream of TNEF.
func (w *walk) tnef() error {
	err := tnef.Read(w.r, w.size, func(f *tnef.File) error {
		e := &Entry{MediaType: f.MediaType, Repairs: f.Repairs, Role: RoleFile}
		e.Dir, e.Name = split(f.Name)
		switch f.Role {
		case tnef.RoleBody:
			e.Role = RoleBody
		case tnef.RoleInline:
			e.Role = RoleInline
		case tnef.RoleMessage:
			if e.Name == "" {
				e.Name = "message"
			}
			e.Name += ".dat"
		}
		return w.out(e, f.Open(), f.Size)
	})
	if errors.Is(err, tnef.ErrDamaged) {
		return w.fault(ErrDamaged, "%v", err)
	}
	return w.read(err)
}

// p7m unwraps what was signed. The signature is not looked at.
func (w *walk) p7m() error {
	r, err := p7m.Open(io.NewSectionReader(w.r, 0, w.size))
	switch {
	case errors.Is(err, p7m.ErrNotMine):
		return ErrNotMine
	case errors.Is(err, p7m.ErrEncrypted):
		return w.fault(ErrEncrypted, "%v", err)
	case err != nil:
		return w.read(err)
	}
	return w.out(&Entry{Name: withoutP7M(w.name), Role: RoleEntity}, r, -1)
}

// withoutP7M is name without the ending that signing adds.
func withoutP7M(name string) string {
	for _, end := range []string{".p7m", ".p7", ".p7s", ".sig"} {
		if n := len(name) - len(end); n > 0 && strings.EqualFold(name[n:], end) {
			return name[:n]
		}
	}
	return name
}
