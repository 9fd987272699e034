package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/models/bandit"
	"rappel/models/plan"
)

// PlanRequest asks for one action for every debtor of a creditor, all at once,
// under capacities that they share.
type PlanRequest struct {
	Creditor string
	Day      ledger.Day     // when contacts go out; 0: the day of AsOf
	AsOf     time.Time      // zero: the start of Day, or now where that is today or not given
	Capacity map[string]int // contacts of the day by channel; the creditor's own where a channel is left out
	Blocks   []Block        // of hours; a channel with blocks is used within them only
	Budget   *float64       // for contacts, in the creditor's currency; nil: no limit
	// Pressure is the share of a profile's debtors that may be contacted on the
	// day, by kind and sector (two digits) such as "business/56", by kind alone,
	// or "*" for all others. The ladder of the control arm stands beside it.
	Pressure map[string]float64
	// CallsPerCaller is how many calls one more caller would make on the day.
	CallsPerCaller int
	// Explore is the share of debtors that are decided for as if they were alone,
	// where that fits: what a plan that always does the best cannot teach.
	Explore  float64
	Language string
	Progress func(step string) `json:"-"`
}

// Block is so many contacts of a channel in the local hours [From, To) of the
// creditor.
type Block struct {
	Channel  string `json:"channel"`
	From     int    `json:"from"`
	To       int    `json:"to"`
	Capacity int    `json:"capacity"`
}

const (
	// DefaultExplore is the share of debtors that a plan decides for as if alone.
	DefaultExplore = 0.1
	// DefaultCallsPerCaller is what one person calls in a day.
	DefaultCallsPerCaller = 40
)

// Plan is what was planned.
type Plan struct {
	ID       string     `json:"plan_id"`
	Creditor string     `json:"creditor_id"`
	Day      ledger.Day `json:"date"`
	AsOf     time.Time  `json:"as_of"`
	Currency string     `json:"currency"`
	Debtors  int        `json:"debtors"`
	Contacts int        `json:"contacts"`
	Waits    int        `json:"waits"`
	Holds    int        `json:"holds"`
	// Value is what the plan is expected to be worth, Optimal what it would be
	// without exploring, and Bound what no plan within the capacities surpasses;
	// all over those debtors that the models decide for.
	Value     float64        `json:"value_eur"`
	Optimal   float64        `json:"optimal_eur"`
	Bound     float64        `json:"bound_eur"`
	Cost      float64        `json:"cost_eur"`
	Explore   float64        `json:"explore"`
	Resources []PlanResource `json:"resources"`
	Caller    *PlanCaller    `json:"one_more_caller,omitempty"` // where calls are scarce
	Seconds   float64        `json:"seconds"`
}

// PlanCaller is what one more person to call would be worth.
type PlanCaller struct {
	Calls int     `json:"calls"` // a day, spread over the blocks of calls by their hours
	Price float64 `json:"price_eur"`
	Text  string  `json:"text"`
}

// PlanResource is one capacity and what it is worth.
type PlanResource struct {
	Kind     string  `json:"kind"` // channel, block, budget or pressure
	Channel  string  `json:"channel,omitempty"`
	From     int     `json:"from,omitempty"`
	To       int     `json:"to,omitempty"`
	Profile  string  `json:"profile,omitempty"`
	Capacity float64 `json:"capacity"`
	Used     float64 `json:"used"`
	// Price is what one more unit, a contact or a unit of money, adds to the
	// value of the day.
	Price float64 `json:"price_eur"`
	Text  string  `json:"text,omitempty"`
}

// PlanRow is one action of a plan.
type PlanRow = store.PlanRow

// validate returns the fields that cannot be used.
func (r *PlanRequest) validate() error {
	var errs FieldErrors
	bad := func(pointer, format string, args ...any) {
		errs = append(errs, &FieldError{pointer, fmt.Sprintf(format, args...)})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Capacity)) {
		if _, ok := ledger.ParseChannel(name); !ok {
			bad("/capacity/"+name, "unknown channel")
		} else if r.Capacity[name] < 0 {
			bad("/capacity/"+name, "%d is negative", r.Capacity[name])
		}
	}
	if fault := ledger.TimeFault(r.Day.UTC()); fault != "" && r.Day != 0 {
		bad("/date", "%s", fault)
	}
	taken := map[string]bool{}
	for i, b := range r.Blocks {
		at := fmt.Sprintf("/blocks/%d/", i)
		if _, ok := ledger.ParseChannel(b.Channel); !ok {
			bad(at+"channel", "unknown channel %q", b.Channel)
		}
		if b.Capacity < 0 {
			bad(at+"capacity", "%d is negative", b.Capacity)
		}
		if b.From < 0 || b.To > 24 || b.From >= b.To {
			bad(at+"from", "%d to %d are no hours of a day", b.From, b.To)
			continue
		}
		for h := b.From; h < b.To; h++ {
			if key := fmt.Sprint(b.Channel, h); taken[key] {
				bad(at+"from", "hour %d is in two blocks", h)
			} else {
				taken[key] = true
			}
		}
	}
	if r.Budget != nil && !within(*r.Budget, 0, 1e9) {
		bad("/budget_eur", "%v is not an amount", *r.Budget)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Pressure)) {
		kind, _, _ := strings.Cut(name, "/")
		if name != "*" && kind != string(ledger.Business) && kind != string(ledger.Consumer) {
			bad("/pressure/"+name, "is not like business/56, consumer or *")
		}
		if !within(r.Pressure[name], 0, 1) {
			bad("/pressure/"+name, "%v is not between 0 and 1", r.Pressure[name])
		}
	}
	if r.CallsPerCaller < 0 {
		bad("/calls_per_caller", "%d is negative", r.CallsPerCaller)
	}
	if !within(r.Explore, 0, 1) {
		bad("/explore", "%v is not between 0 and 1", r.Explore)
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

const (
	// planBatch is how many debtors are asked for together, planChunk how many
	// are written down together: what a plan holds of more than one.
	planBatch, planChunk = 64, 2048
)

// moneyUnits are the units of a budget in one unit of currency.
const moneyUnits = 10_000

// planner makes one plan.
type planner struct {
	e        *Engine
	b        *book
	l        *learned
	req      *PlanRequest
	creditor *Creditor
	loc      *time.Location
	end      int64 // of the day, unix seconds
	id       string

	problem   *plan.Problem
	resources []PlanResource
	capacity  []int64 // by resource, before what is reserved
	used      []int64
	kinds     [ledger.Channels][25]int // by channel and hour, 24: any; −1: nobody to do it
	uses      [][]plan.Use             // by kind
	groups    map[string]int           // resource by profile
	share     map[int]float64          // by group: of its debtors that may be contacted
	members   map[int]int              // by group: debtors
}

// place is a candidate and one of its slots.
type place struct{ candidate, slot int }

// asker puts the questions of one debtor after the other.
type asker struct {
	*planner
	s       *scratch
	options []plan.Option
	from    []place // of options: which candidate, which slot
	draft   draft
}

// draft is the decision of an asker on its way into the log.
type draft struct {
	err     error
	q       *question
	v       *verdict
	value   float64
	planned bool // what the plan has, not what was drawn beside it
	d       *Decision
	row     ledger.Decision
}

// askers are as many as are asked together.
func (p *planner) askers() []*asker {
	list := make([]*asker, planBatch)
	for k := range list {
		list[k] = &asker{planner: p, s: p.e.scratch.Get().(*scratch)}
	}
	return list
}

func (p *planner) release(askers []*asker) {
	for _, a := range askers {
		p.e.scratch.Put(a.s)
	}
}

// together calls f for 0 … n−1 on all processors.
func together(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	wg.Wait()
}

// MakePlan decides for all debtors of a creditor at once and logs a decision
// for each, with the probability with which it was drawn under all constraints.
// No capacity is ever passed.
//
// First everybody's options are valued, prices on the capacities found, and the
// best plan with them. Then debtors are drawn for, one by one: each gets what
// the plan has for it, or, with probability Explore, what would have been drawn
// for it alone, where that still fits beside what is held for all others. So
// the probability of each decision, given those before, is known exactly.
//
// Debtors of the control arm follow their ladder; their contacts come first.
func (e *Engine) MakePlan(ctx context.Context, req PlanRequest) (*Plan, error) {
	if err := req.validate(); err != nil {
		return nil, err
	}
	b, err := e.book(req.Creditor)
	if err != nil {
		return nil, err
	}
	started := e.opt.Now()
	if req.Progress == nil {
		req.Progress = func(string) {}
	}
	loc := b.location.Load()
	now := e.now(time.Time{})
	if req.AsOf.IsZero() {
		req.AsOf = now
		if req.Day != 0 && req.Day != ledger.DayOf(now, loc) {
			req.AsOf = req.Day.In(loc)
		}
	}
	e.paced(b, req.AsOf)
	req.AsOf = e.now(req.AsOf)
	if req.Day == 0 {
		req.Day = ledger.DayOf(req.AsOf, loc)
	}
	if today := ledger.DayOf(req.AsOf, loc); req.Day != today {
		return nil, &FieldError{"/date", fmt.Sprintf("is not %s, the day of as_of: a plan is of the day on which it is made", today)}
	}
	l, err := e.learnedAt(ctx, b, req.AsOf)
	if err != nil {
		return nil, err
	}
	p := &planner{
		e: e, b: b, l: l, req: &req, creditor: b.creditor.Load(), loc: loc,
		end: (req.Day + 1).In(loc).Unix(), groups: map[string]int{}, share: map[int]float64{}, members: map[int]int{},
	}
	ids := b.ids()
	if p.id, err = p.name(ids); err != nil {
		return nil, err
	}
	p.open()
	req.Progress(fmt.Sprintf("valuing %d debtors", len(ids)))
	chosen, err := p.value(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", p.id, err)
	}
	req.Progress(fmt.Sprintf("planning %d of them", p.problem.Len()))
	solution := p.problem.Solve()
	req.Progress("writing down")
	out := &Plan{
		ID: p.id, Creditor: req.Creditor, Day: req.Day, AsOf: req.AsOf, Currency: p.creditor.Currency,
		Optimal: solution.Value, Bound: solution.Bound, Explore: req.Explore,
	}
	p.caller(solution, out)
	if err := p.draw(ctx, chosen, solution, out); err != nil {
		return nil, fmt.Errorf("plan %s: %w", p.id, err)
	}
	p.close(solution, out)
	out.Seconds = e.opt.Now().Sub(started).Seconds()
	summary, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", p.id, err)
	}
	return out, e.store.PutPlan(ctx, req.Creditor, p.id, req.AsOf, req.Day, summary)
}

// ids are the debtors of a book in order.
func (b *book) ids() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Sorted(maps.Keys(b.accounts))
}

// name is the id of the plan: that of its question, of what had been learnt, of
// the creditor's settings and of what was known of every debtor. Whatever of
// these changes makes another plan with decisions of its own: what one debtor
// gets hangs on all others, so that of two plans no decision may be shared.
func (p *planner) name(ids []string) (string, error) {
	text, err := json.Marshal(struct {
		*PlanRequest
		Settings *Creditor
		Seed     uint64
		Model    string
		Learned  time.Time
	}{p.req, p.creditor, p.e.opt.Seed, p.l.id, p.l.asOf})
	if err != nil {
		return "", fmt.Errorf("plan: %w", err)
	}
	h := sha256.New()
	h.Write(append(text, "plan"...))
	p.b.mu.RLock()
	defer p.b.mu.RUnlock()
	var line []byte
	for _, id := range ids {
		if a := p.b.accounts[id]; a != nil { // else erased meanwhile
			line = append(line[:0], id...)
			for _, n := range a.known(p.req.AsOf.Unix()) {
				line = binary.AppendVarint(line, n)
			}
			h.Write(line)
		}
	}
	var id ulid.ULID
	_ = id.SetTime(uint64(max(p.req.AsOf.UnixMilli(), 0)))
	_ = id.SetEntropy(h.Sum(nil)[:10])
	return id.String(), nil
}

// open makes the resources and the kinds of contact that use them.
func (p *planner) open() {
	p.problem = plan.New(nil)
	p.uses = [][]plan.Use{nil}
	add := func(r PlanResource, capacity int64) int {
		p.resources, p.capacity = append(p.resources, r), append(p.capacity, capacity)
		p.used = append(p.used, 0)
		return p.problem.AddResource(capacity)
	}
	budget := -1
	if p.req.Budget != nil {
		budget = add(PlanResource{Kind: "budget"}, int64(math.Floor(*p.req.Budget*moneyUnits+0.5)))
	}
	costs := p.creditor.Value.costs()
	for c, name := range ledger.ChannelNames {
		var shared []plan.Use
		n, limited := p.req.Capacity[name]
		if !limited {
			n, limited = p.creditor.Capacities[name]
		}
		if limited {
			shared = append(shared, plan.Use{Resource: add(PlanResource{Kind: "channel", Channel: name}, int64(n)), Amount: 1})
		}
		if units := int64(math.Round(costs[c] * moneyUnits)); budget >= 0 && units > 0 {
			shared = append(shared, plan.Use{Resource: budget, Amount: units})
		}
		kind := func(uses ...plan.Use) int {
			p.uses = append(p.uses, uses)
			return p.problem.AddKind(uses...)
		}
		blocked := false
		for h := range p.kinds[c] {
			p.kinds[c][h] = -1
		}
		for _, b := range p.req.Blocks {
			if b.Channel != name {
				continue
			}
			blocked = true
			r := add(PlanResource{Kind: "block", Channel: name, From: b.From, To: b.To}, int64(b.Capacity))
			k := kind(append(slices.Clone(shared), plan.Use{Resource: r, Amount: 1})...)
			for h := b.From; h < b.To; h++ {
				p.kinds[c][h] = k
			}
		}
		if !blocked {
			k := kind(shared...)
			for h := range p.kinds[c] {
				p.kinds[c][h] = k
			}
		}
	}
}

// kind is the kind of a contact by a channel at a moment; −1: not on this day,
// or nobody to do it then.
func (p *planner) kind(c ledger.Channel, at int64) int {
	if at >= p.end {
		return -1
	}
	return p.kinds[c][time.Unix(at, 0).In(p.loc).Hour()]
}

// group is the resource of a profile's contact pressure; −1: none.
func (p *planner) group(profile string) int {
	if g, ok := p.groups[profile]; ok {
		return g
	}
	kind, _, _ := strings.Cut(profile, "/")
	var share float64
	limited := false
	for _, key := range []string{profile, kind, "*"} {
		if share, limited = p.req.Pressure[key]; limited {
			break
		}
	}
	g := -1
	if limited {
		g = p.problem.AddResource(math.MaxInt32)
		p.resources = append(p.resources, PlanResource{Kind: "pressure", Profile: profile})
		p.capacity, p.used, p.share[g] = append(p.capacity, math.MaxInt32), append(p.used, 0), share
	}
	p.groups[profile] = g
	return g
}

// chooser is a debtor of the plan.
type chooser struct {
	id      string
	place   int  // in the problem; −1: held, or the fixed calendar decides
	group   int  // whose pressure a contact adds to; −1: none
	refused bool // the fixed calendar asks for what there is no room for
}

// value fills the problem with everybody's options. What the ladder of the
// control arm asks for, and what was sent earlier on the day, is taken off the
// capacities.
func (p *planner) value(ctx context.Context, ids []string) ([]chooser, error) {
	var list []chooser
	sent := p.sentToday()
	for k, n := range sent {
		p.take(k, -1, n)
	}
	askers := p.askers()
	defer p.release(askers)
	answers := make([]valued, planBatch)
	for part := range slices.Chunk(ids, planBatch) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		together(len(part), func(i int) { askers[i].value(part[i], &answers[i]) })
		for i, id := range part {
			x, v := chooser{id: id, place: -1, group: -1}, &answers[i]
			switch {
			case errors.Is(v.err, ErrDebtor), v.hold == HoldNothingDue:
				continue
			case v.err != nil:
				return nil, fmt.Errorf("%s: %w", id, v.err)
			case v.hold != "":
			case v.scored:
				x.place, x.group = p.problem.Len(), p.group(v.profile)
				p.problem.Add(x.group, v.options)
				p.members[x.group]++
			default:
				x.refused = !p.reserve(v.fixed)
			}
			list = append(list, x)
		}
	}
	for g, n := range p.members {
		if g < 0 {
			continue
		}
		p.capacity[g] = int64(math.Floor(p.share[g]*float64(n) + 1e-9))
	}
	for r := range p.capacity {
		p.problem.SetCapacity(r, max(p.capacity[r]-p.used[r], 0))
	}
	return list, nil
}

// sentToday counts the contacts of the day that have gone out already, by kind.
func (p *planner) sentToday() []int64 {
	n := make([]int64, len(p.uses))
	start, now := p.req.Day.In(p.loc).Unix(), p.req.AsOf.Unix()
	p.b.mu.RLock()
	defer p.b.mu.RUnlock()
	for _, a := range p.b.accounts {
		for i := len(a.contacts) - 1; i >= 0 && a.contacts[i].at >= start; i-- {
			c := &a.contacts[i]
			if k := p.kind(c.channel, c.at); c.at <= now && k >= 0 {
				n[k]++
			}
		}
	}
	return n
}

// ask puts the question of one debtor, and leaves it in the draft. Capacities are the plan's, not those of
// single decisions.
func (p *asker) ask(id string) {
	req := Request{
		Creditor: p.req.Creditor, Debtor: id, AsOf: p.req.AsOf, HorizonDays: 7, Alternatives: 3, Language: p.req.Language, Key: "plan " + p.id,
	}
	p.draft = draft{}
	q, err := p.e.ask(p.s, p.b, p.l, &req)
	if err != nil {
		p.draft.err = err
		return
	}
	q.full = [ledger.Channels]bool{}
	v := p.e.resolve(p.s, q)
	p.draft.q, p.draft.v = q, &v
}

// profile is the kind of the debtor that was last asked for and, where it is
// known, the sector.
func (p *asker) profile() string {
	f := &p.s.f
	return strings.TrimSuffix(string(f.profile.Kind)+"/"+sectorOf(f.profile.Sector), "/")
}

// list puts the options of a verdict in p.options: waiting, and each channel in
// each tone at every hour of the day at which somebody can do it.
func (p *asker) list(v *verdict) {
	p.options, p.from = p.options[:0], p.from[:0]
	for i := range v.cands {
		c := &v.cands[i]
		if c.wait {
			p.options, p.from = append(p.options, plan.Option{Value: c.mean}), append(p.from, place{i, -1})
			continue
		}
		best := math.Inf(-1)
		for _, o := range c.slots {
			best = max(best, o.value)
		}
		for k, o := range c.slots {
			if kind := p.kind(c.channel, o.at); kind >= 0 {
				p.options = append(p.options, plan.Option{Kind: kind, Value: c.mean + o.value - best})
				p.from = append(p.from, place{i, k})
			}
		}
	}
}

// valued is what one debtor brings into a plan.
type valued struct {
	err     error
	hold    string
	scored  bool
	profile string        // where scored
	options []plan.Option // where scored
	fixed   int           // where neither held nor scored: the kind of the calendar's contact
}

// value stores in v what a debtor brings, in memory that v has.
func (p *asker) value(id string, v *valued) {
	*v = valued{options: v.options[:0]}
	p.ask(id)
	x, err := p.draft.v, p.draft.err
	switch {
	case err != nil:
		v.err = err
	case x.hold != "":
		v.hold = x.hold
	case x.scored():
		v.scored, v.profile = true, p.profile()
		p.list(x)
		v.options = append(v.options, p.options...)
	case !x.cands[x.chosen].wait:
		v.fixed = p.kind(x.cands[x.chosen].channel, x.sendAt)
	}
}

// reserve takes a contact of the fixed calendar off the capacities, and tells
// whether there was room for it.
func (p *planner) reserve(kind int) bool {
	if kind < 0 || !p.room(kind, -1) {
		return false
	}
	p.take(kind, -1, 1)
	return true
}

// room tells whether one more contact of a kind fits; take adds it, or takes
// it off.
func (p *planner) room(kind, group int) bool {
	if kind == 0 {
		return true
	}
	for _, u := range p.uses[kind] {
		if p.used[u.Resource]+u.Amount > p.capacity[u.Resource] {
			return false
		}
	}
	return group < 0 || p.used[group] < p.capacity[group]
}

func (p *planner) take(kind, group int, times int64) {
	if kind == 0 {
		return
	}
	for _, u := range p.uses[kind] {
		p.used[u.Resource] += times * u.Amount
	}
	if group >= 0 {
		p.used[group] += times
	}
}

// draw decides for one debtor after the other, and logs. All the while p.used
// holds what the plan has for those still to come.
func (p *planner) draw(ctx context.Context, list []chooser, sol *plan.Solution, out *Plan) error {
	for r, n := range sol.Used {
		p.used[r] += n
	}
	askers := p.askers()
	defer p.release(askers)
	// One chunk is written while the next is drawn.
	written := make(chan error, 1)
	written <- nil
	costs := p.creditor.Value.costs()
	for part := range slices.Chunk(list, planChunk) {
		rows, actions := make([]ledger.Decision, 0, len(part)), make([]store.PlanAction, 0, len(part))
		first := out.Debtors
		for batch := range slices.Chunk(part, planBatch) {
			together(len(batch), func(i int) { askers[i].ask(batch[i].id) })
			for i := range batch {
				askers[i].decide(&batch[i], sol)
			}
			together(len(batch), func(i int) { askers[i].word() })
			for i, x := range batch {
				a := &askers[i].draft
				if errors.Is(a.err, ErrDebtor) {
					continue // erased meanwhile
				}
				if a.err != nil {
					return errors.Join(fmt.Errorf("%s: %w", x.id, a.err), <-written)
				}
				p.b.remember(a.d, &a.row, askers[i].s)
				out.count(a.d, costs[a.row.Channel], a.value)
				rows, actions = append(rows, a.row), append(actions, store.PlanAction{Debtor: x.id, Decision: a.d.ID, Value: a.value})
			}
		}
		if err := <-written; err != nil {
			return err
		}
		go func() {
			if err := p.e.logDecisions(ctx, rows); err != nil {
				written <- fmt.Errorf("log decisions: %w", err)
				return
			}
			written <- p.e.store.PutPlanActions(ctx, p.req.Creditor, p.id, first, actions)
		}()
	}
	return <-written
}

// decide draws for the debtor that was asked for, after all those before it.
func (p *asker) decide(x *chooser, sol *plan.Solution) {
	d := &p.draft
	switch d.value = 0; {
	case d.err != nil || d.v.hold != "":
	case x.place >= 0 && d.v.scored():
		d.value, d.planned = p.choose(d.q, d.v, x.group, sol.Choice[x.place], sol.Kind[x.place])
	case x.refused:
		d.v.cands[d.v.chosen], d.v.sendAt = candidate{wait: true, prob: 1}, 0
	}
}

// word puts the draft into words. Where the plan has less for a debtor than
// would be best for it alone, it is for the sake of others, not for trying.
func (p *asker) word() {
	if d := &p.draft; d.err == nil {
		d.d = p.s.word(d.q, d.v)
		for k := range d.d.Reasons {
			if r := &d.d.Reasons[k]; d.planned && r.Code == "EXPLORES" {
				*r = reason(tongueFor(d.q.req, &p.s.f), "ELSEWHERE", 0)
			}
		}
		d.row, d.err = rowOf(p.s, d.d, d.v, "")
	}
}

func (out *Plan) count(d *Decision, cost, value float64) {
	out.Debtors++
	out.Value += value
	switch d.Action {
	case ActionContact:
		out.Contacts++
		out.Cost += cost
	case ActionWait:
		out.Waits++
	default:
		out.Holds++
	}
}

// choose draws for one debtor: what the plan has for it, or, with probability
// Explore, what would have been drawn for it alone, as far as that fits. It
// writes the exact distribution into the verdict and returns what the drawn
// option is worth, and whether it is the plan's.
func (p *asker) choose(q *question, v *verdict, group, choice, kind int) (value float64, planned bool) {
	s := p.s
	p.take(kind, group, -1)
	p.list(v)
	if choice >= len(p.options) || p.options[choice].Kind != kind {
		// Something came in meanwhile that changes the question: wait.
		choice = slices.IndexFunc(p.options, func(o plan.Option) bool { return o.Kind == 0 })
	}
	prob, fits := make([]float64, len(p.options)), make([]bool, len(p.options))
	rest := 1.0
	for j, at := range p.from {
		c := &v.cands[at.candidate]
		alone := c.prob
		if at.slot >= 0 {
			alone *= c.slots[at.slot].prob
		}
		if fits[j] = p.room(p.options[j].Kind, group); fits[j] {
			prob[j] = p.req.Explore * alone
			rest -= prob[j]
		}
	}
	prob[choice] += max(rest, 0)
	drawn := bandit.Draw(prob, q.seed+2, q.id)
	p.take(p.options[drawn].Kind, group, 1)

	// The distribution over candidates and their hours as it was. But for what
	// the plan had, tones of one channel still share their hours.
	for i := range v.cands {
		c := &v.cands[i]
		c.slots, c.prob = slices.Clone(c.slots), 0
	}
	weight := func(j int) float64 {
		at := p.from[j]
		switch {
		case at.candidate == p.from[choice].candidate:
			return prob[j]
		case fits[j]:
			return v.cands[at.candidate].slots[at.slot].prob
		default:
			return 0
		}
	}
	next := 0
	for i := range v.cands {
		c := &v.cands[i]
		first, sum := next, 0.0
		for ; next < len(p.from) && p.from[next].candidate == i; next++ {
			if c.prob += prob[next]; !c.wait {
				sum += weight(next)
			}
		}
		shares := make([]float64, len(c.slots))
		for j := first; j < next && sum > 0; j++ {
			shares[p.from[j].slot] = weight(j) / sum
		}
		for k := range c.slots {
			c.slots[k].prob = shares[k]
		}
	}
	at := p.from[drawn]
	v.chosen, v.prob, v.sendAt = at.candidate, prob[drawn], 0
	if at.slot >= 0 {
		v.sendAt = v.cands[at.candidate].slots[at.slot].at
	}
	s.prob = s.prob[:0]
	return p.options[drawn].Value, drawn == choice
}

// close fills in what the capacities are worth.
func (p *planner) close(sol *plan.Solution, out *Plan) {
	out.Resources = p.resources
	for r := range p.resources {
		x := &p.resources[r]
		x.Capacity, x.Used, x.Price = float64(p.capacity[r]), float64(p.used[r]), sol.Price[r]
		if x.Kind == "budget" {
			x.Capacity, x.Used, x.Price = x.Capacity/moneyUnits, x.Used/moneyUnits, x.Price*moneyUnits
		}
		if x.Price = math.Round(x.Price*1e4) / 1e4; x.Price == 0 {
			continue
		}
		switch x.Kind {
		case "budget":
			x.Text = fmt.Sprintf("one more %s of budget is worth %.2f", out.Currency, x.Price)
		case "channel":
			x.Text = fmt.Sprintf("one more contact by %s a day is worth %.2f %s", x.Channel, x.Price, out.Currency)
		case "block":
			x.Text = fmt.Sprintf("one more contact by %s between %d and %d is worth %.2f %s a day", x.Channel, x.From, x.To, x.Price, out.Currency)
		default:
			x.Text = fmt.Sprintf("one more contact with a debtor of %s is worth %.2f %s a day", x.Profile, x.Price, out.Currency)
		}
	}
}

// caller fills in what one more caller is worth: at most the price of the calls
// and, where those are many beside what there is, at most what no plan with
// them surpasses. Where there are no calls at all they have no price yet.
func (p *planner) caller(sol *plan.Solution, out *Plan) {
	calls := p.req.CallsPerCaller
	hours := 0
	for _, x := range p.req.Blocks {
		if x.Channel == ledger.Phone.String() {
			hours += x.To - x.From
		}
	}
	worth, many, none := 0.0, false, false
	for r := range p.resources {
		x := &p.resources[r]
		if x.Channel != ledger.Phone.String() {
			continue
		}
		more := calls
		if x.Kind == "block" {
			more = calls * (x.To - x.From) / hours
		}
		left := max(p.capacity[r]-p.used[r], 0)
		worth += float64(more) * sol.Price[r]
		many, none = many || int64(20*more) > left, none || left == 0
		p.problem.SetCapacity(r, left+int64(more))
	}
	if many && (worth > 0 || none) {
		gain := p.problem.Solve().Bound - sol.Value
		if none || gain < worth {
			worth = gain
		}
	}
	if worth = math.Round(worth*100) / 100; worth <= 0 {
		return
	}
	out.Caller = &PlanCaller{
		Calls: calls, Price: worth,
		Text: fmt.Sprintf("one more caller, of %d calls a day, is worth up to %.2f %s a day", calls, worth, out.Currency),
	}
}

// Plan returns what a plan comes to and whose it is. An empty creditor stands
// for any.
func (e *Engine) Plan(ctx context.Context, creditor, id string) (*Plan, error) {
	_, summary, err := e.store.Plan(ctx, creditor, id)
	if err != nil {
		return nil, err
	}
	p := &Plan{}
	if err := json.Unmarshal(summary, p); err != nil {
		return nil, fmt.Errorf("plan %s: %w", id, err)
	}
	return p, nil
}

// PlanRows yields the actions of a plan in order.
func (e *Engine) PlanRows(ctx context.Context, p *Plan, yield func(*PlanRow) error) error {
	return e.store.PlanRows(ctx, p.Creditor, p.ID, yield)
}
