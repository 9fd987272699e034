package world

import (
	"context"
	"time"

	"rappel/datasets/ledger"
)

// Simple is the rule of thumb to beat: per debtor and channel a Beta count of
// "paid within a week of the contact", shrunk to the profile and to all; per
// debtor a count of the hours at which it gave a sign, shrunk the same way; and
// the best channel and hour by that, every third day, greedily.
type Simple struct {
	spec    *Spec
	channel map[string]*[ledger.Channels][2]float64 // by debtor, profile and all: tries, hits
	hours   map[string]*[24]float64
	hit     map[string]string // the contact of a debtor that was counted as a hit last
}

// NewSimple returns the rule without any experience.
func NewSimple(spec *Spec) *Simple {
	return &Simple{
		spec: spec, channel: make(map[string]*[ledger.Channels][2]float64),
		hours: make(map[string]*[24]float64), hit: make(map[string]string),
	}
}

// Name returns "simple".
func (s *Simple) Name() string { return "simple" }

// row returns the counts under a key, made when first asked for.
func row[T any](m map[string]*T, key string) *T {
	if m[key] == nil {
		m[key] = new(T)
	}
	return m[key]
}

// Observe counts signs by local hour, tries at contacts and hits at payments.
func (s *Simple) Observe(_ context.Context, m Morning, events []Event) error {
	for i := range events {
		e := &events[i]
		a := m.Book.Account(e.Debtor)
		keys := [...]string{a.ID, a.Profile(), "all"}
		switch e.Type {
		case "contact.sent":
			c, _ := ledger.ParseChannel(e.Data.Channel)
			for _, key := range keys {
				row(s.channel, key)[c][0]++
			}
		case "payment.received", "contact.opened", "contact.clicked", "contact.replied", "contact.answered", "invoice.viewed":
			if e.Type == "contact.opened" && a.Machine(e) {
				continue
			}
			for _, key := range keys {
				row(s.hours, key)[e.Time.In(a.Zone).Hour()]++
			}
		}
		if n := len(a.Sent) - 1; e.Type == "payment.received" && n >= 0 {
			if last := &a.Sent[n]; e.Time.Sub(last.At) < 7*24*time.Hour && s.hit[a.ID] != last.ID {
				s.hit[a.ID] = last.ID
				for _, key := range keys {
					row(s.channel, key)[last.Channel][1]++
				}
			}
		}
	}
	return nil
}

// Act takes the channel and the hour of highest expected value for each
// account with something due that was left alone for three days.
func (s *Simple) Act(_ context.Context, m Morning) ([]Action, error) {
	var out []Action
	for _, a := range m.Book.Accounts {
		cents, due := a.Claim(m.Date, 0)
		if cents == 0 || m.Now.Sub(a.Last()) < 60*time.Hour {
			continue
		}
		one, some, all := row(s.channel, a.ID), row(s.channel, a.Profile()), row(s.channel, "all")
		best, channel := 0.0, ledger.Email
		for c, name := range ledger.ChannelNames {
			p := (all[c][1] + 3) / (all[c][0] + 10)
			p = (some[c][1] + 30*p) / (some[c][0] + 30)
			p = (one[c][1] + 10*p) / (one[c][0] + 10)
			if v := p*float64(cents)/100*s.spec.dayRate()*15 - s.spec.Channels[name].Cost; a.Usable[c] && v > best {
				best, channel = v, ledger.Channel(c)
			}
		}
		if best == 0 {
			continue
		}
		tone := ledger.Tone(max(0, min(2, int(m.Date-due)/15)))
		if act, ok := m.send(a, channel, s.hour(a, channel), tone); ok {
			out = append(out, act)
		}
	}
	return out, nil
}

// hour returns the hour after which signs come soonest.
func (s *Simple) hour(a *Account, c ledger.Channel) float64 {
	one, some, all := row(s.hours, a.ID), row(s.hours, a.Profile()), row(s.hours, "all")
	sum := func(r *[24]float64) (x float64) {
		for _, v := range r {
			x += v
		}
		return x
	}
	best, hour := -1.0, 9
	for h := firstHour; h <= lastHour; h++ {
		x := 0.0
		for ahead, w := 0, 1.0; ahead < 4; ahead, w = ahead+1, w*0.6 {
			i := (h + ahead) % 24
			p := (all[i] + 1) / (sum(all) + 24)
			p = (some[i] + 20*p) / (sum(some) + 20)
			x += w * (one[i] + 8*p) / (sum(one) + 8)
			if c == ledger.Phone {
				break
			}
		}
		if x > best {
			best, hour = x, h
		}
	}
	return float64(hour)
}
