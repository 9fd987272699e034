package engine

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// What subscribers are told of.
const (
	// tellDays is how old an alert may be that subscribers hear of: after a backlog
	// has been learnt, what was raised before is found in the list.
	tellDays     = 7
	TellAlert    = "alert.opened"      // an alert was opened, or re-opened by new evidence
	TellDecision = "decision.proposed" // a contact was decided
	TellModel    = "model.promoted"    // another model serves
)

// WebhookTypes are the types of message.
var WebhookTypes = []string{TellAlert, TellDecision, TellModel}

// Webhook is one subscriber.
type Webhook = store.Webhook

// Message is one message to one subscriber.
type Message = store.Message

// Bell is rung when messages wait to be sent.
func (e *Engine) Bell() <-chan struct{} { return e.bell }

func (e *Engine) ring() {
	select {
	case e.bell <- struct{}{}:
	default: // it rings already
	}
}

// loadHooks reads the subscribers.
func (e *Engine) loadHooks(ctx context.Context) error {
	hooks, err := e.store.Webhooks(ctx)
	if err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	e.hooks.Store(&hooks)
	return nil
}

// Webhooks returns the subscribers of a creditor, or all where it is empty, in
// order of creation.
func (e *Engine) Webhooks(creditor string) []Webhook {
	list := []Webhook{}
	for _, w := range *e.hooks.Load() {
		if creditor == "" || w.Creditor == creditor {
			list = append(list, w)
		}
	}
	return list
}

// Subscribe adds a subscriber of a creditor, or of all where it names none, and
// returns it with its secret, which is made where none is given. No types
// stand for all of them.
func (e *Engine) Subscribe(ctx context.Context, w Webhook, actor string) (Webhook, error) {
	if w.Creditor != "" {
		if _, err := e.book(w.Creditor); err != nil {
			return Webhook{}, err
		}
	}
	u, err := url.Parse(w.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return Webhook{}, &FieldError{"/url", "is no http or https address"}
	}
	if len(w.Types) == 0 {
		w.Types = WebhookTypes
	}
	for i, t := range w.Types {
		if !slices.Contains(WebhookTypes, t) {
			return Webhook{}, &FieldError{fmt.Sprintf("/types/%d", i), fmt.Sprintf("%q is none of %s", t, strings.Join(WebhookTypes, ", "))}
		}
	}
	if w.Secret == "" {
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		w.Secret = "whsec_" + base64.StdEncoding.EncodeToString(secret)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(w.Secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return Webhook{}, &FieldError{"/secret", "is not whsec_ and the base64 of 24 to 64 bytes"}
	}
	id := make([]byte, 8)
	rand.Read(id)
	w.ID, w.CreatedAt = "wh_"+hex.EncodeToString(id), e.now(time.Time{})
	if err := e.store.PutWebhook(ctx, w); err != nil {
		return Webhook{}, err
	}
	if err := e.loadHooks(ctx); err != nil {
		return Webhook{}, err
	}
	return w, e.store.Audit(ctx, w.Creditor, actor, "subscribe", w.ID, w.URL)
}

// Unsubscribe ends a subscription of a creditor, or any where it is empty. It
// returns ledger.ErrNotFound where there is none.
func (e *Engine) Unsubscribe(ctx context.Context, creditor, id, actor string) error {
	w, err := e.webhook(creditor, id)
	if err != nil {
		return err
	}
	if err := e.store.DeleteWebhook(ctx, id); err != nil {
		return err
	}
	if err := e.loadHooks(ctx); err != nil {
		return err
	}
	return e.store.Audit(ctx, w.Creditor, actor, "unsubscribe", id, w.URL)
}

func (e *Engine) webhook(creditor, id string) (Webhook, error) {
	for _, w := range e.Webhooks(creditor) {
		if w.ID == id {
			return w, nil
		}
	}
	return Webhook{}, fmt.Errorf("webhook %q: %w", id, ledger.ErrNotFound)
}

// Messages returns the newest messages to a subscriber, at most n: all that are
// kept, or only the dead letters.
func (e *Engine) Messages(ctx context.Context, creditor, webhook string, dead bool, n int) ([]Message, error) {
	if _, err := e.webhook(creditor, webhook); err != nil {
		return nil, err
	}
	list, err := e.store.Messages(ctx, webhook, dead, n)
	if err != nil {
		return nil, fmt.Errorf("messages to %s: %w", webhook, err)
	}
	return list, nil
}

// Revive gives the dead letters of a subscriber all their attempts again, and
// returns how many there were.
func (e *Engine) Revive(ctx context.Context, creditor, webhook, actor string) (int, error) {
	const most = 10_000
	list, err := e.Messages(ctx, creditor, webhook, true, most)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	for i := range list {
		list[i].Attempts, list[i].NextAt, list[i].DeadAt = 0, e.now(time.Time{}), time.Time{}
	}
	if err := e.Sent(ctx, list); err != nil {
		return 0, err
	}
	e.ring()
	return len(list), e.store.Audit(ctx, creditor, actor, "revive messages", webhook, strconv.Itoa(len(list)))
}

// Outgoing returns at most n messages that are due, each with its subscriber.
func (e *Engine) Outgoing(ctx context.Context, n int) ([]Message, []Webhook, error) {
	due, err := e.store.DueMessages(ctx, e.now(time.Time{}), n)
	if err != nil {
		return nil, nil, fmt.Errorf("messages: %w", err)
	}
	list, to := due[:0], make([]Webhook, 0, len(due))
	for _, m := range due {
		if w, err := e.webhook("", m.Webhook); err == nil { // else it was just ended
			list, to = append(list, m), append(to, w)
		}
	}
	return list, to, nil
}

// messageDays is how long delivered messages stay visible.
const messageDays = 30

// Sent notes what became of messages.
func (e *Engine) Sent(ctx context.Context, list []Message) error {
	if err := e.store.SetMessages(ctx, list, e.now(time.Time{}).AddDate(0, 0, -messageDays)); err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	return nil
}

// tell returns the messages of one fact: one for each subscriber. The same id
// is the same fact.
func (e *Engine) tell(kind, id, creditor, debtor string, at time.Time, data any) ([]Message, error) {
	var list []Message
	var payload []byte
	now := e.now(time.Time{})
	for _, w := range *e.hooks.Load() {
		if w.Creditor != "" && w.Creditor != creditor && creditor != "" || !slices.Contains(w.Types, kind) {
			continue
		}
		if payload == nil {
			var err error
			if payload, err = json.Marshal(struct {
				Type      string    `json:"type"`
				Timestamp time.Time `json:"timestamp"`
				Data      any       `json:"data"`
			}{kind, at, data}); err != nil {
				return nil, fmt.Errorf("message %s: %w", id, err)
			}
		}
		list = append(list, Message{
			ID: id, Webhook: w.ID, Creditor: creditor, Debtor: debtor, Type: kind, CreatedAt: now, Payload: payload, NextAt: now,
		})
	}
	return list, nil
}

// tellAlerts returns the messages of alerts that were raised. They name no
// members of a group: whoever may know asks for the alert.
func (e *Engine) tellAlerts(n *news, creditor string, loc *time.Location) (list []Message, _ error) {
	for _, r := range n.raised {
		if n.at.Sub(r.at) > tellDays*24*time.Hour {
			continue
		}
		x := n.whole(r.alert).show(creditor, nil, r.at, loc)
		x.Members = nil
		m, err := e.tell(TellAlert, fmt.Sprintf("msg_%s_%d", x.ID, r.at.Unix()), creditor, x.Debtor, r.at, x)
		if err != nil {
			return nil, err
		}
		list = append(list, m...)
	}
	return list, nil
}

// logDecisions writes decisions down with the messages that tell of contacts.
func (e *Engine) logDecisions(ctx context.Context, rows []ledger.Decision) error {
	var messages []Message
	for i := range rows {
		d := &rows[i]
		if d.Action != ActionContact {
			continue
		}
		m, err := e.tell(TellDecision, "msg_"+d.ID, d.Creditor, d.Debtor, d.DecidedAt, json.RawMessage(d.Answer))
		if err != nil {
			return err
		}
		messages = append(messages, m...)
	}
	err := e.store.LogDecisionsWith(ctx, rows, messages)
	if err == nil && len(messages) > 0 {
		e.ring()
	}
	return err
}
