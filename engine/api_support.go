package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// ErrClosed is wrapped by what a store answers that is being closed.
var ErrClosed = store.ErrClosed

// APIKey is a key as it is listed: revoked ones too, never with its text.
type APIKey = store.APIKey

// Keys returns the keys of a creditor, or all where it is empty, in order of
// creation.
func (e *Engine) Keys(ctx context.Context, creditor string) ([]APIKey, error) {
	list, err := e.store.ListKeys(ctx, creditor)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return list, nil
}

// CreateKey makes a key of a creditor, or of all where it is empty, and
// returns its text, which is told once.
func (e *Engine) CreateKey(ctx context.Context, creditor string, scopes []string, actor string) (string, APIKey, error) {
	if creditor != "" {
		if _, err := e.book(creditor); err != nil {
			return "", APIKey{}, err
		}
	}
	text, key, err := e.store.CreateKey(ctx, creditor, scopes)
	if err != nil {
		return "", APIKey{}, err
	}
	return text, key, e.store.Audit(ctx, creditor, actor, "create key", key.ID, "")
}

// RevokeKey ends a key; ledger.ErrNotFound where there is none that holds.
func (e *Engine) RevokeKey(ctx context.Context, id, actor string) error {
	if err := e.store.RevokeKey(ctx, id); err != nil {
		return err
	}
	return e.store.Audit(ctx, "", actor, "revoke key", id, "")
}

// Owing is a debtor with overdue claims, as a list of work shows it.
type Owing struct {
	Debtor      string
	Open        float64
	Overdue     float64
	DaysPastDue int
	Next        *Decision // the last that was decided; nil: none was asked for
}

// Worklist returns the n debtors from the from'th on of those with overdue
// claims as of a moment, the largest first, and how many there are.
func (e *Engine) Worklist(ctx context.Context, creditor string, asOf time.Time, from, n int) ([]Owing, int, error) {
	b, err := e.book(creditor)
	if err != nil {
		return nil, 0, err
	}
	at := e.now(asOf)
	var list []Owing
	var f facts
	b.mu.RLock()
	for id, a := range b.accounts {
		if !a.knownAt(at.Unix()) {
			continue
		}
		if f.fill(a, at.Unix(), e.zone, b.location.Load()); f.openOverdue {
			list = append(list, Owing{Debtor: id, Open: float64(f.openCents) / 100, Overdue: float64(f.overdueCents) / 100, DaysPastDue: f.dpd})
		}
	}
	b.mu.RUnlock()
	slices.SortFunc(list, func(x, y Owing) int {
		return cmp.Or(cmp.Compare(y.Overdue, x.Overdue), cmp.Compare(x.Debtor, y.Debtor))
	})
	total := len(list)
	list = list[min(from, total):min(from+n, total)]
	for i := range list {
		logged, err := e.store.Decisions(ctx, ledger.Key{Creditor: creditor, Debtor: list[i].Debtor}, 30)
		if err != nil {
			return nil, 0, fmt.Errorf("decisions of %s: %w", list[i].Debtor, err)
		}
		for k := range logged {
			if logged[k].DecidedAt.After(at) {
				continue
			}
			if list[i].Next, err = parseAnswer(&logged[k]); err != nil {
				return nil, 0, err
			}
			break
		}
	}
	return list, total, nil
}
