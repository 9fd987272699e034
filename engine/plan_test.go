package engine

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
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
		Pressure: map[string]float64{"*": 0.5},
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
		key := models.ProfileKey(string(profile.Kind), sectorOf(profile.Sector), "")
		members[key]++
		if r.Action == ActionContact {
			pressed[key]++
		}
		var log []drawn
		if err := json.Unmarshal(d.Candidates, &log); err != nil {
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
		if float64(n) > 0.5*float64(members[key]) {
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
