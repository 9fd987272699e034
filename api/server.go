// Package api is the HTTP surface: it parses, asks the engine, answers. Rules
// of contact and SQL live elsewhere; one function turns errors into statuses.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/oklog/ulid/v2"

	"rappel/engine"
)

// Limits of one request.
const (
	maxBody   = 8 << 20
	maxEvents = 10_000
)

// Config are the settings of a server.
type Config struct {
	LearnEvery time.Duration // 0: only when asked
	RatePerKey float64       // requests a second; 0: unlimited
	Burst      int
	StopAfter  time.Duration // how long a stop waits for requests under way
	SnapshotTo string        // folder of lakes; empty: snapshots are refused
}

// DefaultConfig returns the settings used where nothing is said.
func DefaultConfig() Config {
	return Config{LearnEvery: time.Minute, RatePerKey: 2000, Burst: 4000, StopAfter: 20 * time.Second}
}

// Server answers HTTP requests from an engine.
type Server struct {
	engine  *engine.Engine
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	echo    *echo.Echo
	limits  limits
	metrics *metrics
	ready   atomic.Bool
}

// New returns a server over e. The clock paces the background learning and
// the rate limits; it decides nothing.
func New(e *engine.Engine, cfg Config, now func() time.Time, log *slog.Logger) *Server {
	s := &Server{engine: e, cfg: cfg, now: now, log: log, echo: echo.New()}
	s.limits = newLimits(cfg.RatePerKey, cfg.Burst, now)
	s.metrics = newMetrics()
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.HTTPErrorHandler = s.fail
	s.echo.Use(s.identify, s.measure, s.survive, middleware.BodyLimit("8M"))
	s.routes()
	s.ready.Store(true)
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

func (s *Server) routes() {
	e := s.echo
	e.GET("/healthz", s.alive)
	e.GET("/readyz", s.readiness)
	e.GET("/metrics", s.metrics.handler)
	e.GET("/openapi.yaml", s.openapi)
	e.GET("/docs", s.docs)

	v1 := e.Group("/v1", s.authenticate)
	v1.PUT("/creditors/:id", s.putCreditor, needs("admin"))
	v1.GET("/creditors/:id", s.creditor, needs("recommend", "review", "admin"))
	v1.POST("/events", s.events, needs("ingest"))
	v1.POST("/learn", s.learn, needs("train", "ingest"))
	v1.POST("/recommendations", s.recommend, needs("recommend"))
	v1.POST("/recommendations/batch", s.batch, needs("recommend"))
	v1.GET("/decisions/:id", s.decision, needs("recommend", "review"))
	v1.POST("/decisions/:id/:verdict", s.review, needs("review"))
	v1.GET("/debtors/:id", s.debtor, needs("recommend", "review"))
	v1.DELETE("/debtors/:id", s.erase, needs("admin"))
	v1.GET("/models", s.models, needs("train", "review", "admin"))
	v1.POST("/models", s.register, needs("train"))
	v1.POST("/models/rollback", s.rollback, needs("train"))
	v1.POST("/models/:id/promote", s.promote, needs("train"))
}

// Serve answers on l until ctx ends, then lets requests under way finish.
// Meanwhile it learns by itself.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.echo, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	background, stop := context.WithCancel(ctx)
	defer stop()
	learned := make(chan struct{})
	go func() {
		defer close(learned)
		s.learnAlways(background)
	}()
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		stop()
		<-learned
		return err
	case <-ctx.Done():
	}
	s.ready.Store(false)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StopAfter)
	defer cancel()
	err := srv.Shutdown(grace)
	<-learned
	if err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// learnAlways brings every creditor up to date from time to time.
func (s *Server) learnAlways(ctx context.Context) {
	if s.cfg.LearnEvery <= 0 {
		return
	}
	tick := time.NewTicker(s.cfg.LearnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, id := range s.engine.Creditors() {
			if !s.engine.Stale(id, s.now()) {
				continue
			}
			if _, err := s.engine.Learn(ctx, id, s.now()); err != nil && ctx.Err() == nil {
				s.log.LogAttrs(ctx, slog.LevelError, "learning by itself", slog.String("creditor_id", id), slog.Any("error", err))
			}
		}
	}
}

// identify gives every request an id, taken or made, and answers it.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if id == "" || len(id) > 100 || !printable(id) {
			id = ulid.Make().String()
		}
		c.Set("request_id", id)
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func printable(s string) bool {
	for _, r := range s {
		if r < 0x21 || r > 0x7e {
			return false
		}
	}
	return true
}

// survive turns a panic of a handler into an error.
func (s *Server) survive(next echo.HandlerFunc) echo.HandlerFunc {
	return middleware.RecoverWithConfig(middleware.RecoverConfig{
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			s.log.LogAttrs(c.Request().Context(), slog.LevelError, "handler panicked",
				slog.Any("error", err), slog.String("stack", string(stack)))
			return err
		},
	})(next)
}

func (s *Server) alive(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "alive"})
}

func (s *Server) readiness(c echo.Context) error {
	if !s.ready.Load() {
		return &problem{Status: http.StatusServiceUnavailable, Code: "stopping", Detail: "The server is stopping."}
	}
	if err := s.engine.Ready(c.Request().Context()); err != nil {
		return &problem{Status: http.StatusServiceUnavailable, Code: "not_ready", Detail: err.Error()}
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}
