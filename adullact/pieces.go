package adullact

import (
	"slices"

	"github.com/vaguemestre/vaguemestre/adullact/actes"
	"github.com/vaguemestre/vaguemestre/adullact/chorus"
	"github.com/vaguemestre/vaguemestre/adullact/helios"
)

// maxPieces bounds the summary of one envelope.
const maxPieces = 100_000

func (d *decoder) piece(p Piece, files []*File) {
	if len(d.e.Pieces) >= maxPieces {
		d.e.deviate("pieces", "there are more than the summary holds")
		return
	}
	for _, f := range files {
		if !slices.Contains(f.Pieces, p.ID) {
			f.Pieces = append(f.Pieces, p.ID)
		}
	}
	d.e.Pieces = append(d.e.Pieces, p)
}

func (d *decoder) actes(from string, m *actes.Message) {
	d.e.Actes = append(d.e.Actes, m)
	d.added = append(d.added, m.Fields())
	d.deviations(from, m.Deviations)
	if m.Acte == nil {
		return
	}
	p := Piece{Kind: "acte", ID: m.Acte.NumeroInterne, Date: m.Acte.Date, Object: m.Acte.Objet}
	var files []*File
	for _, n := range m.Files() {
		p.Files = append(p.Files, n.Nom)
		if f := d.find(n.Nom); f != nil && n.Nom != "" {
			files = append(files, f)
		}
	}
	d.piece(p, files)
}

func (d *decoder) helios(from string, flow *helios.Flow, inner []*File) {
	d.e.Helios = append(d.e.Helios, flow)
	d.deviations(from, flow.Deviations)
	fields := map[string]string{}
	put := func(name, v string) {
		if fields[name] == "" && v != "" {
			fields[name] = v
		}
	}
	// The names are those of Pastell's form, the values the first of each.
	put("id_coll", flow.IdColl)
	put("dte_str", flow.DteStr)
	put("cod_bud", flow.CodBud)
	put("cod_col", flow.CodCol)
	put("id_post", flow.IdPost)
	put("nom_fic", flow.NomFic)
	byID := map[string][]*File{}
	for _, f := range inner {
		byID[f.ID] = append(byID[f.ID], f)
	}
	for _, b := range flow.Bordereaux {
		put("exercice", b.Exer)
		put("id_bordereau", b.IdBord)
		put("montant_bordereau_ht", string(b.MtBordHT))
		for _, pc := range b.Pieces {
			put("id_pce", pc.IdPce)
			put("id_nature", pc.Nature)
			put("id_fonction", pc.Fonction)
			p := Piece{Kind: b.Part, ID: pc.IdPce, In: b.IdBord, Date: b.DteBordEm, Object: pc.Obj, Amount: pc.MtHT, Tiers: pc.Tiers}
			var files []*File
			for _, ref := range pc.PJRefs {
				p.Files = append(p.Files, ref.IdUnique)
				if ref.IdUnique != "" {
					files = append(files, byID[ref.IdUnique]...)
				}
			}
			d.piece(p, files)
		}
	}
	if len(flow.Files) > 0 {
		put("id_pj", flow.Files[0].ID)
	}
	if flow.Acquit != nil {
		fields["etat_ack"] = "2"
		if flow.Acquit.Accepted {
			fields["etat_ack"] = "1"
		}
		d.answers = append(d.answers, fields) // its header is a copy of what it answers
		return
	}
	d.added = append(d.added, fields)
}

func (d *decoder) chorus(from string, flow *chorus.Flow, inner []*File) {
	d.e.Chorus = append(d.e.Chorus, flow)
	d.added = append(d.added, flow.Fields())
	d.deviations(from, flow.Deviations)
	bySum := map[string][]*File{}
	for _, f := range inner {
		bySum[f.SHA256] = append(bySum[f.SHA256], f)
	}
	for i := range flow.Invoices {
		inv := &flow.Invoices[i]
		d.deviations(from, inv.Deviations)
		p := Piece{Kind: "facture", ID: inv.Number, Date: inv.Date, Amount: inv.Amounts.TTC}
		var files []*File
		for _, f := range inv.Files {
			p.Files = append(p.Files, f.Name)
			if f.SHA256 != "" {
				files = append(files, bySum[f.SHA256]...)
			}
		}
		d.piece(p, files)
	}
	for i := range flow.Statuses {
		s := &flow.Statuses[i]
		d.deviations(from, s.Deviations)
		d.piece(Piece{Kind: "statut", ID: s.Invoice, Date: s.Date, Object: s.Label}, nil)
	}
}
