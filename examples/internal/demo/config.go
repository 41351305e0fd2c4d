package demo

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Key is a key for the store of a test, as "openssl rand -base64 32" makes one.
const Key = "ZMOpbW9uc3RyYXRpb24sIHBhcyB1biBzZWNyZXQhISE="

// Object is a JSON object.
type Object = map[string]any

// Launcher gives an IMAP launcher for the mailbox. Its file paths are relative to the
// directory of the server.
func (s *Server) Launcher() Object {
	return Object{"kind": "imap", "settings": Object{"host": "127.0.0.1", "port": s.IMAPPort, "tls": "implicit",
		"account": Account, "password": Password, "ca_file": filepath.Base(s.CAFile)}}
}

// Connector gives a connector that sends through the server.
func (s *Server) Connector(name string) Object {
	return Object{"name": name, "kind": "smtp", "settings": Object{"host": "127.0.0.1", "port": s.SMTPPort, "tls": "implicit",
		"account": Account, "password": Password, "ca_file": filepath.Base(s.CAFile), "sender": Account}}
}

// Write writes a configuration file into dir and returns its path.
func Write(dir string, file Object) (string, error) {
	b, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "config.json")
	return path, os.WriteFile(path, b, 0o600)
}
