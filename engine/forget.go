package engine

import (
	"cmp"
	"slices"

	"rappel/models"
	"rappel/models/bandit"
)

// rewardHalfLives are the half-lives of rewards that a training tries, in days;
// the last, ten years, hardly forgets.
var rewardHalfLives = []float64{28, 56, 112, 224, 3650}

// enoughRewards is how many final rewards it takes to choose among them.
const enoughRewards = 500

// maxRewards bounds the rewards, the latest, that the choice is made on.
const maxRewards = 10_000

// chooseForgetting sets how fast rewards lose weight: as foretells best, week by
// week, what those to come will be. Too few final rewards leave what was
// believed. log is that of all books.
func chooseForgetting(m *models.Model, log []bandit.Decision) error {
	if len(log) < enoughRewards {
		return nil
	}
	slices.SortStableFunc(log, func(a, b bandit.Decision) int { return cmp.Compare(a.Day, b.Day) })
	drift, err := bandit.ChooseHalfLife(models.BanditConfig(), log[max(0, len(log)-maxRewards):], rewardHalfLives, 7)
	if err != nil {
		return err
	}
	m.RewardHalfLife = drift.HalfLife
	return nil
}

// sentDecision is a decision whose contact was sent: the i-th of the account.
type sentDecision struct {
	id    string
	a     *account
	i     int
	entry *logged
}

// sentSince lists the logged decisions whose contact was sent in [from, at], in
// the order of sending. The caller holds b.mu.
func (b *book) sentSince(from, at int64) []sentDecision {
	var list []sentDecision
	for _, a := range b.accounts {
		for i := range a.contacts {
			c := &a.contacts[i]
			if c.at > at || c.decision == "" || c.at < from {
				continue
			}
			if entry := b.logged[c.decision]; entry != nil && entry.debtor == a.key.Debtor && entry.at <= at {
				list = append(list, sentDecision{c.decision, a, i, entry})
			}
		}
	}
	slices.SortFunc(list, func(x, y sentDecision) int {
		return cmp.Or(cmp.Compare(x.a.contacts[x.i].at, y.a.contacts[y.i].at), cmp.Compare(x.id, y.id))
	})
	return list
}

// rewardLog lists the decisions of a book whose reward is final.
func (e *Engine) rewardLog(b *book, l *learned, from int64) []bandit.Decision {
	m, at := l.model, l.asOf.Unix()
	var log []bandit.Decision
	var f facts
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, s := range b.sentSince(from, at) {
		r := s.a.rewardOf(s.entry, s.i, m.Response, at)
		if !r.final {
			continue
		}
		f.place(s.a, at, e.zone, b.location.Load())
		log = append(log, bandit.Decision{
			Day:     float64(s.a.contacts[s.i].at) / 86400,
			Segment: int32(m.Profile(models.ProfileKey(string(f.profile.Kind), sectorOf(f.profile.Sector), ""))),
			Debtor:  m.AddDebtor(s.a.key), Phi: s.entry.phi, Target: r.value - s.entry.baseline, Weight: 1,
		})
	}
	return log
}
