package timing

import (
	"errors"
	"fmt"
	"math"
)

// Speed is how fast a message of one channel is noticed at each age, relative
// to the availability of its reader: 1 where a message of that age is noticed
// at the very rate of availability.
type Speed struct {
	// Edges are ages in whole hours, rising, the first 0: Rate[i] holds from
	// Edges[i] to Edges[i+1]. It has one more element than Rate.
	Edges []int32
	// Rate is the multiplier at each age. Past the last edge nothing more is
	// noticed: such a message is lost below others.
	Rate []float64
}

// DefaultSpeed is a weak belief about messages: the first hours count most, and
// what is two weeks old is never noticed.
func DefaultSpeed() Speed {
	return Speed{
		Edges: []int32{0, 1, 3, 6, 12, 24, 48, 96, 168, 336},
		Rate:  []float64{4, 2.5, 1.7, 1.2, 1, 0.6, 0.4, 0.25, 0.1},
	}
}

// At is the multiplier of a message of so many whole hours, 0 past the last edge.
func (s *Speed) At(age int32) float64 {
	for i, end := range s.Edges[1:] {
		if age < end {
			return s.Rate[i]
		}
	}
	return 0
}

// NoticedWithin stores in dst, for each slot, the probability that a message
// sent then is noticed within so many hours: 1 − exp(−Σ speed·avail), the sum
// over the hours from the slot on.
//
// slots are hours of the week; dst has their length. avail is the hazard per
// hour from Model.Posterior; it may have been modulated for the coming week,
// whose every hour it holds once. All slots share one pass over the circle: a
// slot costs one difference of cumulative sums per age. It does not allocate,
// and panics if dst and slots differ in length.
func NoticedWithin(dst []float64, avail *[Hours]float64, speed Speed, slots []int32, within int) {
	if len(dst) != len(slots) {
		panic("timing: dst and slots differ in length")
	}
	var sum cumulative
	sum.set(avail)
	for i, slot := range slots {
		hazard := 0.0
		from := sum.at(int(slot))
		for j, end := range speed.Edges[1:] {
			age := min(int(end), within)
			to := sum.at(int(slot) + age)
			hazard += speed.Rate[j] * (to - from)
			if age == within {
				break
			}
			from = to
		}
		dst[i] = -math.Expm1(-hazard)
	}
}

// cumulative is availability summed from Monday 00:00, three times round the
// circle: as far as a message is followed from any slot.
type cumulative [3*Hours + 1]float64

func (c *cumulative) set(avail *[Hours]float64) {
	sum := 0.0
	for week := 0; week < len(c)-1; week += Hours {
		for h, v := range avail {
			sum += v
			c[week+h+1] = sum
		}
	}
}

// at is the sum up to a whole hour.
func (c *cumulative) at(hour int) float64 {
	if hour < len(c) {
		return c[hour]
	}
	return float64(hour/Hours)*c[Hours] + c[hour%Hours]
}

// between is the sum over [from, to) hours, whose ends need not be whole.
func (c *cumulative) between(from, to float64) float64 {
	point := func(t float64) float64 {
		whole := math.Floor(t)
		lo := c.at(int(whole))
		return lo + (t-whole)*(c.at(int(whole)+1)-lo)
	}
	return point(to) - point(from)
}

// Delay is one message and when it was noticed.
type Delay struct {
	Channel int32
	Sent    int32   // hour of the week of sending
	Hours   float64 // from sending until noticed, or until last looked at
	Noticed bool    // false where it was still unread then: censored
	// Avail is the hazard of its reader, from Model.Posterior.
	Avail *[Hours]float64
}

// ErrChannel reports a channel outside those announced.
var ErrChannel = errors.New("timing: channel out of range")

// FitSpeed returns the speed of each channel, at the ages of prior, which has
// one speed for each; all have the same ages.
//
// Hazards are piecewise constant in age, so that noticed messages are Poisson
// given the availability they lay under; ages are pooled from channel to all
// channels, by the marginal likelihood of the negative binomial, and from all
// channels to prior, which is worth priorEvents at every age. It returns a
// RowError for a delay it cannot use.
func FitSpeed(delays []Delay, prior []Speed, priorEvents float64) ([]Speed, error) {
	channels, ages, edges := len(prior), len(prior[0].Rate), prior[0].Edges
	units := make([]total, channels*ages)
	var sum cumulative
	var last *[Hours]float64
	for i, d := range delays {
		var err error
		switch {
		case d.Channel < 0 || int(d.Channel) >= channels:
			err = ErrChannel
		case d.Sent < 0 || d.Sent >= Hours:
			err = ErrHour
		case d.Hours < 0:
			err = ErrNegative
		case math.IsNaN(d.Hours) || math.IsInf(d.Hours, 0):
			err = ErrNotFinite
		}
		if err != nil {
			return nil, fmt.Errorf("fit speed: %w", &RowError{Column: "delays", Row: i, Err: err})
		}
		if d.Avail != last { // rows of one debtor come together
			sum.set(d.Avail)
			last = d.Avail
		}
		sent := float64(d.Sent)
		for a := range ages {
			from, to := float64(edges[a]), float64(edges[a+1])
			if d.Hours < from {
				break
			}
			u := &units[int(d.Channel)*ages+a]
			u.expected += prior[d.Channel].Rate[a] * sum.between(sent+from, sent+min(to, d.Hours))
			if d.Noticed && d.Hours < to {
				u.seen++
			}
		}
	}
	common := make([]float64, ages)
	for a := range common {
		seen, expected := priorEvents, priorEvents
		for c := range channels {
			seen += units[c*ages+a].seen
			expected += units[c*ages+a].expected
		}
		common[a] = seen / expected
		for c := range channels {
			units[c*ages+a].expected *= common[a]
		}
	}
	alpha := pooling(units)
	out := make([]Speed, channels)
	for c := range out {
		out[c] = Speed{Edges: edges, Rate: make([]float64, ages)}
		for a := range ages {
			u := units[c*ages+a]
			out[c].Rate[a] = prior[c].Rate[a] * common[a] * (alpha + u.seen) / (alpha + u.expected)
		}
	}
	return out, nil
}
