package sqlite

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre/cold"
)

// Times are kept to the microsecond, in UTC.

func toTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func fromTime(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}

// toList keeps a list of strings as JSON for whoever reads the file with a shell, and
// as counted bytes when JSON would change it, since names come from strangers.
func toList(list []string) (any, error) {
	if list == nil {
		return nil, nil
	}
	for _, s := range list {
		if !utf8.ValidString(s) {
			b := []byte{}
			for _, s := range list {
				b = binary.AppendUvarint(b, uint64(len(s)))
				b = append(b, s...)
			}
			return b, nil
		}
	}
	b := make([]byte, 1, 64)
	b[0] = '['
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if plain(s) {
			b = append(append(append(b, '"'), s...), '"')
			continue
		}
		q, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		b = append(b, q...)
	}
	return string(append(b, ']')), nil
}

// plain reports that s stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			return false
		}
	}
	return true
}

func fromList(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		var list []string
		if err := json.Unmarshal([]byte(v), &list); err != nil {
			return nil, errors.Join(ErrCorrupt, err)
		}
		return list, nil
	case []byte:
		var list []string
		for len(v) > 0 {
			n, k := binary.Uvarint(v)
			if k <= 0 || n > uint64(len(v)-k) {
				return nil, ErrCorrupt
			}
			list = append(list, string(v[k:k+int(n)]))
			v = v[k+int(n):]
		}
		return list, nil
	}
	return nil, ErrCorrupt
}

// entryColumns are what scanEntry reads; it wants item joined with action.
const entryColumns = `item.id, item.key, item.epoch, item.size, item.time, item.seen, item.message_id,
	item.state, item.attempts, item.reason, item.changed, item.rules, item.twin, item.origin, item.documents,
	coalesce(action.verb, ''), coalesce(action.target, ''), coalesce(action.receipt, '')`

// scanEntry reads an entry without its documents; documents is their number, -1 for none recorded.
func scanEntry(scan func(...any) error) (e cold.Entry, id int64, documents int, err error) {
	var at, changed sql.NullInt64
	err = scan(&id, &e.Item.Key, &e.Item.Epoch, &e.Item.Size, &at, &e.Item.Seen, &e.Item.MessageID,
		&e.State, &e.Attempts, &e.Reason, &changed, &e.Rules, &e.Twin, &e.Origin, &documents,
		&e.Action.Do, &e.Action.Target, &e.Receipt)
	e.Item.Time, e.Time = fromTime(at), fromTime(changed)
	return e, id, documents, err
}

// scanDocument reads decision, reason, key, name, media_type, size, sha256, path, ref, repairs.
func scanDocument(scan func(...any) error) (d cold.Entered, err error) {
	var path, repairs any
	if err = scan(&d.Decision, &d.Reason, &d.Key, &d.Name, &d.MediaType, &d.Size, &d.SHA256, &path, &d.Ref, &repairs); err != nil {
		return d, err
	}
	if d.Path, err = fromList(path); err != nil {
		return d, err
	}
	d.Repairs, err = fromList(repairs)
	return d, err
}
