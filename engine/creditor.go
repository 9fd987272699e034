package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"rappel/datasets/ledger"
)

// Levels of autonomy.
const (
	Advise  = "advise"  // every contact is a proposal
	Approve = "approve" // every contact needs a person's approval
	Auto    = "auto"    // contacts go out by themselves, up to approval_above
)

// Creditor is a tenant as other software sees it.
type Creditor struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Country       string   `json:"country"`
	Timezone      string   `json:"timezone"`
	Currency      string   `json:"currency"`
	Autonomy      string   `json:"autonomy"`
	ApprovalAbove float64  `json:"approval_above"` // euro; 0: no amount needs approval by itself
	ControlShare  float64  `json:"control_share"`
	PolicyPack    string   `json:"policy_pack"`
	Capacities    Capacity `json:"capacities,omitempty"`
	Value         Value    `json:"value"`
	Cadence       Cadence  `json:"cadence"`
	Ladder        []Rung   `json:"ladder"`
	ThankYou      bool     `json:"thank_you"` // thank for what is paid after a reminder
}

// Capacity is how many contacts a day a channel can take, by channel name.
type Capacity map[string]int

// Value says what a day of money is worth and what a contact costs, in the
// creditor's currency.
type Value struct {
	LossRate    float64            `json:"loss_rate"`    // κ: share of a claim lost when it goes stale by a horizon
	CapitalRate float64            `json:"capital_rate"` // k: cost of capital a year
	Cost        map[string]float64 `json:"cost"`         // per contact, by channel
	// Annoyance is what one contact costs the relation in a week without
	// others; it grows with the square of the contacts of that week.
	Annoyance float64 `json:"annoyance"`
}

// Cadence bounds how often one debtor is contacted, beside the policy pack.
type Cadence struct {
	GapDays  int `json:"gap_days"`  // full days between two contacts
	PerWeek  int `json:"per_week"`  // contacts in any 7 days
	PerMonth int `json:"per_month"` // contacts in any 28 days
}

// Rung is one step of the fixed calendar that the control group, and debtors
// who object to profiling, follow.
type Rung struct {
	Day     int    `json:"day"` // days past due
	Channel string `json:"channel"`
	Tone    string `json:"tone"`
}

// DefaultCreditor returns the settings of a creditor that names none. Decode
// over it, so that an explicit 0 stays 0.
func DefaultCreditor(id string) Creditor {
	return Creditor{
		ID: id, Country: "BE", Timezone: "Europe/Brussels", Currency: "EUR", Autonomy: Auto, PolicyPack: "open",
		Capacities: Capacity{},
		Value: Value{
			LossRate: 0.014, CapitalRate: 0.08, Annoyance: 0.06,
			Cost: map[string]float64{"email": 0.01, "sms": 0.08, "whatsapp": 0.07, "letter": 1.60, "phone": 6.00},
		},
		Cadence: Cadence{GapDays: 2, PerWeek: 3, PerMonth: 12},
		Ladder: []Rung{
			{3, "email", "friendly"}, {10, "email", "neutral"}, {20, "letter", "neutral"}, {30, "phone", "neutral"},
		},
	}
}

// FieldError names the field that cannot be used, as a JSON pointer.
type FieldError struct {
	Pointer string
	Detail  string
}

func (e *FieldError) Error() string { return e.Pointer + ": " + e.Detail }

// FieldErrors are all faults of one request.
type FieldErrors []*FieldError

func (e FieldErrors) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	return fmt.Sprintf("%v (and %d more)", e[0], len(e)-1)
}

// Validate returns FieldErrors, or nil where every setting can be used.
func (c *Creditor) Validate(packs map[string]*Pack) error {
	var errs FieldErrors
	bad := func(pointer, format string, args ...any) {
		errs = append(errs, &FieldError{pointer, fmt.Sprintf(format, args...)})
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil || c.Timezone == "" {
		bad("/timezone", "%q is no IANA time zone", c.Timezone)
	}
	if len(c.Currency) != 3 {
		bad("/currency", "%q is no ISO 4217 code", c.Currency)
	}
	if len(c.Country) != 2 {
		bad("/country", "%q is no ISO 3166 alpha-2 code", c.Country)
	}
	if c.Autonomy != Advise && c.Autonomy != Approve && c.Autonomy != Auto {
		bad("/autonomy", "%q is none of advise, approve, auto", c.Autonomy)
	}
	if !within(c.ApprovalAbove, 0, 1e12) {
		bad("/approval_above", "%v is not an amount", c.ApprovalAbove)
	}
	if !within(c.ControlShare, 0, 1) {
		bad("/control_share", "%v is not between 0 and 1", c.ControlShare)
	}
	if packs[c.PolicyPack] == nil {
		bad("/policy_pack", "there is no pack %q", c.PolicyPack)
	}
	for name, n := range c.Capacities {
		if _, ok := ledger.ParseChannel(name); !ok {
			bad("/capacities/"+name, "unknown channel")
		} else if n < 0 {
			bad("/capacities/"+name, "%d is negative", n)
		}
	}
	for name, v := range c.Value.Cost {
		if _, ok := ledger.ParseChannel(name); !ok {
			bad("/value/cost/"+name, "unknown channel")
		} else if !within(v, 0, 1e6) {
			bad("/value/cost/"+name, "%v is not a cost", v)
		}
	}
	for pointer, v := range map[string]float64{
		"/value/loss_rate": c.Value.LossRate, "/value/capital_rate": c.Value.CapitalRate,
	} {
		if !within(v, 0, 10) {
			bad(pointer, "%v is not between 0 and 10", v)
		}
	}
	if !within(c.Value.Annoyance, 0, 1e6) {
		bad("/value/annoyance", "%v is not an amount", c.Value.Annoyance)
	}
	if c.Cadence.GapDays < 0 || c.Cadence.PerWeek < 0 || c.Cadence.PerMonth < 0 {
		bad("/cadence", "negative")
	}
	for i, r := range c.Ladder {
		if _, ok := ledger.ParseChannel(r.Channel); !ok {
			bad(fmt.Sprintf("/ladder/%d/channel", i), "unknown channel %q", r.Channel)
		}
		if _, ok := ledger.ParseTone(r.Tone); !ok {
			bad(fmt.Sprintf("/ladder/%d/tone", i), "unknown tone %q", r.Tone)
		}
		if i > 0 && r.Day <= c.Ladder[i-1].Day {
			bad(fmt.Sprintf("/ladder/%d/day", i), "%d does not come after the step before", r.Day)
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

func within(v, lo, hi float64) bool { return v >= lo && v <= hi }

// settings is the part of a creditor that the warehouse keeps as JSON.
type settings struct {
	Capacities Capacity `json:"capacities,omitempty"`
	Value      Value    `json:"value"`
	Cadence    Cadence  `json:"cadence"`
	Ladder     []Rung   `json:"ladder"`
	ThankYou   bool     `json:"thank_you,omitempty"`
}

func (c *Creditor) row() (ledger.Creditor, error) {
	b, err := json.Marshal(settings{c.Capacities, c.Value, c.Cadence, c.Ladder, c.ThankYou})
	if err != nil {
		return ledger.Creditor{}, err
	}
	return ledger.Creditor{
		ID: c.ID, Name: c.Name, Country: c.Country, Timezone: c.Timezone, Currency: c.Currency,
		Autonomy: c.Autonomy, ApprovalAbove: int64(math.Round(c.ApprovalAbove * 100)),
		ControlShare: c.ControlShare, PolicyPack: c.PolicyPack, Settings: b,
	}, nil
}

func creditorOf(r ledger.Creditor) (Creditor, error) {
	c := DefaultCreditor(r.ID)
	c.Name, c.Country, c.Timezone, c.Currency = r.Name, r.Country, r.Timezone, r.Currency
	c.Autonomy, c.ApprovalAbove, c.ControlShare, c.PolicyPack = r.Autonomy, float64(r.ApprovalAbove)/100, r.ControlShare, r.PolicyPack
	s := settings{c.Capacities, c.Value, c.Cadence, c.Ladder, c.ThankYou}
	if len(bytes.TrimSpace(r.Settings)) > 0 {
		if err := json.Unmarshal(r.Settings, &s); err != nil {
			return Creditor{}, fmt.Errorf("creditor %s: settings: %w", r.ID, err)
		}
	}
	c.Capacities, c.Value, c.Cadence, c.Ladder, c.ThankYou = s.Capacities, s.Value, s.Cadence, s.Ladder, s.ThankYou
	return c, nil
}

// costs returns the cost per channel in the ledger's order.
func (v *Value) costs() (cost [ledger.Channels]float64) {
	for c, name := range ledger.ChannelNames {
		cost[c] = v.Cost[name]
	}
	return cost
}
