package api

import (
	"math"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"rappel/engine"
)

// auditPage is a part of the audit log, newest first.
type auditPage struct {
	Acts []engine.Act `json:"acts"`
	Next string       `json:"next_cursor,omitempty"`
}

// audit handles GET /v1/audit.
func (s *Server) audit(c echo.Context) error {
	creditor, err := creditorOf(c)
	if err != nil {
		return err
	}
	limit, err := limitOf(c)
	if err != nil {
		return err
	}
	before := int64(math.MaxInt64)
	if cursor := c.QueryParam("cursor"); cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return errCursor
		}
	}
	list, err := s.engine.Acts(c.Request().Context(), creditor, before, limit+1)
	if err != nil {
		return err
	}
	page := auditPage{Acts: append([]engine.Act{}, list[:min(limit, len(list))]...)}
	if len(list) > limit {
		page.Next = strconv.FormatInt(list[limit-1].Line, 10)
	}
	return c.JSON(http.StatusOK, page)
}
