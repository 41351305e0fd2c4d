package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

var _ router.Store = (*Store)(nil)

// LoadRouter implements [router.Store].
func (s *Store) LoadRouter(ctx context.Context) (*router.Saved, error) {
	var out *router.Saved
	err := s.read(ctx, func(c *sql.Conn) error {
		out = &router.Saved{}
		rows, err := c.QueryContext(ctx, `SELECT name, kind, version, settings FROM connector ORDER BY ord`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var i settings.Instance
			var raw []byte
			if err := rows.Scan(&i.Name, &i.Kind, &i.Version, &raw); err != nil {
				return err
			}
			i.Settings = json.RawMessage(raw)
			out.Connectors = append(out.Connectors, i)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return loadServices(ctx, c, out)
	})
	if err != nil {
		return nil, fail("load router", err)
	}
	return out, nil
}

func loadServices(ctx context.Context, c *sql.Conn, out *router.Saved) error {
	rows, err := c.QueryContext(ctx, `SELECT service.name, default_connector, i.name, i.connector
		FROM service LEFT JOIN service_instance i ON i.service = service.name`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var service, def string
		var name, connector sql.NullString
		if err := rows.Scan(&service, &def, &name, &connector); err != nil {
			return err
		}
		if out.Services == nil {
			out.Services = map[string]router.SavedService{}
		}
		sv := out.Services[service]
		sv.Default = def
		if name.Valid {
			if sv.Instances == nil {
				sv.Instances = map[string]router.Instance{}
			}
			sv.Instances[name.String] = router.Instance{Connector: connector.String}
		}
		out.Services[service] = sv
	}
	return rows.Err()
}

// SaveRouter implements [router.Store].
func (s *Store) SaveRouter(ctx context.Context, saved *router.Saved) error {
	bg := context.Background()
	err := s.w.do(ctx, "", func(w *writer) error {
		exec := func(err error, query string, args ...any) error {
			if err == nil {
				_, err = w.conn.ExecContext(bg, query, args...)
			}
			return err
		}
		err := exec(nil, `DELETE FROM connector`)
		err = exec(err, `DELETE FROM service_instance`)
		err = exec(err, `DELETE FROM service`)
		for n, i := range saved.Connectors {
			err = exec(err, `INSERT INTO connector (ord, name, kind, version, settings) VALUES (?, ?, ?, ?, ?)`,
				n, i.Name, i.Kind, i.Version, []byte(i.Settings))
		}
		for service, sv := range saved.Services {
			err = exec(err, `INSERT INTO service (name, default_connector) VALUES (?, ?)`, service, sv.Default)
			for name, i := range sv.Instances {
				err = exec(err, `INSERT INTO service_instance (service, name, connector) VALUES (?, ?, ?)`, service, name, i.Connector)
			}
		}
		return err
	})
	return fail("save router", err)
}

// errNoKey is why a secret is neither stored nor read.
var errNoKey = errors.New("the store was opened without a key, so it keeps no secret in clear; set Options.Key")

// Seal encrypts a secret under the store's key; see [settings.Sealer].
func (s *Store) Seal(plain []byte, id string) ([]byte, error) {
	if s.key == nil {
		return nil, &vaguemestre.Error{Op: "sqlite: seal", Class: vaguemestre.ClassConfig, Err: errNoKey}
	}
	return s.key.Seal(plain, id)
}

// Open decrypts what [Store.Seal] made; see [settings.Opener].
func (s *Store) Open(sealed []byte, id string) ([]byte, error) {
	if s.key == nil {
		return nil, &vaguemestre.Error{Op: "sqlite: open secret", Class: vaguemestre.ClassConfig, Err: errNoKey}
	}
	return s.key.Open(sealed, id)
}
