package engine

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
)

// Drift is by how much one feature of a creditor's debtors has moved since a
// model was trained.
type Drift struct {
	Feature string
	PSI     float64 // population stability index: below 0.1 little, above 0.25 much
	Then    float64 // median
	Now     float64
}

// driftBins is how many bins, of equally many debtors then, the index compares.
const driftBins = 10

// Drifts compares the behaviour vectors of a creditor's debtors as of the end
// of a model's data window with those of asOf, the most moved feature first.
// Features that say what day it is are left out.
//
// See Siddiqi (2006), Credit Risk Scorecards, chapter 10, for the index.
func (e *Engine) Drifts(ctx context.Context, creditor, model string, asOf time.Time) (from time.Time, list []Drift, err error) {
	b, err := e.book(creditor)
	if err != nil {
		return from, nil, err
	}
	all, err := e.Models(ctx)
	if err != nil {
		return from, nil, err
	}
	i := slices.IndexFunc(all, func(m ModelInfo) bool { return m.ID == model })
	if i < 0 || all[i].Manifest == nil {
		return from, nil, fmt.Errorf("model %q: %w", model, ledger.ErrNotFound)
	}
	from = all[i].Manifest.To
	then, err := e.pipe.Load(ctx, from, features.Filter{Creditor: creditor})
	if err != nil {
		return from, nil, fmt.Errorf("drift: vectors: %w", err)
	}
	now := b.learned.Load().set
	if at := e.now(asOf); now == nil || !b.learned.Load().asOf.Equal(at) {
		if now, err = e.pipe.Load(ctx, at, features.Filter{Creditor: creditor}); err != nil {
			return from, nil, fmt.Errorf("drift: vectors: %w", err)
		}
	}
	if then.Len() < driftBins || now.Len() < driftBins {
		return from, nil, nil
	}
	was := map[string][]float64{}
	then.Numbers(func(name string, values []float64) { was[name] = values })
	now.Numbers(func(name string, values []float64) {
		switch name {
		case "day_of_month", "days_to_holiday", "sector_risk_change":
			return
		}
		before, after := slices.Clone(was[name]), slices.Clone(values)
		slices.Sort(before)
		slices.Sort(after)
		list = append(list, Drift{name, stability(before, after), before[len(before)/2], after[len(after)/2]})
	})
	slices.SortFunc(list, func(x, y Drift) int { return cmp.Or(cmp.Compare(y.PSI, x.PSI), cmp.Compare(x.Feature, y.Feature)) })
	return from, list, nil
}

// stability is the population stability index of two sorted samples, over bins
// that split the first evenly. An empty bin counts half a member.
func stability(before, after []float64) float64 {
	var cuts []float64
	for k := 1; k < driftBins; k++ {
		if c := before[k*len(before)/driftBins]; len(cuts) == 0 || c > cuts[len(cuts)-1] {
			cuts = append(cuts, c)
		}
	}
	share := func(sorted []float64, k int) float64 {
		lo, hi := 0, len(sorted)
		if k > 0 {
			lo, _ = slices.BinarySearch(sorted, cuts[k-1])
		}
		if k < len(cuts) {
			hi, _ = slices.BinarySearch(sorted, cuts[k])
		}
		return max(float64(hi-lo), 0.5) / float64(len(sorted))
	}
	sum := 0.0
	for k := 0; k <= len(cuts); k++ {
		p, q := share(before, k), share(after, k)
		sum += (q - p) * math.Log(q/p)
	}
	return sum
}

// Serving returns which model a creditor's book runs on and as of when it last
// learnt.
func (e *Engine) Serving(creditor string) (model string, asOf time.Time, err error) {
	b, err := e.book(creditor)
	if err != nil {
		return "", time.Time{}, err
	}
	l := b.learned.Load()
	return l.id, l.asOf, nil
}

// PolicyPacks returns the packs of rules, by id.
func (e *Engine) PolicyPacks() []*Pack {
	list := make([]*Pack, 0, len(e.packs))
	for _, p := range e.packs {
		list = append(list, p)
	}
	slices.SortFunc(list, func(x, y *Pack) int { return cmp.Compare(x.ID, y.ID) })
	return list
}
