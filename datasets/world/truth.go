package world

// Truth keeps what a policy brings about: how late the money is and what the
// asking costs, by month, as nobody in the world could keep it.
type Truth struct {
	world   *World
	total   Tally
	months  []Tally
	debtors map[string]*Tally
}

// Tally is what happened in a month, to a debtor or in all.
type Tally struct {
	Month      string  // 2026-03, or empty
	DueCents   int64   // fell due
	Due        int     // invoices that fell due
	CentDays   int64   // sum over days of what is overdue on the day, in cents
	LateDays   int     // sum over days of the number of overdue invoices
	Cost       float64 // of contacts
	Contacts   int
	Complaints int
	OptOuts    int
}

func newTruth(w *World) *Truth { return &Truth{world: w, debtors: make(map[string]*Tally)} }

// DaysLateMoney returns the money-weighted days late: for each unit of money
// that fell due, the days it was overdue.
func (t *Tally) DaysLateMoney() float64 {
	if t.DueCents == 0 {
		return 0
	}
	return float64(t.CentDays) / float64(t.DueCents)
}

// DaysLate returns the days late of the average invoice.
func (t *Tally) DaysLate() float64 {
	if t.Due == 0 {
		return 0
	}
	return float64(t.LateDays) / float64(t.Due)
}

// Total returns the sums over all days played.
func (t *Truth) Total() Tally { return t.total }

// Months returns the sums by calendar month, in order.
func (t *Truth) Months() []Tally { return t.months }

// Debtor returns the sums of one debtor.
func (t *Truth) Debtor(id string) Tally {
	if x := t.debtors[id]; x != nil {
		return *x
	}
	return Tally{}
}

// book applies a change to the total, to the month of the day and to the debtor.
func (t *Truth) book(d *debtor, day int, f func(*Tally)) {
	f(&t.total)
	month := t.world.Date(day).UTC().Format("2006-01")
	n := len(t.months)
	if n == 0 || t.months[n-1].Month != month {
		t.months = append(t.months, Tally{Month: month})
		n++
	}
	f(&t.months[n-1])
	x := t.debtors[d.id]
	if x == nil {
		x = new(Tally)
		t.debtors[d.id] = x
	}
	f(x)
}

// evening counts what is overdue at the end of a day.
func (t *Truth) evening(d *debtor, day int) {
	date := t.world.Date(day)
	var dueCents, lateCents int64
	due, late := 0, 0
	for i := range d.open {
		if inv := &d.open[i]; inv.due < date {
			lateCents += inv.cents
			late++
		}
	}
	for len(d.falling) > 0 && d.falling[0].due <= date {
		dueCents += d.falling[0].cents
		due++
		d.falling = d.falling[1:]
	}
	if late == 0 && due == 0 {
		return
	}
	t.book(d, day, func(x *Tally) {
		x.CentDays += lateCents
		x.LateDays += late
		x.DueCents += dueCents
		x.Due += due
	})
}

// billed notes what will fall due.
func (t *Truth) billed(d *debtor, inv *invoice) { d.falling = append(d.falling, *inv) }

func (t *Truth) sent(d *debtor, day int, cost float64) {
	t.book(d, day, func(x *Tally) { x.Contacts++; x.Cost += cost })
}

func (t *Truth) complained(d *debtor, day int) { t.book(d, day, func(x *Tally) { x.Complaints++ }) }

func (t *Truth) optedOut(d *debtor, day int) { t.book(d, day, func(x *Tally) { x.OptOuts++ }) }
