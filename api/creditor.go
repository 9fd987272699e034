package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// putCreditor handles PUT /v1/creditors/:id. What the body leaves out has its
// default.
func (s *Server) putCreditor(c echo.Context) error {
	id := param(c, "id")
	if err := own(c, id); err != nil {
		return err
	}
	body := engine.DefaultCreditor(id)
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.ID != id {
		return &engine.FieldError{Pointer: "/id", Detail: "differs from the path"}
	}
	for pointer, text := range map[string]string{"/id": body.ID, "/name": body.Name} {
		if fault := ledger.TextFault(text); fault != "" {
			return &engine.FieldError{Pointer: pointer, Detail: fault}
		}
	}
	if err := s.engine.PutCreditor(c.Request().Context(), body, keyOf(c).ID); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, body)
}

// creditor handles GET /v1/creditors/:id.
func (s *Server) creditor(c echo.Context) error {
	id := param(c, "id")
	if err := own(c, id); err != nil {
		return err
	}
	body, err := s.engine.Creditor(id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, body)
}
