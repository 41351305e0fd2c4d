package cold

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkDir stores documents of 45 kB in batches of 200; an operation is one
// document. "plain" writes the same files with os.WriteFile and syncs nothing.
func BenchmarkDir(b *testing.B) {
	content := strings.Repeat("0123456789abcde\n", 45_000/16)
	const batch = 200
	b.Run("plain", func(b *testing.B) {
		dir := b.TempDir()
		b.SetBytes(int64(len(content)))
		for i := range b.N {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("facture ", i, ".pdf")), []byte(content), 0o666); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, names := range []string{"own names", "one name"} {
		b.Run(names, func(b *testing.B) {
			s := Dir(b.TempDir())
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for at := 0; at < b.N; at += batch {
				var docs []*Document
				for i := at; i < min(at+batch, b.N); i++ {
					name := "facture.pdf"
					if names == "own names" {
						name = fmt.Sprint("facture ", i, ".pdf")
					}
					docs = append(docs, fileDoc(fmt.Sprint(i), name, content))
				}
				mustPut(b, s, docs...)
			}
		})
	}
}
