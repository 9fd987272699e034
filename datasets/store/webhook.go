package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/ledger"
)

// Webhook is one subscriber.
type Webhook struct {
	ID        string
	Creditor  string // empty: it hears of all creditors
	URL       string
	Secret    string // whsec_ and base64
	Types     []string
	CreatedAt time.Time
}

// Message is one message to one subscriber.
type Message struct {
	ID          string
	Webhook     string
	Creditor    string
	Debtor      string // empty: it speaks of no single debtor
	Type        string
	CreatedAt   time.Time
	Payload     []byte
	Attempts    int
	NextAt      time.Time
	DeliveredAt time.Time // zero: not yet
	DeadAt      time.Time // zero: attempts are left
	Status      int       // of the last answer; 0: there was none
	Error       string    // of the last attempt
}

// PutWebhook adds a subscriber.
func (s *Store) PutWebhook(ctx context.Context, w Webhook) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO webhooks (webhook_id, creditor_id, url, secret, types, created_at)
			VALUES (?, ?, ?, ?, ?, ?)`, w.ID, w.Creditor, w.URL, w.Secret, w.Types, w.CreatedAt)
		return missing(err, "webhook", w.ID)
	})
}

// DeleteWebhook ends a subscription; what was not delivered to it goes too. It
// returns ledger.ErrNotFound where there is none.
func (s *Store) DeleteWebhook(ctx context.Context, id string) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if err := touched(tx.ExecContext(ctx, "DELETE FROM webhooks WHERE webhook_id = ?", id))("webhook", id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM webhook_messages WHERE webhook_id = ?", id)
		return missing(err, "webhook", id)
	})
}

// Webhooks returns all subscribers in order of creation.
func (s *Store) Webhooks(ctx context.Context) ([]Webhook, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT webhook_id, creditor_id, url, secret, types, created_at FROM webhooks
		ORDER BY created_at, webhook_id`)
	return collect(rows, err, func(row scanner) (w Webhook, err error) {
		var types duckdb.Composite[[]string]
		err = row.Scan(&w.ID, &w.Creditor, &w.URL, &w.Secret, &types, &w.CreatedAt)
		w.Types, w.CreatedAt = types.Get(), w.CreatedAt.UTC()
		return w, err
	})
}

func putMessages(ctx context.Context, tx *sql.Tx, list []Message) error {
	for _, m := range list {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO webhook_messages
			(message_id, webhook_id, creditor_id, debtor_id, type, created_at, payload, next_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			m.ID, m.Webhook, m.Creditor, m.Debtor, m.Type, m.CreatedAt, string(m.Payload), m.NextAt); err != nil {
			return fmt.Errorf("message %s: %w", m.ID, err)
		}
	}
	return nil
}

// PutMessages writes messages down to be sent.
func (s *Store) PutMessages(ctx context.Context, list []Message) error {
	return s.Write(ctx, func(tx *sql.Tx) error { return putMessages(ctx, tx, list) })
}

const messageColumns = `message_id, webhook_id, creditor_id, debtor_id, type, created_at, payload, attempts, next_at,
	delivered_at, dead_at, status, error`

func scanMessage(row scanner) (m Message, err error) {
	var payload string
	var delivered, dead sql.NullTime
	err = row.Scan(&m.ID, &m.Webhook, &m.Creditor, &m.Debtor, &m.Type, &m.CreatedAt, &payload, &m.Attempts, &m.NextAt,
		&delivered, &dead, &m.Status, &m.Error)
	m.Payload, m.CreatedAt, m.NextAt = []byte(payload), m.CreatedAt.UTC(), m.NextAt.UTC()
	m.DeliveredAt, m.DeadAt = delivered.Time, dead.Time
	return m, err
}

// DueMessages returns at most n messages to be sent by a moment, the longest
// waiting first.
func (s *Store) DueMessages(ctx context.Context, by time.Time, n int) ([]Message, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+messageColumns+` FROM webhook_messages
		WHERE delivered_at IS NULL AND dead_at IS NULL AND next_at <= ?
		ORDER BY next_at, message_id, webhook_id LIMIT ?`, by, n)
	return collect(rows, err, scanMessage)
}

// Messages returns the newest messages of a subscriber, at most n: all of
// them, or only the dead letters.
func (s *Store) Messages(ctx context.Context, webhook string, dead bool, n int) ([]Message, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+messageColumns+` FROM webhook_messages
		WHERE webhook_id = ? AND (NOT ? OR dead_at IS NOT NULL)
		ORDER BY created_at DESC, message_id DESC LIMIT ?`, webhook, dead, n)
	return collect(rows, err, scanMessage)
}

// SetMessages notes what became of attempts to send, and drops messages that
// were delivered before a moment.
func (s *Store) SetMessages(ctx context.Context, list []Message, drop time.Time) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		for _, m := range list {
			if _, err := tx.ExecContext(ctx, `UPDATE webhook_messages
				SET attempts = ?, next_at = ?, delivered_at = ?, dead_at = ?, status = ?, error = ?
				WHERE message_id = ? AND webhook_id = ?`, m.Attempts, m.NextAt, nullTime(m.DeliveredAt), nullTime(m.DeadAt),
				m.Status, m.Error, m.ID, m.Webhook); err != nil {
				return fmt.Errorf("message %s: %w", m.ID, err)
			}
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM webhook_messages WHERE delivered_at < ?", drop); err != nil {
			return fmt.Errorf("messages: %w", err)
		}
		return nil
	})
}

// LogDecisionsWith writes decisions down, and in the same transaction the
// messages that tell of them.
func (s *Store) LogDecisionsWith(ctx context.Context, decisions []ledger.Decision, messages []Message) error {
	if len(messages) == 0 {
		return s.LogDecisions(ctx, decisions)
	}
	return s.submit(ctx, &request{ctx: ctx, decisions: decisions, write: func(tx *sql.Tx) error {
		return putMessages(ctx, tx, messages)
	}})
}
