package cold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
	"github.com/vaguemestre/vaguemestre/settings"
)

// DirSink stores documents as files in one directory: see [Dir]. It is a plain struct
// of settings, safe for concurrent use, also by several processes: they take turns.
//
// Guarantee: exactly once by [Document].Key, for as long as the hidden directory
// .vaguemestre in the target is kept, also across processes, crashes and power cuts,
// and also when the files delivered before were moved away since. When Put returns
// nil, content and names are on the disk (fsync of files and directories). A file
// never has its final name before it is complete, nothing is ever replaced, and
// nothing is written outside the target. What an interrupted Put left is finished or
// removed by the next one.
//
// A name is made safe by [SafeName]; a name that is taken gets " (2)" and so on. A
// group is a directory of its own, named after the group, and appears with all its
// files at once. With Sidecar each file has a "<name>.json" beside it, which appears
// first and tells original name, provenance, mail headers, hash and filter decision.
//
// Put takes memory for one batch of names, whatever was stored before. Errors are of
// class sink, poison (content is not what was announced, or cannot be read) and
// canceled. The directory must lie on one file system; on Windows directory entries
// are as durable as NTFS makes them.
type DirSink struct {
	Path    string `key:"path" required:"true"` // the directory; its last element is made if missing
	Sidecar bool   `key:"sidecar"`
}

// Dir stores documents in the directory path.
func Dir(path string) *DirSink { return &DirSink{Path: path} }

// Labels gives the texts of a form.
func (d *DirSink) Labels() map[string]settings.Label {
	return map[string]settings.Label{
		"path": {
			Name: settings.Text{EN: "Directory", FR: "Répertoire"},
			Help: settings.Text{EN: "Where documents are stored. The directory above it must exist.",
				FR: "Où les documents sont déposés. Le répertoire parent doit exister."},
		},
		"sidecar": {
			Name: settings.Text{EN: "Metadata file", FR: "Fichier de métadonnées"},
			Help: settings.Text{EN: "Writes a JSON file beside each document with its origin, hash and the filter's decision.",
				FR: "Écrit à côté de chaque document un fichier JSON avec son origine, son empreinte et la décision du filtre."},
		},
	}
}

var _ Sink = (*DirSink)(nil)

// Put stores documents. See [Sink] and the guarantee of [DirSink].
func (d *DirSink) Put(ctx context.Context, docs []*Document) ([]Stored, error) {
	if d.Path == "" {
		return nil, &vaguemestre.Error{Op: "cold: dir", Class: vaguemestre.ClassConfig, Err: errors.New("no path is set: give the directory to store documents in")}
	}
	for _, doc := range docs {
		if doc.Key == "" || len(doc.Key) > 1<<10 {
			return nil, poison(doc, fmt.Errorf("its key has %d bytes: give it one of 1 to 1024", len(doc.Key)))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, d.error(err)
	}
	p, err := openPlace(ctx, d.Path)
	if err != nil {
		return nil, d.error(err)
	}
	defer p.close()

	refs := make(map[string]string, len(docs))
	units, err := p.plan(docs, refs)
	if err == nil && len(units) == 0 && len(docs) > 0 {
		// All are known, but the run that showed them may have died before it synced their names.
		err = p.syncNames()
	}
	if err != nil {
		return nil, d.error(err)
	}
	for len(units) > 0 {
		n, files := 0, 0
		for n < len(units) && (n == 0 || files+len(units[n].docs) <= stageFiles/2) {
			files += len(units[n].docs)
			n++
		}
		if err := p.put(ctx, units[:n], d.Sidecar, refs); err != nil {
			return nil, d.error(err)
		}
		units = units[n:]
	}
	out := make([]Stored, len(docs))
	for i, doc := range docs {
		out[i].Ref = filepath.Join(d.Path, filepath.FromSlash(refs[doc.Key]))
	}
	return out, nil
}

// plan looks keys up: refs gets what is stored already, the result holds the rest.
func (p *dirPlace) plan(docs []*Document, refs map[string]string) ([]*dirUnit, error) {
	var units []*dirUnit
	groups := map[string]*dirUnit{}
	for _, doc := range docs {
		if _, ok := refs[doc.Key]; ok {
			continue
		}
		i := -1
		rec, err := p.j.lookup(keyHash(doc.Key), func(r *dirRecord) bool { return r.find(doc.Key) >= 0 })
		if err != nil {
			return nil, err
		}
		if rec != nil {
			i = rec.find(doc.Key)
			refs[doc.Key] = rec.ref(i)
			continue
		}
		refs[doc.Key] = "" // the same key again in this call is the same document
		u := groups[doc.Group]
		if doc.Group == "" || u == nil {
			u = &dirUnit{group: doc.Group}
			units = append(units, u)
			groups[doc.Group] = u
		}
		u.docs = append(u.docs, doc)
	}
	return units, nil
}

// put makes one batch of units durable and shows it.
func (p *dirPlace) put(ctx context.Context, units []*dirUnit, side bool, refs map[string]string) (err error) {
	s := &stager{p: p, sidecar: side}
	announced := false
	defer func() {
		// Once announced, only the next Put may touch it: it finds out what became of it.
		if err != nil && !announced {
			s.discard(units)
		}
	}()
	step.Before(step.DirWrite)
	taken := map[string]bool{}
	recs := make([]*dirRecord, 0, len(units))
	for _, u := range units {
		if err := s.stage(ctx, u); err != nil {
			return err
		}
		if u.group != "" {
			u.rec.Dir, err = p.pickName(SafeName(u.group), false, taken)
			taken[u.rec.Dir] = true
		} else {
			e := &u.rec.Docs[0]
			e.Name, err = p.pickName(SafeName(u.docs[0].Name), side, taken)
			taken[e.Name] = true
			if side {
				taken[e.Name+sideSuffix] = true
			}
			if err == nil && side {
				err = s.writeSidecar(u.docs[0], *e, u.rec.Temp+sideSuffix)
			}
		}
		if err != nil {
			return err
		}
		recs = append(recs, u.rec)
	}
	step.After(step.DirWrite)
	if err := s.sync(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}

	// From here on ctx is not asked: what follows is short, and half of it is worse.
	announced = true
	step.Before(step.DirSync)
	err = p.j.append(recs)
	step.After(step.DirSync)
	if err != nil {
		return err
	}
	for _, u := range units {
		if err := p.show(u.rec); err != nil {
			return err
		}
	}
	if err := p.syncNames(); err != nil {
		return err
	}
	for _, u := range units {
		for i, e := range u.rec.Docs {
			refs[e.Key] = u.rec.ref(i)
		}
	}
	return nil
}

// error gives a failure its class and says what to do.
func (d *DirSink) error(err error) error {
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		return err
	}
	class, todo := vaguemestre.ClassSink, "see that the directory is there and can be written"
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &vaguemestre.Error{Op: "cold: dir", Class: vaguemestre.ClassCanceled, Err: err}
	case isFull(err):
		todo = "make room on the disk or raise the quota"
	case errors.Is(err, syscall.EROFS):
		todo = "the file system is read-only: mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		todo = "give this program's user the right to write into the directory"
	case errors.Is(err, fs.ErrNotExist):
		todo = "make the directory, or mount its file system"
	case errors.Is(err, errJournal):
		todo = "documents are refused until then"
	case errors.Is(err, syscall.EMFILE):
		todo = "raise the limit of open files"
	}
	return &vaguemestre.Error{Op: "cold: dir", Class: class, Err: fmt.Errorf("%q: %w: %s", d.Path, err, todo)}
}
