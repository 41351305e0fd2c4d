package adullact

import (
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Kinds returns registries of the launchers and of the decoders of this package, one of each:
// "adullact". The caller owns them and may register its own kinds beside them, or theirs in
// its own.
func Kinds() (*settings.Registry[cold.Launcher], *settings.Registry[cold.Decoder], error) {
	var launchers settings.Registry[cold.Launcher]
	err := launchers.Register(settings.Kind[cold.Launcher]{
		Name:  "adullact",
		Title: settings.Text{EN: "Adullact", FR: "Adullact"},
		Help: settings.Text{EN: "Collects the deposits that Pastell puts into a directory: ACTES, PES V2, Chorus Pro.",
			FR: "Collecte les dépôts que Pastell place dans un répertoire : ACTES, PES V2, Chorus Pro."},
		New: func() cold.Launcher { return new(Launcher) },
	})
	if err != nil {
		return nil, nil, err
	}
	var decoders settings.Registry[cold.Decoder]
	err = decoders.Register(settings.Kind[cold.Decoder]{
		Name:  "adullact",
		Title: settings.Text{EN: "Adullact envelopes", FR: "Enveloppes Adullact"},
		Help: settings.Text{EN: "Groups the files of an envelope (ACTES, PES V2, Chorus Pro) and indexes them.",
			FR: "Regroupe les fichiers d'une enveloppe (ACTES, PES V2, Chorus Pro) et les indexe."},
		New: func() cold.Decoder { return new(Decoder) },
	})
	return &launchers, &decoders, err
}

// Labels implements the labels of a settings form.
func (d *Decoder) Labels() map[string]settings.Label { return decoderLabels }

var decoderLabels = map[string]settings.Label{
	"scratch": label("Scratch directory", "Répertoire temporaire",
		"Where envelopes are unpacked. Empty: that of the system.",
		"Où les enveloppes sont dépaquetées. Vide : celui du système."),
	"personal": label("Personal data", "Données personnelles",
		"Also reads names of third parties and account numbers.",
		"Lit aussi les noms des tiers et les numéros de compte."),
}

// Labels implements the labels of a settings form.
func (l *Launcher) Labels() map[string]settings.Label { return launcherLabels }

var launcherLabels = map[string]settings.Label{
	"path": label("Directory of deposits", "Répertoire des dépôts",
		"Where Pastell puts its deposits, local or a mounted share.",
		"Là où Pastell place ses dépôts, local ou partage monté."),
	"error_dir": label("Error directory", "Répertoire des erreurs",
		"Where deposits go that cannot be read after three tries; relative to the directory above the watched one.",
		"Où sont mis les dépôts illisibles après trois essais ; relatif au répertoire parent de celui surveillé."),
	"end_marker": label("End marker", "Fichier de fin",
		"Name of the file that says that a deposit is complete, such as fichier_termine.txt.",
		"Nom du fichier qui signale un dépôt complet, par exemple fichier_termine.txt."),
	"stable_for": label("Stable for", "Stable depuis",
		"How long a deposit must not change before it is taken.",
		"Durée sans modification avant qu'un dépôt soit pris."),
	"personal": decoderLabels["personal"],
}

func label(en, fr, helpEN, helpFR string) settings.Label {
	return settings.Label{Name: settings.Text{EN: en, FR: fr}, Help: settings.Text{EN: helpEN, FR: helpFR}}
}
