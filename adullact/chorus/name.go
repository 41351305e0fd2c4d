package chorus

import "regexp"

// FlowName is what the name of an EDI flow tells (AIFE, annex EDI of July 2017).
type FlowName struct {
	Interface   string `json:"interface"`        // "FSO1116A"
	Application string `json:"application"`      // of the partner: "XXX999"
	Code        string `json:"code"`             // "1116"
	Sequence    string `json:"sequence"`         //
	Format      string `json:"format,omitempty"` // what goes over the interface: "CII 16B"; "" when unknown
	Level       string `json:"level,omitempty"`  // E1 data only, E2 with the invoice attached, E3 mémoires
}

// AIFE's own sample has a sequence shorter than the 15 digits of the rule.
var flowName = regexp.MustCompile(`^((?:FSO|FEN|CSO|CEN)[0-9]{4}[A-Z])_([A-Z0-9]{6})_([A-Z0-9]{6})([0-9]{4})([0-9]{1,15})(?:\.(?:xml|tar\.gz|tgz|zip|pdf))?$`)

// ParseFlowName reads names like FSO1100A_XXX999_XXX9991101000000000000001, with or without
// extension. ok is false for any other name.
func ParseFlowName(name string) (n FlowName, ok bool) {
	m := flowName.FindStringSubmatch(fileName(name))
	if m == nil {
		return FlowName{}, false
	}
	n = FlowName{Interface: m[1], Application: m[2], Code: m[4], Sequence: m[5]}
	if k, known := interfaces[n.Interface]; known {
		n.Format, n.Level = k[0], k[1]
	}
	return n, true
}

var interfaces = map[string][2]string{
	"FSO1100A": {"UBL Invoice", "E1"},
	"FSO1101A": {"CII", "E1"},
	"FSO1102A": {"PES facture", "E1"},
	"FSO1106A": {"CII 16B", "E1"},
	"FSO1110A": {"UBL Invoice Minimal", "E2"},
	"FSO1111A": {"CII Minimal", "E2"},
	"FSO1112A": {"PES facture Minimal", "E2"},
	"FSO1113A": {"CPPFactureMixte", "E2"},
	"FSO1116A": {"CII 16B", "E2"},
	"FSO1117A": {"Factur-X", "E2"},
	"FSO1120A": {"UBL Invoice Mémoire", "E3"},
}
