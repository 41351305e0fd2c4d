package sqlite

import (
	"context"
	"database/sql"

	"github.com/vaguemestre/vaguemestre/cold"
)

func (g ledger) Standing(ctx context.Context, job string, items []cold.Item) (out []cold.Standing, err error) {
	err = g.s.read(ctx, func(c *sql.Conn) error {
		out = make([]cold.Standing, len(items))
		st, err := c.PrepareContext(ctx, `SELECT state, attempts, rules FROM item WHERE job = (SELECT id FROM job WHERE name = ?) AND key = ?`)
		if err != nil {
			return err
		}
		defer st.Close()
		for i := range items {
			if err := st.QueryRowContext(ctx, job, items[i].Key).Scan(&out[i].State, &out[i].Attempts, &out[i].Rules); err != nil && err != sql.ErrNoRows {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fail("standing", err)
	}
	return out, nil
}
