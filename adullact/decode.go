package adullact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/vaguemestre/vaguemestre/adullact/payload"
	"github.com/vaguemestre/vaguemestre/internal/unpack"
)

// Options are the options of [Decode]; nil is all defaults.
type Options struct {
	Scratch  string // directory of the temporary file for what is unpacked; "" is os.TempDir
	Personal bool   // read names of third parties, account numbers and contacts too
}

// Decode reads what belongs together: the files of a deposit, or a single file, which may be
// an archive of them. What is not understood is kind unknown and keeps every file. A message
// within a deposit that cannot be read is a deviation; alone, or in an archive that is
// damaged, it is an error, of class poison. The files of set must stay readable until Close.
func Decode(ctx context.Context, set []Source, o *Options) (*Envelope, error) {
	e := &Envelope{Kind: KindUnknown}
	if o == nil {
		o = &Options{}
	}
	e.scratch.dir = o.Scratch
	d := &decoder{ctx: ctx, o: o, e: e}
	if err := d.run(set); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// decoder is one Decode.
type decoder struct {
	ctx   context.Context
	o     *Options
	e     *Envelope
	alone bool                // the set is one message
	by    map[string][]*File  // files by how they may be named
	src   map[*File]Source    //
	sums  map[string]*File    // by SHA-256
	added []map[string]string // fields of messages

	answers []map[string]string // fields of acknowledgements: they fill what is empty
}

func (d *decoder) run(set []Source) error {
	if len(set) > maxFiles {
		return poison("the envelope holds more than %d files", maxFiles)
	}
	var damage error
	if len(set) == 1 {
		d.alone = true
		head, err := set[0].head()
		if err != nil {
			return err
		}
		switch kind := unpack.Sniff(head); kind {
		case unpack.Zip, unpack.Tar, unpack.Gzip:
			done, err := d.archive(set[0], kind == unpack.Gzip)
			if done || err != nil {
				return err
			}
			inner, err := set[0].unpack(d.ctx, kind, &d.e.scratch)
			switch {
			case d.ctx.Err() != nil:
				return d.ctx.Err()
			case err != nil && !blames(err) && !errors.Is(err, unpack.ErrNotMine):
				return err // of the scratch file, not of the archive
			case errors.Is(err, unpack.ErrNotMine) || len(inner) == 0:
				damage = nil // kept as it is
			default:
				set, damage, d.alone = inner, err, len(inner) == 1
			}
		}
	}
	if err := d.files(set); err != nil {
		return err
	}
	if err := d.metadata(); err != nil {
		return err
	}
	if err := d.payloads(); err != nil {
		return err
	}
	d.names()
	d.finish()
	if damage != nil && d.e.Source != "" {
		return fmt.Errorf("adullact: the archive is not whole, ask for another: %w", damage)
	}
	return nil
}

// files takes the set over.
func (d *decoder) files(set []Source) error {
	d.by, d.src, d.sums = map[string][]*File{}, map[*File]Source{}, map[string]*File{}
	names := map[string]bool{}
	for _, s := range set {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		if err := s.hash(d.ctx); err != nil {
			return err
		}
		f := d.take(s)
		low := fold(f.Name)
		if names[low] {
			d.e.deviate(fmt.Sprintf("files[%d]", len(d.e.Files)-1), "another file has the same name")
		}
		names[low] = true
		switch {
		case low == "fichier_termine.txt" || low == "transfert_termine.txt":
			f.Role = RoleMarker
		case strings.HasSuffix(low, ".part") || strings.HasSuffix(low, ".tmp"):
			d.e.deviate(fmt.Sprintf("files[%d]", len(d.e.Files)-1), "incomplete: the file was still being written")
		}
	}
	return nil
}

func (d *decoder) take(s Source) *File {
	f := &File{File: payload.File{Name: orName(s.base()), Size: s.Size, SHA256: s.SHA256}, Open: s.Open}
	d.e.Files = append(d.e.Files, f)
	d.src[f] = s
	for _, n := range spellings(f.Name) {
		d.by[n] = append(d.by[n], f)
	}
	if d.sums[s.SHA256] == nil {
		d.sums[s.SHA256] = f
	}
	return f
}

// spellings are the ways in which metadata may name a file, the surest first: names on disk
// are cleaned, those in the metadata are not.
func spellings(name string) []string {
	clean := strings.NewReplacer("/", "-", `\`, "-").Replace(name)
	return slices.Compact([]string{"=" + name, "-" + clean, "~" + fold(clean)})
}

func fold(name string) string { return strings.ToLower(norm.NFC.String(name)) }

// find looks a name up, exact first.
func (d *decoder) find(name string) *File {
	for _, n := range spellings(name) {
		if l := d.by[n]; len(l) > 0 {
			return l[0]
		}
	}
	return nil
}

// metadata finds the metadata and gives files their roles.
func (d *decoder) metadata() error {
	m, at, err := d.findMetadata()
	if err != nil {
		return err
	}
	if m != nil {
		at.Role = RoleMetadata
		d.e.Fields, d.e.Params, d.e.Type = m.fields, m.params, m.typ
		d.e.Source = SourceMetadata
		if m.typ != "" || strings.HasPrefix(fold(at.Name), "manifest.") {
			d.e.Source = SourceManifest
		}
		if d.e.Kind = kindOfType(m.typ); d.e.Kind == KindUnknown {
			d.e.Kind = kindOfFields(m.fields)
		}
		for i := range d.e.Fields {
			d.resolve(&d.e.Fields[i])
		}
	}
	var named []Field
	for _, f := range d.e.Files {
		field, n, ok := fieldOfName(f.Name)
		if !ok {
			continue
		}
		named = append(named, Field{Name: field})
		if f.Role == "" {
			f.Role, f.Index = field, n
		}
	}
	if k := kindOfFields(named); d.e.Kind == KindUnknown && k != KindUnknown {
		d.e.Kind = k
		if d.e.Source == "" {
			d.e.Source = SourceNames
		}
	}
	return nil
}

// findMetadata looks for the file by its name, then for the only one that is written like it.
func (d *decoder) findMetadata() (*metadata, *File, error) {
	for _, name := range []string{"metadata.xml", "metadata.json", "metadata.txt", "metadata.yml", "manifest.xml"} {
		f := d.find(name)
		if f == nil {
			continue
		}
		m, err := d.src[f].metadata()
		if err == nil && (m.root == "flux" || d.plausible(m)) {
			return m, f, nil
		}
		if err := d.told(f, err); err != nil {
			return nil, nil, err
		}
	}
	var found *metadata
	var at *File
	for _, f := range d.e.Files {
		low := fold(f.Name)
		s := d.src[f]
		switch {
		case f.Role != "" || s.Size > maxMetadata:
			continue
		case strings.HasSuffix(low, ".xml"):
			if local, _ := s.rootOf(); local != "flux" {
				continue
			}
		case !strings.HasSuffix(low, ".json") && !strings.HasSuffix(low, ".txt"):
			continue
		}
		if err := d.ctx.Err(); err != nil {
			return nil, nil, err
		}
		m, err := s.metadata()
		if err != nil || m.root != "flux" && kindOfFields(m.fields) == KindUnknown {
			continue
		}
		if found != nil { // several documents lie mixed
			d.e.deviate("metadata", "several files are metadata: the files of several documents lie together and are not told apart")
			return nil, nil, nil
		}
		found, at = m, f
	}
	return found, at, nil
}

// plausible tells a map of ours from another program's: it names what only ours do, or a file.
func (d *decoder) plausible(m *metadata) bool {
	return kindOfFields(m.fields) != KindUnknown || slices.ContainsFunc(m.fields, func(f Field) bool {
		return f.IsFile && slices.ContainsFunc(f.Values, func(v string) bool { return d.find(v) != nil })
	})
}

// told makes a deviation of a file that cannot be read; what is not the file's fault is
// returned.
func (d *decoder) told(f *File, err error) error {
	switch {
	case err == nil || errors.Is(err, errNotMetadata):
		return nil
	case d.ctx.Err() != nil:
		return d.ctx.Err()
	case !blames(err):
		return err
	}
	d.e.deviate(fmt.Sprintf("files[%d]", slices.Index(d.e.Files, f)), "cannot be read: "+err.Error())
	return nil
}

// resolve gives the files of a field their role. A list of JSON or YAML that names no file
// is one of values.
func (d *decoder) resolve(f *Field) {
	if !f.IsFile {
		return
	}
	list := f.original != nil && slices.ContainsFunc(f.original, func(s string) bool { return s != "" })
	missing := 0
	for i, name := range f.Values {
		at := d.find(name)
		if at == nil {
			missing++
			continue
		}
		if list {
			at.NameOriginal = f.original[i]
		}
		switch {
		case at.Role == "":
			at.Role, at.Index = f.Name, i
		case at.Role != f.Name && !slices.Contains(at.Also, f.Name) && at.Role != RoleMetadata:
			at.Also = append(at.Also, f.Name)
		}
	}
	if missing == len(f.Values) && missing > 0 && d.e.Source == SourceMetadata && !fileFields[f.Name] && !d.isXML() {
		f.IsFile = false
		return
	}
	if missing > 0 {
		d.e.deviate("metadata/"+f.Name, fmt.Sprintf("incomplete: %d of its %d files are not there", missing, len(f.Values)))
	}
}

// isXML reports whether the metadata say themselves what is a file.
func (d *decoder) isXML() bool {
	return slices.ContainsFunc(d.e.Files, func(f *File) bool {
		return f.Role == RoleMetadata && strings.HasSuffix(fold(f.Name), ".xml")
	})
}

// fileFields are fields of files though a file is missing.
var fileFields = map[string]bool{
	"arrete": true, "autre_document_attache": true, "aractes": true, "bordereau": true, "acte_tamponne": true, "annexes_tamponnees": true,
	"fichier_pes": true, "fichier_pes_signe": true, "fichier_reponse": true, "pes_acquit": true, "visuel_pdf": true,
	"fichier_facture": true, "facture_pj_01": true, "facture_pj_02": true, "fichier_facture_pdf": true, "histo_statut_cpp": true, "chorus_fact": true,
}

// names is the last resort.
func (d *decoder) names() {
	if d.e.Kind != KindUnknown {
		return
	}
	for _, f := range d.e.Files {
		if k := kindOfName(f.Name); k != KindUnknown {
			d.e.Kind = k
			if d.e.Source == "" {
				d.e.Source = SourceNames
			}
			return
		}
	}
}
