package sasl

import (
	"encoding/base64"
	"strings"
)

// piece is how many characters in a row give a secret away.
const piece = 16

// Mask returns a function that takes the secrets of c out of what a server says, and out of
// errors made of it: the password and the token as they are, and as the mechanisms send
// them. Servers repeat commands that they do not understand, and cut them, so that a piece
// of a long secret is taken out as well.
func Mask(c Credentials) func(string) string {
	var hide []string // as it is
	var long []string // in pieces too
	add := func(secret string) {
		if len(secret) > 2 { // shorter ones are in every text
			hide = append(hide, secret)
		}
		if len(secret) >= 2*piece {
			long = append(long, secret)
		}
	}
	coded := func(b []byte) { add(base64.StdEncoding.EncodeToString(b)) }
	if c.Password != "" {
		plain := "\x00" + c.Account + "\x00" + c.Password
		hide = append(hide, plain) // not in pieces: the account is no secret
		coded([]byte(plain))
		add(c.Password)
		coded([]byte(c.Password))
	}
	if token := c.bearer(); token != "" {
		add(token)
		coded([]byte(token))
		_, ir, _ := newXOAuth2(c).Start()
		coded(ir)
		_, ir, _ = newOAuthBearer(c).Start()
		coded(ir)
	}
	return func(s string) string {
		for _, h := range hide {
			s = strings.ReplaceAll(s, h, "•••")
		}
		if len(long) == 0 || len(s) < piece {
			return s
		}
		words := strings.Split(s, " ") // a secret that is long enough holds no blank
		for i, w := range words {
			words[i] = maskPieces(w, long)
		}
		return strings.Join(words, " ")
	}
}

// maskPieces takes out of word what it shares with a secret, piece characters or more.
func maskPieces(word string, secrets []string) string {
	var out strings.Builder
	kept := 0 // from here on nothing is written yet
	for i := 0; i+piece <= len(word); {
		end := i
		for _, s := range secrets {
			if at := strings.Index(s, word[i:i+piece]); at >= 0 {
				n := piece
				for i+n < len(word) && at+n < len(s) && word[i+n] == s[at+n] {
					n++
				}
				end = max(end, i+n)
			}
		}
		if end == i {
			i++
			continue
		}
		out.WriteString(word[kept:i] + "•••")
		i, kept = end, end
	}
	return out.String() + word[kept:]
}
