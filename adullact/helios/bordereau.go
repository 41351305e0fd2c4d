package helios

import (
	"slices"
	"strings"
)

// Prices in the summary: about what an item costs without its strings.
const (
	priceBordereau = 600
	pricePiece     = 600
	priceRef       = 150
	priceItem      = 250
)

func (d *decoder) bordereau(part string) {
	d.f.Totals.Bordereaux++
	b := &Bordereau{}
	if d.take(priceBordereau) {
		d.f.Bordereaux = append(d.f.Bordereaux, Bordereau{})
		b = &d.f.Bordereaux[len(d.f.Bordereaux)-1] // one does not lie within another
	}
	b.Part, b.ID = part, d.short(d.s.Attr("Id"))
	if d.s.Local() == "BordereauORMCGlobal" {
		d.bordereauInfo(b)
		return
	}
	d.children(func(name string) {
		switch name {
		case "BlocBordereau", "BordereauORMCGlobal":
			d.bordereauInfo(b)
		case "Piece":
			d.piece(b)
		case "Signature":
			b.Signed = true
			d.signature()
		}
	})
	d.checkBordereau(b)
}

func (d *decoder) bordereauInfo(b *Bordereau) {
	d.children(func(name string) {
		switch name {
		case "Exer":
			b.Exer = d.value()
		case "IdBord":
			b.IdBord = d.value()
		case "TypBord":
			b.TypBord = d.value()
		case "DteBordEm":
			b.DteBordEm = d.value()
		case "Objet":
			b.Objet = d.value()
		case "NbrPce":
			b.NbrPce = d.value()
		case "MtBordHT", "MtBordHt":
			b.MtBordHT = d.amount()
		case "MtBordTVA":
			b.MtBordTVA = d.amount()
		case "MtCumulAnnuel":
			b.MtCumul = d.amount()
		case "MtTTC":
			b.MtTTC = d.amount()
		case "DtePec":
			b.DtePec = d.value()
		case "DteRej":
			b.DteRej = d.value()
		case "DteInst":
			b.DteInst = d.value()
		}
	})
}

// pieceReader is a piece while it is being read.
type pieceReader struct {
	*decoder
	p      *Piece
	ht, va sum
}

func (d *decoder) piece(b *Bordereau) {
	d.f.Totals.Pieces++
	b.PieceCount++
	r := &pieceReader{decoder: d, p: &Piece{}}
	if d.pieces >= maxPieces {
		d.take(maxSummary + 1)
	} else if d.take(pricePiece) {
		d.pieces++
		b.Pieces = append(b.Pieces, Piece{})
		r.p = &b.Pieces[len(b.Pieces)-1]
	}
	d.children(func(name string) {
		switch name {
		case "BlocPiece", "InfoPiece":
			r.info()
		case "LigneDePiece":
			r.p.Lines++
			b.LineCount++
			d.f.Totals.Lines++
			d.children(func(name string) {
				switch name {
				case "BlocLignePiece":
					r.line()
				case "Tiers":
					r.tiers()
				}
			})
		}
	})
	r.p.MtHT, r.p.MtTVA = r.ht.amount(), r.va.amount()
}

func (r *pieceReader) info() {
	p := r.p
	r.children(func(name string) {
		switch name {
		case "InfoPce", "InfoPiece": // around the rest, in expenses
			r.info()
		case "IdPce":
			p.IdPce = r.value()
		case "TypPce":
			p.TypPce = r.value()
		case "NatPce":
			p.NatPce = r.value()
		case "Obj", "ObjPce":
			p.Obj = r.value()
		case "EtatPce":
			p.EtatPce = r.value()
		case "ObsEtat":
			p.ObsEtat = r.value()
		case "Commentaire":
			if r.o.Personal {
				p.Commentaire = r.value()
			}
		case "DtePcePec":
			p.DtePcePec = r.value()
		case "DtePceRej":
			p.DtePceRej = r.value()
		case "DtePceInst":
			p.DtePceInst = r.value()
		case "PJRef":
			r.ref()
		}
	})
}

func (r *pieceReader) line() {
	p := r.p
	r.children(func(name string) {
		switch name {
		case "InfoLignePce", "InfoLignePiece":
			r.line()
		case "Nature":
			first(&p.Nature, r.value())
		case "Fonction":
			first(&p.Fonction, r.value())
		case "MtHT":
			r.ht.add(r.amount())
		case "MtTVA":
			r.va.add(r.amount())
		case "EtatLigPce":
			r.once(&p.LineStates, r.value())
		case "ObsEtat":
			r.once(&p.LineReasons, r.value())
		case "PJRef":
			r.ref()
		}
	})
}

func first(dst *string, v string) {
	if *dst == "" {
		*dst = v
	}
}

// once appends what is not there yet, to a length.
func (r *pieceReader) once(list *[]string, v string) {
	if v != "" && !slices.Contains(*list, v) && len(*list) < 100 && r.take(2*len(v)) {
		*list = append(*list, v)
	}
}

// tiers reads names alone: no address, birth or bank account.
func (r *pieceReader) tiers() {
	if !r.o.Personal {
		return
	}
	r.children(func(name string) {
		if name != "InfoTiers" {
			return
		}
		var nom, more, prenom string
		r.children(func(name string) {
			switch name {
			case "Nom":
				nom = r.value()
			case "ComplNom":
				more = r.value()
			case "Prenom":
				prenom = r.value()
			}
		})
		for _, part := range []string{more, prenom} {
			if part != "" {
				nom += " " + part
			}
		}
		r.once(&r.p.Tiers, strings.TrimSpace(nom))
	})
}

func (r *pieceReader) ref() {
	if ref, ok := r.pjRef(); ok {
		r.p.PJRefs = append(r.p.PJRefs, ref)
	}
}

// pjRef reads a reference; ok is whether there is room to list it.
func (d *decoder) pjRef() (ref PJRef, ok bool) {
	path := d.path()
	d.children(func(name string) {
		switch name {
		case "Support":
			ref.Support = d.value()
		case "IdUnique":
			ref.IdUnique = d.value()
		case "NomPJ":
			ref.NomPJ = d.value()
		case "TypePJ":
			ref.TypePJ = d.value()
		}
	})
	if ref.IdUnique == "" {
		d.deviate(path, "it has no IdUnique")
	}
	if !d.take(2 * priceRef) {
		return ref, false
	}
	d.refs[ref.IdUnique] = true
	return ref, true
}
