package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models"
)

// farFuture is after every moment that an event may have.
var farFuture = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)

// resume takes up a book where the file left it.
func (e *Engine) resume(ctx context.Context, b *book) error {
	at, err := e.store.LearnedMoment(ctx, b.id, farFuture)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return fmt.Errorf("learnt state: %w", err)
	}
	if err == nil {
		l, err := e.restore(ctx, b, at)
		if err != nil {
			return err
		}
		b.learned.Store(l)
	}
	if err := e.loadAlerts(ctx, b); err != nil {
		return err
	}
	if err := e.loadWatch(ctx, b); err != nil {
		return err
	}
	since := at.AddDate(0, 0, -rewardHorizon-14)
	if err := e.store.Contacting(ctx, b.id, since, func(d ledger.Decision, final bool) error {
		if len(d.Vector) == models.Effects+rewardHorizon {
			l := loggedOf(&d)
			l.done = final
			b.logged[d.ID] = l
		}
		loc := b.location.Load()
		if a := b.accounts[d.Debtor]; a != nil {
			var f facts
			f.place(a, d.DecidedAt.Unix(), e.zone, loc)
			loc = f.loc
		}
		b.plans[d.Debtor] = planned{ledger.DayOf(d.SendAt, loc), d.Channel}
		return nil
	}); err != nil {
		return err
	}
	return e.resumeProposals(ctx, b)
}

// refresh returns the vectors of a book as of a moment, and how many were
// computed for it: all on the first learning of a day, else those of debtors of
// whom something was written, or to whom something happened, since the last.
func (e *Engine) refresh(ctx context.Context, b *book, asOf time.Time, halfLife float64) (*features.Set, int, error) {
	var late features.Changes
	b.mu.Lock()
	for id := range b.dirty {
		late.Keys = append(late.Keys, ledger.Key{Creditor: b.id, Debtor: id})
	}
	clear(b.dirty)
	late.All, b.edited = b.edited, false
	b.mu.Unlock()
	set, done, err := b.vectors.Refresh(ctx, asOf, halfLife, late)
	if err != nil {
		b.edit() // what was written is not in the vectors yet
		return nil, 0, err
	}
	return set, done.Rows, nil
}

// edit notes that all vectors of the book are to be computed again.
func (b *book) edit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.edited = true
}
