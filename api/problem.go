package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// problem is an answer of RFC 9457, and the error that carries it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code"`
	Errors faults `json:"errors,omitempty"`

	retryAfter int // seconds
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// fault is one field that cannot be used.
type fault struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

type faults []fault

// problem returns the faults as an answer, in order of pointer.
func (f faults) problem(code string) *problem {
	slices.SortStableFunc(f, func(a, b fault) int { return cmp.Compare(a.Pointer, b.Pointer) })
	detail := f[0].Pointer + ": " + f[0].Detail
	if f[0].Pointer == "" {
		detail = "The body " + f[0].Detail
	}
	if len(f) > 1 {
		detail += " (and " + strconv.Itoa(len(f)-1) + " more)"
	}
	return &problem{Status: http.StatusUnprocessableEntity, Code: code, Detail: detail, Errors: f}
}

// problemOf maps every error to its status, once for all routes. Its texts are
// the API's own: nothing of err itself is told but the faults of fields.
func problemOf(err error) *problem {
	var (
		p      *problem
		http4  *echo.HTTPError
		fields engine.FieldErrors
		field  *engine.FieldError
		debtor *engine.DebtorError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &fields):
		var list faults
		for _, f := range fields {
			list = append(list, fault{f.Pointer, f.Detail})
		}
		return list.problem("invalid_field")
	case errors.As(err, &field):
		return faults{{field.Pointer, field.Detail}}.problem("invalid_field")
	case errors.As(err, &debtor):
		return &problem{Status: http.StatusNotFound, Code: "not_found", Detail: fmt.Sprintf("There is no debtor %q, or not for this key.", debtor.ID)}
	case errors.Is(err, ledger.ErrNotFound):
		return &problem{Status: http.StatusNotFound, Code: "not_found", Detail: "There is no such thing, or not for this key."}
	case errors.Is(err, ledger.ErrConflict):
		return &problem{Status: http.StatusConflict, Code: "conflict", Detail: "That does not fit what is there already."}
	case errors.Is(err, engine.ErrNoPrevious):
		return &problem{Status: http.StatusConflict, Code: "no_previous_model", Detail: "No model served before this one."}
	case errors.Is(err, engine.ErrArtefact):
		return &problem{
			Status: http.StatusUnprocessableEntity, Code: "bad_artefact",
			Detail: "The artefact is missing, damaged, or made for another version; the running model stays.",
		}
	case errors.Is(err, engine.ErrBusy):
		return &problem{Status: http.StatusServiceUnavailable, Code: "busy", Detail: "The write queue is full.", retryAfter: 1}
	case errors.Is(err, engine.ErrClosed):
		return stopping
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &problem{Status: http.StatusServiceUnavailable, Code: "interrupted", Detail: "The request was interrupted.", retryAfter: 1}
	case errors.As(err, &http4):
		return routeProblem(http4.Code)
	}
	return &problem{Status: http.StatusInternalServerError, Code: "internal", Detail: "Something went wrong here; the request id names it in the log."}
}

var stopping = &problem{Status: http.StatusServiceUnavailable, Code: "stopping", Detail: "The server is stopping.", retryAfter: 5}

// routeProblem words what the router refuses.
func routeProblem(status int) *problem {
	switch status {
	case http.StatusNotFound:
		return &problem{Status: status, Code: "not_found", Detail: "There is no such route."}
	case http.StatusMethodNotAllowed:
		return &problem{Status: status, Code: "method_not_allowed", Detail: "This route does not know that method."}
	}
	return &problem{Status: status, Code: "http_" + strconv.Itoa(status), Detail: http.StatusText(status)}
}

// fail answers an error as application/problem+json.
func (s *Server) fail(err error, c echo.Context) {
	p := *problemOf(err)
	if p.Code == "internal" {
		s.log.LogAttrs(c.Request().Context(), slog.LevelError, "request failed", slog.String("request_id", requestID(c)),
			slog.String("route", c.Path()), slog.Any("error", err))
	}
	if c.Response().Committed {
		panic(http.ErrAbortHandler) // a stream that broke off: the client must not take it for whole
	}
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	if p.retryAfter > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	body, _ := json.Marshal(p) // of strings and numbers only
	_ = c.Blob(p.Status, "application/problem+json", body)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
