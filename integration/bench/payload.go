//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// pes decodes PES files beside a bare loop of RawToken and beside encoding/xml.
func (b *bench) pes() error {
	for _, c := range []struct {
		name  string
		size  int // at full scale
		write func(path string, size int) error
	}{
		{"a PES with 500 documents", 128 << 20, writeDocuments},
		{"a PES with one document", 90 << 20, writeSingle},
		{"a PES of pieces alone", 64 << 20, writePieces},
	} {
		if err := b.payload(c.name, c.size, c.write, "RawToken", "helios.Decode", "xml.Unmarshal of PES"); err != nil {
			return err
		}
	}
	return nil
}

// chorus decodes a pivot flow in the same way.
func (b *bench) chorus() error {
	return b.payload("a pivot with 24 attachments", 60<<20, writePivot, "RawToken", "chorus.Decode", "xml.Unmarshal of pivot")
}

// payload has one file read by a floor, by ours and by a peer.
func (b *bench) payload(name string, size int, write func(string, int) error, who ...string) error {
	path := filepath.Join(b.dir, "payload.xml")
	defer os.Remove(path)
	// A sixteenth at least: what takes milliseconds shows nothing.
	if err := write(path, max(int(float64(size)*b.scale), size/16)); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	var orders []order
	for _, w := range who {
		orders = append(orders, order{Who: w, From: path})
	}
	all, err := b.turns(orders, nil)
	if err != nil {
		return err
	}
	ours, peer := best(all[1]), best(all[2])
	if ours.Docs != peer.Docs || ours.Bytes != peer.Bytes {
		return fmt.Errorf("%s finds %d documents of %d bytes, %s %d of %d", who[1], ours.Docs, ours.Bytes, who[2], peer.Docs, peer.Bytes)
	}
	mb := float64(info.Size()) / 1e6
	fmt.Printf("%s: %.0f MB, %d documents\n", name, mb, ours.Docs)
	for i, w := range who {
		r, speed, memory := best(all[i]), "", ""
		if i == 1 {
			speed, memory = "<= 1.25 x", "<= 64 MiB"
		}
		line(w, fmt.Sprintf("%.2f x  (best %.2f s, %.0f MB/s)", ratio(all[i], all[0]), r.Seconds, mb/r.Seconds), speed)
		line("", fmt.Sprintf("%.2f s CPU, peak %s", r.CPU, mib(peak(all[i]))), memory)
	}
	return nil
}
