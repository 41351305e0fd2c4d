package main

import (
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// kinds are all that stored settings can open: those of the library and our own.
type kinds struct {
	connectors *settings.Registry[router.Connector]
	launchers  *settings.Registry[cold.Launcher]
	decoders   settings.Registry[cold.Decoder]
}

func newKinds() (*kinds, error) {
	var k kinds
	var err error
	if k.connectors, err = connector.Kinds(nil); err != nil {
		return nil, err
	}
	if err = k.connectors.Register(pickupKind, gatewayKind); err != nil {
		return nil, err
	}
	if k.launchers, err = launcher.Kinds(nil); err != nil {
		return nil, err
	}
	if err = k.launchers.Register(boxKind); err != nil {
		return nil, err
	}
	return &k, k.decoders.Register(mboxKind)
}
