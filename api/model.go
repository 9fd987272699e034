package api

import (
	"net/http"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"rappel/engine"
)

// modelPage is a part of the list of models.
type modelPage struct {
	Models []engine.ModelInfo `json:"models"`
	Next   string             `json:"next_cursor,omitempty"`
}

// models handles GET /v1/models.
func (s *Server) models(c echo.Context) error {
	list, err := s.engine.Models(c.Request().Context())
	if err != nil {
		return err
	}
	page := modelPage{}
	page.Models, page.Next, err = paged(c, list, func(m *engine.ModelInfo) string { return m.ID })
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, page)
}

// errCursor refuses a cursor.
var errCursor = &engine.FieldError{Pointer: "/cursor", Detail: "is not one that was answered"}

// limitOf is how many items a page may hold.
func limitOf(c echo.Context) (int, error) {
	q := c.QueryParam("limit")
	if q == "" {
		return 100, nil
	}
	limit, err := strconv.Atoi(q)
	if err != nil || limit < 1 || limit > 1000 {
		return 0, &engine.FieldError{Pointer: "/limit", Detail: "is not between 1 and 1000"}
	}
	return limit, nil
}

// paged returns the part of a list that the query asks for: up to limit items
// after the one that the cursor names, and the cursor of what follows.
func paged[T any](c echo.Context, list []T, id func(*T) string) (page []T, next string, err error) {
	limit, err := limitOf(c)
	if err != nil {
		return nil, "", err
	}
	if cursor := c.QueryParam("cursor"); cursor != "" {
		i := slices.IndexFunc(list, func(x T) bool { return id(&x) == cursor })
		if i < 0 {
			return nil, "", errCursor
		}
		list = list[i+1:]
	}
	if len(list) > limit {
		list = list[:limit]
		next = id(&list[limit-1])
	}
	return append([]T{}, list...), next, nil
}

// register handles POST /v1/models.
func (s *Server) register(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	var body struct {
		Path string `json:"path"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	path, err := s.artefact(body.Path)
	if err != nil {
		return err
	}
	m, err := s.engine.Register(c.Request().Context(), path, keyOf(c).ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, m)
}

// artefact returns the folder that a path of the server names; where a folder
// of models is configured it must lie inside that.
func (s *Server) artefact(path string) (string, error) {
	if err := named(path, "/path"); err != nil || s.cfg.ModelDir == "" {
		return path, err
	}
	root, err := filepath.Abs(s.cfg.ModelDir)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	if inside, err := filepath.Rel(root, path); err != nil || !filepath.IsLocal(inside) {
		return "", &engine.FieldError{Pointer: "/path", Detail: "is not inside the server's folder of models"}
	}
	return path, nil
}

// promote handles POST /v1/models/:id/promote.
func (s *Server) promote(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	m, err := s.engine.Promote(c.Request().Context(), param(c, "id"), keyOf(c).ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, m)
}

// rollback handles POST /v1/models/rollback.
func (s *Server) rollback(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	m, err := s.engine.Rollback(c.Request().Context(), keyOf(c).ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, m)
}

// operator lets only a key for all creditors pass: a model serves them all.
func operator(c echo.Context) error {
	if keyOf(c).Creditor != "" {
		return &problem{Status: http.StatusForbidden, Code: "operators_only", Detail: "A model serves all creditors; use an operator's key."}
	}
	return nil
}
