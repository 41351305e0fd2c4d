package cold

import "github.com/vaguemestre/vaguemestre/settings"

// SinkKinds returns a registry of the sinks of this package: "dir". The caller owns it
// and may register its own kinds beside them.
func SinkKinds() (*settings.Registry[Sink], error) {
	var r settings.Registry[Sink]
	err := r.Register(settings.Kind[Sink]{
		Name:  "dir",
		Title: settings.Text{EN: "Directory", FR: "Répertoire"},
		Help: settings.Text{EN: "Stores each document as a file, once, whatever is interrupted.",
			FR: "Dépose chaque document dans un fichier, une seule fois, quelle que soit l'interruption."},
		New: func() Sink { return new(DirSink) },
	})
	if err != nil {
		return nil, err
	}
	return &r, nil
}
