package helios

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// member is a gzip whose base64 needs no padding, so that members can be strung together, and
// what it holds.
func member(n int) (text string, content []byte) {
	for ; ; n++ {
		content = append([]byte("%PDF-1.4\n"), noise(n)...)
		for i := 0; i+8 < n; i += 16 { // half of it can be squeezed
			copy(content[9+i:], "example.")
		}
		if gz := zipped(content); len(gz)%3 == 0 {
			return b64(gz), content
		}
	}
}

// attached is a PES of about size bytes with n documents, and the sum of one of them.
func attached(size, n int) (r io.Reader, sum string, each int64) {
	text, content := member(size / n)
	var wrapped strings.Builder
	for i := 0; i < len(text); i += 76 {
		wrapped.WriteString(text[i:min(i+76, len(text))] + "\r\n")
	}
	pj := strings.SplitAfter(pjText("IDENTIFIER", "@"), "@")
	pj[0] = strings.TrimSuffix(pj[0], "@")
	digest := sha256.Sum256(content)
	return many(head+"<PES_PJ>", 3*n, "</PES_PJ>"+tail, func(i int) string {
		switch i % 3 {
		case 0:
			return pj[0]
		case 1:
			return wrapped.String()
		}
		return strings.ReplaceAll(pj[1], "IDENTIFIER", fmt.Sprint("ID", i/3))
	}), hex.EncodeToString(digest[:]), int64(len(content))
}

// single is a PES of about size bytes with one document, unwrapped.
func single(size int) (r io.Reader, length int64) {
	text, content := member(192 << 10)
	pj := strings.SplitN(pjText("ONE", "@"), "@", 2)
	n := size / len(text)
	return repeated(head+"<PES_PJ>"+pj[0], text, n, pj[1]+"</PES_PJ>"+tail), int64(n * len(content))
}

// payments is a PES of about size bytes with small pieces alone.
func payments(size int) io.Reader {
	piece := "<Piece>\n  <BlocPiece><InfoPce><IdPce V=\"13712\"/><TypPce V=\"01\"/><NatPce V=\"01\"/><Obj V=\"Fournitures\"/></InfoPce></BlocPiece>\n" +
		"  <LigneDePiece><BlocLignePiece><InfoLignePce><IdLigne V=\"1\"/><Nature V=\"6067\"/><MtHT V=\"3032.10\"/></InfoLignePce></BlocLignePiece></LigneDePiece>\n</Piece>\n"
	return repeated(head+"<PES_DepenseAller><Bordereau><BlocBordereau><IdBord V='1'/></BlocBordereau>", piece, size/len(piece), "</Bordereau></PES_DepenseAller>"+tail)
}

// memory is the most of the heap that work needed, measured while r was read.
func memory(r io.Reader, work func(io.Reader)) int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	p := &peak{r: r, base: m.HeapAlloc}
	work(p)
	runtime.ReadMemStats(&m)
	p.look(&m)
	return p.most
}

// 500 documents in 128 MB and one of 90 MB cost a few megabytes, spool included; so do not
// hundreds of thousands of pieces, whose summary is bounded too.
func TestMemory(t *testing.T) {
	const most = 16 << 20
	r, sum, each := attached(large, 500)
	seen := 0
	used := memory(r, func(r io.Reader) {
		f, err := Decode(context.Background(), r, &Options{Scratch: t.TempDir(), Out: func(f *File, r io.Reader) error {
			seen++
			n, err := io.Copy(io.Discard, r)
			if n != each || f.SHA256 != sum {
				t.Errorf("%s: %d bytes, %s", f.ID, n, f.SHA256)
			}
			return err
		}})
		if err != nil || f.Totals.Files != 500 || seen != 500 || len(f.Deviations) != 0 {
			t.Errorf("%+v, %v, %v", f.Totals, f.Deviations, err)
		}
	})
	t.Logf("%d MB with 500 documents: %.1f MB of memory", large>>20, float64(used)/1e6)
	if used > most {
		t.Errorf("500 documents: %d MB of memory", used>>20)
	}
	r, length := single(large * 7 / 10)
	used = memory(r, func(r io.Reader) {
		f, err := Decode(context.Background(), r, &Options{Scratch: t.TempDir(), Out: func(f *File, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			if n != length {
				t.Errorf("%d bytes of %d", n, length)
			}
			return err
		}})
		if err != nil || f.Totals.FileBytes != length || len(f.Deviations) != 0 {
			t.Errorf("%+v, %v, %v", f.Totals, f.Deviations, err)
		}
	})
	t.Logf("%d MB with one document: %.1f MB of memory", large*7/10>>20, float64(used)/1e6)
	if used > most {
		t.Errorf("one document: %d MB of memory", used>>20)
	}
	used = memory(payments(large), func(r io.Reader) {
		if f, err := Decode(context.Background(), r, nil); err != nil || f.Totals.Pieces < large/400 {
			t.Errorf("%+v, %v", f.Totals, err)
		}
	})
	t.Logf("%d MB of pieces alone: %.1f MB of memory", large>>20, float64(used)/1e6)
	if used > 4*most {
		t.Errorf("pieces alone: %d MB of memory", used>>20)
	}
}

// unmarshalled is what encoding/xml would be given for the documents alone.
type unmarshalled struct {
	PES_PJ struct {
		PJ []struct {
			Contenu struct{ Fichier string }
			NomPJ   struct {
				V string `xml:",attr"`
			}
		}
	}
}

// Decode beside a bare RawToken loop, which decodes nothing, and beside Unmarshal, which
// gathers the base64 and leaves it so. The ratio to RawToken is to be at least 0.8.
func BenchmarkDecode(b *testing.B) {
	const size = 16 << 20
	text := func(r io.Reader) []byte {
		all, err := io.ReadAll(r)
		if err != nil {
			b.Fatal(err)
		}
		return bytes.Replace(all, []byte("ISO-8859-1"), []byte("UTF-8"), 1) // encoding/xml knows no other
	}
	docs, _, _ := attached(size, 64)
	one, _ := single(size)
	pieces := payments(size)
	for _, c := range []struct {
		name string
		r    io.Reader
	}{{"documents", docs}, {"single", one}, {"pieces", pieces}} {
		data := text(c.r)
		per := map[string]float64{}
		for _, w := range []struct {
			name string
			run  func(io.Reader) error
		}{
			{"rawtoken", func(r io.Reader) error {
				d := xml.NewDecoder(r)
				for {
					if _, err := d.RawToken(); errors.Is(err, io.EOF) {
						return nil
					} else if err != nil {
						return err
					}
				}
			}},
			{"unmarshal", func(r io.Reader) error { return xml.NewDecoder(r).Decode(new(unmarshalled)) }},
			{"decode", func(r io.Reader) error {
				_, err := Decode(context.Background(), r, &Options{Out: func(_ *File, r io.Reader) error {
					_, err := io.Copy(io.Discard, r)
					return err
				}})
				return err
			}},
		} {
			b.Run(c.name+"/"+w.name, func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					if err := w.run(bytes.NewReader(data)); err != nil {
						b.Fatal(err)
					}
				}
				per[w.name] = b.Elapsed().Seconds() / float64(b.N)
				if w.name == "decode" && per["rawtoken"] > 0 {
					b.ReportMetric(per["rawtoken"]/per["decode"], "×rawtoken")
					b.ReportMetric(per["unmarshal"]/per["decode"], "×unmarshal")
				}
				b.StopTimer()
				used := memory(bytes.NewReader(data), func(r io.Reader) { w.run(r) })
				b.ReportMetric(float64(used)/1e6, "peak-MB")
			})
		}
	}
}
