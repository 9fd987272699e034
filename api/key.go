package api

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// keyring remembers the keys that were looked up. The server has the file to
// itself, so a key changes only through it: a revocation empties the ring.
type keyring struct {
	mu     sync.RWMutex
	byText map[string]engine.Key
}

func (r *keyring) get(text string) (engine.Key, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.byText[text]
	return k, ok
}

func (r *keyring) put(text string, k engine.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byText == nil {
		r.byText = map[string]engine.Key{}
	}
	r.byText[text] = k
}

func (r *keyring) empty() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byText = nil
}

// keyInfo is a key as a list shows it.
type keyInfo struct {
	ID        string     `json:"id"`
	Creditor  string     `json:"creditor_id,omitempty"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

func keyInfoOf(k engine.APIKey) keyInfo {
	info := keyInfo{ID: k.ID, Creditor: k.Creditor, Scopes: k.Scopes, CreatedAt: k.CreatedAt}
	if !k.RevokedAt.IsZero() {
		info.RevokedAt = &k.RevokedAt
	}
	return info
}

type keyPage struct {
	Keys []keyInfo `json:"keys"`
	Next string    `json:"next_cursor,omitempty"`
}

type newKey struct {
	Text string `json:"key"`
	keyInfo
}

// keys handles GET /v1/keys.
func (s *Server) keys(c echo.Context) error {
	all, err := s.engine.Keys(c.Request().Context(), keyOf(c).Creditor)
	if err != nil {
		return err
	}
	list := make([]keyInfo, 0, len(all))
	for _, k := range all {
		list = append(list, keyInfoOf(k))
	}
	page := keyPage{}
	if page.Keys, page.Next, err = paged(c, list, func(k *keyInfo) string { return k.ID }); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, page)
}

// createKey handles POST /v1/keys.
func (s *Server) createKey(c echo.Context) error {
	asking := keyOf(c)
	body := struct {
		Creditor string   `json:"creditor_id"`
		Scopes   []string `json:"scopes"`
	}{Creditor: asking.Creditor}
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := own(c, body.Creditor); err != nil {
		return err
	}
	if len(body.Scopes) == 0 {
		body.Scopes = asking.Scopes
	}
	for _, scope := range body.Scopes {
		if !slices.Contains(asking.Scopes, scope) {
			return &engine.FieldError{Pointer: "/scopes", Detail: "names a scope that the asking key does not have"}
		}
	}
	text, k, err := s.engine.CreateKey(c.Request().Context(), body.Creditor, body.Scopes, asking.ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, newKey{text, keyInfoOf(k)})
}

// revokeKey handles DELETE /v1/keys/:id.
func (s *Server) revokeKey(c echo.Context) error {
	id := param(c, "id")
	mine, err := s.engine.Keys(c.Request().Context(), keyOf(c).Creditor)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(mine, func(k engine.APIKey) bool { return k.ID == id }) {
		return ledger.ErrNotFound
	}
	if err := s.engine.RevokeKey(c.Request().Context(), id, keyOf(c).ID); err != nil {
		return err
	}
	s.ring.empty()
	return c.NoContent(http.StatusNoContent)
}
