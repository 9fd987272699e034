package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
)

const ndjson = "application/x-ndjson"

// receipt is what POST /v1/events answers.
type receipt struct {
	Accepted   int               `json:"accepted"`
	Duplicates int               `json:"duplicates"`
	Rejected   []ledger.Rejected `json:"rejected"`
}

// events handles POST /v1/events: a JSON array or one event a line. Good
// events are kept beside bad ones.
func (s *Server) events(c echo.Context) error {
	body, kind, err := readBody(c, echo.MIMEApplicationJSON, ndjson)
	if err != nil {
		return err
	}
	events, index, rejected, err := ledger.ParseEvents(body, kind == ndjson)
	switch {
	case errors.Is(err, ledger.ErrTooManyEvents):
		return &problem{
			Status: http.StatusRequestEntityTooLarge, Code: "too_many_events",
			Detail: fmt.Sprintf("The body holds more than %d events.", ledger.MaxEvents),
		}
	case err != nil:
		return &problem{
			Status: http.StatusBadRequest, Code: "unreadable_body",
			Detail: "The body is neither a JSON array of events nor one event a line.",
		}
	}
	good := events[:0]
	for i := range events {
		e := &events[i]
		if own(c, e.Creditor) == nil && s.engine.Knows(e.Creditor) {
			good = append(good, *e)
			continue
		}
		rejected = append(rejected, ledger.Rejected{
			Index: index[i], ID: e.ID, Code: "unknown_creditor", Detail: fmt.Sprintf("there is no creditor %q", e.Creditor),
		})
	}
	slices.SortFunc(rejected, func(a, b ledger.Rejected) int { return cmp.Compare(a.Index, b.Index) })
	answer := receipt{Rejected: append([]ledger.Rejected{}, rejected...)}
	if answer.Accepted, answer.Duplicates, err = s.engine.Ingest(c.Request().Context(), good); err != nil {
		return err
	}
	s.metrics.events.Add(float64(answer.Accepted))
	return c.JSON(http.StatusOK, answer)
}

// learn handles POST /v1/learn.
func (s *Server) learn(c echo.Context) error {
	var body struct {
		Creditor string    `json:"creditor_id"`
		AsOf     time.Time `json:"as_of"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := cmp.Or(named(body.Creditor, "/creditor_id"), plausible(body.AsOf, "/as_of"), own(c, body.Creditor)); err != nil {
		return err
	}
	ctx := c.Request().Context()
	report, err := s.engine.Learn(ctx, body.Creditor, body.AsOf)
	if err != nil {
		return err
	}
	if err := s.engine.Audit(ctx, body.Creditor, keyOf(c).ID, "learn", body.Creditor, ""); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, report)
}
