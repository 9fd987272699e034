package anomaly

import (
	"slices"
	"testing"
)

// clerk keeps the books of a Detector: it tells it of one invoice at a time.
type clerk struct {
	*Detector
	paid  [][]Point
	open  [][]Invoice
	fresh map[int]bool // debtors of whom the Detector has not heard all
}

func mustNew(tb testing.TB) *clerk {
	tb.Helper()
	return newClerk(tb, DefaultConfig())
}

func newClerk(tb testing.TB, cfg Config) *clerk {
	tb.Helper()
	d, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return &clerk{Detector: d, fresh: map[int]bool{}}
}

func (c *clerk) AddDebtor(profile int, groups ...int) int {
	c.paid, c.open = append(c.paid, nil), append(c.open, nil)
	return c.Detector.AddDebtor(profile, groups...)
}

// Issue adds an unpaid invoice.
func (c *clerk) Issue(debtor int, id string, due int32) {
	o := &c.open[debtor]
	i := len(*o)
	for i > 0 && (*o)[i-1].Due > due {
		i--
	}
	*o = slices.Insert(*o, i, Invoice{ID: id, Due: due})
	c.fresh[debtor] = true
}

// Cancel takes an unpaid invoice away.
func (c *clerk) Cancel(debtor int, id string) {
	o := &c.open[debtor]
	*o = slices.DeleteFunc(*o, func(v Invoice) bool { return v.ID == id })
	c.fresh[debtor] = true
}

// Pay says that an unpaid invoice was paid in full on a day.
func (c *clerk) Pay(debtor int, id string, paid float64) {
	o := &c.open[debtor]
	i := slices.IndexFunc(*o, func(v Invoice) bool { return v.ID == id })
	if i < 0 {
		return
	}
	due := (*o)[i].Due
	*o = slices.Delete(*o, i, i+1)
	c.paid[debtor] = append(c.paid[debtor], Point{due, float32(paid - float64(due))})
	c.fresh[debtor] = true
}

// hear passes on what is new.
func (c *clerk) hear() {
	for i := range c.fresh {
		c.Hear(i, c.paid[i], c.open[i])
	}
	clear(c.fresh)
}

func (c *clerk) Tick(day int32) Report {
	c.hear()
	return c.Detector.Tick(day)
}

func (c *clerk) Refit() {
	c.hear()
	c.Detector.Refit()
}

func (c *clerk) Band(debtor int, due int32, share float64) Band {
	c.hear()
	return c.Detector.Band(debtor, due, share)
}
