package models

import (
	"errors"
	"fmt"

	"rappel/features"
	"rappel/models/survival"
	"rappel/models/timing"
)

// FitTiming estimates hours from behaviour vectors. profile gives the key of a
// row's profile. Signs of which only the date is known speak for its weekday.
func (m *Model) FitTiming(s *features.Set, profile func(*features.Set, int) string, seed uint64) error {
	order := s.Sorted()
	rows := timing.Rows{
		Counts:   make([]float32, 0, len(order)*timing.Hours),
		Exposure: make([]float32, 0, len(order)*timing.Hours),
		Profile:  make([]int32, 0, len(order)),
	}
	for _, i := range order {
		p := m.Profile(profile(s, i))
		var looks [timing.Hours]float32
		m.Looks(&looks, s, i, p)
		rows.Counts = append(rows.Counts, looks[:]...)
		rows.Exposure = append(rows.Exposure, s.Exposure[i*timing.Hours:][:timing.Hours]...)
		rows.Profile = append(rows.Profile, int32(p))
	}
	opt := timing.DefaultOptions(len(m.Profiles))
	opt.Seed = seed
	hours, err := timing.Fit(rows, opt)
	if err != nil {
		return fmt.Errorf("timing: %w", err)
	}
	m.Timing = hours
	return nil
}

// Looks stores in dst the signs of a debtor, row i of s, by hour of the week,
// those known by date spread over the hours of their day.
func (m *Model) Looks(dst *[timing.Hours]float32, s *features.Set, i, profile int) {
	m.Timing.Impute(dst, (*[timing.Hours]float32)(s.Opens[i*timing.Hours:]), (*[timing.Hours]float32)(s.Exposure[i*timing.Hours:]),
		(*[timing.Days]float32)(s.OpenWeekday[i*timing.Days:]), profile)
}

// FitHazards estimates from person-periods what becomes of invoices: the pay
// hazard if nobody contacts, the one under the contacts that the creditor
// usually makes, and the hazards of leaving. The first two are pulled towards
// those of base with the ridge of the built-in prior, and begin where m stands.
func (m *Model) FitHazards(rows *Periods, base *Model) error {
	m.Leave = FitLeaving(rows)
	var err error
	if m.Hazard, err = fitHazard(unasked{rows}, base.Hazard, m.Hazard); err != nil {
		return err
	}
	m.Usual, err = fitHazard(rows, base.Usual, m.Usual)
	return err
}

// fitHazard estimates one pay hazard.
func fitHazard(rows survival.Source, base, start *Hazard) (*Hazard, error) {
	_, ridge := hazardPrior()
	fit, err := survival.FitHazard(rows, HazardColumns, survival.HazardOptions{
		Link: survival.CLogLog, Names: HazardNames[:], Ridge: ridge, Prior: base.Coef, Start: start.Coef, MaxIter: 25, Tol: 1e-5,
	})
	if errors.Is(err, survival.ErrNoEvents) {
		return start, nil // nothing was paid yet: what was believed stays
	}
	if err != nil {
		return nil, fmt.Errorf("pay hazard: %w", err)
	}
	return &Hazard{Coef: fit.Coef}, nil
}
