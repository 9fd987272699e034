package api

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.HistogramVec
	decisions *prometheus.CounterVec
	events    prometheus.Counter
	serve     http.Handler
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rappel_http_request_seconds", Help: "Time to answer, by route and status.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
		}, []string{"method", "route", "status"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rappel_decisions_total", Help: "Decisions answered, by action.",
		}, []string{"action"}),
		events: prometheus.NewCounter(prometheus.CounterOpts{Name: "rappel_events_total", Help: "Events accepted."}),
	}
	m.registry.MustRegister(m.requests, m.decisions, m.events,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.serve = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return m
}

func (m *metrics) handler(c echo.Context) error {
	m.serve.ServeHTTP(c.Response(), c.Request())
	return nil
}
