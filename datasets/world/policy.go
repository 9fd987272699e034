package world

import (
	"context"
	"math"
	"time"

	"rappel/datasets/ledger"
)

// Policy decides each morning what a creditor sends that day.
type Policy interface {
	// Name is what reports call it.
	Name() string
	// Act returns the contacts of the day.
	Act(ctx context.Context, m Morning) ([]Action, error)
	// Observe takes in what happened, in order of time: before day 0 what was
	// known already, with a morning whose Day is -1, and then after each day.
	// The book has taken it in by then.
	Observe(ctx context.Context, m Morning, events []Event) error
}

// Morning is the moment at which a policy decides: the start of a day.
type Morning struct {
	Day  int
	Now  time.Time // midnight of the creditor's zone
	Date ledger.Day
	Book *Book
}

// First and last local hour at which anything may be sent.
const firstHour, lastHour = 8, 19

// send builds the action that reaches an account at a local hour of the day.
// The moment lies within the creditor's day, which may begin earlier or later
// than the debtor's; ok is false where no such hour exists.
func (m *Morning) send(a *Account, c ledger.Channel, hour float64, tone ledger.Tone) (act Action, ok bool) {
	end := (m.Date + 1).In(m.Now.Location())
	for _, date := range [...]ledger.Day{m.Date, m.Date - 1, m.Date + 1} {
		if at := localTime(a.Zone, date, hour); !at.Before(m.Now) && at.Before(end) {
			return Action{Debtor: a.ID, Channel: c, Tone: tone, SendAt: at.UTC()}, true
		}
	}
	return Action{}, false
}

// localTime returns a moment of a day by its local hour; 9.5 is half past nine.
func localTime(loc *time.Location, day ledger.Day, hour float64) time.Time {
	y, m, n := day.UTC().Date()
	return time.Date(y, m, n, int(hour), int(math.Mod(hour, 1)*60), 0, 0, loc)
}

// Step is one rung of a ladder: so many days past due, this channel at this
// hour of a weekday.
type Step struct {
	PastDue int
	Channel ledger.Channel
	Hour    float64
	Tone    ledger.Tone
}

// Ladder is a fixed calendar: the classic way of asking for money.
type Ladder []Step

// FixedLadder is e-mail, e-mail, letter, call.
var FixedLadder = Ladder{
	{3, ledger.Email, 9, ledger.Friendly},
	{10, ledger.Email, 9, ledger.Neutral},
	{20, ledger.Letter, 9, ledger.Formal},
	{30, ledger.Phone, 9, ledger.Formal},
}

// Fixed follows one ladder for everybody, invoice by invoice. A contact speaks
// of all that is open, so a step that falls within coveredFor of the last
// contact counts as taken.
type Fixed struct {
	Ladder Ladder
	next   map[string]int // by invoice
}

const coveredFor = 5 * 24 * time.Hour

// NewFixed returns the policy that follows a ladder.
func NewFixed(l Ladder) *Fixed { return &Fixed{Ladder: l, next: make(map[string]int)} }

// Name returns "fixed".
func (f *Fixed) Name() string { return "fixed" }

// Observe learns nothing.
func (f *Fixed) Observe(context.Context, Morning, []Event) error { return nil }

// Act sends, on weekdays, the highest step that is due for any invoice of an
// account. A step that fell on a weekend or a hold is taken on the next
// possible day, unless the one after it is due by then.
func (f *Fixed) Act(_ context.Context, m Morning) ([]Action, error) {
	var out []Action
	for _, a := range m.Book.Accounts {
		if act, ok := f.step(&m, a, f.Ladder); ok {
			out = append(out, act)
		}
	}
	return out, nil
}

func (f *Fixed) step(m *Morning, a *Account, ladder Ladder) (Action, bool) {
	if wd := m.Date.Weekday(); wd == time.Saturday || wd == time.Sunday {
		return Action{}, false
	}
	if cents, _ := a.Claim(m.Date, 0); cents == 0 {
		return Action{}, false
	}
	highest := -1
	for i := range a.Open {
		inv := &a.Open[i]
		past, n := int(m.Date-inv.Due), f.next[inv.ID]
		if inv.Disputed != "" || n >= len(ladder) || past < ladder[n].PastDue {
			continue
		}
		for n+1 < len(ladder) && past >= ladder[n+1].PastDue {
			n++
		}
		f.next[inv.ID] = n + 1
		if a.Usable[ladder[n].Channel] {
			highest = max(highest, n)
		}
	}
	if highest < 0 || m.Now.Sub(a.Last()) < coveredFor {
		return Action{}, false
	}
	s := &ladder[highest]
	return m.send(a, s.Channel, s.Hour, s.Tone)
}

// Segmented follows the ladder that did best for an account's profile in a
// pilot.
type Segmented struct {
	Fixed
	Ladders map[string]Ladder
}

// Name returns "segment".
func (s *Segmented) Name() string { return "segment" }

// Act sends the step that is due on the ladder of each account's profile.
func (s *Segmented) Act(_ context.Context, m Morning) ([]Action, error) {
	var out []Action
	for _, a := range m.Book.Accounts {
		ladder, ok := s.Ladders[a.Profile()]
		if !ok {
			ladder = FixedLadder
		}
		if act, ok := s.step(&m, a, ladder); ok {
			out = append(out, act)
		}
	}
	return out, nil
}

// ladders are the calendars that a pilot tries: channel orders × hours × pace.
func ladders() []Ladder {
	orders := [][4]ledger.Channel{
		{ledger.Email, ledger.Email, ledger.Letter, ledger.Phone},
		{ledger.Email, ledger.SMS, ledger.Letter, ledger.Phone},
		{ledger.SMS, ledger.SMS, ledger.Email, ledger.Letter},
		{ledger.WhatsApp, ledger.SMS, ledger.Email, ledger.Letter},
	}
	paces := [][4]int{{3, 10, 20, 30}, {1, 4, 9, 16}}
	out := []Ladder{FixedLadder}
	for _, o := range orders {
		for _, pace := range paces {
			for _, hour := range []float64{9, 12, 18} {
				l := make(Ladder, 4)
				for i := range l {
					l[i] = Step{pace[i], o[i], hour, ledger.Tone(min(i, 2))}
				}
				out = append(out, l)
			}
		}
	}
	return out
}

// NewSegmented runs every ladder on a pilot world of the same kind and keeps
// the best for each profile, by what lateness and contacts cost together.
func NewSegmented(ctx context.Context, spec *Spec, debtors int, seed uint64, start ledger.Day, days int) (*Segmented, error) {
	s := &Segmented{Fixed: *NewFixed(nil), Ladders: make(map[string]Ladder)}
	best := make(map[string]float64)
	for _, l := range ladders() {
		w := New(spec, debtors, seed, start)
		book, err := Play(ctx, w, NewFixed(l), days)
		if err != nil {
			return nil, err
		}
		cost := make(map[string]float64)
		for _, a := range book.Accounts {
			t := w.Truth.Debtor(a.ID)
			cost[a.Profile()] += spec.Cost(&t)
		}
		for _, p := range sortedKeys(cost) {
			if b, ok := best[p]; !ok || cost[p] < b {
				best[p], s.Ladders[p] = cost[p], l
			}
		}
	}
	return s, nil
}

// Cost returns what a tally costs the creditor: late money, contacts and
// annoyance, in its currency.
func (s *Spec) Cost(t *Tally) float64 {
	return float64(t.CentDays)/100*s.dayRate() + t.Cost +
		float64(t.Complaints)*s.Creditor.ComplaintCost + float64(t.OptOuts)*s.Creditor.OptOutCost
}

// horizon is the number of days within which a contact must pay off.
const horizon = 28

// dayRate is what one unit of money that is one day late costs: the value
// (κ + k·H/365) of a whole horizon H, spread over its days.
func (s *Spec) dayRate() float64 {
	return (s.Creditor.LossRate + s.Creditor.CapitalRate*horizon/365) / horizon
}

// Random contacts whom it may, on a random channel at a random hour, about
// every Every days.
type Random struct {
	Seed  uint64
	Every float64
}

// Name returns "random".
func (r *Random) Name() string { return "random" }

// Observe learns nothing.
func (r *Random) Observe(context.Context, Morning, []Event) error { return nil }

// Act draws for each overdue account.
func (r *Random) Act(_ context.Context, m Morning) ([]Action, error) {
	var out []Action
	for _, a := range m.Book.Accounts {
		if cents, _ := a.Claim(m.Date, -1); cents == 0 {
			continue
		}
		rng := Stream(r.Seed, "random/"+a.ID+"/"+m.Date.String())
		if rng.Float64()*r.Every >= 1 {
			continue
		}
		c := ledger.Channel(rng.IntN(ledger.Channels))
		hour := firstHour + rng.IntN(lastHour-firstHour+1)
		if !a.Usable[c] {
			continue
		}
		if act, ok := m.send(a, c, float64(hour), ledger.Tone(rng.IntN(ledger.Tones))); ok {
			out = append(out, act)
		}
	}
	return out, nil
}

// Play runs a policy for so many days on a world that has not been played yet
// and returns the book it ends with; the outcome is in w.Truth.
func Play(ctx context.Context, w *World, p Policy, days int) (*Book, error) {
	book := NewBook()
	m := Morning{Day: -1, Now: w.Start(-1).In(w.loc), Date: w.Date(-1), Book: book}
	events := w.Opening()
	book.Apply(events)
	if err := p.Observe(ctx, m, events); err != nil {
		return nil, err
	}
	for day := range days {
		m.Day, m.Now, m.Date = day, w.Start(day).In(w.loc), w.Date(day)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		actions, err := p.Act(ctx, m)
		if err != nil {
			return nil, err
		}
		events := w.StepDay(day, actions)
		book.Apply(events)
		if err := p.Observe(ctx, m, events); err != nil {
			return nil, err
		}
	}
	return book, nil
}
