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
		if a.latest() > alive {
			return true
		}
	}
	return false
}
