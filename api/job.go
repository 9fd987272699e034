package api

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"rappel/engine"
)

// snapshot handles POST /v1/snapshots.
func (s *Server) snapshot(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	j, err := s.engine.StartSnapshot(c.Request().Context(), s.cfg.LakeDir, keyOf(c).ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, j)
}

// evaluate handles POST /v1/models/:id/evaluate.
func (s *Server) evaluate(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	force := false
	if text := c.QueryParam("force"); text != "" {
		var err error
		if force, err = strconv.ParseBool(text); err != nil {
			return &engine.FieldError{Pointer: "/force", Detail: "is neither true nor false"}
		}
	}
	j, err := s.engine.StartEvaluation(c.Request().Context(), param(c, "id"), keyOf(c).ID, force)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, j)
}

// job handles GET /v1/jobs/:id.
func (s *Server) job(c echo.Context) error {
	j, err := s.engine.Job(c.Request().Context(), keyOf(c).Creditor, param(c, "id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, j)
}

// shadow handles POST /v1/models/:id/shadow.
func (s *Server) shadow(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	m, err := s.engine.Shadow(c.Request().Context(), param(c, "id"), keyOf(c).ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, m)
}

// endShadow handles DELETE /v1/models/shadow.
func (s *Server) endShadow(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	if _, err := s.engine.Shadow(c.Request().Context(), "", keyOf(c).ID); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// trial handles GET /v1/models/:id/shadow.
func (s *Server) trial(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	t, err := s.engine.Trial(c.Request().Context(), param(c, "id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, t)
}
