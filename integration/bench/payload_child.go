//go:build linux

package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/vaguemestre/vaguemestre/adullact/chorus"
	"github.com/vaguemestre/vaguemestre/adullact/helios"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// rawToken is the least that encoding/xml can do: it decodes no base64 and keeps nothing.
func rawToken(ctx context.Context, o order, r *result) error {
	f, err := os.Open(o.From)
	if err != nil {
		return err
	}
	defer f.Close()
	d := xml.NewDecoder(bufio.NewReaderSize(f, 64<<10))
	for {
		if _, err := d.RawToken(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// take is payload.Out: it forgets.
func (r *result) take(_ *payload.File, content io.Reader) error {
	n, err := io.Copy(io.Discard, content)
	r.Docs++
	r.Bytes += n
	return err
}

func heliosDecode(ctx context.Context, o order, r *result) error {
	f, err := os.Open(o.From)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = helios.Decode(ctx, f, &helios.Options{Out: r.take})
	return err
}

func chorusDecode(ctx context.Context, o order, r *result) error {
	f, err := os.Open(o.From)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = chorus.Decode(ctx, f, &chorus.Options{Out: r.take})
	return err
}

// unmarshal reads the whole file into v, as programs do that do not want to stream.
func unmarshal(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return xml.NewDecoder(bufio.NewReaderSize(f, 64<<10)).Decode(v)
}

// hash counts a document and sums it up, as ours does.
func (r *result) hash(content io.Reader) error {
	n, err := io.Copy(sha256.New(), content)
	r.Docs++
	r.Bytes += n
	return err
}

// unmarshalPES has the documents and the pieces, and decodes the documents.
func unmarshalPES(ctx context.Context, o order, r *result) error {
	type value struct {
		V string `xml:",attr"`
	}
	var pes struct {
		Pieces []struct {
			BlocPiece struct {
				InfoPce struct{ IdPce, TypPce, NatPce, Obj value }
			}
			LigneDePiece []struct {
				BlocLignePiece struct {
					InfoLignePce struct{ IdLigne, Nature, MtHT value }
				}
			}
		} `xml:"PES_DepenseAller>Bordereau>Piece"`
		PJ []struct {
			Contenu                       struct{ Fichier string }
			IdUnique, NomPJ, TypePJ, Desc value
		} `xml:"PES_PJ>PJ"`
	}
	if err := unmarshal(o.From, &pes); err != nil {
		return err
	}
	for _, p := range pes.PJ {
		z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(p.Contenu.Fichier)))
		if err == nil {
			err = r.hash(z)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unmarshalPivot has the invoices, and decodes their attachments.
func unmarshalPivot(ctx context.Context, o order, r *result) error {
	var flow struct {
		Invoices []struct {
			Fournisseur    struct{ Identifiant, RaisonSociale string }
			Debiteur       struct{ Identifiant, CodeService string }
			DonneesFacture struct {
				Id, Type, Cadre, DateEmissionFacture string
				Montants                             struct{ MontantHT, MontantTTC, MontantNetAPayer string }
			}
			PJ []struct{ Contenu, NomPJ, TypePJ string }
		} `xml:"CPPFactures>CPPFacturePivotUnitaire"`
	}
	if err := unmarshal(o.From, &flow); err != nil {
		return err
	}
	for _, inv := range flow.Invoices {
		for _, p := range inv.PJ {
			raw, err := base64.StdEncoding.DecodeString(p.Contenu)
			if err != nil {
				return err
			}
			z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
			if err != nil {
				return err
			}
			for _, f := range z.File {
				c, err := f.Open()
				if err == nil {
					err = r.hash(c)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}
