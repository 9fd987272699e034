// Package anomaly finds the debtors whose behaviour has changed: it knows the
// band of days late that each one keeps to, hears when a payment or a silence
// falls outside it, gathers a shock of a whole sector into one finding, and
// holds the share of false findings at a chosen rate.
//
// It sees numbers only: days since 1 January 1970, days late, and indices of
// debtors, profiles and groups. It knows nothing of customers, alerts, money
// or languages, reads no clock and draws no random numbers. [Detector] is
// where to start; the parts it is made of ([Baseline], [Shift], [Stream],
// [Scan] and the count tests) stand on their own.
package anomaly

import (
	"errors"
	"fmt"
)

// Kind is a kind of finding. Each kind has its own stream of tests and its
// own verdicts.
type Kind int

// The kinds. Late, Early and Overdue are tested by the Detector itself, the
// others are p-values that the caller computes with the count tests of this
// package and hands in with [Detector.Add].
const (
	Late          Kind = iota // pays later than they used to, and goes on doing so
	Early                     // pays earlier than they used to
	Overdue                   // one invoice is open longer than this debtor's habit explains
	Silent                    // a channel they answered on has gone silent
	BrokenPromise             // promises are broken that used to be kept
	BadAddress                // messages no longer arrive
	MethodChange              // the usual payment method is no longer used
	RatingDrop                // the credit rating fell more than ratings do
	PartPayments              // pays in parts what was paid whole
	DisputeSpike              // more disputes than they used to open
	Kinds         int  = iota // how many kinds there are
)

var kindNames = [Kinds]string{
	"late", "early", "overdue", "silent", "broken_promise", "bad_address",
	"method_change", "rating_drop", "part_payments", "dispute_spike",
}

// String returns the name of the kind in snake case, such as "bad_address".
func (k Kind) String() string {
	if k < 0 || int(k) >= Kinds {
		return fmt.Sprintf("kind(%d)", int(k))
	}
	return kindNames[k]
}

// Cadence is how often a debtor is invoiced. It is read from the gaps between
// due dates, never asked for.
type Cadence int

// The cadences.
const (
	Irregular Cadence = iota // anything else, and whoever is too new to tell
	Weekly                   // median gap of 4 to 10 days
	Monthly                  // median gap of 24 to 38 days
	Cadences  int     = iota // how many cadences there are
)

// String returns irregular, weekly or monthly.
func (c Cadence) String() string {
	return [...]string{"irregular", "weekly", "monthly"}[c]
}

// Config says what is worth an alert. Change it only before [New].
type Config struct {
	// FDR is the share of findings of one kind that may be false, over any
	// year of the whole book. Verdicts move what is used; see [Tally.Level].
	FDR float64
	// PerYear caps the false findings that one debtor's own payments may
	// cause in a year, however many true ones the book holds: it binds in a
	// book where so much changes that FDR alone would let noise through.
	PerYear float64
	// Shift is the change in days late worth acting on, by cadence: the
	// detector is quickest for changes of this size and larger.
	Shift [Cadences]float64
	// Resolution of payment times in days: 1 where only dates are known, 0
	// where the hour is.
	Resolution float64
	// Prior holds, by cadence, what is believed before the book has been
	// seen; [Detector.Refit] replaces it by what the book says.
	Prior [Cadences]Prior
	// RollUpRate is how many false roll-ups a year the whole book may give.
	RollUpRate float64
	// RollUpDays is how long, in days, a roll-up takes in the findings of its
	// members.
	RollUpDays int
}

// DefaultConfig returns the settings used where nothing else is said: one
// false finding in ten, at most one in twenty years for one debtor, two days
// for who is invoiced weekly and seven for who is invoiced monthly.
func DefaultConfig() Config {
	return Config{
		FDR:        0.10,
		PerYear:    0.05,
		Shift:      [Cadences]float64{Irregular: 5, Weekly: 2, Monthly: 7},
		Resolution: 1,
		Prior: [Cadences]Prior{
			Irregular: {Mean: 6, Between: 10, Scale: 4, DF: 3},
			Weekly:    {Mean: 2, Between: 5, Scale: 1.5, DF: 3},
			Monthly:   {Mean: 5, Between: 8, Scale: 3, DF: 3},
		},
		RollUpRate: 0.05,
		RollUpDays: 60,
	}
}

// ErrConfig is wrapped by what [Config.Validate] returns.
var ErrConfig = errors.New("anomaly: config")

// Validate reports the first setting that cannot be used. It wraps ErrConfig.
func (c Config) Validate() error {
	switch {
	case !(c.FDR > 0 && c.FDR < 1):
		return fmt.Errorf("%w: false discovery rate %v outside (0, 1)", ErrConfig, c.FDR)
	case !(c.PerYear > 0):
		return fmt.Errorf("%w: false findings per debtor-year %v not positive", ErrConfig, c.PerYear)
	case !(c.Resolution >= 0):
		return fmt.Errorf("%w: resolution %v days negative", ErrConfig, c.Resolution)
	case !(c.RollUpRate > 0):
		return fmt.Errorf("%w: false roll-ups per year %v not positive", ErrConfig, c.RollUpRate)
	case c.RollUpDays < 1:
		return fmt.Errorf("%w: roll-up of %d days", ErrConfig, c.RollUpDays)
	}
	for i := range c.Shift {
		if !(c.Shift[i] > 0) {
			return fmt.Errorf("%w: shift of %v days for %v", ErrConfig, c.Shift[i], Cadence(i))
		}
		if p := c.Prior[i]; !(p.Between > 0 && p.Scale > 0 && p.DF > 0) {
			return fmt.Errorf("%w: prior %+v for %v: spreads and degrees of freedom must be positive", ErrConfig, p, Cadence(i))
		}
	}
	return nil
}
