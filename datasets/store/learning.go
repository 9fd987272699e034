package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"rappel/datasets/ledger"
)

// PutLearned stores what was learnt of a creditor as of a moment together with
// the rewards that the learning entered or corrected: both or neither.
func (s *Store) PutLearned(ctx context.Context, creditor string, l ledger.Learned, rewards []ledger.Reward) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx,
			"INSERT OR REPLACE INTO learned_states (creditor_id, as_of, model_id, state) VALUES (?, ?, ?, ?)",
			creditor, l.AsOf, l.ModelID, l.Blob); err != nil {
			return fmt.Errorf("learnt state: %w", err)
		}
		// Daily states of the last weeks, weekly ones before: the Mondays stay.
		if _, err := tx.ExecContext(ctx,
			"DELETE FROM learned_states WHERE creditor_id = ? AND as_of < ? AND isodow(as_of) <> 1",
			creditor, l.AsOf.AddDate(0, 0, -35)); err != nil {
			return fmt.Errorf("learnt states: %w", err)
		}
		if len(rewards) == 0 {
			return nil
		}
		ids, values := make([]string, len(rewards)), make([]float64, len(rewards))
		imputed, until := make([]bool, len(rewards)), make([]int64, len(rewards))
		for i, r := range rewards {
			ids[i], values[i], imputed[i], until[i] = r.Decision, r.Value, r.Imputed, r.ObservedUntil.UnixMicro()
		}
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO rewards
			(creditor_id, decision_id, matured_at, reward, imputed, observed_until)
			SELECT ?, id, CASE WHEN NOT imputed THEN make_timestamptz(until) END, reward, imputed, make_timestamptz(until)
			FROM (SELECT unnest(?::VARCHAR[]) AS id, unnest(?::DOUBLE[]) AS reward,
			             unnest(?::BOOLEAN[]) AS imputed, unnest(?::BIGINT[]) AS until)`,
			creditor, ids, values, imputed, until); err != nil {
			return fmt.Errorf("rewards: %w", err)
		}
		return nil
	})
}

// ReplaceLearned stores a state and drops all others of the creditor: what
// remains after a debtor was erased.
func (s *Store) ReplaceLearned(ctx context.Context, creditor string, l ledger.Learned) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM learned_states WHERE creditor_id = ? AND as_of <> ?", creditor, l.AsOf); err != nil {
			return fmt.Errorf("learnt states: %w", err)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE learned_states SET state = ? WHERE creditor_id = ? AND as_of = ?",
			l.Blob, creditor, l.AsOf); err != nil {
			return fmt.Errorf("learnt state: %w", err)
		}
		return nil
	})
}

// LearnedAt returns the last learnt state of a creditor that is not after a
// moment, or ledger.ErrNotFound.
func (s *Store) LearnedAt(ctx context.Context, creditor string, asOf time.Time) (ledger.Learned, error) {
	var l ledger.Learned
	err := s.db.QueryRowContext(ctx, `SELECT as_of, model_id, state FROM learned_states
		WHERE creditor_id = ? AND as_of <= ? ORDER BY as_of DESC LIMIT 1`, creditor, asOf).Scan(&l.AsOf, &l.ModelID, &l.Blob)
	if errors.Is(err, sql.ErrNoRows) {
		return l, ledger.ErrNotFound
	}
	l.AsOf = l.AsOf.UTC()
	return l, err
}

// LearnedMoment returns the moment of the state that LearnedAt would return.
func (s *Store) LearnedMoment(ctx context.Context, creditor string, asOf time.Time) (time.Time, error) {
	var at sql.NullTime
	err := s.db.QueryRowContext(ctx,
		"SELECT max(as_of) FROM learned_states WHERE creditor_id = ? AND as_of <= ?", creditor, asOf).Scan(&at)
	if err == nil && !at.Valid {
		err = ledger.ErrNotFound
	}
	return at.Time.UTC(), err
}

// Contacting yields the logged decisions to contact of a creditor since a
// moment, in order, and whether the reward of each is final.
func (s *Store) Contacting(ctx context.Context, creditor string, since time.Time, yield func(d ledger.Decision, final bool) error) error {
	rows, err := s.db.QueryContext(ctx, `
		SELECT d.decision_id, d.debtor_id, d.decided_at, d.channel, d.send_at, d.vector, d.baseline,
		       coalesce(NOT r.imputed, false)
		FROM decisions d LEFT JOIN rewards r USING (creditor_id, decision_id)
		WHERE d.creditor_id = ? AND d.decided_at >= ? AND d.action = 'contact'
		ORDER BY d.decided_at, d.decision_id`, creditor, since)
	if err != nil {
		return fmt.Errorf("decisions of %s: %w", creditor, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			d       ledger.Decision
			channel string
			vector  []any
			final   bool
		)
		if err := rows.Scan(&d.ID, &d.Debtor, &d.DecidedAt, &channel, &d.SendAt, &vector, &d.Baseline, &final); err != nil {
			return fmt.Errorf("decisions of %s: %w", creditor, err)
		}
		d.Creditor, d.DecidedAt, d.SendAt = creditor, d.DecidedAt.UTC(), d.SendAt.UTC()
		d.Channel, _ = ledger.ParseChannel(channel)
		d.Vector = make([]float64, len(vector))
		for i, v := range vector {
			d.Vector[i], _ = v.(float64)
		}
		if err := yield(d, final); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Holidays returns the public holidays by country.
func (s *Store) Holidays(ctx context.Context) (map[string]map[ledger.Day]struct{}, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT country, day FROM holidays")
	if err != nil {
		return nil, fmt.Errorf("holidays: %w", err)
	}
	defer func() { _ = rows.Close() }()
	days := map[string]map[ledger.Day]struct{}{}
	for rows.Next() {
		var country string
		var day time.Time
		if err := rows.Scan(&country, &day); err != nil {
			return nil, fmt.Errorf("holidays: %w", err)
		}
		if days[country] == nil {
			days[country] = map[ledger.Day]struct{}{}
		}
		days[country][ledger.DayOf(day, time.UTC)] = struct{}{}
	}
	return days, rows.Err()
}
