package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// problem is an answer of RFC 9457, and the error that carries it.
type problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Code   string       `json:"code"`
	Errors []fieldFault `json:"errors,omitempty"`

	retryAfter int
}

type fieldFault struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// problemOf maps every error to its status, once for all routes.
func problemOf(err error) *problem {
	var (
		p      *problem
		he     *echo.HTTPError
		fields engine.FieldErrors
		field  *engine.FieldError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &fields):
		p = &problem{Status: http.StatusUnprocessableEntity, Code: "invalid_field", Detail: fields.Error()}
		for _, f := range fields {
			p.Errors = append(p.Errors, fieldFault{f.Pointer, f.Detail})
		}
		return p
	case errors.As(err, &field):
		return &problem{Status: http.StatusUnprocessableEntity, Code: "invalid_field", Detail: field.Error(),
			Errors: []fieldFault{{field.Pointer, field.Detail}}}
	case errors.Is(err, ledger.ErrNotFound):
		return &problem{Status: http.StatusNotFound, Code: "not_found", Detail: "There is no such thing, or not for this key."}
	case errors.Is(err, ledger.ErrConflict):
		return &problem{Status: http.StatusConflict, Code: "conflict", Detail: "That does not fit what is there already."}
	case errors.Is(err, engine.ErrNoPrevious):
		return &problem{Status: http.StatusConflict, Code: "no_previous_model", Detail: "No model served before this one."}
	case errors.Is(err, engine.ErrArtefact):
		return &problem{Status: http.StatusUnprocessableEntity, Code: "bad_artefact", Detail: err.Error()}
	case errors.Is(err, engine.ErrBusy):
		return &problem{Status: http.StatusServiceUnavailable, Code: "busy", Detail: "The write queue is full.", retryAfter: 1}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &problem{Status: http.StatusServiceUnavailable, Code: "interrupted", Detail: "The request was interrupted.", retryAfter: 1}
	case errors.As(err, &he):
		return httpProblem(he)
	}
	return &problem{Status: http.StatusInternalServerError, Code: "internal", Detail: "Something went wrong here; the request id names it in the log."}
}

func httpProblem(he *echo.HTTPError) *problem {
	switch he.Code {
	case http.StatusNotFound:
		return &problem{Status: he.Code, Code: "not_found", Detail: "There is no such route."}
	case http.StatusMethodNotAllowed:
		return &problem{Status: he.Code, Code: "method_not_allowed", Detail: "This route does not know that method."}
	case http.StatusRequestEntityTooLarge:
		return &problem{Status: he.Code, Code: "body_too_large", Detail: "The body is larger than 8 MiB."}
	}
	return &problem{Status: he.Code, Code: "http_" + strconv.Itoa(he.Code), Detail: http.StatusText(he.Code)}
}

// fail answers an error as application/problem+json.
func (s *Server) fail(err error, c echo.Context) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError && p.Code == "internal" {
		s.log.LogAttrs(c.Request().Context(), slog.LevelError, "request failed", slog.String("request_id", requestID(c)),
			slog.String("path", c.Path()), slog.Any("error", err))
	}
	if c.Response().Committed {
		return // a stream that broke off: its end tells
	}
	full := *p
	if full.Type == "" {
		full.Type = "about:blank"
	}
	full.Title = http.StatusText(full.Status)
	if full.retryAfter > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(full.retryAfter))
	}
	body, _ := json.Marshal(full) // of strings and numbers only
	_ = c.Blob(full.Status, "application/problem+json", body)
}

func requestID(c echo.Context) string {
	id, _ := c.Get("request_id").(string)
	return id
}
