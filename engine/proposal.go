package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"rappel/datasets/ledger"
)

// proposal is the contact that was last decided for a debtor: what a list of
// the day shows of it without reading its answer.
type proposal struct {
	id       string
	decided  int64 // unix seconds
	send     int64
	expires  int64
	day      ledger.Day // local day of sending
	hour     int        // local hour of sending
	channel  ledger.Channel
	approval bool // a person must approve it
	status   string
	value    float64 // expected, in currency
}

// propose keeps the last contact decided for a debtor; any other action takes
// its place. The caller holds b.mu.
func (b *book) propose(d *Decision, status string) {
	if d.Action != ActionContact {
		delete(b.proposals, d.Debtor)
		return
	}
	channel, _ := ledger.ParseChannel(d.Channel)
	b.proposals[d.Debtor] = proposal{
		id: d.ID, decided: d.DecidedAt.Unix(), send: d.SendAt.Unix(), expires: d.ExpiresAt.Unix(),
		day: ledger.DayOf(*d.SendAt, d.SendAt.Location()), hour: d.SendAt.Hour(), channel: channel,
		approval: d.RequiresApproval, status: status, value: d.Expected.ValueEUR,
	}
}

// reviewed notes a person's verdict on the last contact decided for a debtor.
func (b *book) reviewed(debtor, id, status string, r *ledger.Review) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.proposals[debtor]
	if !ok || p.id != id {
		return
	}
	p.status = status
	p.override(r, b.placeOf(debtor, p.decided))
	b.proposals[debtor] = p
	if status == "rejected" {
		delete(b.plans, debtor)
	} else {
		b.plans[debtor] = planned{p.day, p.channel}
	}
}

// override puts a person's channel and moment in the place of those decided.
func (p *proposal) override(r *ledger.Review, loc *time.Location) {
	if r.Channel != "" {
		p.channel, _ = ledger.ParseChannel(r.Channel)
	}
	if r.SendAt != nil {
		p.send = r.SendAt.Unix()
		p.expires = max(p.expires, p.send+3600)
		p.day, p.hour = ledger.DayOf(*r.SendAt, loc), r.SendAt.In(loc).Hour()
	}
}

// resumeProposals reads the proposals of the last days from the file.
func (e *Engine) resumeProposals(ctx context.Context, b *book) error {
	rows, err := e.store.LastDecisions(ctx, b.id)
	if err != nil {
		return fmt.Errorf("proposals of %s: %w", b.id, err)
	}
	for i := range rows {
		d, err := parseAnswer(&rows[i])
		if err != nil {
			return err
		}
		b.propose(d, rows[i].Status)
		if rows[i].Status != "overridden" {
			continue
		}
		reviews, err := e.store.Reviews(ctx, b.id, d.ID)
		if err != nil {
			return fmt.Errorf("reviews of %s: %w", d.ID, err)
		}
		for k := range reviews {
			b.reviewed(d.Debtor, d.ID, rows[i].Status, &reviews[k])
		}
	}
	return nil
}

// placeOf is where a debtor was at a moment. The caller holds b.mu.
func (b *book) placeOf(debtor string, at int64) *time.Location {
	if a := b.accounts[debtor]; a != nil {
		var f facts
		f.place(a, at, b.zone, b.location.Load())
		return f.loc
	}
	return b.location.Load()
}

// sentSince tells whether a contact was sent to the debtor after a moment.
func (a *account) sentSince(after, at int64) bool {
	for _, k := range slices.Backward(a.contacts) {
		if k.at <= at {
			return k.at > after
		}
	}
	return false
}

// Today is what the engine does on one day.
type Today struct {
	Day      ledger.Day
	Hours    []HourPlan // by channel and hour
	Capacity []Capacities
	Waiting  int     // proposals that wait for a person
	Value    float64 // what they are expected to earn
}

// HourPlan counts the contacts of one channel in one local hour.
type HourPlan struct {
	Channel string
	Hour    int
	Planned int // go out by themselves, or were approved
	Waiting int // wait for approval
	Sent    int // went out
}

// Capacities is how much of a channel's day is used.
type Capacities struct {
	Channel string
	Used    int
	Limit   int // -1: none
}

// state sorts a proposal of the day: it was sent, waits for a person, is
// planned, or plays no part any more.
func (p *proposal) state(a *account, at int64) (sent, waiting, planned bool) {
	switch {
	case p.decided > at || a == nil:
	case a.sentSince(p.decided, at):
		sent = true
	case p.status == "rejected" || p.expires <= at:
	case p.approval && p.status == "proposed":
		waiting = true
	default:
		planned = true
	}
	return sent, waiting, planned
}

// Today returns what the engine does on the day of asOf, by the debtors' own
// clocks.
func (e *Engine) Today(creditor string, asOf time.Time) (*Today, error) {
	b, err := e.book(creditor)
	if err != nil {
		return nil, err
	}
	moment := e.now(asOf)
	at := moment.Unix()
	t := &Today{Day: ledger.DayOf(moment, b.location.Load())}
	var hours [ledger.Channels][24]HourPlan
	var used [ledger.Channels]int
	b.mu.RLock()
	for debtor, p := range b.proposals {
		sent, waiting, planned := p.state(b.accounts[debtor], at)
		if waiting {
			t.Waiting++
			t.Value += p.value
		}
		if p.day != t.Day {
			continue
		}
		h := &hours[p.channel][p.hour]
		switch {
		case sent:
			h.Sent++
		case waiting:
			h.Waiting++
		case planned:
			h.Planned++
		default:
			continue
		}
		used[p.channel]++
	}
	b.mu.RUnlock()
	limits := b.creditor.Load().Capacities
	for c, name := range ledger.ChannelNames {
		for hour := range hours[c] {
			if h := hours[c][hour]; h != (HourPlan{}) {
				h.Channel, h.Hour = name, hour
				t.Hours = append(t.Hours, h)
			}
		}
		limit, bounded := limits[name]
		if !bounded {
			limit = -1
		}
		t.Capacity = append(t.Capacity, Capacities{name, used[c], limit})
	}
	return t, nil
}

// Waiting returns the n proposals from the from'th on of those that wait for a
// person, the most valuable first, and how many there are.
func (e *Engine) Waiting(ctx context.Context, creditor string, asOf time.Time, from, n int) ([]*Decision, int, error) {
	b, err := e.book(creditor)
	if err != nil {
		return nil, 0, err
	}
	at := e.now(asOf).Unix()
	var list []proposal
	b.mu.RLock()
	for debtor, p := range b.proposals {
		if _, waiting, _ := p.state(b.accounts[debtor], at); waiting {
			list = append(list, p)
		}
	}
	b.mu.RUnlock()
	slices.SortFunc(list, func(x, y proposal) int { return cmp.Or(cmp.Compare(y.value, x.value), cmp.Compare(x.id, y.id)) })
	total := len(list)
	list = list[min(from, total):min(from+n, total)]
	out := make([]*Decision, 0, len(list))
	for i := range list {
		row, err := e.store.Decision(ctx, creditor, list[i].id)
		if err != nil {
			return nil, 0, err
		}
		d, err := parseAnswer(&row)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, d)
	}
	return out, total, nil
}
