package anomaly

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Invoice is one unpaid invoice.
type Invoice struct {
	ID  string
	Due int32 // days since 1 January 1970
}

// Debtor is the state of one debtor.
type Debtor struct {
	Profile int   // index of the profile
	Groups  []int // indices of groups, for roll-ups: sector, region, their crossing, profile
	Paid    []Point
	Open    []Invoice // by due date, then as they came
	Base    Baseline  // fitted on Paid less its last Recent
	Now     Baseline  // fitted on Paid
	Before  Baseline  // Base before the change last told
	Recent  int       // how many of Paid are under watch for a change
	Cadence Cadence
	Carried Carried
	Fresh   int        // paid since the last Tick
	Count   int        // of Paid before the oldest were let go
	Seen    int        // Count at the last Tick
	From    int32      // payments of invoices due before this day are of an earlier habit
	Told    []string   // unpaid invoices that a finding was raised on
	Tested  int32      // day of the last test
	Moved   int32      // day on which payments last began to look late; 0 if never
	Since   int32      // due date of the first of them
	Peak    [2]float64 // evidence of Late and of Early since there was hardly any: -log p at the most
}

// Evidence is a p-value that the caller computed.
type Evidence struct {
	Debtor int
	Kind   Kind
	P      float64 // probability of evidence as strong where nothing changed
	Since  int32   // when it began, days since 1 January 1970
}

// Finding is one change worth telling.
type Finding struct {
	Kind       Kind
	Debtor     int
	Since      int32   // due date of the first invoice concerned, or Evidence.Since
	P          float64 // probability of evidence as strong where nothing changed
	Confidence float64 // probability that it is true
	Expected   Band    // days late, 90 %; kinds Late, Early and Overdue
	Seen       float64 // mean days late since, unpaid invoices by what they are today; for Overdue days past due
	Invoice    string  // the oldest unpaid invoice concerned, where there is one
	RollUp     int     // ID of the roll-up that tells this, or 0
}

// WholeBook is the group that every debtor belongs to.
const WholeBook = -1

// RollUp is one shock of a group, told instead of its members.
type RollUp struct {
	ID      int   // from 1
	Group   int   // index of the group, or WholeBook
	Since   int32 // due date of the first late invoice of a typical member
	Day     int32 // when it was found
	Until   int32 // until when it takes in findings of its members
	P       float64
	Size    int   // debtors of the group tested lately
	Members []int // debtors of the group that pay late since, by index
}

// Report is what one Tick found.
type Report struct {
	// Findings are the changes of single debtors, those told by a roll-up
	// marked; by kind, then most surprising first.
	Findings []Finding
	// RollUps are those found today. What is still open of kinds Late and
	// Overdue on their Members is replaced by them.
	RollUps []RollUp
}

// State is everything a Detector remembers, in plain values that any encoder
// can write.
type State struct {
	Day      int32 // of the last Tick
	Debtors  []Debtor
	Profiles int
	Groups   int
	Prior    [Cadences]Prior
	Streams  [Kinds]Stream
	Tallies  [Kinds]Tally
	RollUps  []RollUp // still taking in findings
	NextID   int
	Usual    float64    // share of debtors that begin to look late in a day, averaged over a season
	Pending  []Evidence // for the next Tick
}

// Detector watches one creditor's book. Tell it of invoices as they open and are
// paid, and Tick once a day. The same calls in the same order give the same
// findings. A Detector is not safe for concurrent use.
type Detector struct {
	State
	cfg      Config
	days     [cadenceOf]int32
	seq      []Point
	scores   []float64
	found    []int
	ps       []float64
	shuffled []Point
	batch    [Kinds][]Finding
	fresh    [Kinds][]float64 // of the batch, the levels beyond which tests not made before discover nothing
}

// New returns a Detector that has seen nothing.
func New(cfg Config) (*Detector, error) {
	return Resume(cfg, State{Prior: cfg.Prior, NextID: 1})
}

// Resume returns a Detector that goes on from state.
func Resume(cfg Config, state State) (*Detector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Detector{State: state, cfg: cfg}, nil
}

// AddDebtor makes room for one more debtor and returns its index, from 0.
// Profile and groups are indices that the caller gives meaning to; a debtor
// may belong to any number of groups.
func (d *Detector) AddDebtor(profile int, groups ...int) int {
	d.Debtors = append(d.Debtors, Debtor{Profile: profile, Groups: slices.Clone(groups)})
	d.Profiles = max(d.Profiles, profile+1)
	for _, g := range groups {
		d.Groups = max(d.Groups, g+1)
	}
	i := len(d.Debtors) - 1
	d.refit(&d.Debtors[i])
	return i
}

// Belong changes the profile and the groups of a debtor.
func (d *Detector) Belong(debtor, profile int, groups ...int) {
	b := &d.Debtors[debtor]
	b.Profile, b.Groups = profile, append(b.Groups[:0], groups...)
	d.Profiles = max(d.Profiles, profile+1)
	for _, g := range groups {
		d.Groups = max(d.Groups, g+1)
	}
}

// Hear tells what is known of a debtor by now: the invoices paid in full, in
// the order of payment, and those unpaid and to be waited for, by due date.
// It replaces what was heard before, so that what comes late finds its place.
// Invoices due and paid together count as one.
func (d *Detector) Hear(debtor int, paid []Point, open []Invoice) {
	b := &d.Debtors[debtor]
	b.Paid = b.Paid[:0]
	for _, q := range paid {
		if n := len(b.Paid); q.Due >= b.From && (n == 0 || b.Paid[n-1] != q) {
			b.Paid = append(b.Paid, q)
		}
	}
	b.Count = len(b.Paid)
	b.Seen = min(b.Seen, b.Count)
	b.Fresh = b.Count - b.Seen
	if over := b.Count - history; over > 0 {
		b.Paid = append(b.Paid[:0], b.Paid[over:]...)
	}
	b.Open = append(b.Open[:0], open...)
	b.Told = slices.DeleteFunc(b.Told, func(id string) bool {
		return !slices.ContainsFunc(b.Open, func(v Invoice) bool { return v.ID == id })
	})
	d.refit(b)
}

// Forget empties the place of a debtor; its index is not given again.
func (d *Detector) Forget(debtor int) { d.Debtors[debtor] = Debtor{} }

const (
	carriedDF = 12    // payments that the scale of a debtor is worth after their mean has changed
	least     = 4     // observations before a change, or it is no change but a beginning
	window    = 12    // payments under watch, at most
	suspicion = 0.05  // an unpaid invoice joins a day's tests from this probability
	doubt     = 3     // evidence of a change, -log p, from which a history is not shuffled: it may hold one
	hardly    = 0.1   // nominal p-value that is hardly evidence
	moved     = 0.005 // p-value from which a debtor counts as moved in roll-ups
	lately    = 42    // days over which a debtor counts as one of a group, and moves at most once
)

// refit reads the cadence of b anew, and fits its baselines.
func (d *Detector) refit(b *Debtor) {
	b.Cadence = cadence(b.Paid, d.days[:])
	d.Prior[b.Cadence].refit(b, watched(len(b.Paid)))
}

// watched returns how many of n payments are under watch for a change.
func watched(n int) int { return min(n, window, max(3, n/3)) }

// refit fits the baselines of b: on all but the last recent payments, which are
// under watch, and on all.
func (p *Prior) refit(b *Debtor, recent int) {
	n := len(b.Paid)
	b.Recent = recent
	b.Base = p.fit(b.Paid[:n-b.Recent], b.Profile, b.Carried)
	b.Now = p.fit(b.Paid, b.Profile, b.Carried)
}

// Refit learns from the book what debtors of each cadence and profile have in
// common, season included, and fits every debtor anew. Call it once a week or
// after loading a book; it costs up to a tenth of a millisecond a debtor.
func (d *Detector) Refit() {
	for c := range d.Prior {
		var book, whole [][]Point
		var profile []int
		for i := range d.Debtors {
			b := &d.Debtors[i]
			if b.Cadence == Cadence(c) {
				book, whole, profile = append(book, b.learned()), append(whole, b.ordinary()), append(profile, b.Profile)
			}
		}
		d.Prior[c] = learn(d.Prior[c], book, profile, d.Profiles, d.stream(c))
		d.Prior[c].echo(whole, profile, d.cfg.Resolution)
	}
	var scores [Cadences][]float64
	var ordinary [Cadences][]int
	for i := range d.Debtors {
		b := &d.Debtors[i]
		d.refit(b)
		scores[b.Cadence] = d.Prior[b.Cadence].scores(scores[b.Cadence], b)
		if len(b.ordinary()) > least+1 && max(b.Peak[0], b.Peak[1]) < doubt {
			ordinary[b.Cadence] = append(ordinary[b.Cadence], i)
		}
	}
	for c := range scores {
		d.Prior[c].Shape = newShape(scores[c])
		d.play(Cadence(c), ordinary[c], d.stream(c))
	}
}

// stream returns the generator of what is shuffled today for cadence c.
func (d *Detector) stream(c int) *rand.Rand { return rand.New(rand.NewPCG(uint64(d.Day), uint64(c))) }

// ordinary returns the payments of b that no finding was made on: those by which
// a change was noticed are the latest of the late.
func (b *Debtor) ordinary() []Point {
	paid := b.Paid
	if b.Carried.DF > 0 {
		paid = paid[min(window, len(paid)):]
	}
	return paid
}

// scores appends to scores those of the later half of what b paid around a
// baseline of the earlier half. The last two are left out: a payment far off
// is ordinary only if more came after it and no change was found.
func (p *Prior) scores(scores []float64, b *Debtor) []float64 {
	paid := b.ordinary()
	half := len(paid) / 2
	if half < least-1 {
		return scores
	}
	base := p.fit(paid[:half], b.Profile, Carried{})
	for _, q := range paid[half : len(paid)-2] {
		mean, n := base.at(p, q.Due)
		scores = append(scores, base.score(mean, p.late(q))/math.Sqrt(1+1/n))
	}
	return scores
}

// learned returns the payments of b that others may learn from: not those
// under watch, nor those by which a change was noticed, which are the latest
// of the late.
func (b *Debtor) learned() []Point {
	to := len(b.Paid) - b.Recent
	if b.Carried.DF > 0 {
		return b.Paid[min(window, to):to]
	}
	return b.Paid[:to]
}

// Band returns the range that holds share of the days late of an invoice of
// this debtor that is due on day due.
func (d *Detector) Band(debtor int, due int32, share float64) Band {
	b := &d.Debtors[debtor]
	return b.Now.band(&d.Prior[b.Cadence], due, share)
}

// Add hands in a p-value of another kind for the next Tick. Hand in every
// test made, not only the small ones: the false discovery rate counts them.
// It panics on a kind that the Detector tests itself and on a p-value outside
// [0, 1].
func (d *Detector) Add(e Evidence) {
	if e.Kind <= Overdue || int(e.Kind) >= Kinds || !(e.P >= 0 && e.P <= 1) {
		panic(fmt.Sprintf("anomaly: evidence %+v", e))
	}
	d.Pending = append(d.Pending, e)
}

// Verdict says what a controller thought of one finding. Many dismissals of a
// kind raise the evidence that its findings need.
func (d *Detector) Verdict(kind Kind, confirmed bool) {
	if confirmed {
		d.Tallies[kind].Confirmed++
	} else {
		d.Tallies[kind].Dismissed++
	}
}

// Tick tests, at the start of day, everything paid since the last Tick and
// everything unpaid, and returns what it found. A day is told once: Tick
// returns an empty Report for one that is not after the last. Days may be left
// out.
func (d *Detector) Tick(day int32) Report {
	if day <= d.Day {
		return Report{}
	}
	d.Day = day
	d.RollUps = slices.DeleteFunc(d.RollUps, func(r RollUp) bool { return r.Until < day })
	for k := range d.batch {
		d.batch[k], d.fresh[k] = d.batch[k][:0], d.fresh[k][:0]
	}
	var r Report
	for i := range d.Debtors {
		d.examine(&r, i, day)
	}
	for _, e := range d.Pending {
		d.batch[e.Kind] = append(d.batch[e.Kind], Finding{Kind: e.Kind, Debtor: e.Debtor, Since: e.Since, P: e.P})
		d.fresh[e.Kind] = append(d.fresh[e.Kind], 1)
	}
	d.Pending = d.Pending[:0]
	for k := range d.batch {
		d.discover(&r, Kind(k), day)
	}
	d.rollUp(&r, day)
	for i := range r.Findings {
		d.settle(&r.Findings[i])
	}
	return r
}

// budget is the share of Config.PerYear that each kind may use.
var budget = [Kinds]float64{Late: 0.65, Early: 0.1, Overdue: 0.25}

// invoicesPerYear is how many tests of one kind a debtor's payments give.
var invoicesPerYear = [Cadences]float64{Irregular: 12, Weekly: 52, Monthly: 12}

// examine adds the tests of debtor i to the day's batches, or its findings to
// r where a roll-up tells them.
func (d *Detector) examine(r *Report, i int, day int32) {
	b := &d.Debtors[i]
	if b.Fresh == 0 && (len(b.Open) == 0 || b.Open[0].Due >= day) {
		return
	}
	p := &d.Prior[b.Cadence]
	late, early := d.changes(p, b)
	late.Debtor, early.Debtor = i, i
	over := Finding{Kind: Overdue, Debtor: i, P: 1}

	// An unpaid invoice will be paid today at the soonest: what it proves
	// today it will still prove when it is paid, so looking early causes no
	// false alarm that looking late would not.
	for j, v := range b.Open {
		past := p.late(Point{v.Due, float32(day - v.Due)})
		if day <= v.Due {
			break
		}
		if j == 0 && !slices.Contains(b.Told, v.ID) {
			mean, n := b.Now.at(p, v.Due)
			over.P = p.Null[Overdue].Rate(p.overdue(&b.Now, past-mean, n, d.cfg.Resolution))
			over.Since, over.Seen, over.Invoice = v.Due, float64(day-v.Due), v.ID
		}
		// One left behind while later ones were paid says nothing of the habit.
		if b.Recent > 0 && v.Due <= d.seq[b.Recent-1].Due {
			continue
		}
		was := late.P
		if !d.await(&late, p, b, v.Due, float64(day-v.Due)) {
			break
		}
		if late.P < was {
			late.Invoice = v.ID
		}
	}
	late.P = p.Null[Late].Rate(b.peak(Late, late.P, b.Fresh > 0))
	early.P = p.Null[Early].Rate(b.peak(Early, early.P, b.Fresh > 0))

	if late.P <= moved && (b.Moved == 0 || b.Moved <= day-lately) {
		b.Moved, b.Since = day, late.Since
	}
	told := d.toldBy(b)
	known := b.Base.N+float64(b.Recent) > least // or nothing paid can be told from a beginning
	per := d.cfg.PerYear / invoicesPerYear[b.Cadence]
	for _, f := range [...]*Finding{&late, &early, &over} {
		if b.Fresh == 0 && f.P > suspicion {
			continue
		}
		b.Tested = day
		if f.Kind != Early && told > 0 {
			if f.P <= moved {
				f.RollUp, f.Confidence = told, 1-f.P
				d.report(r, *f)
			}
			continue
		}
		most := per * budget[f.Kind]
		if f.P > most {
			f.P = 1
		}
		d.batch[f.Kind] = append(d.batch[f.Kind], *f)
		if b.Fresh > 0 && (f.Kind == Overdue || known) {
			d.fresh[f.Kind] = append(d.fresh[f.Kind], most)
		}
	}
	b.Fresh, b.Seen = 0, b.Count
}

// changes returns the strongest evidence of a change, later or earlier, in what
// b paid since the last Tick. It leaves what is under watch in d.seq and its
// scores in d.scores.
func (d *Detector) changes(p *Prior, b *Debtor) (late, early Finding) {
	late, early = Finding{Kind: Late, P: 1}, Finding{Kind: Early, P: 1}
	watched := b.Paid[len(b.Paid)-b.Recent:]
	seq, scores := append(d.seq[:0], watched...), d.scores[:0]
	for _, q := range watched {
		mean, _ := b.Base.at(p, q.Due)
		scores = append(scores, p.Shape.Normal(b.Base.score(mean, p.late(q))))
	}
	fresh := min(b.Fresh, len(watched))
	for n := len(watched) - fresh + 1; n <= len(watched); n++ {
		d.suspect(&late, p, b, seq[:n], scores[:n])
		for j := range scores[:n] {
			scores[j] = -scores[j]
		}
		d.suspect(&early, p, b, seq[:n], scores[:n])
		for j := range scores[:n] {
			scores[j] = -scores[j]
		}
	}
	late.P = min(1, late.P*float64(max(1, fresh)))
	early.P = min(1, early.P*float64(max(1, fresh)))
	d.seq, d.scores = seq, scores
	return late, early
}

// await adds an unpaid invoice that is late days past due to what is under watch,
// makes f the evidence of a change in that if it is stronger, and reports whether
// the invoice is late at all.
func (d *Detector) await(f *Finding, p *Prior, b *Debtor, due int32, late float64) bool {
	q := Point{due, float32(late)}
	mean, _ := b.Base.at(p, due)
	z := p.Shape.Normal(b.Base.score(mean, p.late(q)))
	if z <= 0 {
		return false
	}
	d.seq, d.scores = append(d.seq, q), append(d.scores, z)
	d.suspect(f, p, b, d.seq, d.scores)
	return true
}

// peak remembers p where it is the strongest evidence of a change since a payment
// told that there is hardly any, and returns it.
func (b *Debtor) peak(k Kind, p float64, paid bool) float64 {
	if paid && p > hardly {
		b.Peak[k] = 0
	} else {
		b.Peak[k] = max(b.Peak[k], -math.Log(p))
	}
	return p
}

// bank is the changes looked for, as parts of the one worth acting on, and
// the part of false alarms that each may cause: most for that one, the rest
// for the slip of half its size.
var bank = [...]struct{ part, share float64 }{{1, 0.8}, {0.5, 0.2}}

// suspect makes f the strongest evidence of a change within seq that lasts to
// its end, if that is stronger than f.
func (d *Detector) suspect(f *Finding, p *Prior, b *Debtor, seq []Point, scores []float64) {
	_, n := b.Base.at(p, seq[len(seq)-1].Due)
	for _, k := range bank {
		effect := min(3, max(0.5, k.part*d.cfg.Shift[b.Cadence]/b.Base.Scale))
		s := Detect(scores, n, least, effect, p.Echo)
		rate := min(1, Rate(s.Evidence, effect)/k.share)
		if rate >= f.P {
			continue
		}
		f.P, f.Since, f.Seen = rate, seq[s.From].Due, 0
		for _, q := range seq[s.From:] {
			f.Seen += float64(q.Late) / float64(len(seq)-s.From)
		}
	}
}

// overdue returns the probability that an invoice is paid beyond days after
// it was expected, or later. Where only days are known, a payment on a day
// stands for any moment of it.
func (p *Prior) overdue(b *Baseline, beyond, n, resolution float64) float64 {
	wide := *b
	wide.Scale = math.Sqrt(max(b.Scale*b.Scale-resolution*resolution/12, minScale*minScale) * (1 + 1/n))
	return p.Shape.beyond(wide.score(0, beyond-resolution/2))
}

// in reports whether b belongs to group.
func (b *Debtor) in(group int) bool {
	return group == WholeBook || slices.Contains(b.Groups, group)
}

// toldBy returns the ID of the roll-up that tells the lateness of b, or 0.
func (d *Detector) toldBy(b *Debtor) int {
	for i := range d.RollUps {
		if b.in(d.RollUps[i].Group) {
			return d.RollUps[i].ID
		}
	}
	return 0
}

// discover moves what the day's batch of one kind proves to r.
func (d *Detector) discover(r *Report, k Kind, day int32) {
	d.ps = d.ps[:0]
	for i := range d.batch[k] {
		d.ps = append(d.ps, d.batch[k][i].P)
	}
	var level float64
	d.found, level = d.Streams[k].Test(d.found, day, d.ps, d.fresh[k], reckoned(len(d.Debtors)), d.Tallies[k].Level(d.cfg.FDR))
	for _, i := range d.found {
		f := d.batch[k][i]
		f.Confidence = 1 - d.Streams[k].False(f.P, level, d.cfg.FDR)
		d.report(r, f)
	}
}

// report adds f to r with the band that was expected.
func (d *Detector) report(r *Report, f Finding) {
	if f.Kind <= Overdue {
		b := &d.Debtors[f.Debtor]
		base := &b.Base
		if f.Kind == Overdue {
			base = &b.Now
		}
		f.Expected = base.band(&d.Prior[b.Cadence], f.Since, 0.9)
	}
	r.Findings = append(r.Findings, f)
}

// spans are the days within which debtors count as having moved at once: two
// weeks of those invoiced weekly, six of those invoiced monthly.
var spans = [...]int32{14, lately}

const (
	usual     = 0.0005 // share of debtors that begin to look late in a day by chance alone, at least
	usualDays = 90     // days over which the share that does is averaged
)

// rollUp adds to r the groups that moved together, and marks the findings of
// their members.
func (d *Detector) rollUp(r *Report, day int32) {
	// A look for each group and span and, since spans overlap from day to
	// day, three for each span that the year holds.
	limit := d.cfg.RollUpRate / float64((d.Groups+1)*len(spans)) / (3 * year / float64(spans[0]))
	for _, span := range spans {
		groups := make([]Group, d.Groups+1) // the last is the whole book
		all := d.moves(groups, day, span)
		for {
			g, p := Scan(groups, all, max(usual, d.Usual)*float64(span), limit)
			if g < 0 {
				break
			}
			size := groups[g].Size
			if g == d.Groups {
				g = WholeBook
			}
			d.gather(r, RollUp{ID: d.NextID, Group: g, Day: day, Until: day + int32(d.cfg.RollUpDays), P: p, Size: size}, span)
			clear(groups)
			all = d.moves(groups, day, span)
		}
	}
	groups := make([]Group, d.Groups+1)
	if all := d.moves(groups, day, 1); all.Size > 0 {
		d.Usual += (float64(all.Moved)/float64(all.Size) - d.Usual) / usualDays
	}
}

// moves counts in groups, and returns over all, the debtors tested lately and
// those of them that began to look late within span days. Those whose lateness
// a roll-up tells are passed over.
func (d *Detector) moves(groups []Group, day, span int32) Group {
	var all Group
	for i := range d.Debtors {
		b := &d.Debtors[i]
		if b.Tested == 0 || b.Tested <= day-lately || d.toldBy(b) > 0 {
			continue
		}
		all.Size++
		moved := 0
		if b.Moved != 0 && b.Moved > day-span {
			moved = 1
		}
		all.Moved += moved
		for _, g := range b.Groups {
			groups[g].Size++
			groups[g].Moved += moved
		}
	}
	groups[d.Groups] = all
	return all
}

// gather opens the roll-up s of the debtors of its group that moved within
// span days, and adds it to r.
func (d *Detector) gather(r *Report, s RollUp, span int32) {
	var since []int32
	for i := range d.Debtors {
		b := &d.Debtors[i]
		if b.Moved != 0 && b.Moved > s.Day-span && b.in(s.Group) && d.toldBy(b) == 0 {
			s.Members = append(s.Members, i)
			since = append(since, b.Since)
		}
	}
	slices.Sort(since)
	s.Since = since[len(since)/2]
	for i := range r.Findings {
		f := &r.Findings[i]
		if (f.Kind == Late || f.Kind == Overdue) && f.RollUp == 0 && d.Debtors[f.Debtor].in(s.Group) {
			f.RollUp = s.ID
		}
	}
	for _, i := range s.Members {
		d.change(&d.Debtors[i], d.Debtors[i].Since)
	}
	d.NextID++
	d.RollUps = append(d.RollUps, s)
	r.RollUps = append(r.RollUps, s)
}

// settle remembers that f was told: an unpaid invoice is told once, by itself or
// with the change that it is part of, and a change is the habit from then on.
func (d *Detector) settle(f *Finding) {
	b := &d.Debtors[f.Debtor]
	switch f.Kind {
	case Late, Early:
		d.change(b, f.Since)
	}
	if f.Invoice != "" && !slices.Contains(b.Told, f.Invoice) {
		b.Told = append(b.Told, f.Invoice)
	}
}

// change starts a new baseline for b from the invoice due on since. What the
// past said of the scale is kept, as worth a dozen payments.
func (d *Detector) change(b *Debtor, since int32) {
	b.Before = b.Base
	b.Carried = Carried{Scale: b.Base.Scale, DF: min(b.Base.DF, carriedDF)}
	b.Paid = slices.DeleteFunc(b.Paid, func(q Point) bool { return q.Due < since })
	b.From, b.Peak = since, [2]float64{}
	b.Count, b.Seen = len(b.Paid), len(b.Paid)
	d.refit(b)
}

// Was returns the range that held share of the days late of an invoice of this
// debtor, due on day due, before the change last told.
func (d *Detector) Was(debtor int, due int32, share float64) Band {
	b := &d.Debtors[debtor]
	return b.Before.band(&d.Prior[b.Cadence], due, share)
}
