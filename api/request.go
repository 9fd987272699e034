package api

import (
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/oklog/ulid/v2"
)

// identify gives every request an id, taken or made, and answers it.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if id == "" || len(id) > 100 || !printable(id) {
			id = ulid.Make().String()
		}
		c.Set("request_id", id)
		h := c.Response().Header()
		h.Set(echo.HeaderXRequestID, id)
		h.Set(echo.HeaderXContentTypeOptions, "nosniff")
		return next(c)
	}
}

func requestID(c echo.Context) string {
	id, _ := c.Get("request_id").(string)
	return id
}

func printable(s string) bool {
	for _, r := range s {
		if r < 0x21 || r > 0x7e {
			return false
		}
	}
	return true
}

// observe counts, times and logs every request by its route.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		s.inFlight.Add(1)
		defer s.inFlight.Done()
		start := s.now()
		err := next(c)
		status := c.Response().Status
		if err != nil && !c.Response().Committed {
			status = problemOf(err).Status
		}
		method, route := c.Request().Method, c.Path()
		if status == http.StatusNotFound && route == "" || status == http.StatusMethodNotAllowed {
			method, route = "", "" // names that a stranger may choose make no series
		}
		seconds := s.now().Sub(start).Seconds()
		s.metrics.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(seconds)
		s.log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request", slog.String("request_id", requestID(c)),
			slog.String("method", c.Request().Method), slog.String("route", route), slog.Int("status", status),
			slog.String("key_id", keyOf(c).ID), slog.Float64("seconds", seconds))
		return err
	}
}

// survive turns a panic of a handler into an error.
func (s *Server) survive(next echo.HandlerFunc) echo.HandlerFunc {
	return middleware.RecoverWithConfig(middleware.RecoverConfig{
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			s.log.LogAttrs(c.Request().Context(), slog.LevelError, "handler panicked", slog.String("request_id", requestID(c)),
				slog.Any("error", err), slog.String("stack", string(stack)))
			return err
		},
	})(next)
}

// param returns a part of the path as it was meant: the router matches the
// escaped path, so that an id may hold a slash.
func param(c echo.Context, name string) string {
	v := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return v
	}
	if plain, err := url.PathUnescape(v); err == nil {
		return plain
	}
	return v
}
