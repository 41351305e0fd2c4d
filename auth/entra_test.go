package auth

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

// Every code that the reference names has a row, in both languages, that names who can act.
func TestEntraCodes(t *testing.T) {
	t.Parallel()
	who := [][2]string{{"user", "utilisateur"}, {"administrator", "administrateur"}, {"whoever", "la personne qui"}, {"begin", "recommencez"}, {"new code", "nouveau code"}}
	seen := map[int]bool{}
	for _, r := range entraCodes {
		if seen[r.code] {
			t.Errorf("%d stands twice", r.code)
		}
		seen[r.code] = true
		named := false
		for _, w := range who {
			en, fr := strings.Contains(r.en, w[0]), strings.Contains(r.fr, w[1])
			named = named || en && fr
		}
		if !named {
			t.Errorf("%d says not who can act, in both languages: %q / %q", r.code, r.en, r.fr)
		}
		if r.en == "" || r.fr == "" || r.en == r.fr || r.en[0] < 'a' || strings.HasSuffix(r.en, ".") {
			t.Errorf("%d: %q / %q", r.code, r.en, r.fr)
		}
		v := explainEntra(&answerError{Status: 400, Word: "invalid_grant", Codes: []int{r.code}})
		if v.help.EN != r.en || v.code != fmt.Sprintf("AADSTS%d", r.code) {
			t.Errorf("%d is explained as %+v", r.code, v)
		}
		help, ok := Explain(fmt.Errorf("x: %w", &vaguemestre.Error{Op: "auth: token", Class: vaguemestre.ClassAuth, Code: v.code}))
		if !ok || help != v.help {
			t.Errorf("Explain(%d) is %v", r.code, help)
		}
	}
	for _, code := range []int{70018, 70019, 70020, 65004, 7000218, 53003, 50105, 50076, 50079, 50078, 65001, 50020, 700016, 700011, 50194,
		900144, 7000012, 700082, 70008, 50173, 70043, 530035, 53000, 53001, 53002, 90002, 7000215, 7000222, 700027, 70002, 50196} {
		if !seen[code] {
			t.Errorf("%d has no row", code)
		}
	}
}

func TestExplainEntra(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		word   string
		code   int
		state  State
		class  vaguemestre.Class
		dead   bool
		fault  bool
	}{
		{400, "authorization_pending", 70016, StateWaiting, deferred, false, false},
		{428, "authorization_pending", 0, StateWaiting, deferred, false, false}, // Google
		{403, "slow_down", 0, StateWaiting, deferred, false, false},
		{400, "invalid_grant", 700082, StateFailed, vaguemestre.ClassAuth, true, false},
		{400, "invalid_grant", 50173, StateFailed, vaguemestre.ClassAuth, true, false},
		{400, "invalid_grant", 0, StateFailed, vaguemestre.ClassAuth, true, false},
		{400, "interaction_required", 50076, StateFailed, vaguemestre.ClassAuth, true, false},
		{400, "interaction_required", 53003, StateBlocked, vaguemestre.ClassAuth, true, false},
		{400, "consent_required", 65001, StateFailed, vaguemestre.ClassAuth, true, false},
		{400, "invalid_grant", 7000012, StateFailed, config, true, false},
		{401, "invalid_client", 7000215, StateFailed, config, false, false},
		{401, "invalid_client", 7000222, StateFailed, config, false, false},
		{400, "invalid_request", 900144, StateFailed, config, false, false},
		{400, "unauthorized_client", 50194, StateFailed, config, false, false},
		{400, "invalid_grant", 50196, StateWaiting, deferred, false, true},
		{400, "temporarily_unavailable", 0, StateWaiting, deferred, false, true},
		{400, "temporarily_unavailable", 53003, StateWaiting, deferred, false, true}, // the word decides
		{400, "authorization_pending", 53003, StateWaiting, deferred, false, false},
		{429, "invalid_grant", 0, StateWaiting, deferred, false, true},
		{503, "invalid_client", 7000215, StateWaiting, deferred, false, true},
		{502, "", 0, StateWaiting, deferred, false, true},
		{200, "", 0, StateWaiting, deferred, false, true},
		{404, "", 0, StateWaiting, deferred, false, true},
	}
	for _, tt := range tests {
		a := &answerError{Status: tt.status, Word: tt.word}
		if tt.code != 0 {
			a.Codes = []int{tt.code}
		}
		v := explainEntra(a)
		if v.state != tt.state || v.class != tt.class || v.dead != tt.dead || v.fault != tt.fault || v.slow != (tt.word == "slow_down") {
			t.Errorf("%d %s %d: %+v", tt.status, tt.word, tt.code, v)
		}
		if (v.help.EN == "" || v.help.FR == "") && (v.state != StateWaiting || v.fault) {
			t.Errorf("%d %s %d: no help", tt.status, tt.word, tt.code)
		}
	}
	// Of several codes the first that is known gives the help.
	if v := explainEntra(&answerError{Status: 400, Word: "invalid_grant", Codes: []int{1, 53003}}); v.state != StateBlocked {
		t.Errorf("%+v", v)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		ErrNotAssociated, ErrReauth, ErrNoFlow,
		&vaguemestre.Error{Op: "auth: token", Class: deferred},
		&answerError{Status: 401, Word: "invalid_client"},
	} {
		if help, ok := Explain(fmt.Errorf("x: %w", err)); !ok || help.EN == "" || help.FR == "" {
			t.Errorf("%v: %v, %v", err, help, ok)
		}
	}
	for _, err := range []error{nil, fmt.Errorf("x"), &vaguemestre.Error{Op: "auth: token", Class: config}} {
		if help, ok := Explain(err); ok {
			t.Errorf("%v: %v", err, help)
		}
	}
}
