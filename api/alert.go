package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/engine"
)

// alerts handles GET /v1/alerts.
func (s *Server) alerts(c echo.Context) (err error) {
	q := engine.AlertQuery{
		Creditor: c.QueryParam("creditor_id"), Status: c.QueryParam("status"), Kind: c.QueryParam("kind"),
		Debtor: c.QueryParam("debtor_id"), Cursor: c.QueryParam("cursor"), Limit: 100,
	}
	if q.Creditor == "" {
		q.Creditor = keyOf(c).Creditor
	}
	if err := named(q.Creditor, "/creditor_id"); err != nil {
		return err
	}
	if err := own(c, q.Creditor); err != nil {
		return err
	}
	if text := c.QueryParam("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > 1000 {
			return &engine.FieldError{Pointer: "/limit", Detail: "is not between 1 and 1000"}
		}
	}
	if text := c.QueryParam("current"); text != "" {
		if q.Current, err = strconv.ParseBool(text); err != nil {
			return &engine.FieldError{Pointer: "/current", Detail: "is neither true nor false"}
		}
	}
	if q.AsOf, err = momentIn(c, "as_of"); err != nil {
		return err
	}
	page, err := s.engine.Alerts(c.Request().Context(), q)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, page)
}

// alert handles GET /v1/alerts/:id.
func (s *Server) alert(c echo.Context) error {
	creditor, err := creditorOf(c)
	if err != nil {
		return err
	}
	at, err := momentIn(c, "as_of")
	if err != nil {
		return err
	}
	a, err := s.engine.Alert(c.Request().Context(), creditor, param(c, "id"), at)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a)
}

// verdict handles POST /v1/alerts/:id/verdict.
func (s *Server) verdict(c echo.Context) error {
	creditor, err := creditorOf(c)
	if err != nil {
		return err
	}
	var body struct {
		Verdict string    `json:"verdict"`
		Until   time.Time `json:"until"`
		Note    string    `json:"note"`
		AsOf    time.Time `json:"as_of"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := named(body.Verdict, "/verdict"); err != nil {
		return err
	}
	if err := plausible(body.Until, "/until"); err != nil {
		return err
	}
	if err := plausible(body.AsOf, "/as_of"); err != nil {
		return err
	}
	if len(body.Note) > maxNote {
		return &engine.FieldError{Pointer: "/note", Detail: "is longer than 2000 bytes"}
	}
	a, err := s.engine.Verdict(c.Request().Context(), param(c, "id"), creditor, engine.VerdictRequest{
		Verdict: body.Verdict, Until: body.Until, Note: body.Note, By: keyOf(c).ID, AsOf: body.AsOf,
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a)
}
