package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/models/timing"
)

// Machines is how many of the openings in a book no person made.
type Machines struct {
	Opens   int     `json:"opens"`
	Machine int     `json:"machine"`
	Share   float64 `json:"share"`
	Found   int     `json:"found"` // by this learning, for the first time
}

// sifted says up to where the openings of an account have been looked at.
type sifted struct {
	revision uint64
	until    int64
}

// sift finds the openings by machines among all that a book holds as of a
// moment, before anything is learnt from them: bursts, prefetching, openings
// without sleep or in impossible numbers; see timing.Machines. What it finds is
// written down with the moment, so that earlier questions keep their answers.
func (e *Engine) sift(ctx context.Context, b *book, asOf time.Time) (Machines, error) {
	var m Machines
	var found []ledger.MachineOpen
	var opens []timing.Open
	var verdicts []timing.Verdict
	var refs []int
	at := asOf.Unix()
	opt := timing.DefaultMachineOptions()
	opt.PrefetchSeconds = prefetchSeconds
	looked := map[*account]sifted{}
	b.mu.RLock()
	for _, id := range slices.Sorted(maps.Keys(b.accounts)) {
		a := b.accounts[id]
		if a.sifted.revision != a.revision || a.signsSince(a.sifted.until, at) {
			looked[a] = sifted{a.revision, max(at, a.sifted.until)}
			opens, refs = a.openings(opens[:0], refs[:0], at)
			verdicts = slices.Grow(verdicts[:0], len(opens))[:len(opens)]
			timing.Machines(verdicts, opens, opt)
			for k, v := range verdicts {
				s := &a.signs[refs[k]]
				if !v.Machine() || !a.attention(s, s.ref, at) {
					continue // a person's, or known already
				}
				found = append(found, ledger.MachineOpen{Creditor: b.id, Event: s.event, Debtor: id, KnownAt: asOf, Verdict: v.String()})
			}
		}
	}
	b.mu.RUnlock()
	if err := e.store.PutMachineOpens(ctx, found); err != nil {
		return m, fmt.Errorf("machine opens: %w", err)
	}
	m.Found = len(found)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark(found)
	for a, j := range looked {
		a.sifted = j
	}
	for _, a := range b.accounts {
		for i := range a.signs {
			if s := &a.signs[i]; s.at <= at && s.kind == signOpened {
				m.Opens++
				if !a.attention(s, s.ref, at) {
					m.Machine++
				}
			}
		}
	}
	m.add(Machines{})
	return m, nil
}

// add counts the openings of another book too.
func (m *Machines) add(x Machines) {
	m.Opens, m.Machine, m.Found = m.Opens+x.Opens, m.Machine+x.Machine, m.Found+x.Found
	if m.Opens > 0 {
		m.Share = float64(m.Machine) / float64(m.Opens)
	}
}

// mark notes openings that are machines'. The caller holds b.mu.
func (b *book) mark(found []ledger.MachineOpen) {
	for i := range found {
		o := &found[i]
		a := b.accounts[o.Debtor]
		if a == nil {
			continue
		}
		for k := range a.signs {
			s := &a.signs[k]
			if at := o.KnownAt.Unix(); s.event == o.Event && (s.found == 0 || at < s.found) {
				s.found = at
			}
		}
	}
}

// signsSince tells whether a sign lies in (from, to].
func (a *account) signsSince(from, to int64) bool {
	for i := len(a.signs) - 1; i >= 0 && a.signs[i].at > from; i-- {
		if a.signs[i].at <= to {
			return true
		}
	}
	return false
}

// openings appends the openings and clicks of messages that are known to the
// second, with the places of their signs.
func (a *account) openings(opens []timing.Open, refs []int, at int64) ([]timing.Open, []int) {
	for i := range a.signs {
		s := &a.signs[i]
		if s.at > at {
			break
		}
		if s.kind != signOpened && s.kind != signClicked || !s.second || s.ref < 0 {
			continue
		}
		c := &a.contacts[s.ref]
		o := timing.Open{Time: s.at}
		if c.channel == ledger.Email { // others know no gateways
			o.Delivered = c.at
			for k := range a.signs {
				if d := &a.signs[k]; d.kind == signDelivered && d.ref == s.ref && d.second && d.at <= s.at {
					o.Delivered = d.at
					break
				}
			}
		}
		opens, refs = append(opens, o), append(refs, i)
	}
	return opens, refs
}
