package chorus

import (
	"errors"
	"io"
)

// sane looks over the bytes of a PDF before it is taken apart: it has the mark of a PDF,
// and no more object streams than can be unpacked in bounded memory, since all of them are.
func sane(ra io.ReaderAt, size int64) error {
	head := make([]byte, min(size, 1024))
	if _, err := ra.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	if sniff(head) != "application/pdf" {
		return pdfPoison(errors.New("it is no pdf"))
	}
	return nil
}
