package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// putCreditor handles PUT /v1/creditors/:id.
func (s *Server) putCreditor(c echo.Context) error {
	id := c.Param("id")
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
	if err := s.engine.PutCreditor(c.Request().Context(), body); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, body)
}

// creditor handles GET /v1/creditors/:id.
func (s *Server) creditor(c echo.Context) error {
	if err := own(c, c.Param("id")); err != nil {
		return err
	}
	body, err := s.engine.Creditor(c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, body)
}

// eventsAnswer is what POST /v1/events answers.
type eventsAnswer struct {
	Accepted   int               `json:"accepted"`
	Duplicates int               `json:"duplicates"`
	Rejected   []ledger.Rejected `json:"rejected"`
}

// events handles POST /v1/events: a JSON array or one event a line.
func (s *Server) events(c echo.Context) error {
	kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	ndjson := kind == "application/x-ndjson"
	if err != nil && c.Request().Header.Get(echo.HeaderContentType) != "" || !ndjson && kind != "" && kind != echo.MIMEApplicationJSON {
		return &problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
			Detail: "Send application/json (an array) or application/x-ndjson."}
	}
	body, err := readBody(c)
	if err != nil {
		return err
	}
	events, index, rejected, err := ledger.ParseEvents(body, ndjson)
	if err != nil {
		return &problem{Status: http.StatusBadRequest, Code: "unreadable_body", Detail: err.Error()}
	}
	answer := eventsAnswer{Rejected: rejected}
	if answer.Rejected == nil {
		answer.Rejected = []ledger.Rejected{}
	}
	good := events[:0]
	for i := range events {
		if err := own(c, events[i].Creditor); err != nil || !s.engine.Knows(events[i].Creditor) {
			answer.Rejected = append(answer.Rejected, ledger.Rejected{
				Index: index[i], ID: events[i].ID, Code: "unknown_creditor", Detail: fmt.Sprintf("there is no creditor %q", events[i].Creditor),
			})
			continue
		}
		good = append(good, events[i])
	}
	slices.SortFunc(answer.Rejected, func(a, b ledger.Rejected) int { return a.Index - b.Index })
	answer.Accepted, answer.Duplicates, err = s.engine.Ingest(c.Request().Context(), good)
	if err != nil {
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
	if err := named(body.Creditor, "/creditor_id"); err != nil {
		return err
	}
	if err := own(c, body.Creditor); err != nil {
		return err
	}
	if err := plausible(body.AsOf); err != nil {
		return err
	}
	report, err := s.engine.Learn(c.Request().Context(), body.Creditor, body.AsOf)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, report)
}

func named(v, pointer string) error {
	if v == "" {
		return &engine.FieldError{Pointer: pointer, Detail: "is missing"}
	}
	return nil
}

// plausible refuses moments that no debt can have; zero stands for now.
func plausible(t time.Time) error {
	if !t.IsZero() && (t.Year() < 1970 || t.Year() > 2200) {
		return &engine.FieldError{Pointer: "/as_of", Detail: fmt.Sprintf("the year %d is not between 1970 and 2200", t.Year())}
	}
	return nil
}

// ask is the body of a recommendation, for one debtor or many.
type ask struct {
	Creditor     string          `json:"creditor_id"`
	Debtor       string          `json:"debtor_id,omitempty"`
	Debtors      json.RawMessage `json:"debtor_ids,omitempty"`
	AsOf         *time.Time      `json:"as_of,omitempty"`
	HorizonDays  *int            `json:"horizon_days,omitempty"`
	Channels     []string        `json:"channels,omitempty"`
	Alternatives *int            `json:"alternatives,omitempty"`
	Language     string          `json:"language,omitempty"`
}

// request checks the common part and turns it into the engine's.
func (a *ask) request() (engine.Request, error) {
	var errs engine.FieldErrors
	bad := func(pointer, format string, args ...any) {
		errs = append(errs, &engine.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	r := engine.Request{Creditor: a.Creditor, Debtor: a.Debtor, HorizonDays: 7, Channels: a.Channels, Language: a.Language, Alternatives: 3}
	if a.Creditor == "" {
		bad("/creditor_id", "is missing")
	}
	if a.AsOf != nil {
		r.AsOf = *a.AsOf
		if y := r.AsOf.Year(); y < 1970 || y > 2200 {
			bad("/as_of", "the year %d is not between 1970 and 2200", y)
		}
	}
	if a.HorizonDays != nil {
		if r.HorizonDays = *a.HorizonDays; r.HorizonDays < 1 || r.HorizonDays > 28 {
			bad("/horizon_days", "%d is not between 1 and 28", r.HorizonDays)
		}
	}
	if a.Alternatives != nil {
		if r.Alternatives = *a.Alternatives; r.Alternatives < 0 || r.Alternatives > 20 {
			bad("/alternatives", "%d is not between 0 and 20", r.Alternatives)
		}
	}
	for i, name := range a.Channels {
		if _, ok := ledger.ParseChannel(name); !ok {
			bad(fmt.Sprintf("/channels/%d", i), "unknown channel %q", name)
		}
	}
	switch a.Language {
	case "", "nl", "fr", "en":
	default:
		bad("/language", "%q is none of nl, fr, en", a.Language)
	}
	if len(errs) > 0 {
		return r, errs
	}
	return r, nil
}

// recommend handles POST /v1/recommendations.
func (s *Server) recommend(c echo.Context) error {
	var body ask
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Debtors != nil {
		return &engine.FieldError{Pointer: "/debtor_ids", Detail: "belongs to /v1/recommendations/batch"}
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
	if req.Key = c.Request().Header.Get("Idempotency-Key"); len(req.Key) > 200 {
		return &problem{Status: http.StatusBadRequest, Code: "bad_idempotency_key", Detail: "The Idempotency-Key is longer than 200 characters."}
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
	var body ask
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Debtor != "" {
		return &engine.FieldError{Pointer: "/debtor_id", Detail: "belongs to /v1/recommendations"}
	}
	req, err := body.request()
	if err != nil {
		return err
	}
	if err := own(c, body.Creditor); err != nil {
		return err
	}
	var ids []string
	var word string
	switch {
	case json.Unmarshal(body.Debtors, &word) == nil && word == "all_overdue":
		if ids, err = s.engine.Overdue(req.Creditor, req.AsOf); err != nil {
			return err
		}
	case json.Unmarshal(body.Debtors, &ids) == nil && ids != nil:
	default:
		return &engine.FieldError{Pointer: "/debtor_ids", Detail: `must be a list of ids or "all_overdue"`}
	}
	out := answers(c)
	err = s.engine.Batch(c.Request().Context(), req, ids, func(d *engine.Decision) error {
		s.metrics.decisions.WithLabelValues(d.Action).Inc()
		return out.write(d)
	})
	if err != nil {
		return err
	}
	return out.close()
}

// decision handles GET /v1/decisions/:id.
func (s *Server) decision(c echo.Context) error {
	d, err := s.engine.Decision(c.Request().Context(), s.creditorOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, d)
}

// creditorOf is the creditor whose data a request without a body speaks of:
// the query's, or the key's. An operator's key may leave it out for decisions.
func (s *Server) creditorOf(c echo.Context) string {
	if k := keyOf(c); k.Creditor != "" {
		return k.Creditor
	}
	return c.QueryParam("creditor_id")
}

// review handles POST /v1/decisions/:id/approve, reject and override.
func (s *Server) review(c echo.Context) error {
	verdict := c.Param("verdict")
	if verdict != "approve" && verdict != "reject" && verdict != "override" {
		return echo.NewHTTPError(http.StatusNotFound)
	}
	var body struct {
		Channel string     `json:"channel,omitempty"`
		SendAt  *time.Time `json:"send_at,omitempty"`
		Note    string     `json:"note,omitempty"`
	}
	b, err := readBody(c)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) > 0 {
		if err := decodeJSON(b, &body); err != nil {
			return err
		}
	}
	r := engine.Review{Verdict: verdict, Channel: body.Channel, Note: body.Note, Actor: keyOf(c).ID}
	if body.SendAt != nil {
		r.SendAt = *body.SendAt
	}
	d, err := s.engine.Review(c.Request().Context(), s.creditorOf(c), c.Param("id"), r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, d)
}

// debtor handles GET /v1/debtors/:id.
func (s *Server) debtor(c echo.Context) error {
	creditor := c.QueryParam("creditor_id")
	if err := named(creditor, "/creditor_id"); err != nil {
		return err
	}
	if err := own(c, creditor); err != nil {
		return err
	}
	var asOf time.Time
	if q := c.QueryParam("as_of"); q != "" {
		var err error
		if asOf, err = time.Parse(time.RFC3339, q); err != nil {
			return &engine.FieldError{Pointer: "/as_of", Detail: "is not an RFC 3339 time"}
		}
	}
	p, err := s.engine.Debtor(c.Request().Context(), ledger.Key{Creditor: creditor, Debtor: c.Param("id")}, asOf)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, p)
}

// erase handles DELETE /v1/debtors/:id.
func (s *Server) erase(c echo.Context) error {
	creditor := c.QueryParam("creditor_id")
	if err := named(creditor, "/creditor_id"); err != nil {
		return err
	}
	if err := own(c, creditor); err != nil {
		return err
	}
	if err := s.engine.Erase(c.Request().Context(), ledger.Key{Creditor: creditor, Debtor: c.Param("id")}, keyOf(c).ID); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// models handles GET /v1/models.
func (s *Server) models(c echo.Context) error {
	list, err := s.engine.Models(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"models": list})
}

// register handles POST /v1/models.
func (s *Server) register(c echo.Context) error {
	var body struct {
		Path string `json:"path"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := named(body.Path, "/path"); err != nil {
		return err
	}
	if err := operator(c); err != nil {
		return err
	}
	m, err := s.engine.Register(c.Request().Context(), body.Path)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, m)
}

// promote handles POST /v1/models/:id/promote.
func (s *Server) promote(c echo.Context) error {
	if err := operator(c); err != nil {
		return err
	}
	m, err := s.engine.Promote(c.Request().Context(), c.Param("id"), keyOf(c).ID)
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

// accepts tells whether the client accepts a media type by name.
func accepts(c echo.Context, kind string) bool {
	for part := range strings.SplitSeq(c.Request().Header.Get(echo.HeaderAccept), ",") {
		if name, _, err := mime.ParseMediaType(part); err == nil && name == kind {
			return true
		}
	}
	return false
}
