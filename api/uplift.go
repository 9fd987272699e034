package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// defaultFeeShare is the share of what was earned that a results-based fee
// takes where the question names none.
const defaultFeeShare = 0.2

// uplift handles GET /v1/reports/uplift.
func (s *Server) uplift(c echo.Context) (err error) {
	o := engine.UpliftOptions{Creditor: c.QueryParam("creditor_id"), FeeShare: defaultFeeShare}
	if err := named(o.Creditor, "/creditor_id"); err != nil {
		return err
	}
	if err := own(c, o.Creditor); err != nil {
		return err
	}
	if o.From, err = momentIn(c, "from"); err != nil {
		return err
	}
	if o.AsOf, err = momentIn(c, "as_of"); err != nil {
		return err
	}
	if q := c.QueryParam("fee_share"); q != "" {
		if o.FeeShare, err = strconv.ParseFloat(q, 64); err != nil {
			return &engine.FieldError{Pointer: "/fee_share", Detail: "is not a number"}
		}
	}
	u, err := s.engine.Uplift(c.Request().Context(), o)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, u)
}

// momentIn reads a time of the query; zero where it is absent.
func momentIn(c echo.Context, name string) (time.Time, error) {
	q := c.QueryParam(name)
	if q == "" {
		return time.Time{}, nil
	}
	at, err := ledger.ParseTime(q)
	if err != nil || at.IsZero() {
		return at, &engine.FieldError{Pointer: "/" + name, Detail: "is not an RFC 3339 time"}
	}
	return at, plausible(at, "/"+name)
}
