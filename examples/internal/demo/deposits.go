package demo

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
)

// EndMarker is the file that says that a deposit is complete, as Pastell names it.
const EndMarker = "fichier_termine.txt"

// Deposits puts three deposits into dir, each a directory as Pastell leaves it: a deliberation
// on its way to the prefecture (ACTES), a PES of expenses with the invoice that goes with it,
// and an invoice of Chorus Pro.
func Deposits(dir string) error {
	const act, pes, invoice = "Délibération 2026-012.pdf", "PESALR2_99999999900001_260302_001.xml", "facture_CPP_519450.xml"
	for name, d := range map[string]struct {
		metadata Object
		files    map[string]string
	}{
		"Tarifs de la cantine": {
			Object{"objet": "Tarifs de la cantine", "acte_nature": "1", "numero_de_lacte": "2026_012", "date_de_lacte": "2026-03-02",
				"classification": "7.10", "arrete": []string{act}, "autre_document_attache": []string{"Annexe été.pdf"}},
			map[string]string{act: pdf("tarifs"), "Annexe été.pdf": pdf("annexe")},
		},
		"Mandats de mars": {
			Object{"objet": "Mandats de mars", "fichier_pes": []string{pes}},
			map[string]string{pes: expenses()},
		},
		"Facture F-2026-7": {
			Object{"objet": "Facture F-2026-7", "id_facture_cpp": "519450", "fichier_facture": []string{invoice}},
			map[string]string{invoice: pivot()},
		},
	} {
		text, err := json.Marshal(d.metadata)
		if err != nil {
			return err
		}
		d.files["metadata.json"] = string(text)
		if err := deposit(filepath.Join(dir, name), d.files); err != nil {
			return err
		}
	}
	return nil
}

// deposit writes the files of one deposit, and the end marker last.
func deposit(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, EndMarker), []byte("Le transfert est terminé\n"), 0o644)
}

// expenses is a PES with one voucher and its invoice, which is compressed as the norm wants.
// It is ISO-8859-1, as PES are.
func expenses() string {
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write([]byte(pdf("facture 101"))) // into memory: no error
	w.Close()
	return `<?xml version="1.0" encoding="ISO-8859-1"?>
<n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">
<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR2"/><NomFic V="PESALR2_99999999900001_260302_001"/></Parametres>
<Emetteur><Sigle V="Mondaine"/></Emetteur><Recepteur><Sigle V="HELIOS"/></Recepteur></Enveloppe>
<EnTetePES><DteStr V="2026-03-02"/><IdPost V="034000"/><IdColl V="99999999900001"/><CodCol V="123"/><CodBud V="00"/></EnTetePES>
<PES_DepenseAller><EnTeteDepense><IdVer V="2"/></EnTeteDepense><Bordereau>
<BlocBordereau><Exer V="2026"/><IdBord V="17"/><DteBordEm V="2026-03-01"/><TypBord V="01"/><NbrPce V="1"/><MtBordHT V="1000.00"/></BlocBordereau>
<Piece><BlocPiece><InfoPce><IdPce V="101"/><TypPce V="01"/><NatPce V="01"/><Obj V="Fournitures d'` + "\xe9" + `cole"/>
<PJRef><Support V="01"/><IdUnique V="FAC101"/><NomPJ V="facture 101.pdf"/><TypePJ V="003"/></PJRef></InfoPce></BlocPiece>
<LigneDePiece><BlocLignePiece><InfoLignePce><IdLigne V="1"/><Nature V="6067"/><MtHT V="1000.00"/><MtTVA V="200.00"/></InfoLignePce></BlocLignePiece></LigneDePiece>
</Piece></Bordereau></PES_DepenseAller>
<PES_PJ><EnTetePES_PJ><IdVer V="1"/></EnTetePES_PJ><PJ><Contenu><Fichier MIMEType="application/pdf">` +
		base64.StdEncoding.EncodeToString(gz.Bytes()) + `</Fichier></Contenu><IdUnique V="FAC101"/><NomPJ V="facture 101.pdf"/><TypePJ V="003"/><Description V="Facture 101"/></PJ></PES_PJ>
</n:PES_Aller>
`
}

// pivot is an invoice as Chorus Pro hands it to the one who pays, with the supplier's PDF.
func pivot() string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<CPPFacturePivot><Enveloppe><EnveloppeUnitaire><Parametres>
<ParametreIndiv><Code>DtPrd</Code><Valeurparametre>2026-03-02</Valeurparametre></ParametreIndiv>
</Parametres><Partenaires><Recepteur><Id>XXX001</Id></Recepteur><Emetteur><Id>CPP001</Id></Emetteur></Partenaires></EnveloppeUnitaire></Enveloppe>
<CPPFactures Compteur="1"><CPPFacturePivotUnitaire>
<Fournisseur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>99999999900027</Identifiant><RaisonSociale>Granulats Exemple</RaisonSociale></Fournisseur>
<Debiteur><Identifiant>99999999900001</Identifiant><Nom>Commune de Mondaine</Nom><CodeService>VOIRIE</CodeService></Debiteur>
<DonneesFacture><Id>F-2026-7</Id><IdCPRO>519450</IdCPRO><Type>380</Type><Cadre>A1</Cadre><DateEmissionFacture>2026-03-01</DateEmissionFacture>
<ModePaiement><Code>30</Code></ModePaiement><Montants><MontantHT>100.00</MontantHT><MontantTTC>120.00</MontantTTC><MontantNetAPayer>120.00</MontantNetAPayer></Montants>
<TVAs><TVA><Taux>20</Taux><BaseHt>100.00</BaseHt><MontantTVA>20.00</MontantTVA></TVA></TVAs>
<Engagement><NumeroEngagement>BC-77</NumeroEngagement></Engagement></DonneesFacture>
<PJ><Contenu>` + base64.StdEncoding.EncodeToString([]byte(pdf("facture F-2026-7"))) +
		`</Contenu><NomPJ>FAC99999999900027F-2026-7.pdf</NomPJ><TypePJ>01</TypePJ><MimeTypePJ>application/pdf</MimeTypePJ></PJ>
</CPPFacturePivotUnitaire></CPPFactures></CPPFacturePivot>
`
}
