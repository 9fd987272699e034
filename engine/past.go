package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
)

// pasts holds, by debtor, what was known when each invoice was issued. Of a
// debtor to whom nothing happened since the last learning it stays as it is.
type pasts map[string]*debtorPast

type debtorPast struct {
	revision uint64 // of the account
	invoices map[string]features.Past
}

func (p *debtorPast) of() map[string]features.Past {
	if p == nil {
		return nil
	}
	return p.invoices
}

// pasts returns what was known at the issue of every invoice issued until
// asOf, given that of an earlier moment.
func (e *Engine) pasts(ctx context.Context, b *book, last pasts, since, asOf time.Time) (pasts, error) {
	next := maps.Clone(last)
	if next == nil {
		next = pasts{}
	}
	from, to := since.Unix(), asOf.Unix()
	b.mu.RLock()
	all := len(last) == 0
	var keys []ledger.Key
	for id, a := range b.accounts {
		old := last[id]
		if old != nil && old.revision == a.revision && !slices.ContainsFunc(a.invoices, func(v invoice) bool { return v.issued > from && v.issued <= to }) {
			continue
		}
		keys = append(keys, a.key)
		next[id] = &debtorPast{revision: a.revision, invoices: make(map[string]features.Past, len(a.invoices))}
	}
	b.mu.RUnlock()
	if len(keys) == 0 {
		return next, nil
	}
	filter := features.Filter{Creditor: b.id}
	if !all {
		filter.Keys = keys
	}
	err := e.pipe.Pasts(ctx, asOf, filter, func(k ledger.Key, invoice string, p features.Past) {
		if d := next[k.Debtor]; d != nil {
			d.invoices[invoice] = p
		}
	})
	if err != nil {
		return nil, fmt.Errorf("history at issue: %w", err)
	}
	return next, nil
}

// past is the history that the pay hazard sees of an invoice: that of its
// issue. One issued since the last learning has the history of that.
func (h *habit) past(invoice string) features.Past {
	if p, ok := h.issued[invoice]; ok {
		return p
	}
	return h.now
}
