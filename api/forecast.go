package api

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"rappel/engine"
)

// defaultWeeks is how many weeks a forecast spans where the question names none.
const defaultWeeks = 8

// forecast handles GET /v1/forecast.
func (s *Server) forecast(c echo.Context) error {
	creditor := c.QueryParam("creditor_id")
	if err := named(creditor, "/creditor_id"); err != nil {
		return err
	}
	if err := own(c, creditor); err != nil {
		return err
	}
	asOf, err := momentIn(c, "as_of")
	if err != nil {
		return err
	}
	weeks, err := countIn(c, "weeks", defaultWeeks)
	if err != nil {
		return err
	}
	backtest, err := countIn(c, "backtest", 0)
	if err != nil {
		return err
	}
	f, err := s.engine.Forecast(c.Request().Context(), creditor, asOf, weeks, backtest, 1)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, f)
}

// countIn reads a whole number of the query.
func countIn(c echo.Context, name string, absent int) (int, error) {
	q := c.QueryParam(name)
	if q == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(q)
	if err != nil {
		return 0, &engine.FieldError{Pointer: "/" + name, Detail: "is not a whole number"}
	}
	return n, nil
}
