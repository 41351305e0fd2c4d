package settings

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vaguemestre/vaguemestre"
)

// Sealer encrypts a secret for storage; id binds the result to its place. A Sealer is
// safe for concurrent use. [Keyring] is one.
type Sealer interface {
	Seal(plain []byte, id string) ([]byte, error)
}

// Opener is the reverse of [Sealer]: it fails unless id is the one that was sealed.
type Opener interface {
	Open(sealed []byte, id string) ([]byte, error)
}

var (
	// ErrWrongKey means that a secret was sealed under a key that the keyring does not hold.
	ErrWrongKey = errors.New("sealed under another key: add that key to the keyring, or enter the secret again")

	// ErrTampered means that a sealed secret was changed, cut, or moved here from another place.
	ErrTampered = errors.New("sealed secret was changed or belongs elsewhere: enter the secret again")
)

// A sealed secret is: one byte version, keyIDSize bytes that name the key, the nonce,
// and what AES-256-GCM makes of the secret with its tag (NIST SP 800-38D). The bytes
// before the nonce and the id are associated data.
const (
	sealVersion = 1
	keyIDSize   = 8
	minKeySize  = 32
)

// Key encrypts secrets. It is made by [NewKey] or [ParseKey], cannot be read back and
// prints as its id. A Key is safe for concurrent use.
type Key struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

// NewKey makes a key of what the host provides: at least 32 random bytes, not a
// passphrase. raw is not kept. The same bytes always give the same key.
func NewKey(raw []byte) (*Key, error) {
	const op = "settings: new key"
	if len(raw) < minKeySize {
		return nil, configError(op, fmt.Errorf("%d bytes are too few: give %d random bytes, for example those of \"openssl rand -base64 32\"", len(raw), minKeySize))
	}
	if strings.Count(string(raw), string(raw[:1])) == len(raw) {
		return nil, configError(op, errors.New("all bytes are equal: give random bytes, for example those of \"openssl rand -base64 32\""))
	}
	// RFC 5869: the input is a key already, so it needs no salt; info tells the two uses apart.
	secret, err := hkdf.Key(sha256.New, raw, nil, "vaguemestre settings: AES-256-GCM key", 32)
	if err != nil {
		return nil, configError(op, err)
	}
	id, err := hkdf.Key(sha256.New, raw, nil, "vaguemestre settings: key id", keyIDSize)
	if err != nil {
		return nil, configError(op, err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, configError(op, err)
	}
	k := &Key{}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil, configError(op, err)
	}
	copy(k.id[:], id)
	return k, nil
}

// ParseKey makes a key of its text: at least 32 bytes in hexadecimal or base64 (standard
// or URL alphabet, padded or not). White space around it is ignored.
func ParseKey(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	if raw, err := hex.DecodeString(text); err == nil { // first: hexadecimal is base64 too
		return NewKey(raw)
	}
	bare := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	raw, err := base64.RawStdEncoding.DecodeString(bare)
	if err != nil { // the error would tell where in the key
		return nil, configError("settings: parse key", errors.New("neither base64 nor hexadecimal: give the output of \"openssl rand -base64 32\""))
	}
	return NewKey(raw)
}

// String returns the id of the key, which is no secret.
func (k *Key) String() string { return "key " + hex.EncodeToString(k.id[:]) }

// Format writes String, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// Keyring seals under one key and opens under several, so that keys can be changed:
// make the new one current, keep the old one until everything was stored again. It is
// a [Sealer] and an [Opener], safe for concurrent use.
type Keyring struct {
	current *Key
	all     map[[keyIDSize]byte]*Key
}

var (
	_ Sealer = (*Keyring)(nil)
	_ Opener = (*Keyring)(nil)
)

// NewKeyring returns a keyring that seals under current and opens under all.
func NewKeyring(current *Key, olds ...*Key) (*Keyring, error) {
	r := &Keyring{current: current, all: map[[keyIDSize]byte]*Key{}}
	for _, k := range append([]*Key{current}, olds...) {
		if k == nil || k.aead == nil {
			return nil, configError("settings: new keyring", errors.New("a key is missing: make it with NewKey or ParseKey"))
		}
		r.all[k.id] = k
	}
	return r, nil
}

// String names the current key by its id.
func (r *Keyring) String() string {
	if r == nil || r.current == nil {
		return "keyring without a key"
	}
	return "keyring, current " + r.current.String()
}

// Format writes String, whatever the verb.
func (r *Keyring) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// Seal encrypts plain under the current key, bound to id.
func (r *Keyring) Seal(plain []byte, id string) ([]byte, error) {
	if r == nil || r.current == nil {
		return nil, configError("settings: seal", errors.New("the keyring has no key: make it with NewKeyring"))
	}
	k := r.current
	out := make([]byte, 0, 1+keyIDSize+k.aead.NonceSize()+len(plain)+k.aead.Overhead())
	out = append(out, sealVersion)
	out = append(out, k.id[:]...)
	head := len(out)
	out = out[:head+k.aead.NonceSize()]
	nonce := out[head:]
	rand.Read(nonce) // never fails, crypto/rand
	return k.aead.Seal(out, nonce, plain, associated(out[:head], id)), nil
}

// Open decrypts what Seal gave for the same id. It returns an error that is
// [ErrWrongKey] or [ErrTampered].
func (r *Keyring) Open(sealed []byte, id string) ([]byte, error) {
	const op = "settings: open secret"
	const head = 1 + keyIDSize
	if len(sealed) < head || sealed[0] != sealVersion {
		return nil, configError(op, ErrTampered)
	}
	var k *Key
	if r != nil {
		k = r.all[[keyIDSize]byte(sealed[1:head])]
	}
	if k == nil {
		return nil, configError(op, fmt.Errorf("key %x: %w", sealed[1:head], ErrWrongKey))
	}
	if len(sealed) < head+k.aead.NonceSize() {
		return nil, configError(op, ErrTampered)
	}
	nonce, body := sealed[head:head+k.aead.NonceSize()], sealed[head+k.aead.NonceSize():]
	plain, err := k.aead.Open(nil, nonce, body, associated(sealed[:head], id))
	if err != nil {
		return nil, configError(op, ErrTampered)
	}
	return plain, nil
}

// associated is the header followed by the id: the header has a fixed length, so no
// two pairs give the same bytes.
func associated(head []byte, id string) []byte {
	return append(append(make([]byte, 0, len(head)+len(id)), head...), id...)
}

// configError is the error of everything that somebody has to set right.
func configError(op string, err error) error {
	return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassConfig, Err: err}
}
