package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

const (
	defaultTimeout = 60 * time.Second
	maxFile        = 1 << 20 // of a file of certificates
)

// misconfigured is an error of class config.
func misconfigured(op, format string, args ...any) error {
	return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig, Err: fmt.Errorf(format, args...)}
}

// newHTTP returns the client for a provider. A redirect is never followed: it would carry
// the form, or later a bearer token, to another address.
func newHTTP(op, caFile string, timeout time.Duration) (*http.Client, error) {
	// RFC 8996 section 2: TLS 1.0 and 1.1 are not to be used.
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := readFile(caFile)
		if err != nil {
			return nil, misconfigured(op, "the CA file cannot be read: check ca_file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, misconfigured(op, "the CA file holds no certificate: ca_file must be PEM, with BEGIN CERTIFICATE")
		}
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: min(timeout, 30*time.Second), KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        cfg,
			TLSHandshakeTimeout:    min(timeout, 30*time.Second),
			ResponseHeaderTimeout:  timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        90 * time.Second,
			ForceAttemptHTTP2:      true,
		},
	}, nil
}

// readFile reads a file of certificates or keys, bounded.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errors.New("it is larger than 1 MiB")
	}
	return b, err
}

// parseURL takes what tokens and secrets may be sent to: https, or plain http on loopback.
// The result has no final slash.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || len(raw) > 2000:
		return nil, errors.New("it is no address: write it as https://host/path")
	case u.User != nil:
		return nil, errors.New("it holds a user name, which does not belong there")
	case u.Fragment != "":
		return nil, errors.New("it holds a fragment (#), which does not belong there")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, errors.New("it must begin with https:// (http:// goes with this machine alone)")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
