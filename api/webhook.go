package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"rappel/engine"
)

// defaultWaits are how long to wait after each attempt that did not arrive:
// those that Standard Webhooks names. After the last the message is a dead
// letter.
var defaultWaits = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	hookTimeout = 15 * time.Second // of one attempt
	hookBatch   = 200              // messages looked at together
	hookAtOnce  = 8                // subscribers told at a time
	hookLook    = time.Second      // between looks for messages whose wait is over
)

// tellAlways sends messages as they become due, until ctx ends.
func (s *Server) tellAlways(ctx context.Context) {
	look := time.NewTicker(hookLook)
	defer look.Stop()
	client := s.hookClient()
	for {
		n, err := s.tellDue(ctx, client)
		if err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelError, "sending messages", slog.Any("error", err))
		}
		if n == hookBatch && err == nil {
			continue // more wait
		}
		select {
		case <-ctx.Done():
			return
		case <-s.engine.Bell():
		case <-look.C:
		}
	}
}

// hookClient follows no redirects, and where the configuration says so speaks
// to public addresses only, whatever a name resolves to.
func (s *Server) hookClient() *http.Client {
	dialer := &net.Dialer{Timeout: hookTimeout}
	if s.cfg.PublicHooks {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if !public(at.Addr()) {
				return fmt.Errorf("%s is no public address", at.Addr())
			}
			return nil
		}
	}
	return &http.Client{
		Timeout:       hookTimeout,
		Transport:     &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: hookTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// public tells whether an address is one of the open internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// shared is the address space of carriers, RFC 6598.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// tellDue sends what is due: to several subscribers at a time, to each in
// order, and no more to one that does not answer. It returns how many messages
// it looked at.
func (s *Server) tellDue(ctx context.Context, client *http.Client) (int, error) {
	list, to, err := s.engine.Outgoing(ctx, hookBatch)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	byHook := map[string][]int{}
	var order []string
	for i := range list {
		if byHook[to[i].ID] == nil {
			order = append(order, to[i].ID)
		}
		byHook[to[i].ID] = append(byHook[to[i].ID], i)
	}
	tried := make([]bool, len(list))
	turns := make(chan struct{}, hookAtOnce)
	var wait sync.WaitGroup
	for _, id := range order {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			for _, i := range byHook[id] {
				tried[i] = s.attempt(ctx, client, &list[i], &to[i])
				if !tried[i] || list[i].DeliveredAt.IsZero() {
					return
				}
			}
		})
	}
	wait.Wait()
	done := list[:0:0]
	for i := range list {
		if tried[i] {
			done = append(done, list[i])
		}
	}
	if len(done) == 0 {
		return 0, nil
	}
	// What was answered must be noted even where the server is just stopping.
	return len(done), s.engine.Sent(context.WithoutCancel(ctx), done)
}

// attempt sends m once and notes in it what became of that; false where the
// server stopped meanwhile, which counts as no attempt.
func (s *Server) attempt(ctx context.Context, client *http.Client, m *engine.Message, w *engine.Webhook) bool {
	status, err := s.post(ctx, client, m, w)
	if ctx.Err() != nil && err != nil {
		return false
	}
	now := s.now().UTC()
	m.Attempts, m.Status, m.Error = m.Attempts+1, status, ""
	switch {
	case err != nil:
		m.Error = reason(err)
	case status < 200 || status > 299:
		m.Error = "answered " + strconv.Itoa(status)
	default:
		m.DeliveredAt = now
		return true
	}
	if status == http.StatusGone || m.Attempts > len(s.cfg.HookWaits) {
		m.DeadAt = now
		s.log.LogAttrs(ctx, slog.LevelWarn, "dead letter", slog.String("message_id", m.ID), slog.String("webhook_id", w.ID), slog.String("reason", m.Error))
		return true
	}
	m.NextAt = now.Add(s.cfg.HookWaits[m.Attempts-1])
	return true
}

// reason is what a subscriber is told of an error: not its whole address.
func reason(err error) string {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

func (s *Server) post(ctx context.Context, client *http.Client, m *engine.Message, w *engine.Webhook) (status int, err error) {
	signer, err := standardwebhooks.NewWebhook(w.Secret)
	if err != nil {
		return 0, err
	}
	now := s.now()
	signature, err := signer.Sign(m.ID, now, m.Payload)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(m.Payload))
	if err != nil {
		return 0, err
	}
	r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	r.Header.Set("User-Agent", "rappel")
	r.Header.Set(standardwebhooks.HeaderWebhookID, m.ID)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	return answer.StatusCode, answer.Body.Close()
}

type webhookInfo struct {
	ID        string    `json:"webhook_id"`
	Creditor  string    `json:"creditor_id"`
	URL       string    `json:"url"`
	Types     []string  `json:"types"`
	CreatedAt time.Time `json:"created_at"`
}

type newWebhook struct {
	webhookInfo
	Secret string `json:"secret"`
}

func webhookInfoOf(w *engine.Webhook) webhookInfo {
	return webhookInfo{w.ID, w.Creditor, w.URL, w.Types, w.CreatedAt}
}

type webhookPage struct {
	Webhooks []webhookInfo `json:"webhooks"`
	Next     string        `json:"next_cursor,omitempty"`
}

// webhooks handles GET /v1/webhooks.
func (s *Server) webhooks(c echo.Context) (err error) {
	var list []webhookInfo
	for _, w := range s.engine.Webhooks(keyOf(c).Creditor) {
		list = append(list, webhookInfoOf(&w))
	}
	page := webhookPage{}
	if page.Webhooks, page.Next, err = paged(c, list, func(w *webhookInfo) string { return w.ID }); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, page)
}

// subscribe handles POST /v1/webhooks.
func (s *Server) subscribe(c echo.Context) error {
	asking := keyOf(c)
	body := struct {
		Creditor string   `json:"creditor_id"`
		URL      string   `json:"url"`
		Types    []string `json:"types"`
		Secret   string   `json:"secret"`
	}{Creditor: asking.Creditor}
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := own(c, body.Creditor); err != nil {
		return err
	}
	w, err := s.engine.Subscribe(c.Request().Context(), engine.Webhook{
		Creditor: body.Creditor, URL: body.URL, Types: body.Types, Secret: body.Secret,
	}, asking.ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, newWebhook{webhookInfoOf(&w), w.Secret})
}

// unsubscribe handles DELETE /v1/webhooks/:id.
func (s *Server) unsubscribe(c echo.Context) error {
	k := keyOf(c)
	if err := s.engine.Unsubscribe(c.Request().Context(), k.Creditor, param(c, "id"), k.ID); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

type messageInfo struct {
	ID          string     `json:"message_id"`
	Type        string     `json:"type"`
	State       string     `json:"state"` // waiting delivered dead
	CreatedAt   time.Time  `json:"created_at"`
	Attempts    int        `json:"attempts"`
	NextAt      *time.Time `json:"next_at,omitempty"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	DeadAt      *time.Time `json:"dead_at,omitempty"`
	Status      int        `json:"last_status"` // 0: no answer yet
	Error       string     `json:"last_error,omitempty"`
}

type messagePage struct {
	Messages []messageInfo `json:"messages"`
	Next     string        `json:"next_cursor,omitempty"`
}

// messages handles GET /v1/webhooks/:id/messages.
func (s *Server) messages(c echo.Context) error {
	const most = 10_000
	dead := false
	switch c.QueryParam("state") {
	case "":
	case "dead":
		dead = true
	default:
		return &engine.FieldError{Pointer: "/state", Detail: "is not dead"}
	}
	all, err := s.engine.Messages(c.Request().Context(), keyOf(c).Creditor, param(c, "id"), dead, most)
	if err != nil {
		return err
	}
	var list []messageInfo
	for _, m := range all {
		x := messageInfo{ID: m.ID, Type: m.Type, State: "waiting", CreatedAt: m.CreatedAt, Attempts: m.Attempts, Status: m.Status, Error: m.Error}
		switch {
		case !m.DeliveredAt.IsZero():
			x.State, x.DeliveredAt = "delivered", &m.DeliveredAt
		case !m.DeadAt.IsZero():
			x.State, x.DeadAt = "dead", &m.DeadAt
		default:
			x.NextAt = &m.NextAt
		}
		list = append(list, x)
	}
	page := messagePage{}
	if page.Messages, page.Next, err = paged(c, list, func(m *messageInfo) string { return m.ID }); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, page)
}

// revive handles POST /v1/webhooks/:id/revive.
func (s *Server) revive(c echo.Context) error {
	k := keyOf(c)
	n, err := s.engine.Revive(c.Request().Context(), k.Creditor, param(c, "id"), k.ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]int{"revived": n})
}
