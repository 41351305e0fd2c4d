package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre/cold"
)

// From so many items on it may be cheaper to read a stretch of the index in one go
// than to look each up.
const scanFrom = 64

// Standing looks few items up one by one. Many are usually neighbours, a page of one
// folder, and are read as one stretch of keys, which is given up for look-ups as soon
// as it proves to hold more strangers than a look-up each would cost.
func (g ledger) Standing(ctx context.Context, job string, items []cold.Item) (out []cold.Standing, err error) {
	err = g.s.read(ctx, func(c *sql.Conn) error {
		out = make([]cold.Standing, len(items))
		var id int64
		err := c.QueryRowContext(ctx, `SELECT id FROM job WHERE name = ?`, job).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		asked := make([]int, len(items))
		for i := range asked {
			asked[i] = i
		}
		if len(items) >= scanFrom {
			slices.SortFunc(asked, func(a, b int) int { return strings.Compare(items[a].Key, items[b].Key) })
			if asked, err = scanStandings(ctx, c, id, items, asked, out); err != nil {
				return err
			}
		}
		return lookUp(ctx, c, id, items, asked, out)
	})
	if err != nil {
		return nil, fail("standing", err)
	}
	return out, nil
}

// scanStandings answers the sorted asked from one scan, and returns those that it did not get to.
func scanStandings(ctx context.Context, c *sql.Conn, job int64, items []cold.Item, asked []int, out []cold.Standing) ([]int, error) {
	rows, err := c.QueryContext(ctx, `SELECT key, state, attempts, rules FROM item WHERE job = ? AND key BETWEEN ? AND ? ORDER BY key`,
		job, items[asked[0]].Key, items[asked[len(asked)-1]].Key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var key, state, rules sql.RawBytes
	var s cold.Standing
	for strangers := 0; len(asked) > 0 && rows.Next(); {
		if err := rows.Scan(&key, &state, &s.Attempts, &rules); err != nil {
			return nil, err
		}
		for len(asked) > 0 && items[asked[0]].Key < string(key) {
			asked = asked[1:] // unknown
		}
		if len(asked) == 0 || items[asked[0]].Key != string(key) {
			if strangers++; strangers > 2*len(items) {
				return asked, nil
			}
			continue
		}
		if string(s.State) != string(state) {
			s.State = cold.State(state)
		}
		if s.Rules != string(rules) {
			s.Rules = string(rules)
		}
		for len(asked) > 0 && items[asked[0]].Key == string(key) {
			out[asked[0]] = s
			asked = asked[1:]
		}
	}
	return nil, rows.Err()
}

// lookUp answers asked one by one.
func lookUp(ctx context.Context, c *sql.Conn, job int64, items []cold.Item, asked []int, out []cold.Standing) error {
	if len(asked) == 0 {
		return nil
	}
	// Each runs without ctx: the driver would start a goroutine for each look-up.
	st, err := c.PrepareContext(ctx, `SELECT state, attempts, rules FROM item WHERE job = ? AND key = ?`)
	if err != nil {
		return err
	}
	defer st.Close()
	for n, i := range asked {
		if n%256 == 255 && ctx.Err() != nil {
			return ctx.Err()
		}
		s := &out[i]
		if err := st.QueryRow(job, items[i].Key).Scan(&s.State, &s.Attempts, &s.Rules); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}
