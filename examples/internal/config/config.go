// Package config reads the configuration file of the examples: accounts, connectors,
// services and jobs in one JSON document, described like every other settings form.
package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// File is the whole document. Relative paths in it start at the file's own folder.
type File struct {
	Store      string              `key:"store" default:"state.db" format:"path"`
	Key        settings.Secret     `key:"key"`
	Accounts   []settings.Instance `key:"accounts"`
	Connectors []settings.Instance `key:"connectors"`
	Services   map[string]Service  `key:"services"`
	Jobs       []Job               `key:"jobs"`

	dir string
}

// Service says which connector carries a service.
type Service struct {
	Default   string              `key:"default"`
	Instances map[string]Instance `key:"instances"`
}

// Instance is a named use of a service.
type Instance struct {
	Connector string `key:"connector"`
}

// Job is one source to collect.
type Job struct {
	Name         string              `key:"name" required:"true"`
	Launcher     settings.Instance   `key:"launcher" required:"true"`
	Select       Select              `key:"select"`
	Filters      Filters             `key:"filters"`
	Take         Take                `key:"take"`
	Decoders     []settings.Instance `key:"decoders"`
	After        After               `key:"after"`
	AfterRefused After               `key:"after_refused"`
	Sink         settings.Instance   `key:"sink" required:"true"`
	MaxItems     int                 `key:"max_items" min:"0"`
	MaxBytes     int64               `key:"max_bytes" min:"0"`
	MaxTime      time.Duration       `key:"max_time" min:"0s"`
	Every        time.Duration       `key:"every" default:"5m" min:"1s"`
}

// Select says which mails are looked at.
type Select struct {
	From    []string      `key:"from"`
	To      []string      `key:"to"`
	Subject string        `key:"subject"`
	MaxAge  time.Duration `key:"max_age" min:"0s"`
	MinSize int64         `key:"min_size" min:"0"`
	MaxSize int64         `key:"max_size" min:"0"`
	Unseen  bool          `key:"unseen"`
}

// Filters say which documents are wanted.
type Filters struct {
	Include    []cold.Filter `key:"include"`
	Exclude    []cold.Filter `key:"exclude"`
	MediaTypes []string      `key:"media_types"`
	MinSize    int64         `key:"min_size" min:"0"`
	MaxSize    int64         `key:"max_size" min:"0"`
}

// Take says which parts of a mail are documents.
type Take struct {
	Attachments bool   `key:"attachments" default:"true"`
	Inline      bool   `key:"inline"`
	Nested      string `key:"nested" enum:"expand,keep,both,none" default:"expand"`
	Bodies      string `key:"bodies" enum:"none,text,html,all" default:"none"`
	EML         bool   `key:"eml"`

	Containers []string `key:"containers" enum:"zip,tar,gzip,tnef,p7m"`
}

// After says what happens at the source.
type After struct {
	Do     string `key:"do" enum:"leave,seen,tag,move,delete" default:"leave"`
	Target string `key:"target"`
}

// Load reads the file at path. The error tells all that is wrong, each with its place.
func Load(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w; -config names the file", err)
	}
	f := &File{dir: filepath.Dir(path)}
	if err := settings.Decode(data, f, &settings.DecodeOptions{Literal: true, Files: true, Dir: f.dir}); err != nil {
		err = fmt.Errorf("configuration %s: %w", filepath.Base(path), err)
		var wrong settings.Issues
		if errors.As(err, &wrong) && slices.ContainsFunc(wrong, func(i settings.Issue) bool { return i.Path == "key" }) {
			err = fmt.Errorf("%w; %s", err, makeKey)
		}
		return nil, err
	}
	return f, nil
}

// Router wires the connectors and services. The caller closes it. accounts may be nil if
// the file has none.
func (f *File) Router(accounts *auth.Accounts) (*router.Router, error) {
	kinds, err := connector.Kinds(accounts)
	if err != nil {
		return nil, err
	}
	rt := &router.Router{}
	err = f.wire(rt, kinds, accounts)
	if err != nil {
		rt.Close()
		return nil, err
	}
	return rt, nil
}

func (f *File) wire(rt *router.Router, kinds *settings.Registry[router.Connector], accounts *auth.Accounts) error {
	for i, in := range f.Connectors {
		c, err := kinds.Open(in, f.options("connectors[%d]", i))
		var uses auth.Account
		switch c := c.(type) {
		case *connector.SMTP:
			c.CAFile, uses = f.path(c.CAFile), c.OAuthAccount
		case *connector.Office365:
			uses = c.Account
		}
		if err := known(uses, accounts); err != nil {
			return config("connectors[%d].settings: %w", i, err)
		}
		if err != nil {
			return fmt.Errorf("configuration: connector %q: %w", in.Name, err)
		}
		if err := rt.AddConnector(in.Name, c); err != nil {
			return err
		}
	}
	for name, s := range f.Services {
		mail := router.Mail{Router: rt}
		if name != mail.Name() {
			return config("services: unknown service %q; known: %s", name, mail.Name())
		}
		if s.Default != "" {
			if err := rt.SetDefault(mail, s.Default); err != nil {
				return err
			}
		}
		for name, in := range s.Instances {
			if err := rt.AddInstance(mail, name, router.Instance{Connector: in.Connector}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Cold makes the jobs, without Ledger, in the order of the file. accounts may be nil if the
// file has none.
func (f *File) Cold(accounts *auth.Accounts) ([]*cold.Job, error) {
	launchers, err := launcher.Kinds(accounts)
	if err != nil {
		return nil, err
	}
	sinks, err := cold.SinkKinds()
	if err != nil {
		return nil, err
	}
	envelopes, decoders, err := adullact.Kinds()
	if err == nil {
		err = launchers.Register(envelopes.Kinds()...)
	}
	if err != nil {
		return nil, err
	}
	var jobs []*cold.Job
	names := map[string]bool{}
	for i, c := range f.Jobs {
		if names[c.Name] {
			return nil, config("jobs[%d].name: %q stands twice; each job needs a name of its own", i, c.Name)
		}
		names[c.Name] = true
		j := &cold.Job{
			Name: c.Name,
			Select: cold.Select{From: c.Select.From, To: c.Select.To, Subject: c.Select.Subject, MaxAge: c.Select.MaxAge,
				MinSize: c.Select.MinSize, MaxSize: c.Select.MaxSize, Unseen: c.Select.Unseen},
			Filters: cold.Filters{Include: c.Filters.Include, Exclude: c.Filters.Exclude, MediaTypes: c.Filters.MediaTypes,
				MinSize: c.Filters.MinSize, MaxSize: c.Filters.MaxSize},
			Take: cold.Take{Attachments: c.Take.Attachments, Inline: c.Take.Inline, Nested: cold.Nested(c.Take.Nested),
				Bodies: cold.Bodies(c.Take.Bodies), EML: c.Take.EML, Containers: containers(c.Take.Containers)},
			After:        cold.After{Do: cold.Verb(c.After.Do), Target: c.After.Target},
			AfterRefused: cold.After{Do: cold.Verb(c.AfterRefused.Do), Target: c.AfterRefused.Target},
			Limits:       cold.Limits{Items: c.MaxItems, Bytes: c.MaxBytes, Time: c.MaxTime},
		}
		j.Launcher, err = launchers.Open(c.Launcher, f.options("jobs[%d].launcher", i))
		var uses auth.Account
		switch l := j.Launcher.(type) {
		case *launcher.IMAP:
			l.CAFile, uses = f.path(l.CAFile), l.OAuthAccount
		case *launcher.POP3:
			l.CAFile, uses = f.path(l.CAFile), l.OAuthAccount
		case *launcher.Office365:
			uses = l.Account
		case *launcher.Folder:
			l.Path = f.path(l.Path)
		case *adullact.Launcher:
			l.Path = f.path(l.Path)
			j.Decoders = append(j.Decoders, l.Decoder())
		}
		if err := known(uses, accounts); err != nil {
			return nil, config("jobs[%d].launcher.settings: %w", i, err)
		}
		if err != nil {
			return nil, fmt.Errorf("configuration: job %q: launcher: %w", c.Name, err)
		}
		if j.Sink, err = sinks.Open(c.Sink, f.options("jobs[%d].sink", i)); err != nil {
			return nil, fmt.Errorf("configuration: job %q: sink: %w", c.Name, err)
		}
		if d, ok := j.Sink.(*cold.DirSink); ok {
			d.Path = f.path(d.Path)
		}
		for k, in := range c.Decoders {
			d, err := decoders.Open(in, f.options("jobs[%d].decoders[%d]", i, k))
			if err != nil {
				return nil, fmt.Errorf("configuration: job %q: decoder: %w", c.Name, err)
			}
			if a, ok := d.(*adullact.Decoder); ok {
				a.Scratch = f.path(a.Scratch)
			}
			j.Decoders = append(j.Decoders, d)
		}
		if err := j.Check(); err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

func containers(names []string) (l []cold.Container) {
	for _, n := range names {
		l = append(l, cold.Container(n))
	}
	return l
}

func (f *File) options(format string, a ...any) *settings.DecodeOptions {
	return &settings.DecodeOptions{Literal: true, Files: true, Dir: f.dir, Path: fmt.Sprintf(format, a...) + ".settings"}
}

func (f *File) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(f.dir, p)
}

func config(format string, a ...any) error {
	return &vaguemestre.Error{Op: "configuration", Class: vaguemestre.ClassConfig, Err: fmt.Errorf(format, a...)}
}

// Sentence is err in one line for standard error, with what to do where that is known.
func Sentence(err error) string {
	if errors.Is(err, context.Canceled) {
		return "stopped before the end; run it again to go on"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// Code is the exit code that err asks for: 2 if the call or the file is wrong, else 1.
func Code(err error) int {
	if vaguemestre.ClassOf(err) == vaguemestre.ClassConfig {
		return 2
	}
	return 1
}
