package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// ask is what the bodies for one debtor and for many have in common.
type ask struct {
	Creditor     string    `json:"creditor_id"`
	AsOf         time.Time `json:"as_of"`
	HorizonDays  int       `json:"horizon_days"`
	Channels     []string  `json:"channels"`
	Alternatives int       `json:"alternatives"`
	Language     string    `json:"language"`
}

// defaultAsk is decoded over, so that an explicit 0 stays 0.
func defaultAsk() ask { return ask{HorizonDays: 7, Alternatives: 3} }

type askOne struct {
	ask
	Debtor string `json:"debtor_id"`
}

type askMany struct {
	ask
	Debtors debtorList `json:"debtor_ids"`
}

// debtorList is a list of ids or the word for all with overdue claims.
type debtorList struct {
	ids        []string
	allOverdue bool
}

// UnmarshalJSON reads a list of texts or the text all_overdue.
func (l *debtorList) UnmarshalJSON(b []byte) error {
	if string(b) == `"all_overdue"` {
		l.allOverdue = true
		return nil
	}
	return json.Unmarshal(b, &l.ids)
}

// request checks the common part and turns it into the engine's.
func (a *ask) request() (engine.Request, error) {
	var errs engine.FieldErrors
	check := func(ok bool, pointer, format string, args ...any) {
		if !ok {
			errs = append(errs, &engine.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
		}
	}
	check(a.Creditor != "", "/creditor_id", "is missing")
	fault := ledger.TimeFault(a.AsOf)
	check(a.AsOf.IsZero() || fault == "", "/as_of", "%s", fault)
	check(a.HorizonDays >= 1 && a.HorizonDays <= 28, "/horizon_days", "%d is not between 1 and 28", a.HorizonDays)
	check(a.Alternatives >= 0 && a.Alternatives <= 20, "/alternatives", "%d is not between 0 and 20", a.Alternatives)
	for i, name := range a.Channels {
		_, ok := ledger.ParseChannel(name)
		check(ok, fmt.Sprintf("/channels/%d", i), "there is no channel %q", name)
	}
	check(slices.Contains([]string{"", "nl", "fr", "en"}, a.Language), "/language", "%q is none of nl, fr, en", a.Language)
	if errs != nil {
		return engine.Request{}, errs
	}
	return engine.Request{
		Creditor: a.Creditor, AsOf: a.AsOf, HorizonDays: a.HorizonDays, Channels: a.Channels,
		Alternatives: a.Alternatives, Language: a.Language,
	}, nil
}

// recommend handles POST /v1/recommendations.
func (s *Server) recommend(c echo.Context) error {
	body := askOne{ask: defaultAsk()}
	if err := decode(c, &body); err != nil {
		return err
	}
	req, err := body.request()
	if err != nil {
		return err
	}
	if err := named(body.Debtor, "/debtor_id"); err != nil {
		return err
	}
	if err := own(c, body.Creditor); err != nil {
		return err
	}
	req.Debtor = body.Debtor
	if req.Key = c.Request().Header.Get("Idempotency-Key"); len(req.Key) > 200 || !printable(req.Key) {
		return &problem{
			Status: http.StatusBadRequest, Code: "bad_idempotency_key",
			Detail: "The Idempotency-Key is longer than 200 characters or holds others than printable ASCII.",
		}
	}
	d, err := s.engine.Recommend(c.Request().Context(), req)
	if err != nil {
		return err
	}
	s.metrics.decisions.WithLabelValues(d.Action).Inc()
	return c.JSON(http.StatusOK, d)
}

// batch handles POST /v1/recommendations/batch, streamed in the form that the
// client accepts.
func (s *Server) batch(c echo.Context) error {
	body := askMany{ask: defaultAsk()}
	if err := decode(c, &body); err != nil {
		return err
	}
	req, err := body.request()
	if err != nil {
		return err
	}
	if err := own(c, body.Creditor); err != nil {
		return err
	}
	ids := body.Debtors.ids
	if body.Debtors.allOverdue {
		if ids, err = s.engine.Overdue(req.Creditor, req.AsOf); err != nil {
			return err
		}
	} else if ids == nil {
		return &engine.FieldError{Pointer: "/debtor_ids", Detail: `must be a list of ids or "all_overdue"`}
	}
	out := answers(c)
	if err := s.engine.Batch(c.Request().Context(), req, ids, func(d *engine.Decision) error {
		s.metrics.decisions.WithLabelValues(d.Action).Inc()
		return out.write(d)
	}); err != nil {
		return err
	}
	return out.close()
}
