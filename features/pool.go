package features

import (
	"cmp"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/datasets/ledger"
)

// pool is what is known, by day, of the contacts of each creditor and of each
// profile (creditor, kind, sector, area), by channel: how many were opened, or
// followed by a payment, within a week. It holds the days on which vectors are
// wanted, and counts contacts whose week was over by then in every time zone.
type pool struct {
	creditors, profiles map[uint64][]counted // in the order of days, each with those before
}

type counted struct {
	day int32
	by  [ledger.Channels]ripe
}

// rates are those of a profile, by channel.
type rates struct{ open, pay [ledger.Channels]float64 }

// errDay says that a pool does not hold a day of a creditor.
var errDay = errors.New("features: the pool does not hold that day")

// poolFiles are the files that a pool is made of.
var poolFiles = []string{"evidence", "wanted_day"}

// pool makes the pool of the days of the points.
func (c *session) pool() (*pool, error) {
	p := &pool{map[uint64][]counted{}, map[uint64][]counted{}}
	err := c.read(text("wanted_day"), func(rec arrow.RecordBatch) error {
		creditor, today := rec.Column(0).(*array.Uint64).Values(), rec.Column(1).(*array.Int32).Values()
		for i, k := range creditor {
			p.creditors[k] = append(p.creditors[k], counted{day: today[i]})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, days := range p.creditors {
		slices.SortFunc(days, func(a, b counted) int { return cmp.Compare(a.day, b.day) })
	}
	type key struct {
		profile uint64
		day     int32
	}
	at := map[key]*[ledger.Channels]ripe{}
	err = c.read(text("evidence"), func(rec arrow.RecordBatch) error {
		creditor, profile := rec.Column(0).(*array.Uint64).Values(), rec.Column(1).(*array.Uint64).Values()
		ch, ripens := rec.Column(2).(*array.Int32).Values(), rec.Column(3).(*array.Int32).Values()
		looked, paid := rec.Column(4).(*array.Int8).Values(), rec.Column(5).(*array.Int8).Values()
		for i, k := range creditor {
			days := p.creditors[k]
			n, _ := slices.BinarySearchFunc(days, ripens[i], func(d counted, day int32) int { return cmp.Compare(d.day, day) })
			if n == len(days) {
				continue // not ripe on any day
			}
			own := at[key{profile[i], days[n].day}]
			if own == nil {
				own = new([ledger.Channels]ripe)
				at[key{profile[i], days[n].day}] = own
			}
			for _, c := range []*ripe{&days[n].by[ch[i]], &own[ch[i]]} {
				c.n++
				c.opened += int64(looked[i])
				c.paid += int64(paid[i])
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for k, by := range at {
		p.profiles[k.profile] = append(p.profiles[k.profile], counted{k.day, *by})
	}
	for _, of := range []map[uint64][]counted{p.creditors, p.profiles} {
		for _, days := range of {
			slices.SortFunc(days, func(a, b counted) int { return cmp.Compare(a.day, b.day) })
			for i := 1; i < len(days); i++ {
				for ch := range days[i].by {
					days[i].by[ch].n += days[i-1].by[ch].n
					days[i].by[ch].opened += days[i-1].by[ch].opened
					days[i].by[ch].paid += days[i-1].by[ch].paid
				}
			}
		}
	}
	return p, nil
}

// rates shrinks a profile to all debtors of its creditor with the weight of 40
// contacts, and those to 1/5 and 1/10 with that of 20. It returns errDay for a day
// that was not wanted when the pool was made.
func (p *pool) rates(creditor, profile uint64, today int32) (rates, error) {
	all, there := p.creditors[creditor], p.profiles[profile]
	upTo := func(days []counted) (n int, exact bool) {
		return slices.BinarySearchFunc(days, today, func(d counted, day int32) int { return cmp.Compare(d.day, day) })
	}
	i, ok := upTo(all)
	if !ok {
		return rates{}, errDay
	}
	var own [ledger.Channels]ripe // of a profile without contacts that count
	if k, exact := upTo(there); exact {
		own = there[k].by
	} else if k > 0 {
		own = there[k-1].by
	}
	var r rates
	for ch, a := range all[i].by {
		open, pay := (float64(a.opened)+4)/float64(a.n+20), (float64(a.paid)+2)/float64(a.n+20)
		r.open[ch] = (float64(own[ch].opened) + 40*open) / float64(own[ch].n+40)
		r.pay[ch] = (float64(own[ch].paid) + 40*pay) / float64(own[ch].n+40)
	}
	return r, nil
}
