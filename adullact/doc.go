// Package adullact reads the envelopes of the suite that Adullact and Libriciel make: what
// Pastell deposits for a document management product, and what goes over the three
// protocols ACTES, PES V2 (Hélios) and Chorus Pro.
//
//	files, err := adullact.Dir(os.DirFS("/srv/depot/FAC19-2512"))
//	e, err := adullact.Decode(ctx, files, nil)
//	defer e.Close()
//	for _, f := range e.Files { … f.Role, f.Open … }
//
// [Decode] takes the files of a deposit, or a single one: a zip, a tar.gz, a message alone.
// It knows the kind by the metadata, else by what the files hold, else by their names, and
// keeps every file whatever it is. The messages are read by the packages actes, helios and
// chorus, which are usable alone.
//
// [Decoder] does so within a job of package cold: one envelope is one group, with one set of
// fields and a document envelope.json.
package adullact
