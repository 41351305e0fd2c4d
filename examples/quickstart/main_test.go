package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestQuickstart(t *testing.T) {
	temp := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} { // whatever this system asks
		t.Setenv(name, temp)
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`A mailbox with 6 mails waits at imaps://ged@example\.org`,
		`(?m)^DOCUMENT +BYTES +/\.\*\\\.\(\?!db\)\.\*/ +/\(\?!debut_nom_fichier\)\.\*\\\.\.\*/$`,
		`(?m)^Facture été n°114\.pdf +29 +delivered +delivered$`,
		`(?m)^Thumbs\.db +14 +refused +delivered$`,
		`(?m)^Délibération du 12 mai\.pdf +30 +delivered +delivered$`,
		`(?m)^PES_ALLER_cantine_été\.xml +162 +delivered +delivered$`,
		`(?m)^Bon de commande n°77\.pdf +36 +delivered +delivered$`, // out of a mail inside a mail
		`(?m)^Devis toiture école Noël\.docx +8 +delivered +delivered$`,
		`(?m)^debut_nom_fichier_0001\.pdf +22 +delivered +refused$`,
		`Traités has 4 mails now\. INBOX keeps 2`,
		`A second pass took nothing\.`,
		`A summary was sent: accepted, through connector "main" \(default\)`,
		`3 deposits of Pastell wait`,
		`(?m)^  actes  "Tarifs de la cantine"\n(    .*\n)*    arrete: Délibération 2026-012\.pdf  24$`,
		`(?m)^  helios  "Mandats de mars"\n(    .*\n)*    pj: facture 101\.pdf  29$`, // out of the PES
		`(?m)^  chorus  "Facture F-2026-7"\n(    .*\n)*    facture_pj_01: FAC99999999900027F-2026-7\.pdf  34\n(.*\n)*A second pass took nothing\.\n\nMicrosoft`,
		`Microsoft 365, played by a fake: open https://127\.0\.0\.1:\d+/\S* and type \S+\.`,
		`The account is associated: compta@mondaine\.fr, granted .*Mail\.Send`,
		`A mail with "Facture été n°115\.pdf" was sent to factures@mondaine\.fr: accepted, through connector "compta"`,
		`A mail with "Plan de masse\.tif" was sent to factures@mondaine\.fr: accepted`,
		`(?m)^  Facture été n°115\.pdf +29 +delivered$`,
		`(?m)^  Plan de masse\.tif +5242880 +delivered$`,
		`Collected from "Boîte de réception": 2 mails are in "Traités" now\.\nA second pass took nothing\.`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("the output does not match %s:\n%s", want, out.String())
		}
	}
	if n := strings.Count(out.String(), "\n"); n > 40 {
		t.Errorf("%d lines are more than a screen:\n%s", n, out.String())
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

func TestQuickstartStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, io.Discard); err == nil {
		t.Error("the context had ended, and the error is nil")
	}
}

func TestQuickstartFails(t *testing.T) {
	temp := filepath.Join(t.TempDir(), "absent")
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, temp)
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("without a temporary directory: %v\n%s", err, out.String())
	}
	if _, err := os.Stat(temp); err == nil {
		t.Error("it made a directory that is not its own")
	}
}
