package anomaly

import (
	"math"
	"math/rand/v2"
)

// Null is how often evidence comes up where nothing has changed: what a nominal
// p-value is worth in this book. The tests of this package reckon with normal
// scores around a mean of normal payments; real ones are rounded to days, skip
// weekends, keep to payment runs and are skewed, each debtor's in its own way.
//
// It is an empirical null in the sense of Efron (2004),
// doi:10.1198/016214504000000089, but by exchange: without a change the payments
// of one debtor may come in any order, so their shuffled histories, played to the
// same tests, tell how often those cry wolf. The zero value knows nothing, and
// leaves a p-value as it is.
type Null struct {
	Tests float64             // payments played
	Above [nullLevels]float64 // of them those that brought the nominal p-value this low, by -log p in steps of nullStep
}

const (
	nullStep   = 0.5    // nats between levels
	nullLevels = 41     // up to 20 nats
	nullSure   = 30     // payments that reached a level, or it is extrapolated
	nullFrom   = 6      // levels that an extrapolation rests on
	nullKept   = 0.75   // what is kept of the counts at the next Refit
	nullBudget = 48_000 // payments played at a Refit, by cadence, at most
	nullEach   = 40     // and so many for each debtor
	nullBook   = 20     // debtors, or too few are known
	nullTurns  = 12     // payments of one shuffled history that count, at most
	nullPart   = 4      // and one in so many
	nullBefore = 6      // payments played before them, at most
	nullRecent = 5      // of a history longer than a window, the last one in so many is left out: a change not found yet is there
)

// Rate returns the probability of evidence as strong as nominal p.
func (n *Null) Rate(p float64) float64 {
	last := 0
	for last+1 < nullLevels && n.Above[last+1] >= nullSure {
		last++
	}
	if last < nullFrom || p >= 1 {
		return p
	}
	if p <= 0 {
		return 0
	}
	x := -math.Log(p) / nullStep
	at := func(k int) float64 {
		if k == 0 {
			return 0
		}
		return math.Log(n.Above[k] / n.Tests)
	}
	if k := int(x); k < last {
		part := x - float64(k)
		return math.Exp((1-part)*at(k) + part*at(k+1))
	}
	slope := (at(last-nullFrom) - at(last)) / nullFrom
	slope = min(max(slope, 0.4*nullStep), 1.5*nullStep)
	return math.Exp(at(last) - slope*(x-float64(last)))
}

// nulls is the Null of each kind that is tested on payments.
type nulls [Overdue + 1]Null

// play adds to the Null of each kind what the tests make of shuffled histories
// of the debtors in book, all of cadence c.
func (d *Detector) play(c Cadence, book []int, r *rand.Rand) {
	p := &d.Prior[c]
	for k := range p.Null {
		n := &p.Null[k]
		n.Tests *= nullKept
		for i := range n.Above {
			n.Above[i] *= nullKept
		}
	}
	if len(book) < nullBook {
		return
	}
	for left := min(nullBudget, nullEach*len(book)); left > 0; {
		from := &d.Debtors[book[r.IntN(len(book))]]
		paid := from.ordinary()
		whole := watched(len(paid))
		if len(paid) > window {
			paid = paid[:len(paid)-len(paid)/nullRecent]
		}
		b := Debtor{Cadence: c, Profile: from.Profile, Paid: p.shuffle(d.shuffled[:0], paid, r), Fresh: 1}
		d.shuffled = b.Paid
		left -= d.replay(p, &b, whole, &p.Null)
	}
	for k := range p.Null {
		above := &p.Null[k].Above
		for i := nullLevels - 2; i >= 0; i-- { // which chance may have in another order
			above[i] = max(above[i], above[i+1])
		}
	}
}

// shuffle appends to dst the payments of paid in an order that r draws. Where
// payments echo, what each adds to the echo of the one before changes places
// instead, and the history is built up again from its first payment: the sieve
// bootstrap of Bühlmann (1997), doi:10.2307/3318584, of one term.
func (p *Prior) shuffle(dst, paid []Point, r *rand.Rand) []Point {
	from := len(dst)
	dst = append(dst, paid...)
	all := dst[from:]
	if p.Echo == 0 {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return dst
	}
	var own [history]float64 // what a payment adds
	before := 0.0
	for i, q := range all {
		late := p.late(q) - p.season(q.Due)
		own[i] = late - p.Echo*before
		before = late
	}
	r.Shuffle(len(all)-1, func(i, j int) { own[1+i], own[1+j] = own[1+j], own[1+i] })
	before = 0
	for i := range all {
		before = own[i] + p.Echo*before
		all[i].Late = p.paid(all[i].Due, before+p.season(all[i].Due))
	}
	return dst
}

// replay plays the end of the history of b, adds what the tests made of it to
// into, and returns how many payments it played. Only the last count, with as many
// under watch as the whole has: the tests of a short history are not those of a
// long one, which sees more small changes in chance.
func (d *Detector) replay(p *Prior, b *Debtor, recent int, into *nulls) (played int) {
	all := b.Paid
	b.Paid = nil
	from := max(least+1, len(all)+1-max(1, min(nullTurns, len(all)/nullPart))) // payments by the first that counts
	for n := from - max(1, min(nullBefore, len(all)/3)); n <= len(all); n++ {
		played++
		q, ps, was := all[n-1], [...]float64{1, 1, 1}, [...]float64{Late: b.Peak[Late], Early: b.Peak[Early], Overdue: 0}
		if q.Late > 0 && len(b.Paid) > 0 { // first it is waited for
			mean, worth := b.Now.at(p, q.Due)
			ps[Overdue] = p.overdue(&b.Now, p.late(q)-mean, worth, d.cfg.Resolution)
			var f Finding
			if f.P = 1; d.await(&f, p, b, q.Due, float64(q.Late)) {
				ps[Late] = b.peak(Late, f.P, false)
			}
		}
		b.Paid = all[:n]
		p.refit(b, min(n, recent))
		late, early := d.changes(p, b)
		ps[Late], ps[Early] = min(ps[Late], b.peak(Late, late.P, true)), b.peak(Early, early.P, true)
		if n < from {
			continue
		}
		for k, x := range ps {
			into[k].Tests++
			into[k].Above[0]++
			for i := int(was[k]/nullStep) + 1; i < nullLevels && float64(i)*nullStep <= -math.Log(x); i++ {
				into[k].Above[i]++ // for the first time: it is told once
			}
		}
	}
	b.Paid = all
	return played
}
