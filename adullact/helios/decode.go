package helios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// ErrNotPES is within the error of [Decode] for what has no root of PES V2: a fragment,
// another XML, or no XML. Nothing was given to Options.Out.
var ErrNotPES = errors.New("not a PES")

// Options change how [Decode] works; the zero value is good.
type Options struct {
	// Out takes the attached documents, in their order; nil is nobody, and they are measured
	// all the same. Size and SHA256 are known here before Out is called. Content that is
	// empty is not given.
	Out payload.Out

	// Scratch is the directory of the one temporary file, "" is os.TempDir. Documents beyond
	// 1 MiB pass through it one by one, as they are stored; Decode removes it.
	Scratch string

	Personal bool // read names of third parties and signers, and comments of the accountant
	Inner    bool // read a PES that is attached too, but no further one within it

	MaxFile  int64 // bytes of one document out of its gzip; 0 is 512 MiB
	MaxTotal int64 // bytes of all of them; 0 is 2 GiB
}

// What the summary holds at most: all its strings, and a fixed price for every item.
const (
	maxPieces     = 100_000
	maxSummary    = 24 << 20
	maxDeviations = 1000
	maxValue      = 1024
)

// Decode reads one PES from r to its end.
//
// With an error the Flow has what was read before it; it is nil only if there was no root to
// begin with. Errors are of class poison where the file is the cause ([ErrNotPES], broken
// XML), of class sink where the scratch file is, of class canceled when ctx ended; those of
// r have their own class or source; that of Out is returned as it is. ctx is looked at
// before each read of r: what may block there is the reader's own business.
func Decode(ctx context.Context, r io.Reader, o *Options) (*Flow, error) {
	d := &decoder{ctx: ctx}
	if o != nil {
		d.o = *o
	}
	if d.o.MaxFile <= 0 {
		d.o.MaxFile = 512 << 20
	}
	if d.o.MaxTotal <= 0 {
		d.o.MaxTotal = 2 << 30
	}
	return d.decode(r)
}

// decoder reads one message. The methods that read an element are called at its Start and
// leave the scanner anywhere within it.
type decoder struct {
	ctx context.Context
	o   Options
	s   *xmlscan.Scanner
	f   *Flow
	err error // what ends the work and is not in the XML

	room    int             // of the summary
	pieces  int             // listed
	full    bool            // the summary is
	foreign bool            // within what is not summed up: it may hold text
	told    map[string]bool // deviations, so that each is told once
	refs    map[string]bool // IdUnique of references
	held    map[string]bool // IdUnique of documents
	loose   []string        // IdUnique of documents that only a reference ties to something
	spool   spool
	zip     gunzip
	buf     []byte // of what is read by pieces
	plain   []byte // the document last measured, if it is small
	acks    int    // EtatAck
	refused int
}

func (d *decoder) decode(r io.Reader) (*Flow, error) {
	d.s = xmlscan.New(&contextReader{d.ctx, r}, nil)
	if d.room == 0 {
		d.room = maxSummary
	}
	d.buf = make([]byte, 32<<10)
	d.told, d.refs, d.held = map[string]bool{}, map[string]bool{}, map[string]bool{}
	d.spool.dir = d.o.Scratch
	defer d.spool.close()
	if !d.s.Next() {
		if broken := d.broken(); broken != nil {
			return nil, notPES(fmt.Errorf("%w: %w", ErrNotPES, broken))
		}
		return nil, d.failure()
	}
	root, space := d.s.Local(), d.s.Space()
	if !isRoot(root, space) {
		return nil, notPES(fmt.Errorf("%w: its root is %q; it is for another decoder", ErrNotPES, cut(root, 60)))
	}
	d.f = &Flow{Root: root, Namespace: cut(space, maxValue), ID: cut(d.s.Attr("Id"), maxValue)}
	d.message()
	for d.err == nil && d.s.Next() { // the scanner looks at what may follow the root
	}
	err := d.failure()
	d.finish(err == nil)
	return d.f, err
}

func notPES(err error) error {
	return &vaguemestre.Error{Op: "helios: decode", Class: vaguemestre.ClassPoison, Err: err}
}

// broken is what is wrong with the XML, nil for nothing; names of elements are a stranger's.
func (d *decoder) broken() error {
	var broken *xmlscan.Error
	if !errors.As(d.s.Err(), &broken) {
		return nil
	}
	short := *broken
	short.Path = cut(short.Path, 120)
	return &short
}

// failure is why the work ended early, nil if it did not.
func (d *decoder) failure() error {
	if d.err != nil {
		return d.err
	}
	err := d.s.Err()
	if err == nil {
		return nil
	}
	if broken := d.broken(); broken != nil {
		return &vaguemestre.Error{Op: "helios: decode", Class: vaguemestre.ClassPoison,
			Err: fmt.Errorf("%w; have the sender send it again", broken)}
	}
	class := vaguemestre.ClassOf(err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		class = vaguemestre.ClassCanceled
	case class == "":
		class = vaguemestre.ClassSource
	}
	return &vaguemestre.Error{Op: "helios: read", Class: class, Err: err}
}

const minefi = "http://www.minefi.gouv.fr/cp/helios/"

// spaces are the roots and their namespaces; they are told apart by name, since one namespace
// is that of two roots.
var spaces = map[string][]string{
	"PES_Aller":         {minefi + "pes_v2/Rev0/aller"},
	"PES_Retour":        {minefi + "pes_v2/Rev0/retour"},
	"PES_ACQUIT":        {minefi + "pes_v2/Rev0/retour/v2", minefi + "pes_v2/Rev0/retour"},
	"PES_ACQUIT_RETOUR": {minefi + "pes_v2/Rev0/aller/ack"},
	"PES_NonAcquit":     {minefi + "pes"},
	"PES":               {minefi + "pes"},
}

func isRoot(local, space string) bool {
	if local == "PES" { // a name that others may have
		return strings.HasPrefix(space, minefi)
	}
	return spaces[local] != nil
}

func (d *decoder) message() {
	if !slices.Contains(spaces[d.f.Root], d.f.Namespace) {
		d.deviate("", "the namespace is not one of "+d.f.Root)
	}
	if d.f.Root == "PES_ACQUIT" || d.f.Root == "PES_NonAcquit" {
		d.acquit()
	}
	d.children(func(name string) {
		switch name {
		case "Enveloppe":
			d.envelope()
		case "EnTetePES":
			d.header()
		case "Signature":
			d.signature()
		case "ElementACQUIT":
			if d.f.Root == "PES_ACQUIT" {
				d.deviateHere("it stands outside of ACQUIT")
			}
			d.ackElement()
		default:
			d.part(name)
		}
	})
}

func (d *decoder) part(name string) {
	if !slices.Contains(d.f.Parts, name) && len(d.f.Parts) < 100 {
		d.f.Parts = append(d.f.Parts, cut(name, 60))
	}
	switch name {
	case "PES_DepenseAller", "PES_RecetteAller", "PES_DepenseRetour", "PES_RecetteRetour":
		d.children(func(child string) {
			switch child {
			case "Bordereau":
				d.bordereau(name)
			case "BordereauORMCGlobal":
				d.bordereau(name)
			case "Signature":
				d.signature()
			}
		})
	case "PES_PJ":
		d.children(func(child string) {
			if child == "PJ" {
				d.pj()
			}
		})
	case "PJ":
		d.deviateHere("it stands outside of PES_PJ")
		d.pj()
	case "PES_Facture":
		d.facture()
	case "ACQUIT", "ACQUIT_RETOUR":
		d.children(func(child string) {
			switch child {
			case "ElementACQUIT":
				d.ackElement()
			case "ElementACQUIT_RETOUR":
				d.receipt()
			}
		})
	default:
		d.others()
	}
}

// others passes over what is not summed up, and gathers the references in it.
func (d *decoder) others() {
	foreign := d.foreign
	d.foreign = true
	defer func() { d.foreign = foreign }()
	d.children(func(name string) {
		switch name {
		case "PJRef":
			d.pjRef()
		case "Signature":
			d.signature()
		default:
			d.others()
		}
	})
}

// contextReader ends with the error of a context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
