package adullact

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Index returns one flat set of index fields for the whole envelope: envelope_kind,
// envelope_type and envelope_title, the scalars of the metadata as they are written, and
// what the messages add to them. Where a message says something else than the metadata,
// both are there, the message's under its name after "payload_": it is the legal content.
// Third parties that are natural persons, contacts and account numbers are not among them.
func (e *Envelope) Index() map[string]string { return maps.Clone(e.index) }

// finish makes the title and the index.
func (d *decoder) finish() {
	e := d.e
	ix := map[string]string{}
	person := false
	for _, f := range e.Fields {
		if !f.IsFile && f.Name != "" {
			ix[f.Name] = strings.Join(f.Values, "\n")
		}
		person = person || f.Name == "type_identifiant" && len(f.Values) > 0 && f.Values[0] == "7"
	}
	if person && !d.o.Personal {
		delete(ix, "fournisseur")
		delete(ix, "fournisseur_raison_sociale")
	}
	given := maps.Clone(ix)
	told := map[string]bool{}
	for _, m := range d.added {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			v := m[name]
			switch was, ok := given[name]; {
			case person && !d.o.Personal && strings.HasPrefix(name, "fournisseur"):
			case ix[name] == "":
				ix[name] = v
			case !ok || was == "" || same(was, v):
			default:
				if ix["payload_"+name] == "" {
					ix["payload_"+name] = v
				}
				if !told[name] {
					told[name] = true
					e.deviate("metadata/"+name, "the message says something else")
				}
			}
		}
	}
	for _, m := range d.answers {
		for name, v := range m {
			if ix[name] == "" {
				ix[name] = v
			}
		}
	}
	e.Title = cmp.Or(ix["objet"], ix["no_facture"], ix["nom_fic"])
	ix["envelope_kind"] = string(e.Kind)
	if e.Type != "" {
		ix["envelope_type"] = e.Type
	}
	if e.Title != "" {
		ix["envelope_title"] = e.Title
	}
	e.index = ix
}

// same compares a value of the metadata with a message's: the code of a classification may
// have its label behind it, a date its time.
func same(meta, v string) bool {
	if strings.TrimSpace(meta) == strings.TrimSpace(v) {
		return true
	}
	rest, ok := strings.CutPrefix(meta, v)
	return ok && v != "" && rest[0] == ' '
}
