package vaguemestre

import (
	"context"
	"time"
)

// Status is how one [Step] of a check ended.
type Status string

const (
	StatusOK      Status = "ok"
	StatusWarning Status = "warning" // works today; Help says what will break, and when
	StatusFailed  Status = "failed"
	StatusSkipped Status = "skipped" // not tried, since an earlier step failed or the server lacks the ability
)

// Step is one proven fact of a [Checker], told as soon as it is known.
type Step struct {
	Name   string        // stable, for programs: "dns", "tcp", "tls", "auth", "folder"
	Status Status        //
	Detail string        // what was found, in English with the protocol's own words; no secret
	Help   string        // on warning and failure: what to do next, and who can do it
	Took   time.Duration //
	Err    error         // on failure; usually an *Error
}

// Checker is an optional ability of connectors and launchers: it proves step by
// step that the settings work, and sends and changes nothing.
//
// Check calls step from its own goroutine, in order, and returns nil only if no
// step failed; otherwise the error of the first failed step. ctx bounds the whole
// check; every exchange has the connector's own timeout besides.
type Checker interface {
	Check(ctx context.Context, step func(Step)) error
}

// Endpoint is one thing that a firewall must let out.
type Endpoint struct {
	Host   string
	Port   int
	Reason string // why it is needed, in English
}

// Endpointer is an optional ability of connectors and launchers: it lists what a
// firewall must open for these settings. It does no I/O.
type Endpointer interface {
	Endpoints() []Endpoint
}
