package coldtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/suite"
)

// bundle decodes a made format: a line "BUNDLE n", then n times a line "size name" and
// size bytes. fault names what it does wrong on purpose.
type bundle struct{ fault string }

func (b bundle) Decode(ctx context.Context, d *cold.Document, out func(*cold.Document) error) error {
	f, err := d.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	var n int
	if _, err := fmt.Fscanf(r, "BUNDLE %d\n", &n); err != nil {
		switch b.fault {
		case "claims everything":
			return nil
		case "calls damage what is not its own":
			return errors.New("bundle: no head")
		case "panics on strange input":
			panic("no head")
		}
		return cold.ErrNotMine
	}
	for i := range n {
		var size int
		var name string
		if _, err := fmt.Fscanf(r, "%d %s\n", &size, &name); err != nil {
			if b.fault == "hides damage" {
				return nil
			}
			if b.fault == "not mine after the first out" {
				return cold.ErrNotMine
			}
			return fmt.Errorf("bundle: entry %d: %w", i, err)
		}
		data := make([]byte, min(size, 1<<20))
		if _, err := io.ReadFull(r, data); err != nil {
			if b.fault == "hides damage" {
				return nil
			}
			if b.fault == "not mine after the first out" {
				return cold.ErrNotMine
			}
			return fmt.Errorf("bundle: entry %q: %w", name, err)
		}
		if b.fault == "drops the last" && i == n-1 {
			break
		}
		if b.fault == "converts line ends" {
			data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
		}
		o := &cold.Document{Name: name, Size: int64(len(data)), Open: func() (io.ReadSeekCloser, error) { return seekCloser{bytes.NewReader(data)}, nil }}
		switch b.fault {
		case "lies about the size":
			o.Size++
		case "forgets the name":
			o.Name = ""
		case "can be read once":
			once := seekCloser{bytes.NewReader(data)}
			o.Open = func() (io.ReadSeekCloser, error) { return once, nil }
		}
		if err := out(o); err != nil && b.fault != "goes on after an error of out" {
			return err
		}
		if b.fault == "reuses its buffer" {
			clear(data)
		}
	}
	return nil
}

var bundleCases = []DecoderCase{
	{Name: "two.bundle", Data: []byte("BUNDLE 2\n7 a.txt\nun\r\ndeu3 b.xml\n<a>"),
		Want: map[string][]byte{"a.txt": []byte("un\r\ndeu"), "b.xml": []byte("<a>")}},
	{Name: "damaged.bundle", Data: []byte("BUNDLE 2\n2 a.txt\nun9 b.xml\n<a>"), Damaged: true, Want: map[string][]byte{"a.txt": []byte("un")}},
	{Name: "other.txt", Data: []byte("Bonjour"), NotMine: true},
}

func TestDecoderSuite(t *testing.T) { TestDecoder(t, bundle{}, bundleCases...) }

func TestDecoderSuiteFailsOnWrongOnes(t *testing.T) {
	for fault, wantCase := range map[string]string{
		"claims everything":                "other.txt/all documents come out",
		"calls damage what is not its own": "not mine",
		"panics on strange input":          "not mine",
		"hides damage":                     "damaged.bundle/all documents come out",
		"not mine after the first out":     "damaged.bundle/all documents come out",
		"drops the last":                   "two.bundle/all documents come out",
		"converts line ends":               "two.bundle/all documents come out",
		"lies about the size":              "two.bundle/all documents come out",
		"forgets the name":                 "two.bundle/all documents come out",
		"can be read once":                 "two.bundle/documents stay readable",
		"reuses its buffer":                "two.bundle/documents stay readable",
		"goes on after an error of out":    "two.bundle/an error of out is passed on",
	} {
		t.Run(fault, func(t *testing.T) {
			suite.Wrong(t, strings.ReplaceAll(wantCase, " ", "_"), func(t *testing.T) { TestDecoder(t, bundle{fault}, bundleCases...) })
		})
	}
}
