package router

import (
	"context"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Saved is a router as it is stored: plain data, with sealed secrets. Its JSON is also the
// form of the keys "connectors" and "services" in a configuration file.
type Saved struct {
	Connectors []settings.Instance     `json:"connectors"` // in the order of their names
	Services   map[string]SavedService `json:"services"`   // by the name of the service
}

// SavedService is how one service is wired.
type SavedService struct {
	Default   string              `json:"default,omitempty"` // a connector's name; "" is none
	Instances map[string]Instance `json:"instances,omitempty"`
}

// Instance is a named use of a service.
type Instance struct {
	Connector string `json:"connector,omitempty"` // "" is the service's default, asked for at each use
}

// Store keeps a router. Package store/sqlite has one; [MemoryStore] is another.
// It is safe for concurrent use.
type Store interface {
	// LoadRouter returns what the last SaveRouter stored, byte for byte in each
	// Instance.Settings. If nothing was ever saved it returns an empty Saved and no error.
	// The caller may change what it gets.
	LoadRouter(ctx context.Context) (*Saved, error)

	// SaveRouter stores s in place of what was there, all of it or, on error, nothing.
	// It is on disk when SaveRouter returns. The store neither keeps s nor changes it.
	SaveRouter(ctx context.Context, s *Saved) error

	// Seal and Open protect the secrets within the settings, under the store's key. The
	// router calls them; what LoadRouter and SaveRouter carry is already sealed.
	settings.Sealer
	settings.Opener
}
