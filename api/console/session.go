package console

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"rappel/engine"
)

const (
	cookieName  = "rappel_session"
	sessionLife = 12 * time.Hour
	maxForm     = 4096
)

// session is one who has signed in with a key. The key is looked up anew at
// every page, so that its revocation ends the session.
type session struct {
	key   string
	until time.Time
}

// sessions are kept in memory: a restart signs everyone out.
type sessions struct {
	now     func() time.Time
	mu      sync.Mutex
	byToken map[string]session
}

func (s *sessions) begin(key string) (token string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for t, old := range s.byToken {
		if !now.Before(old.until) {
			delete(s.byToken, t)
		}
	}
	token, until = rand.Text(), now.Add(sessionLife)
	s.byToken[token] = session{key, until}
	return token, until
}

func (s *sessions) key(token string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.byToken[token]
	return x.key, ok && s.now().Before(x.until)
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byToken, token)
}

// who returns the key of the one who asks.
func (c *console) who(r *http.Request) (engine.Key, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return engine.Key{}, false
	}
	text, ok := c.sessions.key(cookie.Value)
	if !ok {
		return engine.Key{}, false
	}
	key, err := c.engine.Key(r.Context(), text)
	return key, err == nil && slices.Contains(key.Scopes, "review")
}

func (c *console) signInPage(w http.ResponseWriter, r *http.Request) {
	c.show(w, r, http.StatusOK, "signin", c.view(r))
}

// signIn begins a session for a key that may review.
func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	text := strings.TrimSpace(r.PostFormValue("key"))
	key, err := c.engine.Key(r.Context(), text)
	if err != nil || !slices.Contains(key.Scopes, "review") {
		v := c.view(r)
		v.Body = "bad key"
		c.show(w, r, http.StatusForbidden, "signin", v)
		return
	}
	token, until := c.sessions.begin(text)
	setCookie(w, r, token, until)
	http.Redirect(w, r, "/console/", http.StatusSeeOther)
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		c.sessions.end(cookie.Value)
	}
	setCookie(w, r, "", time.Unix(1, 0))
	http.Redirect(w, r, "/console/sign-in", http.StatusSeeOther)
}

func setCookie(w http.ResponseWriter, r *http.Request, token string, until time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: token, Path: "/console/", Expires: until, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}
