package engine

import (
	"math"

	"rappel/datasets/ledger"
	"rappel/models/response"
)

const (
	// aheadDays is how far the days to come are solved.
	aheadDays = 28
	// tiredLevels and tiredStep are the grid of fatigue over which they are.
	tiredLevels = 9
	tiredStep   = 0.6
	// outlives is how many more days an amount that is still open after
	// aheadDays will stay so.
	outlives = 20
)

// ahead is what a debt will cost from each of the coming days on, if the best
// is done on each of them: the stopping problem of a debtor who may be asked
// again and again, but tires of it. A contact today is worth what it takes from
// these costs, not from those of never asking again.
//
// With W(j, f) the cost from day j on under fatigue f, as long as nothing is
// paid, l the cost of a day, h the natural hazard and p the chance that a
// contact moves the debtor (Bellman 1957):
//
//	W(j, f) = l + (1 − h)·min{ W(j+1, f·e), k + p·l·lag + (1 − p)·G(j+1, (f+1)·e) }
//
// where e is a day's fading, k what the contact costs in money and goodwill,
// and G the cost of waiting out the gap after it.
type ahead struct {
	late  [aheadDays + 1]float64              // cost of one day, in currency
	alive [aheadDays + 1]float64              // P(not paid on the day | not before)
	cost  [aheadDays + 2][tiredLevels]float64 // W
}

// at is W(j, f), linear between the levels of the grid.
func (w *ahead) at(j int, f float64) float64 {
	row := &w.cost[min(j, aheadDays)]
	x := min(f/tiredStep, tiredLevels-1-1e-9)
	i := int(x)
	return row[i] + (x-float64(i))*(row[i+1]-row[i])
}

// fading is what a day leaves of fatigue.
var fading = math.Exp(-1.0 / response.Fade)

// rest is the cost from day j on if nothing is sent before day j+days; f is the
// fatigue on day j.
func (w *ahead) rest(j, days int, f float64) float64 {
	cost, alive := 0.0, 1.0
	for ; days > 0 && j < aheadDays; days-- {
		cost += alive * w.late[j]
		alive *= w.alive[j]
		f *= fading
		j++
	}
	return cost + alive*w.at(j, f)
}

// weary is what a contact under fatigue f costs the relation, in units of the
// creditor's annoyance: at a steady pace, 1 + 1.4·f is one more than the
// contacts of the last seven days.
func weary(f float64) float64 { return (1 + 1.4*f) * (1 + 1.4*f) }

// solve fills s.ahead from s.slots, s.surv and s.habit.
func (s *scratch) solve(q *question, v *verdict) {
	w, r, value := &s.ahead, q.learned.model.Response, &q.creditor.Value
	before := 1.0
	for j := range w.late {
		w.late[j] = 0
		if s.f.dpd+j >= 0 {
			w.late[j] = v.euro / rewardHorizon
		}
		w.alive[j] = 1
		if before > 1e-9 {
			w.alive[j] = s.surv[min(j, rewardHorizon)] / before
		}
		before = s.surv[min(j, rewardHorizon)]
	}
	costs := value.costs()
	s.bestHours(r)
	gap := max(q.creditor.Cadence.GapDays, 1)
	for f := range tiredLevels {
		w.cost[aheadDays][f] = outlives * v.euro / rewardHorizon
	}
	var fresh, annoy [tiredLevels]float64
	for f := range fresh {
		tired := float64(f) * tiredStep
		fresh[f] = math.Exp(r.Coef[response.CovFatigue] * tired)
		annoy[f] = value.Annoyance * weary(tired)
	}
	for c := range s.delay {
		s.delay[c] = 0
		for u, p := range r.Lag[c*response.Lags:][:response.Lags] {
			s.delay[c] += p * float64(u)
		}
	}
	today := weekdayOf(s.f.today)
	last := 0 // the channel that was best last: the others hardly surpass it
	for j := aheadDays - 1; j >= 1; j-- {
		rates := &s.rates[(today+j)%7]
		late := response.Late(s.f.dpd + j)
		tone := math.Exp(r.Coef[response.CovLate]*late + max(0,
			r.Coef[response.CovNeutral]+r.Coef[response.CovNeutralLate]*late,
			r.Coef[response.CovFormal]+r.Coef[response.CovFormalLate]*late))
		if s.f.dpd+j < 0 {
			tone *= math.Exp(r.Coef[response.CovPreDue])
		}
		noon := s.f.at + int64(j)*86400 + 43200
		for f := range tiredLevels {
			tired := float64(f) * tiredStep
			best := w.at(j+1, tired*fading)
			after := w.rest(j+1, gap-1, (tired+1)*fading)
			first := last
			for i := range ledger.Channels {
				c := i
				switch i { // first and 0 change places
				case 0:
					c = first
				case first:
					c = 0
				}
				if rates[c] == 0 || noon < s.earliest[c] || s.f.dpd+j < -preDueDays {
					continue
				}
				rate := rates[c] * tone * fresh[f]
				// 1 − exp(−Λ) is at most Λ: what is no better even so needs no exponential.
				most := s.believe(c, min(rate, 1))
				if least := costs[c] + annoy[f] + after + most*min(w.late[j]*s.delay[c]-after, 0); least > best+1e-9*math.Abs(best) {
					continue
				}
				p := s.believe(c, 1-math.Exp(-rate))
				if x := costs[c] + annoy[f] + p*w.late[j]*s.delay[c] + (1-p)*after; x < best {
					best, last = x, c
				}
			}
			w.cost[j][f] = w.late[j] + w.alive[j]*best
		}
	}
}

// bestHours fills s.rates with Λ of the best hour of each weekday and channel,
// Monday first, in a friendly tone, rested and just due; 0 where there is none.
func (s *scratch) bestHours(r *response.Model) {
	for day := range s.rates {
		for c := range ledger.Channels {
			best, there := math.Inf(-1), 0.0
			if waits(ledger.Channel(c)) {
				there = r.Coef[response.CovThere]
			}
			for hour := firstHour; hour <= lastHour; hour++ {
				if how := day*24 + hour; s.usable[how]&(1<<c) != 0 {
					best = max(best, r.Coef[response.CovNotice]*s.notice[c][how]+there*s.there[how])
				}
			}
			x := s.habit.rate[c] + best
			if day >= 5 {
				x += r.Coef[response.CovWeekend]
			}
			s.rates[day][c] = 0
			if !math.IsInf(x, -1) { // some hour is usable
				s.rates[day][c] = response.Effective(x, s.vague[c])
			}
		}
	}
}

// believe corrects P(moved) on a channel by what rewards have taught.
func (s *scratch) believe(c int, p float64) float64 {
	return min(max(p*s.trust[c], 0), 0.95)
}
