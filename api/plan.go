package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// planBody is the body of POST /v1/plans.
type planBody struct {
	Creditor string             `json:"creditor_id"`
	Date     string             `json:"date"`
	AsOf     time.Time          `json:"as_of"`
	Capacity map[string]int     `json:"capacity"`
	Blocks   []engine.Block     `json:"blocks"`
	Budget   *float64           `json:"budget_eur"`
	Pressure map[string]float64 `json:"pressure"`
	Explore  float64            `json:"explore"`
	Calls    int                `json:"calls_per_caller"`
	Language string             `json:"language"`
}

// makePlan handles POST /v1/plans.
func (s *Server) makePlan(c echo.Context) error {
	body := planBody{Explore: engine.DefaultExplore, Calls: engine.DefaultCallsPerCaller}
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := named(body.Creditor, "/creditor_id"); err != nil {
		return err
	}
	if err := own(c, body.Creditor); err != nil {
		return err
	}
	if err := plausible(body.AsOf, "/as_of"); err != nil {
		return err
	}
	req := engine.PlanRequest{
		Creditor: body.Creditor, AsOf: body.AsOf, Capacity: body.Capacity, Blocks: body.Blocks, Budget: body.Budget,
		Pressure: body.Pressure, Explore: body.Explore, CallsPerCaller: body.Calls, Language: body.Language,
	}
	if body.Date != "" {
		day, err := ledger.ParseDay(body.Date)
		if err != nil {
			return &engine.FieldError{Pointer: "/date", Detail: "is not a date such as 2026-03-04"}
		}
		req.Day = day
	}
	ctx := c.Request().Context()
	p, err := s.engine.MakePlan(ctx, req)
	if err != nil {
		return err
	}
	if err := s.engine.Audit(ctx, req.Creditor, keyOf(c).ID, "plan", p.ID, ""); err != nil {
		return err
	}
	return s.tellPlan(c, p)
}

// plan handles GET /v1/plans/:id.
func (s *Server) plan(c echo.Context) error {
	creditor, err := creditorOf(c)
	if err != nil {
		return err
	}
	p, err := s.engine.Plan(c.Request().Context(), creditor, param(c, "id"))
	if err != nil {
		return err
	}
	return s.tellPlan(c, p)
}

// tellPlan streams a plan with its actions.
func (s *Server) tellPlan(c echo.Context, p *engine.Plan) error {
	head, err := json.Marshal(p)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(http.StatusOK)
	out := bufio.NewWriterSize(c.Response(), 1<<16)
	_, _ = out.Write(bytes.TrimSuffix(head, []byte("}"))) // errors of a bufio.Writer stay until Flush
	_, _ = out.WriteString(`,"actions":[`)
	first := true
	if err := s.engine.PlanRows(c.Request().Context(), p, func(r *engine.PlanRow) error {
		if !first {
			_ = out.WriteByte(',')
		}
		first = false
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	}); err != nil {
		return err
	}
	_, _ = out.WriteString("]}\n")
	return out.Flush()
}
