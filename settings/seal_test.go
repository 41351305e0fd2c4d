package settings_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

func TestSealOpen(t *testing.T) {
	t.Parallel()
	r := keyring(t, 1)
	for _, plain := range []string{"", "x", canary, strings.Repeat("long", 10000)} {
		sealed, err := r.Seal([]byte(plain), "smtp/main password")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(sealed), "c4n4ry") {
			t.Error("plain text in what was sealed")
		}
		got, err := r.Open(sealed, "smtp/main password")
		if err != nil || string(got) != plain {
			t.Errorf("open %d bytes: %d bytes, %v", len(plain), len(got), err)
		}
		if _, err := r.Open(sealed, "smtp/other password"); !errors.Is(err, settings.ErrTampered) {
			t.Errorf("opened for another place: %v", err)
		}
	}
	a, _ := r.Seal([]byte("same"), "id")
	b, _ := r.Seal([]byte("same"), "id")
	if string(a) == string(b) {
		t.Error("sealed twice alike: the nonce repeats")
	}
}

func TestEveryFlippedByteIsAnError(t *testing.T) {
	t.Parallel()
	r := keyring(t, 1, 2)
	sealed, err := r.Seal([]byte(canary), "id")
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		for bit := range 8 {
			bad := append([]byte(nil), sealed...)
			bad[i] ^= 1 << bit
			_, err := r.Open(bad, "id")
			if !errors.Is(err, settings.ErrTampered) && !errors.Is(err, settings.ErrWrongKey) {
				t.Fatalf("byte %d bit %d: %v", i, bit, err)
			}
			if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
				t.Fatalf("class of %v", err)
			}
		}
		if _, err := r.Open(sealed[:i], "id"); err == nil {
			t.Fatalf("cut to %d bytes: no error", i)
		}
	}
	if _, err := r.Open(append(sealed, 0), "id"); !errors.Is(err, settings.ErrTampered) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	old, fresh := keyring(t, 1), keyring(t, 2, 1)
	sealed, _ := old.Seal([]byte(canary), "id")
	if got, err := fresh.Open(sealed, "id"); err != nil || string(got) != canary {
		t.Errorf("an old key must open: %v", err)
	}
	again, _ := fresh.Seal([]byte(canary), "id")
	if _, err := old.Open(again, "id"); !errors.Is(err, settings.ErrWrongKey) {
		t.Errorf("sealed under the new key, opened with the old alone: %v", err)
	}
	var none settings.Keyring
	if _, err := none.Open(sealed, "id"); !errors.Is(err, settings.ErrWrongKey) {
		t.Errorf("empty keyring: %v", err)
	}
	if _, err := none.Seal([]byte("x"), "id"); err == nil {
		t.Error("an empty keyring must not seal")
	}
	if _, err := settings.NewKeyring(nil); err == nil {
		t.Error("a keyring without a key")
	}
	if _, err := settings.NewKeyring(&settings.Key{}); err == nil {
		t.Error("a keyring with an empty key")
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(255 - 7*i)
	}
	want, err := settings.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw) + "\n",
	} {
		k, err := settings.ParseKey(text)
		if err != nil || k.String() != want.String() {
			t.Errorf("ParseKey(%q) = %v, %v", text, k, err)
		}
	}
	for _, text := range []string{"", "short", "correct horse battery staple!!!!!!!!!!!", hex.EncodeToString(raw[:31]), strings.Repeat("00", 32), base64.StdEncoding.EncodeToString(raw[:16])} {
		_, err := settings.ParseKey(text)
		if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("ParseKey(%q): %v", text, err)
		}
		if len(text) > 4 && strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}
