package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
	"golang.org/x/text/secure/precis"
)

// The server names the number of rounds. RFC 7677 section 4 asks for at least 4,096;
// above the upper bound a hostile server would burn our CPU.
const (
	minRounds = 4096
	maxRounds = 2_000_000
)

// scram is SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding.
type scram struct {
	c         Credentials
	nonce     string // ours; a test sets it
	bare      string // client-first-message-bare
	wantProof []byte // what the server must send
	step      int
	verified  bool
}

func newScram(c Credentials) sasl.Client { return &scram{c: c} }

func (s *scram) Start() (string, []byte, error) {
	if s.nonce == "" {
		s.nonce = rand.Text()
	}
	// RFC 5802 section 5.1: "," and "=" in the name are escaped.
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(prepare(s.c.Account))
	s.bare = "n=" + name + ",r=" + s.nonce
	s.step, s.verified = 0, false
	return "SCRAM-SHA-256", []byte("n,," + s.bare), nil
}

func (s *scram) Next(challenge []byte) ([]byte, error) {
	s.step++
	switch s.step {
	case 1:
		return s.proof(string(challenge))
	case 2:
		return s.final(string(challenge))
	}
	return nil, errors.New("sasl: scram: the server sends a third challenge")
}

// proof answers the server-first-message.
func (s *scram) proof(first string) ([]byte, error) {
	f := strings.Split(first, ",")
	if len(f) < 3 || !strings.HasPrefix(f[0], "r=") || !strings.HasPrefix(f[1], "s=") || !strings.HasPrefix(f[2], "i=") {
		return nil, errors.New("sasl: scram: the server's first message is malformed")
	}
	nonce := f[0][2:]
	if !strings.HasPrefix(nonce, s.nonce) || len(nonce) == len(s.nonce) {
		return nil, errors.New("sasl: scram: the server's nonce does not begin with ours: somebody may sit in between")
	}
	salt, err := base64.StdEncoding.DecodeString(f[1][2:])
	if err != nil || len(salt) == 0 {
		return nil, errors.New("sasl: scram: the server's salt is malformed")
	}
	rounds, err := strconv.Atoi(f[2][2:])
	if err != nil || rounds < minRounds || rounds > maxRounds {
		return nil, fmt.Errorf("sasl: scram: the server asks for %q rounds, between %d and %d are taken", cut(f[2][2:]), minRounds, maxRounds)
	}
	salted, err := pbkdf2.Key(sha256.New, prepare(s.c.Password), salt, rounds, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("sasl: scram: %w", err)
	}
	// RFC 5802 section 3. "biws" is base64 of "n,,".
	withoutProof := "c=biws,r=" + nonce
	message := s.bare + "," + first + "," + withoutProof
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	signature := mac(stored[:], message)
	p := make([]byte, len(clientKey))
	subtle.XORBytes(p, clientKey, signature)
	s.wantProof = mac(mac(salted, "Server Key"), message)
	return []byte(withoutProof + ",p=" + base64.StdEncoding.EncodeToString(p)), nil
}

// final checks the server-final-message.
func (s *scram) final(last string) ([]byte, error) {
	if e, ok := strings.CutPrefix(last, "e="); ok {
		return nil, fmt.Errorf("sasl: scram: the server refuses: %q", cut(e))
	}
	v, _, _ := strings.Cut(strings.TrimPrefix(last, "v="), ",")
	got, err := base64.StdEncoding.DecodeString(v)
	if err != nil || !strings.HasPrefix(last, "v=") || !hmac.Equal(got, s.wantProof) {
		return nil, errors.New("sasl: scram: the server does not prove that it knows the password: it may not be the right one")
	}
	s.verified = true
	return []byte{}, nil
}

func (s *scram) verify() error {
	if s.verified {
		return nil
	}
	return errors.New("sasl: scram: the server said yes without the proof that it knows the password: it may not be the right one")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// prepare normalises a name or password (RFC 8265, which replaces the SASLprep of
// RFC 5802). What cannot be normalised is used as it is.
func prepare(s string) string {
	if p, err := precis.OpaqueString.String(s); err == nil {
		return p
	}
	return s
}
