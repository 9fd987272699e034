package models

import (
	"errors"
	"fmt"

	"rappel/models/survival"
	"rappel/models/timing"
)

// FitTiming estimates hours from what was seen, and lay unread, by hour of the week.
func (m *Model) FitTiming(rows timing.Rows, seed uint64) error {
	opt := timing.DefaultOptions(len(m.Profiles))
	opt.Seed = seed
	hours, err := timing.Fit(rows, opt)
	if err != nil {
		return fmt.Errorf("timing: %w", err)
	}
	m.Timing = hours
	return nil
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
