package dirstore_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/vaguemestre/vaguemestre/internal/dirstore"
)

type text struct{ *strings.Reader }

func (text) Close() error { return nil }

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := dirstore.Open(ctx, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	doc := func(key, content string) dirstore.File {
		return dirstore.File{Key: key, Name: "facture.pdf", Open: func() (io.ReadSeekCloser, error) { return text{strings.NewReader(content)}, nil }}
	}
	refs, err := s.Put(ctx, []dirstore.File{doc("key 1", "one"), doc("key 2", "two")})
	fmt.Println(strings.Join(refs, ", "), err)
	refs, err = s.Put(ctx, []dirstore.File{doc("key 2", "two"), doc("key 3", "three")})
	fmt.Println(strings.Join(refs, ", "), err)
	// Output:
	// facture.pdf, facture (2).pdf <nil>
	// facture (2).pdf, facture (3).pdf <nil>
}
