package world

import (
	"math"
	"math/rand/v2"
	"strconv"

	"rappel/datasets/ledger"
)

const never = math.MaxInt32

// habit is when a debtor looks and what it answers to.
type habit struct {
	available [168]float32             // chance scale of looking, by local hour of the week
	attention [ledger.Channels]float64 // chance scale of looking at a channel
	affinity  [ledger.Channels]float64 // chance of acting on what was noticed there
}

// Payment runs: none, a weekday (1 for Monday … 5), or the end of the month.
const (
	noRun    = 0
	monthEnd = 8
)

// debtor is one debtor in truth: what it is, and the state it is in.
type debtor struct {
	id        string
	archetype *Archetype
	place     *Place
	zone      *zone
	sky       *sky
	dice      dice
	language  string
	postcode  string
	sector    string

	habits   [2]habit // before and after the habits drifted
	driftDay int
	bornDay  int

	reachable, consent, badAddress, tracked [ledger.Channels]bool

	hazard      []float64
	response    float64
	payer       string
	run         int
	attitude    float64
	reliability float64
	sensitivity float64
	method      string
	interval    int // days between invoices; 30 stands for monthly
	term        int // days from issue to due
	median      float64
	machine     bool
	nightly     bool // the gateway opens again at night
	rated       bool
	views       bool // looks at the portal before paying

	// state
	ability   float64 // chance scale of having the money, this week
	wander    float64
	nextBill  int
	bills     int
	open      []invoice
	queue     []thing
	optedOut  [ledger.Channels]bool
	fatigue   float64
	fatigueAt int64
	intentDay int   // day on which it means to pay, or never
	heldUntil int64 // promise or plan: asks nothing more until then
	insolvent bool
	score     float64
	sequence  int       // events so far
	sent      int       // contacts so far
	plan      string    // case of the payment plan being kept
	falling   []invoice // bills whose due date has not come, as they were issued
}

// invoice is one open bill.
type invoice struct {
	number    int
	id        string
	due       ledger.Day
	cents     int64 // still open
	contested bool  // will be disputed once it is brought up
	disputed  bool
	paying    bool // a natural payment is on its way
}

// newDebtor draws who the i-th debtor is.
func (w *World) newDebtor(i int) *debtor {
	s := w.spec
	d := &debtor{id: "D" + pad(i+1, 5), intentDay: never, driftDay: never, bornDay: 0}
	r := Stream(w.seed, "debtor/"+d.id)
	d.dice = dice(r.Uint64())
	kinds := make(map[string]float64, len(s.Archetypes))
	for k := range s.Archetypes {
		kinds[pad(k, 4)] = s.Archetypes[k].Share
	}
	at, _ := strconv.Atoi(pick(r.Float64(), kinds))
	a := &s.Archetypes[at]
	d.archetype = a
	areas := make(map[string]float64, len(s.Places))
	for k := range s.Places {
		areas[pad(k, 4)] = s.Places[k].Share
	}
	at, _ = strconv.Atoi(pick(r.Float64(), areas))
	d.place = &s.Places[at]
	d.zone = w.zones[d.place.Timezone]
	d.sky = w.skies[d.place.Region]
	d.language = pick(r.Float64(), d.place.Languages)
	d.postcode = d.place.Postcodes[r.IntN(len(d.place.Postcodes))]
	d.sector = a.Sectors[r.IntN(len(a.Sectors))]

	d.habits[0] = a.habit(r)
	d.habits[1] = a.habit(r)
	if u, v := r.Float64(), r.Float64(); u < s.Drift.Share {
		d.driftDay = 7*s.Drift.FromWeek + int(v*7*float64(s.Drift.Weeks))
	}
	if u, v := r.Float64(), r.Float64(); u < s.Newcomers.Share {
		d.bornDay = 1 + int(v*7*float64(s.Newcomers.Weeks))
	}
	for c, name := range ledger.ChannelNames {
		ch := s.Channels[name]
		d.reachable[c] = r.Float64() < ch.Reachable
		d.consent[c] = r.Float64() < ch.Consent
		d.badAddress[c] = r.Float64() < ch.Bounce
		d.tracked[c] = r.Float64() < ch.Tracked
	}

	d.payer = pick(r.Float64(), a.Payers)
	p := s.Payers[d.payer]
	d.hazard, d.response = w.hazards[d.payer], p.Response
	switch pick(r.Float64(), map[string]float64{"a": a.Runs.None, "b": a.Runs.Weekday, "c": a.Runs.MonthEnd}) {
	case "b":
		d.run = 1 + r.IntN(5)
	case "c":
		d.run = monthEnd
	}
	d.attitude = beta(r, a.Attitude, 5)
	d.reliability = beta(r, a.Reliability, 5)
	d.sensitivity = s.Fatigue.Sensitivity * math.Exp(s.Fatigue.Spread*r.NormFloat64())
	d.method = pick(r.Float64(), a.Methods)
	if p.Collected {
		d.method, d.run = "direct_debit", noRun
	}
	d.interval = 7
	if r.Float64()*(a.Billing.Weekly+a.Billing.Monthly) < a.Billing.Monthly {
		d.interval = 30
	}
	d.term = a.Billing.Terms[r.IntN(len(a.Billing.Terms))]
	d.median = a.Billing.Median * math.Exp(a.Billing.Between*r.NormFloat64())
	d.machine = a.Kind == ledger.Business && r.Float64() < s.Machines.Share
	d.nightly = r.Float64() < s.Machines.PrefetchAtNight
	d.rated = a.Kind == ledger.Business && r.Float64() < s.Ratings.Share
	d.views = r.Float64() < 0.35
	d.nextBill = d.bornDay - d.term + r.IntN(d.interval)
	if d.bornDay > 0 {
		d.nextBill = d.bornDay + r.IntN(d.interval)
	}
	d.wander = r.NormFloat64()
	return d
}

// habit draws the habits of one debtor of the archetype; without a generator
// it returns those of the typical one.
func (a *Archetype) habit(r *rand.Rand) habit {
	normal := func() float64 { return 0 }
	draw := func(mean float64) float64 { return mean }
	deaf := false
	if r != nil {
		normal = r.NormFloat64
		draw = func(mean float64) float64 { return beta(r, mean, a.Concentration) }
		deaf = r.Float64() < a.Deaf
	}
	var h habit
	shift := a.Shift * normal()
	var week [168]float64
	for _, b := range a.Availability {
		weight := min(1, b.Weight*math.Exp(a.Taste*normal()))
		for day := range 7 {
			if b.Days>>day&1 == 0 {
				continue
			}
			centre := float64(24*day) + b.At + shift
			for i := range week {
				gap := math.Mod(float64(i)+0.5-centre+336, 168)
				gap = min(gap, 168-gap) / b.Width
				if gap < 5 {
					week[i] += weight * math.Exp(-gap*gap/2)
				}
			}
		}
	}
	for i, x := range week {
		h.available[i] = float32(a.Floor + (1-a.Floor)*min(1, x))
	}
	for c, name := range ledger.ChannelNames {
		h.attention[c] = draw(a.Attention[name])
		h.affinity[c] = draw(a.Affinity[name])
	}
	if deaf {
		h.attention[ledger.Email] *= 0.06
	}
	return h
}

// habit returns the habits of the day.
func (d *debtor) habit(day int) *habit {
	if day >= d.driftDay {
		return &d.habits[1]
	}
	return &d.habits[0]
}

// pays returns whether the debtor pays anything on that date, and how many
// days of hazard a run gathers.
func (d *debtor) pays(day ledger.Day) (ok bool, gather float64) {
	switch d.run {
	case noRun:
		return true, 1
	case monthEnd:
		return (day + 1).UTC().Day() == 1, 30
	default:
		return int(day.Weekday()) == d.run, 7
	}
}

// nextRun returns the first day from day on, on which the debtor pays.
func (d *debtor) nextRun(day ledger.Day) ledger.Day {
	for ok, _ := d.pays(day); !ok; ok, _ = d.pays(day) {
		day++
	}
	return day
}

// hazardAt returns the daily hazard of paying unasked so many days past due.
func (d *debtor) hazardAt(pastDue int) float64 {
	return d.hazard[min(len(d.hazard)-1, max(0, pastDue+hazardBefore))]
}

// tired returns the fatigue at a moment.
func (d *debtor) tired(unix int64, fadeDays float64) float64 {
	return d.fatigue * math.Exp(-float64(unix-d.fatigueAt)/(86400*fadeDays))
}

// pad writes n with at least width digits.
func pad(n, width int) string {
	s := strconv.Itoa(n)
	for len(s) < width {
		s = "0" + s
	}
	return s
}
