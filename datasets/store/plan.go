package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"rappel/datasets/ledger"
)

// PlanAction is one decision of a plan.
type PlanAction struct {
	Debtor, Decision string
	Value            float64
}

// PutPlanActions notes decisions of a plan, of which the first has the place
// given. Place 0 starts the plan anew.
func (s *Store) PutPlanActions(ctx context.Context, creditor, plan string, place int, list []PlanAction) error {
	debtors, decisions, values := make([]string, len(list)), make([]string, len(list)), make([]float64, len(list))
	for i, a := range list {
		debtors[i], decisions[i], values[i] = a.Debtor, a.Decision, a.Value
	}
	return s.Write(ctx, func(tx *sql.Tx) error {
		if place == 0 {
			if _, err := tx.ExecContext(ctx, "DELETE FROM plan_actions WHERE creditor_id = ? AND plan_id = ?", creditor, plan); err != nil {
				return fmt.Errorf("plan %s: %w", plan, err)
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO plan_actions (creditor_id, plan_id, place, debtor_id, decision_id, value)
			SELECT ?, ?, ? + place - 1, debtor, decision, value FROM (SELECT unnest(?::VARCHAR[]) AS debtor,
				unnest(?::VARCHAR[]) AS decision, unnest(?::DOUBLE[]) AS value, generate_subscripts(?::VARCHAR[], 1) AS place)`,
			creditor, plan, place, debtors, decisions, values, debtors); err != nil {
			return fmt.Errorf("plan %s: %w", plan, err)
		}
		return nil
	})
}

// PutPlan stores what a plan comes to.
func (s *Store) PutPlan(ctx context.Context, creditor, plan string, madeAt time.Time, day ledger.Day, summary []byte) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO plans (creditor_id, plan_id, made_at, day, summary) VALUES (?, ?, ?, ?, ?)",
			creditor, plan, madeAt, day.UTC(), string(summary)); err != nil {
			return fmt.Errorf("plan %s: %w", plan, err)
		}
		return nil
	})
}

// Plan returns whose a plan is and what it comes to, or ledger.ErrNotFound. An
// empty creditor stands for any.
func (s *Store) Plan(ctx context.Context, creditor, plan string) (owner string, summary []byte, err error) {
	var text string
	err = s.db.QueryRowContext(ctx, "SELECT creditor_id, summary FROM plans WHERE plan_id = ? AND (? = '' OR creditor_id = ?)",
		plan, creditor, creditor).Scan(&owner, &text)
	return owner, []byte(text), missing(err, "plan", plan)
}

// planned is the query of the actions of a plan, of a creditor, in order.
const planned = `SELECT a.debtor_id, a.decision_id, d.action, d.channel, d.send_at, d.tone, d.arm, d.propensity, a.value AS value_eur
	FROM plan_actions a JOIN decisions d USING (creditor_id, decision_id)
	WHERE a.plan_id = ? AND a.creditor_id = ? ORDER BY a.place`

// PlanRow is one action of a plan as it is told.
type PlanRow struct {
	Debtor     string     `json:"debtor_id"`
	Decision   string     `json:"decision_id"`
	Action     string     `json:"action"`
	Channel    string     `json:"channel,omitempty"`
	SendAt     *time.Time `json:"send_at,omitempty"`
	Tone       string     `json:"tone,omitempty"`
	Arm        string     `json:"arm"`
	Propensity float64    `json:"propensity"` // with which just this was drawn, under all constraints
	Value      float64    `json:"value_eur"`
}

// PlanRows yields the actions of a plan in order.
func (s *Store) PlanRows(ctx context.Context, creditor, plan string, yield func(*PlanRow) error) error {
	rows, err := s.db.QueryContext(ctx, planned, plan, creditor)
	if err != nil {
		return fmt.Errorf("plan %s: %w", plan, err)
	}
	defer rows.Close()
	for rows.Next() {
		var r PlanRow
		var channel, tone sql.NullString
		if err := rows.Scan(&r.Debtor, &r.Decision, &r.Action, &channel, &r.SendAt, &tone, &r.Arm, &r.Propensity, &r.Value); err != nil {
			return fmt.Errorf("plan %s: %w", plan, err)
		}
		r.Channel, r.Tone = channel.String, tone.String
		if err := yield(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// WritePlan writes the actions of a plan to a file, CSV or Parquet by its name,
// and returns how many there are.
func (s *Store) WritePlan(ctx context.Context, creditor, plan, path string) (int64, error) {
	query := planned
	for _, value := range []string{plan, creditor} {
		query = strings.Replace(query, "?", "'"+strings.ReplaceAll(value, "'", "''")+"'", 1)
	}
	options := "(FORMAT csv, HEADER)"
	if strings.HasSuffix(path, ".parquet") {
		options = "(FORMAT parquet)"
	}
	result, err := s.db.ExecContext(ctx, "COPY ("+query+") TO '"+strings.ReplaceAll(path, "'", "''")+"' "+options)
	if err != nil {
		return 0, fmt.Errorf("plan %s: %w", plan, err)
	}
	return result.RowsAffected()
}
