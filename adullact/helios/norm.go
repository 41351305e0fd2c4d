package helios

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// finish ties pieces to documents and compares with the norm; whole is whether all was read.
func (d *decoder) finish(whole bool) {
	f := d.f
	for i := range f.Bordereaux {
		for k := range f.Bordereaux[i].Pieces {
			refs := f.Bordereaux[i].Pieces[k].PJRefs
			for n := range refs {
				refs[n].Held = refs[n].IdUnique != "" && d.held[refs[n].IdUnique]
			}
		}
	}
	for _, note := range d.s.Notes() {
		d.deviate("", note)
	}
	if !whole {
		return
	}
	if f.Acquit != nil {
		f.Acquit.Accepted = d.acks > 0 && d.refused == 0 && f.Root != "PES_NonAcquit"
		if d.acks == 0 && f.Root == "PES_ACQUIT" {
			d.deviate("ACQUIT", "it has no ElementACQUIT: it counts as refused")
		}
	}
	d.checkHeader()
	d.checkLinks()
}

// The types of the schema (v5.17, Simple_Type.xsd).
var (
	idPost = regexp.MustCompile(`^(02[AB][0-9]{3,4}|[0-9]{6,7})$`)
	siret  = regexp.MustCompile(`^[0-9]{14}$`)
	codBud = regexp.MustCompile(`^[0-9A-Z][0-9]$`)
)

func (d *decoder) checkHeader() {
	f := d.f
	if f.Root == "PES" || f.Root == "PES_NonAcquit" {
		return // no schema of theirs is known
	}
	check := func(path, v string, ok bool, wants string) {
		switch {
		case ok:
		case v == "":
			d.deviate(path, "it is missing or empty")
		default:
			d.deviate(path, fmt.Sprintf("%q: %s", cut(v, 60), wants))
		}
	}
	const parametres, entete = "Enveloppe/Parametres/", "EnTetePES/"
	check(parametres+"Version", f.Version, f.Version == "2", "the norm wants 2")
	check(parametres+"TypFic", f.TypFic, f.TypFic != "" && len([]rune(f.TypFic)) <= 32, "the schema wants at most 32 characters")
	check(parametres+"NomFic", f.NomFic, notZeros(f.NomFic) && len([]rune(f.NomFic)) <= 100, "the schema wants 1 to 100 characters, not all 0")
	if f.Root != "PES_Retour" && f.Sender == (Party{}) {
		d.deviate("Enveloppe/Emetteur", "it is missing or empty")
	}
	_, err := time.Parse(time.DateOnly, f.DteStr)
	check(entete+"DteStr", f.DteStr, err == nil, "the schema wants a date")
	check(entete+"IdPost", f.IdPost, idPost.MatchString(f.IdPost), "the schema wants 6 or 7 digits")
	check(entete+"IdColl", f.IdColl, siret.MatchString(f.IdColl), "the schema wants the 14 digits of a SIRET")
	cod := "CodCol"
	if f.Root == "PES_Retour" {
		cod = "CodColl"
	}
	check(entete+cod, f.CodCol, len(f.CodCol) == 3 && notZeros(f.CodCol), "the schema wants 3 characters, not all 0")
	check(entete+"CodBud", f.CodBud, codBud.MatchString(f.CodBud), "the schema wants 2 characters, such as 00 or A1")
}

// notZeros is the schema's V_BaseAlphanum: neither empty nor all 0.
func notZeros(v string) bool { return strings.Trim(v, "0") != "" }

func (d *decoder) checkBordereau(b *Bordereau) {
	switch {
	case b.IdBord == "":
		d.deviateHere("a Bordereau has no IdBord")
	case len(b.IdBord) > 7 && b.Part != "PES_RecetteRetour":
		d.deviateHere(fmt.Sprintf("IdBord %q: the schema wants at most 7 digits", cut(b.IdBord, 30)))
	}
	if b.NbrPce == "" {
		if strings.HasSuffix(b.Part, "Aller") {
			d.deviateHere("a Bordereau has no NbrPce")
		}
	} else if n, err := strconv.Atoi(b.NbrPce); err != nil || n != b.PieceCount {
		d.deviateHere(fmt.Sprintf("bordereau %q: NbrPce is %q, and it holds %d", cut(b.IdBord, 30), cut(b.NbrPce, 30), b.PieceCount))
	}
}

// checkLinks compares references and documents by IdUnique.
func (d *decoder) checkLinks() {
	if d.full {
		return // not all of them are known
	}
	for i := range d.f.Bordereaux {
		for k := range d.f.Bordereaux[i].Pieces {
			for _, ref := range d.f.Bordereaux[i].Pieces[k].PJRefs {
				if !ref.Held && ref.IdUnique != "" && ref.Support != "02" && ref.Support != "03" {
					d.deviate("PES_PJ", fmt.Sprintf("document %q is referred to and not in this file: it may have been sent before", cut(ref.IdUnique, 60)))
				}
			}
		}
	}
	for _, id := range d.loose {
		if _, ok := d.refs[id]; !ok {
			d.deviate("PES_PJ", fmt.Sprintf("document %q is referred to by no piece", cut(id, 60)))
		}
	}
}
