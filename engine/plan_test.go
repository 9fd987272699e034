package engine

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
	"rappel/models/ope"
)

// A plan of one morning: capacities are kept to the contact, by channel, hour
// block, money and profile; what is logged is a distribution; and the same
// question is the same plan.
func TestMakePlan(t *testing.T) {
	ctx := t.Context()
	e, end := practised(t)
	creditor := e.Creditors()[0]
	c, err := e.Creditor(creditor)
	if err != nil {
		t.Fatal(err)
	}
	c.ControlShare = 0.2
	if err := e.PutCreditor(ctx, c, "test"); err != nil {
		t.Fatal(err)
	}
	budget := 9.0
	req := PlanRequest{
		Creditor: creditor, AsOf: end.AddDate(0, 0, -20).Add(5 * time.Hour), Explore: 0.5, Budget: &budget,
		Capacity: map[string]int{"email": 6, "letter": 1},
		Blocks:   []Block{{"phone", 9, 11, 1}, {"sms", 8, 12, 3}, {"sms", 12, 20, 2}},
		Pressure: map[string]float64{"business": 0.6, "consumer": 0.4, "*": 0},
	}
	p, err := e.MakePlan(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	if p.Debtors < 20 || p.Contacts < 5 || p.Contacts+p.Waits+p.Holds != p.Debtors {
		t.Errorf("%+v", p)
	}
	if p.Cost > budget+1e-9 || p.Value > p.Bound+1e-6 || p.Optimal > p.Bound+1e-6 || p.Optimal < 0.9*p.Bound {
		t.Errorf("costs %v, worth %v, %v without exploring, bound %v", p.Cost, p.Value, p.Optimal, p.Bound)
	}
	loc := e.zone(c.Timezone)
	channels, blocks := map[string]int{}, map[int]int{}
	pressed, members := map[string]int{}, map[string]int{}
	var rows []PlanRow
	b, err := e.book(creditor)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.PlanRows(ctx, p, func(r *PlanRow) error {
		rows = append(rows, *r)
		d, err := e.store.Decision(ctx, creditor, r.Decision)
		if err != nil {
			return err
		}
		if r.Action == ActionHold || r.Arm == Control {
			return nil
		}
		profile := b.accounts[r.Debtor].profile[0]
		key := string(profile.Kind)
		if profile.Sector != "" {
			key += "/" + sectorOf(profile.Sector)
		}
		members[key]++
		if r.Action == ActionContact {
			pressed[key]++
		}
		log, err := readDrawn(d.Candidates)
		if err != nil {
			return err
		}
		sum, just := 0.0, 0.0
		for _, x := range log {
			sum += x.Prob
			if x.Wait && r.Action == ActionWait {
				just += x.Prob
			}
			for _, o := range x.Slots {
				if r.Action == ActionContact && x.Channel == r.Channel && x.Tone == r.Tone && o.At == r.SendAt.Unix() {
					just += x.Prob * o.Prob
				}
			}
		}
		if math.Abs(sum-1) > 1e-9 || math.Abs(just-r.Propensity) > 1e-9 {
			t.Errorf("%s: the log sums to %v and gives %v to what was drawn with %v", r.Debtor, sum, just, r.Propensity)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Action != ActionContact {
			continue
		}
		channels[r.Channel]++
		h := r.SendAt.In(loc).Hour()
		if ledger.DayOf(*r.SendAt, loc) != p.Day {
			t.Errorf("%s goes out on another day: %s", r.Debtor, r.SendAt)
		}
		for i, x := range req.Blocks {
			if x.Channel == r.Channel && x.From <= h && h < x.To {
				blocks[i]++
			}
		}
	}
	if channels["email"] > 6 || channels["letter"] > 1 || channels["phone"] != blocks[0] || channels["sms"] != blocks[1]+blocks[2] {
		t.Errorf("contacts %v, in blocks %v", channels, blocks)
	}
	for i, x := range req.Blocks {
		if blocks[i] > x.Capacity {
			t.Errorf("block %+v has %d contacts", x, blocks[i])
		}
	}
	for key, n := range pressed {
		share := 0.6
		if key == "consumer" {
			share = 0.4
		}
		if float64(n) > share*float64(members[key]) {
			t.Errorf("%s: %d of %d are contacted", key, n, members[key])
		}
	}
	for _, x := range p.Resources {
		if x.Used > x.Capacity || x.Price < 0 {
			t.Errorf("%+v", x)
		}
	}
	again, err := e.MakePlan(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	again.Seconds = p.Seconds
	if !reflect.DeepEqual(again, p) {
		t.Errorf("asked again: %+v, was %+v", again, p)
	}
}

// The same question after news, or after other settings, is another plan, all of
// whose decisions are its own: what it tells keeps the capacities, and no row is
// one that an earlier plan drew.
func TestPlanAgainAfterNews(t *testing.T) {
	ctx := t.Context()
	e, end := practised(t)
	creditor := e.Creditors()[0]
	at := end.AddDate(0, 0, -20).Add(5 * time.Hour)
	emails := 0
	set := func(n int) {
		t.Helper()
		c, err := e.Creditor(creditor)
		if err != nil {
			t.Fatal(err)
		}
		c.Capacities, emails = Capacity{"email": n, "sms": 1, "whatsapp": 1, "letter": 1}, n
		if err := e.PutCreditor(ctx, c, "test"); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]bool{} // decisions of earlier plans
	ids := map[string]bool{}
	var reached string
	plan := func(again bool) {
		t.Helper()
		p, err := e.MakePlan(ctx, PlanRequest{Creditor: creditor, AsOf: at, Explore: DefaultExplore})
		if err != nil {
			t.Fatal(err)
		}
		if ids[p.ID] != again {
			t.Errorf("plan %s was known: %v, want %v", p.ID, ids[p.ID], again)
		}
		ids[p.ID] = true
		sent, contacts := 0, 0
		mine := map[string]bool{}
		if err := e.PlanRows(ctx, p, func(r *PlanRow) error {
			if told[r.Decision] != again {
				t.Errorf("decision %s of an earlier plan: %v, want %v", r.Decision, told[r.Decision], again)
			}
			mine[r.Decision] = true
			if r.Action == ActionContact {
				contacts++
				reached = r.Debtor
			}
			if r.Channel == "email" {
				sent++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if sent > emails || contacts != p.Contacts {
			t.Errorf("%d e-mails of %d, %d contacts, told %d", sent, emails, contacts, p.Contacts)
		}
		maps.Copy(told, mine)
	}
	set(6)
	plan(false)
	plan(true)
	set(2)
	plan(false)
	text := fmt.Sprintf(`{"id":"late","type":"contact.sent","time":%q,"creditor_id":%q,"debtor_id":%q,"data":{"contact_id":"late","channel":"email"}}`,
		at.Add(-time.Hour).Format(time.RFC3339), creditor, reached)
	x, err := ledger.ParseEvent([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.Ingest(ctx, []ledger.Event{x}); err != nil {
		t.Fatal(err)
	}
	plan(false)
}

// One more caller is worth what a plan with its calls is worth more, and a
// little above: marginal prices foresee no falling return.
func TestOneMoreCaller(t *testing.T) {
	e, end := practised(t)
	c, err := e.Creditor(e.Creditors()[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Value.Cost = map[string]float64{"phone": 0.5} // a book of small claims: at six euro nobody is worth a call
	if err := e.PutCreditor(t.Context(), c, "test"); err != nil {
		t.Fatal(err)
	}
	plan := func(calls, more int) *Plan {
		p, err := e.MakePlan(t.Context(), PlanRequest{
			Creditor: c.ID, AsOf: end.AddDate(0, 0, -20).Add(5 * time.Hour), CallsPerCaller: 6,
			Capacity: map[string]int{"email": 0, "sms": 0, "whatsapp": 0, "letter": 0, "phone": calls + more},
			Blocks:   []Block{{"phone", 9, 12, calls + more/2}, {"phone", 13, 16, calls + more/2}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, calls := range []int{0, 2} {
		p := plan(calls, 0)
		gain, c := plan(calls, 6).Optimal-p.Optimal, p.Caller
		if gain <= 0 || c == nil || c.Calls != 6 || c.Price < gain-0.01 || c.Price > 1.6*gain || !strings.HasPrefix(c.Text, "one more caller, of 6 calls a day, is worth up to ") {
			t.Errorf("beside %d calls: %+v, a plan with six more is worth %v more", calls, c, gain)
		}
	}
	if c := plan(1000, 0).Caller; c != nil {
		t.Errorf("with more calls than debtors: %+v", c)
	}
}

// Plans that explored, read as a log, tell what the plan without exploring is
// worth, which is known: the value of its choices at the prices. Nothing but the
// logged propensities, those after all capacities, makes up for what exploring
// took from whom.
func TestPlanLogTellsWhatThePlanIsWorth(t *testing.T) {
	ctx := t.Context()
	e, end := practised(t)
	budget := 12.0
	req := PlanRequest{
		Creditor: e.Creditors()[0], AsOf: end.AddDate(0, 0, -35).Add(5 * time.Hour), Budget: &budget,
		Capacity: map[string]int{"email": 6, "letter": 2, "phone": 2}, Pressure: map[string]float64{"*": 0.6},
	}
	type act struct {
		action, channel, tone string
		at                    int64
	}
	actOf := func(r *PlanRow) act {
		a := act{r.Action, r.Channel, r.Tone, 0}
		if r.SendAt != nil {
			a.at = r.SendAt.Unix()
		}
		return a
	}
	has := map[string]act{}
	plain, err := e.MakePlan(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := 0
	if err := e.PlanRows(ctx, plain, func(r *PlanRow) error {
		has[r.Debtor] = actOf(r)
		d, err := e.Decision(ctx, req.Creditor, r.Decision)
		if err != nil {
			return err
		}
		for _, why := range d.Reasons {
			switch why.Code {
			case "EXPLORES":
				t.Errorf("%s is said to be tried by a plan that tries nothing", r.Debtor)
			case "ELSEWHERE":
				elsewhere++
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if elsewhere == 0 {
		t.Error("nobody is told that what can be done today is worth more elsewhere")
	}
	if math.Abs(plain.Value-plain.Optimal) > 1e-4*plain.Optimal { // values are planned with in single precision
		t.Errorf("without exploring worth %v, told %v", plain.Value, plain.Optimal)
	}

	req.Explore = 0.7
	const plans = 60
	log, naive := &ope.Log{}, 0.0
	for seed := range plans {
		e.opt.Seed = uint64(seed) + 100
		p, err := e.MakePlan(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		naive += p.Value / plans
		if err := e.PlanRows(ctx, p, func(r *PlanRow) error {
			target := 0.0
			if actOf(r) == has[r.Debtor] {
				target = 1
			}
			log.Reward, log.Propensity, log.Target = append(log.Reward, r.Value), append(log.Propensity, r.Propensity), append(log.Target, target)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	cfg := ope.DefaultConfig()
	cfg.Interval, cfg.Estimators, cfg.Level = ope.Delta, []string{ope.IPS}, 0.999
	rep, err := ope.Evaluate(log, cfg)
	if err != nil {
		t.Fatal(err)
	}
	of := float64(plain.Debtors)
	x := rep.Estimates[0]
	t.Logf("%d debtors in %d plans: %.2f ± %.2f a plan, exactly %.2f; as it was drawn %.2f", plain.Debtors, plans, of*x.Value, of*x.SE, plain.Optimal, naive)
	if of*x.Lo > plain.Optimal || of*x.Hi < plain.Optimal {
		t.Errorf("the log says %v to %v, the plan is worth %v", of*x.Lo, of*x.Hi, plain.Optimal)
	}
	if of*x.SE > 0.04*plain.Optimal {
		t.Errorf("±%v is too much of %v to tell anything", of*x.SE, plain.Optimal)
	}
}

// What is logged is what was drawn from: over many plans of one morning each
// debtor is contacted as often as its logged chances say, and no option that
// was drawn was logged as impossible. So a plan is a log like any other, and
// goes through the evaluation of policies.
func TestPlanIsALog(t *testing.T) {
	ctx := t.Context()
	e, end := practised(t)
	creditor := e.Creditors()[0]
	at := end.AddDate(0, 0, -35).Add(5 * time.Hour)
	req := PlanRequest{
		Creditor: creditor, AsOf: at, Explore: 0.6,
		Capacity: map[string]int{"email": 8, "letter": 3, "phone": 4},
	}
	var contacts, expected, variance, inverse, options, spread float64
	const plans = 12
	for seed := range plans {
		e.opt.Seed = uint64(seed)
		if _, err := e.MakePlan(ctx, req); err != nil {
			t.Fatal(err)
		}
	}
	decisions, err := e.store.Decisions(ctx, ledger.Key{Creditor: creditor}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range decisions {
		d := &decisions[i]
		if len(d.Candidates) == 0 {
			continue
		}
		log, err := readDrawn(d.Candidates)
		if err != nil {
			t.Fatal(err)
		}
		chance := 0.0
		for x, p := range chances(log) {
			if x.action != 0 {
				chance += p
			}
			if p > 0.01 { // the mean of 1/p of what was drawn is how many there are
				options++
				spread += 1/p - 1
			}
		}
		if d.Action == ActionContact {
			contacts++
		}
		expected += chance
		variance += chance * (1 - chance)
		if d.Propensity > 0.01 {
			inverse += 1 / d.Propensity
		}
		if d.Propensity <= 0 {
			t.Errorf("%s was drawn with %v", d.Debtor, d.Propensity)
		}
	}
	// Given what was drawn before, each draw is off by chance alone: four
	// standard errors of the sum.
	if math.Abs(contacts-expected) > 4*math.Sqrt(variance) || variance < 10 {
		t.Errorf("%v contacts, the log says %.1f ± %.1f", contacts, expected, math.Sqrt(variance))
	}
	if math.Abs(inverse-options) > 4*math.Sqrt(spread) {
		t.Errorf("1/propensity adds up to %.0f, options to %.0f ± %.0f", inverse, options, math.Sqrt(spread))
	}

	log, err := e.PolicyLog(ctx, PolicyOptions{Model: models.Prior(), From: at, To: end})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(log.Model.Reward); n < plans*20 || log.Lost != 0 || log.Changed != 0 {
		t.Errorf("%d rows, %d lost, %d changed", n, log.Lost, log.Changed)
	}
	if _, err := log.FitRewards(ope.DefaultRewardConfig()); err != nil {
		t.Fatal(err)
	}
	cfg := ope.DefaultConfig()
	cfg.Interval, cfg.Force = ope.Delta, true // what capacities refuse, a policy without them is not judged by
	rep, err := ope.Compare(log.Model, log.Against, cfg)
	if err != nil || len(rep.Differences) == 0 {
		t.Fatalf("%v, %+v", err, rep)
	}
}
