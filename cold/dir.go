package cold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/dirstore"
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
// Put takes memory for one batch of names and a buffer of 1 MiB, whatever was stored
// before. It keeps a few files open for the next Put until Close, or until the sink is
// garbage. Errors are of class sink, poison (content is not what was announced, or cannot
// be read) and canceled. The directory must lie on one file system; on Windows directory entries
// are as durable as NTFS makes them.
type DirSink struct {
	Path    string `key:"path" required:"true"` // the directory; its last element is made if missing
	Sidecar bool   `key:"sidecar"`

	idle atomic.Pointer[dirstore.Store] // open and unlocked, for the next Put
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

var (
	_ Sink      = (*DirSink)(nil)
	_ io.Closer = (*DirSink)(nil)
)

// Put stores documents. See [Sink] and the guarantee of [DirSink].
func (d *DirSink) Put(ctx context.Context, docs []*Document) ([]Stored, error) {
	files := make([]dirstore.File, len(docs))
	for i, doc := range docs {
		if doc.Key == "" || len(doc.Key) > 1<<10 {
			return nil, poison(doc, fmt.Errorf("its key has %d bytes: give it one of 1 to 1024", len(doc.Key)))
		}
		f := &files[i]
		*f = dirstore.File{Key: doc.Key, Name: SafeName(doc.Name), Size: doc.Size, SHA256: doc.SHA256, Open: doc.Open}
		if doc.Group != "" {
			f.Group, f.Dir = doc.Group, SafeName(doc.Group)
		}
		if d.Sidecar {
			f.Side = func(name string, size int64, sum string) ([]byte, error) { return sidecarOf(doc, name, size, sum) }
		}
	}
	s, err := d.take(ctx)
	if err != nil {
		return nil, err
	}
	refs, err := s.Put(ctx, files)
	if err != nil {
		s.Close()
		var bad *dirstore.FileError
		if errors.As(err, &bad) {
			return nil, poison(docs[bad.File], bad.Err)
		}
		return nil, d.error(err)
	}
	d.give(s)
	out := make([]Stored, len(docs))
	for i, ref := range refs {
		out[i].Ref = filepath.Join(d.Path, filepath.FromSlash(ref))
	}
	return out, nil
}

// take opens the directory and locks it, or locks the one that the last Put left open.
func (d *DirSink) take(ctx context.Context) (*dirstore.Store, error) {
	if d.Path == "" {
		return nil, &vaguemestre.Error{Op: "cold: dir", Class: vaguemestre.ClassConfig, Err: errors.New("no path is set: give the directory to store documents in")}
	}
	if err := ctx.Err(); err != nil {
		return nil, d.error(err)
	}
	if s := d.idle.Swap(nil); s != nil {
		if s.Path() == d.Path && s.Lock(ctx) == nil {
			return s, nil
		}
		s.Close()
	}
	s, err := dirstore.Open(ctx, d.Path)
	if err != nil {
		return nil, d.error(err)
	}
	return s, nil
}

// give lets others store, and keeps s open for the next Put.
func (d *DirSink) give(s *dirstore.Store) {
	// Windows lets nobody move or remove what is open.
	if runtime.GOOS == "windows" || s.Unlock() != nil || !d.idle.CompareAndSwap(nil, s) {
		s.Close()
	}
}

// Close gives back the files that Put keeps open for the next one, so that the file
// system can be unmounted. It is never needed for the documents: they are safe when Put
// returns. The sink can be used again afterwards.
func (d *DirSink) Close() error {
	if s := d.idle.Swap(nil); s != nil {
		s.Close()
	}
	return nil
}

// poison blames one document. Its name is the sender's, so it is quoted and cut.
func poison(d *Document, err error) error {
	name := d.Name
	if len(name) > 60 {
		name = name[:60] + "…"
	}
	return &vaguemestre.Error{Op: "cold: dir: document " + fmt.Sprintf("%q", name), Class: vaguemestre.ClassPoison, Err: err}
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
	case dirstore.IsFull(err):
		todo = "make room on the disk or raise the quota"
	case errors.Is(err, syscall.EROFS):
		todo = "the file system is read-only: mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		todo = "give this program's user the right to write into the directory"
	case errors.Is(err, fs.ErrNotExist):
		todo = "make the directory, or mount its file system"
	case errors.Is(err, dirstore.ErrJournal):
		todo = "documents are refused until then"
	case errors.Is(err, syscall.EMFILE):
		todo = "raise the limit of open files"
	}
	return &vaguemestre.Error{Op: "cold: dir", Class: class, Err: fmt.Errorf("%q: %w: %s", d.Path, err, todo)}
}
