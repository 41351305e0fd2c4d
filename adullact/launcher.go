package adullact

import (
	"context"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Launcher collects the deposits of a directory: each sub-directory is one, and each file
// beside them, a zip or a message. It is a [launcher.Folder] with that in mind, and keeps
// its promises; the fields are those of it.
//
// The job that has it needs its decoder too:
//
//	job := &cold.Job{Launcher: l, Decoders: []cold.Decoder{l.Decoder()}, …}
type Launcher struct {
	Path      string        `key:"path" required:"true"`
	ErrorDir  string        `key:"error_dir" required:"true"`
	EndMarker string        `key:"end_marker"` // "fichier_termine.txt" where Pastell writes it
	StableFor time.Duration `key:"stable_for" default:"5s" min:"1ms" max:"24h"`
	Personal  bool          `key:"personal" advanced:"true"` // of the decoder

	once sync.Once
	dir  *launcher.Folder
}

var (
	_ cold.Launcher       = (*Launcher)(nil)
	_ vaguemestre.Checker = (*Launcher)(nil)
	_ settings.Validator  = (*Launcher)(nil)
)

// Decoder returns the decoder that belongs to the launcher.
func (l *Launcher) Decoder() *Decoder { return &Decoder{Personal: l.Personal} }

// Kind is the name of this launcher in settings: "adullact".
func (l *Launcher) Kind() string { return "adullact" }

// String names the launcher in logs.
func (l *Launcher) String() string {
	if l == nil {
		return "<nil>"
	}
	return "adullact " + l.Path
}

// folder is made once: it remembers what was not complete yet.
func (l *Launcher) folder() *launcher.Folder {
	l.once.Do(func() { l.dir = l.made() })
	return l.dir
}

func (l *Launcher) made() *launcher.Folder {
	return &launcher.Folder{Path: l.Path, Unit: launcher.UnitDirectories, ErrorDir: l.ErrorDir, EndMarker: l.EndMarker, StableFor: l.StableFor}
}

// ValidateSettings implements [settings.Validator].
func (l *Launcher) ValidateSettings() []settings.Issue { return l.made().ValidateSettings() }

// Supports implements [cold.Launcher].
func (l *Launcher) Supports(a cold.After) error { return l.folder().Supports(a) }

// Connect implements [cold.Launcher].
func (l *Launcher) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	return l.folder().Connect(ctx, o)
}

// Check implements [vaguemestre.Checker].
func (l *Launcher) Check(ctx context.Context, tell func(vaguemestre.Step)) error {
	return l.folder().Check(ctx, tell)
}

// Endpoints implements [vaguemestre.Endpointer]: there are none.
func (l *Launcher) Endpoints() []vaguemestre.Endpoint { return nil }

// Wait returns when something may have come, as that of [launcher.Folder] does.
func (l *Launcher) Wait(ctx context.Context, max time.Duration) error {
	return l.folder().Wait(ctx, max)
}
