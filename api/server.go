// Package api is the HTTP surface: it parses, asks the engine, answers. Rules
// of contact and SQL live elsewhere; one function turns errors into statuses.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/api/console"
	"rappel/engine"
)

// Config are the settings of a server.
type Config struct {
	LearnEvery time.Duration // how often it learns by itself; 0: only when asked
	RatePerKey float64       // requests a second; 0: unlimited
	Burst      int           // requests that a key may send at once
	StopAfter  time.Duration // how long a stop waits for requests under way
	ModelDir   string        // folder that artefacts must lie in to be registered; empty: any
	LakeDir    string        // folder of the lake that snapshots write; empty: beside the warehouse, with .lake after its name
	// HookWaits are how long to wait after each attempt to send a message that
	// did not arrive; after the last it is a dead letter.
	HookWaits   []time.Duration
	PublicHooks bool // messages go to public addresses only
	Console     console.Config
}

// DefaultConfig returns the settings used where nothing is said.
func DefaultConfig() Config {
	return Config{LearnEvery: time.Minute, RatePerKey: 2000, Burst: 4000, StopAfter: 20 * time.Second, HookWaits: defaultWaits}
}

// Server answers HTTP requests from an engine.
type Server struct {
	engine   *engine.Engine
	cfg      Config
	now      func() time.Time
	log      *slog.Logger
	echo     *echo.Echo
	limits   *limits
	metrics  *metrics
	ring     keyring
	inFlight sync.WaitGroup
	stopping atomic.Bool
}

// New returns a server over e. The clock paces the background learning and
// the rate limits; it decides nothing.
func New(e *engine.Engine, cfg Config, now func() time.Time, log *slog.Logger) *Server {
	s := &Server{engine: e, cfg: cfg, now: now, log: log, echo: echo.New(), metrics: newMetrics()}
	s.limits = newLimits(cfg.RatePerKey, cfg.Burst, now)
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.HTTPErrorHandler = s.fail
	s.echo.Use(s.identify, s.observe, s.survive, readable)
	s.routes()
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

	cfg := s.cfg
	cfg.Console.KeyRevoked = s.ring.empty
	pages := echo.WrapHandler(console.New(s.engine, cfg.Console, s.now, s.log))
	e.GET("/console", pages)
	e.GET("/console/*", pages)
	e.POST("/console/*", pages)

	// Beside the route: the scopes of which a key needs one.
	v1 := func(method, path string, h echo.HandlerFunc, scopes ...string) {
		e.Add(method, "/v1"+path, h, s.authenticate, needs(scopes...))
	}
	v1("PUT", "/creditors/:id", s.putCreditor, "admin")
	v1("GET", "/creditors/:id", s.creditor, "recommend", "review", "admin")
	v1("POST", "/events", s.events, "ingest")
	v1("POST", "/learn", s.learn, "train", "ingest")
	v1("POST", "/recommendations", s.recommend, "recommend")
	v1("POST", "/recommendations/batch", s.batch, "recommend")
	v1("GET", "/decisions/:id", s.decision, "recommend", "review")
	v1("POST", "/decisions/:id/approve", s.review("approve"), "review")
	v1("POST", "/decisions/:id/reject", s.review("reject"), "review")
	v1("POST", "/decisions/:id/override", s.review("override"), "review")
	v1("GET", "/debtors/:id", s.debtor, "recommend", "review")
	v1("DELETE", "/debtors/:id", s.erase, "admin")
	v1("POST", "/plans", s.makePlan, "recommend")
	v1("GET", "/plans/:id", s.plan, "recommend", "review")
	v1("GET", "/reports/uplift", s.uplift, "recommend", "review", "admin")
	v1("GET", "/forecast", s.forecast, "recommend", "review", "admin")
	v1("GET", "/alerts", s.alerts, "recommend", "review")
	v1("GET", "/alerts/:id", s.alert, "recommend", "review")
	v1("POST", "/alerts/:id/verdict", s.verdict, "review")
	v1("GET", "/webhooks", s.webhooks, "admin")
	v1("POST", "/webhooks", s.subscribe, "admin")
	v1("DELETE", "/webhooks/:id", s.unsubscribe, "admin")
	v1("GET", "/webhooks/:id/messages", s.messages, "admin")
	v1("POST", "/webhooks/:id/revive", s.revive, "admin")
	v1("GET", "/models", s.models, "train", "review", "admin")
	v1("POST", "/models", s.register, "train")
	v1("POST", "/models/:id/promote", s.promote, "train")
	v1("POST", "/models/:id/evaluate", s.evaluate, "train")
	v1("GET", "/models/:id/shadow", s.trial, "train", "review", "admin")
	v1("POST", "/models/:id/shadow", s.shadow, "train")
	v1("DELETE", "/models/shadow", s.endShadow, "train")
	v1("POST", "/models/rollback", s.rollback, "train")
	v1("POST", "/snapshots", s.snapshot, "train", "admin")
	v1("GET", "/jobs/:id", s.job, "train", "admin")
	v1("GET", "/audit", s.audit, "admin")
	v1("GET", "/keys", s.keys, "admin")
	v1("POST", "/keys", s.createKey, "admin")
	v1("DELETE", "/keys/:id", s.revokeKey, "admin")
}

// Serve answers on l until ctx ends, then lets requests under way finish.
// Meanwhile it learns by itself. When it returns, nothing asks the engine any
// more.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.echo, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	background, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { s.learnAlways(background) })
	beside.Go(func() { s.tellAlways(background) })
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		s.stopping.Store(true)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StopAfter)
		err = srv.Shutdown(grace)
		cancel()
	}
	stop()
	if err != nil {
		err = errors.Join(err, srv.Close()) // ends the contexts of requests still under way
	}
	s.inFlight.Wait()
	s.engine.StopJobs()
	beside.Wait()
	return err
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

// alive handles GET /healthz.
func (s *Server) alive(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "alive"})
}

// readiness handles GET /readyz.
func (s *Server) readiness(c echo.Context) error {
	if s.stopping.Load() {
		return stopping
	}
	if err := s.engine.Ready(c.Request().Context()); err != nil {
		s.log.LogAttrs(c.Request().Context(), slog.LevelWarn, "not ready", slog.Any("error", err))
		return &problem{
			Status: http.StatusServiceUnavailable, Code: "not_ready",
			Detail: "The warehouse does not answer or its disk is full; the log says which.", retryAfter: 5,
		}
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}
