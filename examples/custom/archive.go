package main

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// Archive is a sink of our own. It stands for a product's database: what one Put brings
// becomes visible in one transaction, and Document.Key is the primary key, so that a
// document that comes again is stored once.
//
// Guarantee: as long as the process lives. A real one commits to disk before Put returns.
type Archive struct {
	mu   sync.Mutex
	keys []string // in the order of arrival
	rows map[string]Row
}

var _ cold.Sink = (*Archive)(nil)

// Row is one document.
type Row struct {
	Name, Group, Subject string
	Path                 []string
	Data                 []byte
}

// Put implements [cold.Sink]. It is safe for concurrent use.
func (a *Archive) Put(ctx context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	rows := make([]Row, len(docs))
	for i, d := range docs {
		data, err := readAll(ctx, d)
		switch {
		case ctx.Err() != nil:
			return nil, &vaguemestre.Error{Op: "archive: put", Class: vaguemestre.ClassCanceled, Err: ctx.Err()}
		case err != nil:
			return nil, &vaguemestre.Error{Op: "archive: read document", Class: vaguemestre.ClassPoison, Err: err}
		}
		rows[i] = Row{Name: d.Name, Group: d.Group, Subject: d.Fields["subject"], Path: d.Path, Data: data}
	}
	a.mu.Lock() // the transaction
	defer a.mu.Unlock()
	if a.rows == nil {
		a.rows = map[string]Row{}
	}
	out := make([]cold.Stored, len(docs))
	for i, d := range docs {
		if _, known := a.rows[d.Key]; !known {
			a.keys, a.rows[d.Key] = append(a.keys, d.Key), rows[i]
		}
		out[i].Ref = d.Key
	}
	return out, nil
}

// Rows returns what is stored.
func (a *Archive) Rows() []Row {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Row
	for _, k := range a.keys {
		out = append(out, a.rows[k])
	}
	return out
}

func readAll(ctx context.Context, d *cold.Document) ([]byte, error) {
	r, err := d.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.Copy(&ctxWriter{ctx, &b}, r) // stops soon after ctx ended
	return b.Bytes(), err
}
