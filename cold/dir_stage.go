package cold

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// dirUnit is what one rename shows: a document, or a group in its directory.
type dirUnit struct {
	docs  []*Document
	group string
	rec   *dirRecord
	names []string // of a group: a name for each document
}

// stager writes units into temporary files and syncs them together.
type stager struct {
	p       *dirPlace
	sidecar bool
	open    []*os.File // written, not synced yet
	dirs    []string   // of groups
	buf     []byte
	sum     hash.Hash
}

// Bounds of one batch: open files, and workers that sync them. Measured on ext4 with
// batches of 200 files of 45 kB: one fsync after the other 180-220 ms, four workers
// 100-180 ms, sixteen the same, syncfs(2) 130-170 ms, and one sync for ten batches
// 160-175 ms a batch: four workers already reach what the disk can write, and unlike
// syncfs they tell errors on every kernel and flush nobody else's data.
const (
	stageFiles  = 256
	syncWorkers = 4
	copyBuffer  = 128 << 10
)

// poison blames one document. Its name is the sender's, so it is quoted and cut.
func poison(d *Document, err error) error {
	name := d.Name
	if len(name) > 60 {
		name = name[:60] + "…"
	}
	return &vaguemestre.Error{Op: "cold: dir: document " + fmt.Sprintf("%q", name), Class: vaguemestre.ClassPoison, Err: err}
}

// stage writes one unit. The names within a group are chosen here.
func (s *stager) stage(ctx context.Context, u *dirUnit) error {
	temp := keyHash(u.docs[0].Key)
	u.rec = &dirRecord{Temp: temp}
	if u.group == "" {
		e, err := s.write(ctx, u.docs[0], temp)
		if err != nil {
			return err
		}
		u.rec.Docs = []dirEntry{e}
		return nil
	}
	u.rec.Temp = temp + ".d"
	if err := s.p.tmp.Mkdir(u.rec.Temp, 0o777); err != nil {
		return err
	}
	s.dirs = append(s.dirs, u.rec.Temp)
	taken := map[string]bool{}
	for _, d := range u.docs {
		name := pickAmong(SafeName(d.Name), s.sidecar, taken)
		e, err := s.write(ctx, d, u.rec.Temp+"/"+name)
		if err != nil {
			return err
		}
		e.Name = name
		if s.sidecar {
			if err := s.writeSidecar(d, e, u.rec.Temp+"/"+name+sideSuffix); err != nil {
				return err
			}
		}
		u.rec.Docs = append(u.rec.Docs, e)
		if len(s.open) >= stageFiles {
			if err := s.syncFiles(); err != nil {
				return err
			}
		}
	}
	return nil
}

// pickAmong is pickName in a directory that only we write; without regard to case,
// since the file system may have none.
func pickAmong(name string, side bool, taken map[string]bool) string {
	stem, ext := splitExt(name)
	for n := 2; ; n++ {
		k, ks := fold(name), fold(name+sideSuffix)
		if !taken[k] && !(side && taken[ks]) {
			taken[k] = true
			if side {
				taken[ks] = true
			}
			return name
		}
		name = fmt.Sprintf("%s (%d)%s", stem, n, ext)
	}
}

// write copies a document into a new file and proves that it is the one announced.
func (s *stager) write(ctx context.Context, d *Document, to string) (dirEntry, error) {
	src, err := d.Open()
	if err != nil {
		return dirEntry{}, sourceError(d, err)
	}
	defer src.Close()
	f, err := s.p.tmp.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return dirEntry{}, err
	}
	s.open = append(s.open, f)
	if s.buf == nil {
		s.buf, s.sum = make([]byte, copyBuffer), sha256.New()
	}
	s.sum.Reset()
	size := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return dirEntry{}, err
		}
		n, rerr := src.Read(s.buf)
		if n > 0 {
			s.sum.Write(s.buf[:n])
			if _, err := f.Write(s.buf[:n]); err != nil {
				return dirEntry{}, err
			}
			size += int64(n)
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return dirEntry{}, sourceError(d, rerr)
		}
	}
	sum := hex.EncodeToString(s.sum.Sum(nil))
	if d.SHA256 != "" && sum != d.SHA256 {
		return dirEntry{}, poison(d, fmt.Errorf("its content is not the one announced: sha-256 %s instead of %.64q: collect it again", sum, d.SHA256))
	}
	if (d.SHA256 != "" || d.Size > 0) && size != d.Size {
		return dirEntry{}, poison(d, fmt.Errorf("it has %d bytes instead of the %d announced: collect it again", size, d.Size))
	}
	return dirEntry{Key: d.Key, Size: size, SHA256: sum}, nil
}

// sourceError sorts a failure to read a document: what the machine lacks is nobody's
// fault, anything else is the document's.
func sourceError(d *Document, err error) error {
	var no syscall.Errno
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case vaguemestre.ClassOf(err) != "":
		return err
	case errors.As(err, &no) && (no == syscall.EMFILE || no == syscall.ENFILE || no == syscall.ENOMEM || no == syscall.ENOSPC || no == syscall.EIO):
		return err
	}
	return poison(d, fmt.Errorf("it cannot be read: %w", err))
}

// sidecar is the JSON file beside a document.
type sidecar struct {
	Name         string            `json:"name"`
	OriginalName string            `json:"original_name"` // the sender's, untouched
	MediaType    string            `json:"media_type"`
	Size         int64             `json:"size"`
	SHA256       string            `json:"sha256"`
	Key          string            `json:"key"`
	Path         []string          `json:"path"` // where it came from, outermost first
	Group        string            `json:"group,omitempty"`
	Fields       map[string]string `json:"fields,omitempty"`
	Repairs      []string          `json:"repairs,omitempty"`
	Reason       string            `json:"reason"` // the filter decision
}

func (s *stager) writeSidecar(d *Document, e dirEntry, to string) error {
	b, err := json.MarshalIndent(sidecar{Name: e.Name, OriginalName: d.Name, MediaType: d.MediaType, Size: e.Size, SHA256: e.SHA256,
		Key: d.Key, Path: d.Path, Group: d.Group, Fields: d.Fields, Repairs: d.Repairs, Reason: d.Reason}, "", "  ")
	if err != nil {
		return err
	}
	f, err := s.p.tmp.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	s.open = append(s.open, f)
	_, err = f.Write(append(b, '\n'))
	return err
}

// sync makes all that was staged durable, names included, and what the index got
// before.
func (s *stager) sync() error {
	step.Before(step.DirSync)
	defer step.After(step.DirSync)
	if err := s.syncFiles(); err != nil {
		return err
	}
	for _, d := range s.dirs {
		sub, err := s.p.tmp.OpenRoot(d)
		if err != nil {
			return err
		}
		err = syncDir(sub)
		sub.Close()
		if err != nil {
			return err
		}
	}
	if err := syncDir(s.p.tmp); err != nil {
		return err
	}
	if err := s.p.j.idx.f.Sync(); err != nil {
		return err
	}
	return s.p.j.idx.mark(s.p.j.end)
}

// syncFiles syncs and closes the open files. A file whose sync failed is never synced
// again: the kernel may have thrown its pages away (fsync(2)).
func (s *stager) syncFiles() error {
	errs := make([]error, syncWorkers)
	var wg sync.WaitGroup
	for w := range syncWorkers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := w; i < len(s.open); i += syncWorkers {
				errs[w] = errors.Join(errs[w], s.open[i].Sync(), s.open[i].Close())
			}
		}()
	}
	wg.Wait()
	s.open = s.open[:0]
	return errors.Join(errs...)
}

// discard removes what was staged and not announced.
func (s *stager) discard(units []*dirUnit) {
	for _, f := range s.open {
		f.Close()
	}
	s.open = nil
	for _, u := range units {
		if u.rec != nil {
			_ = s.p.tmp.RemoveAll(u.rec.Temp)
			_ = s.p.tmp.RemoveAll(u.rec.Temp + sideSuffix)
		}
	}
}
