package models

import (
	"errors"
	"fmt"

	"rappel/features"
	"rappel/models/survival"
	"rappel/models/timing"
)

// FitTiming estimates hours and weekdays from behaviour vectors. profile gives
// the key of a row's profile.
func (m *Model) FitTiming(s *features.Set, profile func(*features.Set, int) string, seed uint64) error {
	order := s.Sorted()
	rows := timing.Rows{
		Counts:   make([]float32, 0, len(order)*timing.Hours),
		Exposure: make([]float32, 0, len(order)*timing.Hours),
		Profile:  make([]int32, 0, len(order)),
	}
	days := make([]float32, 0, len(order)*timing.Days)
	for _, i := range order {
		rows.Counts = append(rows.Counts, s.Opens[i*timing.Hours:][:timing.Hours]...)
		rows.Exposure = append(rows.Exposure, s.Exposure[i*timing.Hours:][:timing.Hours]...)
		rows.Profile = append(rows.Profile, int32(m.Profile(profile(s, i))))
		days = append(days, s.PayWeekday[i*timing.Days:][:timing.Days]...)
	}
	opt := timing.DefaultOptions(len(m.Profiles))
	opt.Seed = seed
	hours, err := timing.Fit(rows, opt)
	if err != nil {
		return fmt.Errorf("timing: %w", err)
	}
	week, err := timing.FitWeekday(days, rows.Profile, len(m.Profiles))
	if err != nil {
		return fmt.Errorf("weekdays: %w", err)
	}
	m.Timing, m.Weekday = hours, week
	return nil
}

// FitHazard estimates the pay hazard from person-periods, pulled towards base
// with the ridge of the built-in prior; start is where it begins.
func FitHazard(src survival.Source, base, start *Hazard) (*Hazard, error) {
	_, ridge := hazardPrior()
	fit, err := survival.FitHazard(src, HazardColumns, survival.HazardOptions{
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
