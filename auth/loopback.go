package auth

import (
	"context"
	"crypto/subtle"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// freePort finds a port of loopback. It is free again when the flow waits on it; if another
// program has taken it meanwhile, the flow says so.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// landing is the page where the browser comes back: RFC 8252 section 7.3. It hands over the
// first answer that carries the state, and shows how it went.
type landing struct {
	state string
	wake  func()
	srv   *http.Server
	done  chan struct{} // closed when the server has ended

	mu     sync.Mutex
	query  url.Values // came and was not taken yet
	taken  bool
	shown  chan struct{} // closed when good is set
	good   bool
	closed chan struct{}
}

// listen serves the redirect address of at. wake is called when an answer came.
func listen(at attempt, wake func()) (*landing, error) {
	u, err := url.Parse(at.Redirect)
	if err != nil {
		return nil, err
	}
	nl, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", u.Port()))
	if err != nil {
		return nil, err
	}
	l := &landing{state: at.State, wake: wake, done: make(chan struct{}), shown: make(chan struct{}), closed: make(chan struct{})}
	l.srv = &http.Server{
		Handler: l, ReadTimeout: 10 * time.Second, IdleTimeout: 5 * time.Second,
		MaxHeaderBytes: 32 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	l.srv.SetKeepAlivesEnabled(false)
	go func() {
		defer close(l.done)
		_ = l.srv.Serve(nl) // ends by close
	}()
	return l, nil
}

// close stops listening; a page that is under way is still written.
func (l *landing) close() {
	close(l.closed)
	end := time.AfterFunc(500*time.Millisecond, func() { l.srv.Close() })
	defer end.Stop()
	_ = l.srv.Shutdown(context.Background())
	<-l.done
}

// came takes the answer that came, once.
func (l *landing) came() url.Values {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.query
	l.query = nil
	return q
}

// show lets the page tell how it went.
func (l *landing) show(good bool) {
	if l == nil || !l.taken {
		return
	}
	l.good = good
	close(l.shown)
}

// ServeHTTP answers the browser. Nothing of the request stands in the page.
func (l *landing) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case req.URL.Path != "/":
		page(w, http.StatusNotFound, "Nothing here.", "Rien ici.")
		return
	case req.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		page(w, http.StatusMethodNotAllowed, "Nothing here.", "Rien ici.")
		return
	}
	if !l.accept(req.URL.Query()) {
		page(w, http.StatusBadRequest, "This answer does not belong to the sign-in that waits.",
			"Cette réponse n'appartient pas à la connexion en attente.")
		return
	}
	l.wake()
	select {
	case <-l.shown:
	case <-l.closed:
		select {
		case <-l.shown:
		default:
			page(w, http.StatusServiceUnavailable, "The program has stopped waiting: begin the sign-in again.",
				"Le programme n'attend plus : recommencez la connexion.")
			return
		}
	case <-req.Context().Done():
		return
	}
	if !l.good {
		page(w, http.StatusOK, "The sign-in did not succeed: the program tells why. You can close this page.",
			"La connexion n'a pas abouti : le programme indique pourquoi. Vous pouvez fermer cette page.")
		return
	}
	page(w, http.StatusOK, "You are signed in. You can close this page.", "Vous êtes connecté. Vous pouvez fermer cette page.")
}

// accept takes the query if it is the first with the right state.
func (l *landing) accept(q url.Values) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken || l.state == "" || (one(q, "code") == "") == (one(q, "error") == "") ||
		subtle.ConstantTimeCompare([]byte(one(q, "state")), []byte(l.state)) != 1 {
		return false
	}
	l.taken, l.query = true, q
	return true
}

func page(w http.ResponseWriter, status int, en, fr string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<!DOCTYPE html><html lang="fr"><head><meta charset="utf-8"><title>Vaguemestre</title></head><body><p>`+
		fr+`</p><p lang="en">`+en+"</p></body></html>\n")
}
