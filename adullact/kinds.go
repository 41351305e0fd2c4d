package adullact

import (
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

// DecoderKinds returns a registry of the decoders of this package: "adullact". The caller
// owns it and may register its own kinds beside them.
func DecoderKinds() (*settings.Registry[cold.Decoder], error) {
	var r settings.Registry[cold.Decoder]
	err := r.Register(settings.Kind[cold.Decoder]{
		Name:  "adullact",
		Title: settings.Text{EN: "Adullact envelopes", FR: "Enveloppes Adullact"},
		Help: settings.Text{EN: "Groups the files of an envelope (ACTES, PES V2, Chorus Pro) and indexes them.",
			FR: "Regroupe les fichiers d'une enveloppe (ACTES, PES V2, Chorus Pro) et les indexe."},
		New: func() cold.Decoder { return new(Decoder) },
	})
	if err != nil {
		return nil, err
	}
	return &r, nil
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

func label(en, fr, helpEN, helpFR string) settings.Label {
	return settings.Label{Name: settings.Text{EN: en, FR: fr}, Help: settings.Text{EN: helpEN, FR: helpFR}}
}
