package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

var _ vaguemestre.Checker = (*Store)(nil)

// Check reads the whole file and proves its structure, its indexes and the references
// between its rows; it takes about as long as reading the file, and others may go on
// meanwhile. Steps: "structure", "references".
func (s *Store) Check(ctx context.Context, tell func(vaguemestre.Step)) error {
	var first error
	for _, c := range []struct{ name, pragma, good string }{
		{"structure", "PRAGMA integrity_check(1)", "ok"}, // https://sqlite.org/pragma.html#pragma_integrity_check
		{"references", "PRAGMA foreign_key_check", ""},
	} {
		start := time.Now()
		found := c.good
		err := s.read(ctx, func(conn *sql.Conn) error {
			rows, err := conn.QueryContext(ctx, c.pragma)
			if err != nil {
				return err
			}
			defer rows.Close()
			if rows.Next() {
				var rest [3]any
				cols, err := rows.Columns()
				if err != nil {
					return err
				}
				to := []any{&found, &rest[0], &rest[1], &rest[2]}
				if err := rows.Scan(to[:min(len(cols), len(to))]...); err != nil {
					return err
				}
			}
			return rows.Err()
		})
		if err == nil && found != c.good {
			err = fmt.Errorf("%w (%.200q)", ErrCorrupt, found)
		}
		err = fail("check", err)
		step := vaguemestre.Step{Name: c.name, Status: vaguemestre.StatusOK, Took: time.Since(start), Err: err}
		if err != nil {
			step.Status = vaguemestre.StatusFailed
			if errors.Is(err, ErrCorrupt) {
				step.Help = "stop all programs that use the store, keep a copy of the file and of its -wal file, and restore a backup"
			}
			if first == nil {
				first = err
			}
		}
		tell(step)
	}
	return first
}
