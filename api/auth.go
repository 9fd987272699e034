package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// authenticate finds the key of the request and keeps to its rate.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		key, err := s.key(c.Request())
		if err != nil {
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="rappel"`)
			return err
		}
		if wait := s.limits.take(key.ID); wait > 0 {
			return &problem{
				Status: http.StatusTooManyRequests, Code: "rate_limited", Detail: "Too many requests with this key.",
				retryAfter: int(wait/time.Second) + 1,
			}
		}
		c.Set("key", key)
		return next(c)
	}
}

// readable refuses names in a path or a query that are not UTF-8: nothing has
// such a name.
func readable(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		for _, name := range c.ParamNames() {
			if !utf8.ValidString(param(c, name)) {
				return ledger.ErrNotFound
			}
		}
		for name, values := range c.QueryParams() {
			for _, v := range values {
				if !utf8.ValidString(v) {
					return &engine.FieldError{Pointer: "/" + strings.ToValidUTF8(name, "?"), Detail: "is not UTF-8"}
				}
			}
		}
		return next(c)
	}
}

func (s *Server) key(r *http.Request) (engine.Key, error) {
	scheme, text, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return engine.Key{}, &problem{Status: http.StatusUnauthorized, Code: "no_key", Detail: "Send Authorization: Bearer rk_…"}
	}
	if key, ok := s.ring.get(text); ok {
		return key, nil
	}
	key, err := s.engine.Key(r.Context(), text)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return engine.Key{}, &problem{Status: http.StatusUnauthorized, Code: "bad_key", Detail: "This key is unknown or was revoked."}
	case err != nil:
		return engine.Key{}, err
	}
	s.ring.put(text, key)
	return key, nil
}

// needs lets a request pass whose key has one of the scopes.
func needs(scopes ...string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			for _, scope := range scopes {
				if slices.Contains(keyOf(c).Scopes, scope) {
					return next(c)
				}
			}
			return &problem{
				Status: http.StatusForbidden, Code: "missing_scope",
				Detail: "The key lacks the scope " + strings.Join(scopes, " or ") + ".",
			}
		}
	}
}

func keyOf(c echo.Context) engine.Key {
	k, _ := c.Get("key").(engine.Key)
	return k
}

// own checks that the key may speak of the creditor. Another creditor's data
// does not exist for it: 404, never 403.
func own(c echo.Context, creditor string) error {
	if k := keyOf(c); k.Creditor != "" && k.Creditor != creditor {
		return ledger.ErrNotFound
	}
	return nil
}

// limits are token buckets by key.
type limits struct {
	rate  rate.Limit
	burst int
	now   func() time.Time
	mu    sync.Mutex
	byKey map[string]*rate.Limiter
}

func newLimits(perSecond float64, burst int, now func() time.Time) *limits {
	return &limits{rate: rate.Limit(perSecond), burst: burst, now: now, byKey: map[string]*rate.Limiter{}}
}

// take returns 0 where the request may pass, else how long to wait.
func (l *limits) take(key string) time.Duration {
	if l.rate <= 0 {
		return 0
	}
	l.mu.Lock()
	b := l.byKey[key]
	if b == nil {
		b = rate.NewLimiter(l.rate, l.burst)
		l.byKey[key] = b
	}
	l.mu.Unlock()
	now := l.now()
	r := b.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}
