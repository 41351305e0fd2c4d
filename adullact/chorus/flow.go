package chorus

import "github.com/vaguemestre/vaguemestre/adullact/payload"

// Format is the syntax that a flow is written in.
type Format string

const (
	FormatPivot  Format = "CPPFacturePivot"
	FormatMixte  Format = "CPPFactureMixte"
	FormatUBL    Format = "UBL"
	FormatCII    Format = "CII"
	FormatStatut Format = "CPPStatut"
	FormatCDAR   Format = "CDAR"
)

// Flow is what one file holds: invoices, or statuses of invoices.
type Flow struct {
	Source     string              `json:"source,omitempty"` // the file's name in its container; "" when it came bare
	Format     Format              `json:"format"`
	Root       string              `json:"root"`                 // local name of the root element
	Version    string              `json:"version,omitempty"`    // of the schema, where the file tells it
	Profile    string              `json:"profile,omitempty"`    // the guideline that it follows: "urn:cen.eu:en16931:2017"
	Sender     string              `json:"sender,omitempty"`     // Emetteur of the envelope
	Receiver   string              `json:"receiver,omitempty"`   // Recepteur of the envelope
	Parameters []Parameter         `json:"parameters,omitempty"` // of the envelope
	Invoices   []Invoice           `json:"invoices,omitempty"`
	Statuses   []Status            `json:"statuses,omitempty"`
	Deviations []payload.Deviation `json:"deviations,omitempty"` // of the file; those of an invoice stand there
}

// Parameter is a setting of the envelope: DtPrd, the day it was made, and IdFlx, its
// number, are always there.
type Parameter struct {
	Code  string `json:"code"`
	Value string `json:"value"`
}

// Invoice is one invoice or credit note. What the file does not say is "".
type Invoice struct {
	Number     string              `json:"number"`               // given by the supplier
	Type       string              `json:"type"`                 // UNTDID 1001: "380", "381"
	TypeLabel  string              `json:"type_label,omitempty"` // FACTURE or AVOIR
	Date       string              `json:"date"`                 // 2006-01-02; as written if it is no date
	Due        string              `json:"due,omitempty"`        // likewise
	Received   string              `json:"received,omitempty"`   // by Chorus Pro, likewise
	Cadre      string              `json:"cadre,omitempty"`      // A1…A25, since 2026 B1, S1, M1…
	Currency   string              `json:"currency,omitempty"`
	Supplier   Party               `json:"supplier,omitzero"`
	Recipient  Recipient           `json:"recipient,omitzero"`
	Engagement string              `json:"engagement,omitempty"` // number of the order
	Marche     string              `json:"marche,omitempty"`     // number of the contract
	Origin     string              `json:"origin,omitempty"`     // the invoice that a credit note is about
	Amounts    Amounts             `json:"amounts,omitzero"`
	VATLines   []VATLine           `json:"vat_lines,omitempty"`
	Payment    PaymentMeans        `json:"payment,omitzero"`
	IDCPRO     string              `json:"id_cpro,omitempty"` // given by Chorus Pro
	IBAN       string              `json:"iban,omitempty"`    // with Options.Personal only
	Files      []File              `json:"files,omitempty"`
	Deviations []payload.Deviation `json:"deviations,omitempty"`
}

// Party is a company, a public body or a person.
type Party struct {
	// IDType says what ID is, as Chorus Pro numbers it: 1 SIRET, 2 VAT number of the
	// European Union, 3 outside of it, 4 RIDET, 5 Tahiti, 6 being registered, 7 natural
	// person; or "SIREN"; or the scheme of ISO 6523 that the file names.
	IDType  string `json:"id_type,omitempty"`
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	VAT     string `json:"vat,omitempty"`
	Country string `json:"country,omitempty"`
}

// Recipient is the public body that the invoice is for.
type Recipient struct {
	SIRET       string `json:"siret,omitempty"` // or another identifier, in a file that has no SIRET
	Name        string `json:"name,omitempty"`
	Service     string `json:"service,omitempty"` // code of the service
	ServiceName string `json:"service_name,omitempty"`
}

// Amounts are the totals of an invoice, in its currency.
type Amounts struct {
	HT        payload.Amount `json:"ht,omitempty"`  // without VAT
	TVA       payload.Amount `json:"tva,omitempty"` // as written; pivot and mixed invoices have none
	TTC       payload.Amount `json:"ttc,omitempty"` // with VAT
	NetAPayer payload.Amount `json:"net_a_payer,omitempty"`
}

// VATLine is what is taxed at one rate.
type VATLine struct {
	Rate     payload.Amount `json:"rate,omitempty"` // percent
	Base     payload.Amount `json:"base,omitempty"`
	Amount   payload.Amount `json:"amount,omitempty"`
	Category string         `json:"category,omitempty"` // UNTDID 5305: S, Z, E, AE…
}

// PaymentMeans is how the invoice is paid: UNTDID 4461, "31" a transfer, "48" paid by card
// already.
type PaymentMeans struct {
	Code  string `json:"code,omitempty"`
	Label string `json:"label,omitempty"`
}

// File is an attachment. Its Role is facture_pj_01 for the invoice as the supplier made it
// and facture_pj_02 for everything else, as Pastell names them. What came as a zip of one
// file is that file: Size, SHA256 and MediaType are of the file, and a name that ended in
// .zip gives way to that within.
type File struct {
	payload.File
	Category string `json:"category,omitempty"`   // CategoriePJ: "Facture PDF", "Bon de livraison"
	Inner    string `json:"inner_name,omitempty"` // of the file within the zip that the attachment was
	Origin   string `json:"origin,omitempty"`     // another name that the sender gave it: NomPJOrigine
}

// Status is one step of an invoice's life.
type Status struct {
	Invoice    string              `json:"invoice"`                // number of the invoice
	Type       string              `json:"type,omitempty"`         // of the invoice: "380"
	Date       string              `json:"date,omitempty"`         // of the step: 2006-01-02T15:04:05, a zone behind it if known
	IssueDate  string              `json:"invoice_date,omitempty"` // of the invoice
	Code       string              `json:"code"`                   // "03"; "207" in a CDAR
	Label      string              `json:"label,omitempty"`        // "MISE_A_DISPOSITION"; in a CDAR as written
	Comment    string              `json:"comment,omitempty"`      // of a person, perhaps
	Supplier   Party               `json:"supplier,omitzero"`
	Recipient  Recipient           `json:"recipient,omitzero"`
	Reasons    []Reason            `json:"reasons,omitempty"`
	Deviations []payload.Deviation `json:"deviations,omitempty"`
}

// Reason is why an invoice was refused, suspended or disputed, and what is to be done.
type Reason struct {
	Code   string `json:"code,omitempty"`
	Label  string `json:"label,omitempty"`
	Action string `json:"action,omitempty"`
}
