package engine

import "time"

const (
	// abreast is how far behind the engine's clock a moment still counts as the
	// present.
	abreast = 24 * time.Hour
	// dormant is how long after its last event a book is left in peace.
	dormant = 35 * 24 * time.Hour
)

// paced notes who moves the clock of a book. A learning or a decision as of a
// moment of long ago, to which nobody has learnt yet, is of a year that is being
// replayed: learning as of now would run ahead of it, and nothing could be learnt
// after that. One of the present ends the replay.
func (e *Engine) paced(b *book, asOf time.Time) {
	switch now := e.now(time.Time{}); {
	case asOf.IsZero() || asOf.After(now.Add(-abreast)):
		b.replayed.Store(false)
	case asOf.After(b.learned.Load().asOf):
		b.replayed.Store(true)
	}
}

// Stale tells whether the server should learn by itself as of now: there were
// events since the last learning, or a day began. It should not while somebody
// replays the past, nor in a book whose last event is old, of which it cannot be
// known that it will not be replayed.
func (e *Engine) Stale(creditor string, now time.Time) bool {
	b, err := e.book(creditor)
	if err != nil {
		return false
	}
	last := b.learned.Load().asOf
	if !now.After(last) || b.replayed.Load() {
		return false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.dirty) == 0 && !now.UTC().Truncate(24*time.Hour).After(last) {
		return false
	}
	alive := now.Add(-dormant).Unix()
	for _, a := range b.accounts {
		if a.knownTo() > alive {
			return true
		}
	}
	return false
}

// knownTo returns the moment of the last that is known of an account, in unix
// seconds; cases and ratings come with something else.
func (a *account) knownTo() int64 {
	to := int64(0)
	if n := len(a.profile); n > 0 {
		to = max(to, a.profile[n-1].ObservedAt.Unix())
	}
	if n := len(a.contacts); n > 0 {
		to = max(to, a.contacts[n-1].at)
	}
	if n := len(a.payments); n > 0 {
		to = max(to, a.payments[n-1].at)
	}
	if n := len(a.signs); n > 0 {
		to = max(to, a.signs[n-1].at)
	}
	for i := range a.invoices {
		to = max(to, a.invoices[i].issued)
	}
	return to
}
