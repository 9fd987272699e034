package engine

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rappel/datasets/ledger"
)

// one is a debtor with one invoice of 100 euro that fell due on 1 March 2026.
func one(d *desk, debtor string, more ...string) {
	d.t.Helper()
	d.tell(debtor, append([]string{
		"debtor.upserted 2026-01-01T08:00:00Z " + everywhere,
		`invoice.issued 2026-02-01T08:00:00Z {"invoice_id":"i1","issued_at":"2026-02-01T08:00:00Z","due_on":"2026-03-01","amount":100,"currency":"EUR"}`,
	}, more...)...)
}

const second = `invoice.issued 2026-02-02T08:00:00Z {"invoice_id":"i2","issued_at":"2026-02-02T08:00:00Z","due_on":"2026-03-02","amount":50,"currency":"EUR"}`

func TestHolds(t *testing.T) {
	opened := func(kind, rest string) string {
		return `case.opened 2026-03-03T08:00:00Z {"case_id":"k1","kind":"` + kind + `"` + rest + `}`
	}
	optOuts := func() (list []string) {
		for _, c := range ledger.ChannelNames {
			list = append(list, `debtor.opted_out 2026-03-03T08:00:00Z {"channel":"`+c+`"}`)
		}
		return list
	}
	for _, c := range []struct {
		name   string
		events []string
		asOf   string
		hold   string // empty: not held
		asks   string // the invoices that may be asked for
	}{
		{"nothing wrong", nil, "2026-03-05T07:00:00Z", "", "i1"},
		{"before the due date", nil, "2026-02-10T07:00:00Z", HoldNothingDue, ""},
		{"the day before", nil, "2026-02-28T07:00:00Z", "", "i1"},
		{"paid", []string{`payment.received 2026-03-04T08:00:00Z {"payment_id":"p","invoice_id":"i1","amount":100}`}, "2026-03-05T07:00:00Z", HoldNothingDue, ""},
		{"paid in parts", []string{`payment.received 2026-03-04T08:00:00Z {"payment_id":"p","invoice_id":"i1","amount":60}`}, "2026-03-05T07:00:00Z", "", "i1"},
		{"cancelled", []string{`invoice.cancelled 2026-03-04T08:00:00Z {"invoice_id":"i1"}`}, "2026-03-05T07:00:00Z", HoldNothingDue, ""},
		{"the only invoice disputed", []string{opened("dispute", `,"invoice_id":"i1"`)}, "2026-03-05T07:00:00Z", HoldDisputed, ""},
		{"one of two disputed", []string{second, opened("dispute", `,"invoice_id":"i1"`)}, "2026-03-05T07:00:00Z", "", "i2"},
		{"all disputed", []string{second, opened("dispute", "")}, "2026-03-05T07:00:00Z", HoldDisputed, ""},
		{"dispute closed", []string{opened("dispute", `,"invoice_id":"i1"`), `case.closed 2026-03-04T08:00:00Z {"case_id":"k1","outcome":"rejected"}`}, "2026-03-05T07:00:00Z", "", "i1"},
		{"plan", []string{opened("payment_plan", "")}, "2026-03-05T07:00:00Z", HoldPlan, ""},
		{"promise running", []string{opened("promise", `,"expires_on":"2026-03-06"`)}, "2026-03-06T07:00:00Z", HoldPromise, ""},
		{"promise broken", []string{opened("promise", `,"expires_on":"2026-03-06"`)}, "2026-03-07T07:00:00Z", "", "i1"},
		{"insolvency", []string{opened("insolvency", "")}, "2026-03-05T07:00:00Z", HoldInsolvency, ""},
		{"debt mediation", []string{opened("debt_mediation", "")}, "2026-03-05T07:00:00Z", HoldMediation, ""},
		{"creditor's block", []string{opened("hold", `,"expires_on":"2026-03-10"`)}, "2026-03-10T07:00:00Z", HoldCreditor, ""},
		{"creditor's block ended", []string{opened("hold", `,"expires_on":"2026-03-10"`)}, "2026-03-11T07:00:00Z", "", "i1"},
		{"in court", []string{opened("legal", "")}, "2026-03-05T07:00:00Z", HoldCreditor, ""},
		{"opted out everywhere", optOuts(), "2026-03-05T07:00:00Z", HoldNoChannel, ""},
		{"not yet known", []string{opened("insolvency", "")}, "2026-03-02T07:00:00Z", "", "i1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, nil)
			one(d, "d", c.events...)
			a := d.ask("d", c.asOf)
			if a.HoldReason != c.hold || (a.Action == ActionHold) != (c.hold != "") {
				t.Fatalf("%s %s, want hold %q", a.Action, a.HoldReason, c.hold)
			}
			if got := strings.Join(a.Invoices, " "); got != c.asks {
				t.Errorf("asks for %q, want %q", got, c.asks)
			}
			if c.hold != "" {
				if a.ReviewAt == nil || !a.ReviewAt.After(moment(t, c.asOf)) || a.Channel != "" || a.Propensity != 1 {
					t.Errorf("a hold is looked at later and sends nothing: %+v", a)
				}
			}
		})
	}
}

func TestClosedChannels(t *testing.T) {
	for _, c := range []struct {
		name  string
		event string
		code  string
	}{
		{"opted out", `debtor.opted_out 2026-03-03T08:00:00Z {"channel":"sms"}`, "UNREACHABLE_SMS"},
		{"bounced", `contact.bounced 2026-03-03T08:00:00Z {"channel":"sms"}`, "UNREACHABLE_SMS"},
		{"no consent", `debtor.upserted 2026-03-03T08:00:00Z {"kind":"consumer","country":"BE","timezone":"Europe/Brussels","channels":[{"channel":"sms","reachable":true,"consent":false}]}`, "NO_CONSENT_SMS"},
	} {
		d := newDesk(t, nil)
		one(d, "d", c.event)
		a, row := d.answerTo(Request{Debtor: "d", AsOf: moment(t, "2026-03-05T07:00:00Z")})
		if !slices.ContainsFunc(a.Constraints, func(x Constraint) bool { return x.Code == c.code && x.Text != "" }) {
			t.Errorf("%s: constraints %+v, want %s", c.name, a.Constraints, c.code)
		}
		log, err := readDrawn(row.Candidates)
		if err != nil || len(log) < 2 {
			t.Fatalf("%s: %v, %v", c.name, log, err)
		}
		if offers(log, ledger.SMS) {
			t.Errorf("%s: sms is still a candidate", c.name)
		}
	}
}

func TestOneWhoObjectsFollowsTheFixedCalendar(t *testing.T) {
	d := newDesk(t, nil)
	one(d, "d", `case.opened 2026-03-02T08:00:00Z {"case_id":"k","kind":"objection"}`)
	for asOf, want := range map[string]string{"2026-03-03T06:00:00Z": "", "2026-03-04T06:00:00Z": "email friendly 09:00"} {
		a, row := d.answerTo(Request{Debtor: "d", AsOf: moment(t, asOf)})
		got := ""
		if a.Action == ActionContact {
			got = a.Channel + " " + a.Tone + " " + a.SendAt.Format("15:04")
		}
		if got != want || a.Propensity != 1 || row.Candidates != nil || a.Reasons[0].Code != "LADDER" {
			t.Errorf("%s: %q with probability %v and %+v, want %q", asOf, got, a.Propensity, a.Reasons, want)
		}
	}
	d.tell("d", `contact.sent 2026-03-04T08:00:00Z {"contact_id":"x","channel":"email","tone":"friendly"}`)
	if a := d.ask("d", "2026-03-11T06:00:00Z"); a.Channel != "email" || a.Tone != "neutral" {
		t.Errorf("the second rung: %s %s, want email neutral", a.Channel, a.Tone)
	}
}

func TestControlGroup(t *testing.T) {
	share := func(seed uint64, share float64) map[string]bool {
		in := map[string]bool{}
		for i := range 4000 {
			id := fmt.Sprintf("d%d", i)
			if Arm(seed, ledger.Key{Creditor: "c", Debtor: id}, share) == Control {
				in[id] = true
			}
		}
		return in
	}
	small, large := share(1, 0.1), share(1, 0.3)
	for id := range small {
		if !large[id] {
			t.Fatalf("%s leaves the control group when it grows", id)
		}
	}
	// Binomial: standard deviations of 0.005 and 0.007.
	if p, q := float64(len(small))/4000, float64(len(large))/4000; math.Abs(p-0.1) > 0.025 || math.Abs(q-0.3) > 0.035 {
		t.Errorf("shares %v and %v, want 0.1 and 0.3", p, q)
	}
	if len(share(1, 0)) != 0 || len(share(1, 1)) != 4000 {
		t.Error("a share of 0 has nobody, of 1 everyone")
	}
	if maps.Equal(share(1, 0.3), share(2, 0.3)) {
		t.Error("another seed draws the same group")
	}
	d := newDesk(t, func(c *Creditor) { c.ControlShare = 1 })
	one(d, "d")
	if a := d.ask("d", "2026-03-04T06:00:00Z"); a.Arm != Control || a.Channel != "email" || a.Reasons[0].Code != "LADDER" {
		t.Errorf("control: %+v", a)
	}
}

func TestWhoIsUnknown(t *testing.T) {
	d := newDesk(t, nil)
	one(d, "d")
	b := d.books["c"]
	for debtor, asOf := range map[string]string{"x": "2026-03-05T07:00:00Z", "d": "2025-06-01T07:00:00Z"} {
		_, _, err := d.answer(newScratch(), b, b.learned.Load(), &Request{Creditor: "c", Debtor: debtor, AsOf: moment(t, asOf)})
		if !errors.Is(err, ErrDebtor) || !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s as of %s: %v, want ErrDebtor", debtor, asOf, err)
		}
	}
}

// Regulation F: a week after a conversation, and seven calls in seven days.
func TestCallsUnderRegulationF(t *testing.T) {
	american := func(c *Creditor) {
		c.Country, c.Timezone, c.PolicyPack, c.Cadence = "US", "America/New_York", "us-regf", Cadence{}
	}
	phone := Request{Debtor: "d", Channels: []string{"phone"}, HorizonDays: 14}
	earliest := func(d *desk, asOf string) time.Time {
		s := newScratch()
		req := phone
		req.Creditor, req.AsOf = "c", moment(t, asOf)
		b := d.books["c"]
		q, err := d.Engine.ask(s, b, b.learned.Load(), &req)
		if err != nil {
			t.Fatal(err)
		}
		var v verdict
		s.enumerate(q, &v)
		return time.Unix(s.slots[0].at, 0).UTC()
	}
	d := newDesk(t, american)
	one(d, "d", `contact.sent 2026-03-10T16:00:00Z {"contact_id":"x","channel":"phone"}`,
		`contact.answered 2026-03-10T16:00:00Z {"contact_id":"x"}`)
	if got := earliest(d, "2026-03-11T08:00:00Z"); got.Before(moment(t, "2026-03-17T16:00:00Z")) || got.After(moment(t, "2026-03-18T09:00:00Z")) {
		t.Errorf("after a conversation: %v, want a week later", got)
	}
	d = newDesk(t, american)
	one(d, "d")
	for i := range 6 {
		d.tell("d", fmt.Sprintf(`contact.sent 2026-03-%02dT16:00:00Z {"contact_id":"x%d","channel":"phone"}`, 10+i, i))
	}
	if got := earliest(d, "2026-03-16T07:30:00Z"); got.After(moment(t, "2026-03-16T08:30:00Z")) {
		t.Errorf("after six calls: %v, want at once", got)
	}
	d.tell("d", `contact.sent 2026-03-15T17:00:00Z {"contact_id":"x7","channel":"phone"}`)
	if got := earliest(d, "2026-03-16T07:30:00Z"); got.Before(moment(t, "2026-03-17T16:00:00Z")) || got.After(moment(t, "2026-03-18T09:00:00Z")) {
		t.Errorf("after seven calls: %v, want when the first is a week old", got)
	}
}

// zones have summer time of an hour, of half an hour, at midnight, or none.
var zones = map[string]string{
	"Europe/Brussels": "BE", "Europe/Amsterdam": "NL", "America/New_York": "US", "Asia/Kolkata": "", "Australia/Lord_Howe": "",
	"America/Santiago": "", "Africa/Cairo": "", "Pacific/Chatham": "", "Pacific/Kiritimati": "", "UTC": "",
}

// oddDays are days before or on which clocks change, leap days and year ends.
var oddDays = []string{
	"2026-03-07", "2026-03-08", "2026-03-28", "2026-03-29", "2026-04-04", "2026-04-05", "2026-04-23", "2026-04-24", "2026-09-05",
	"2026-09-06", "2026-10-03", "2026-10-04", "2026-10-24", "2026-10-25", "2026-10-29", "2026-10-30", "2026-11-01", "2026-12-24",
	"2026-12-31", "2027-01-01", "2028-02-28", "2028-02-29", "2028-03-01", "2026-05-01", "2026-07-20",
}

// hours and minutes at which is asked.
var (
	hours   = []int{0, 1, 2, 3, 6, 7, 8, 9, 12, 15, 18, 19, 20, 21, 22, 23}
	minutes = []int{0, 5, 29, 35, 58}
)

// forbidden tells, from the text of the rules alone, why a contact must not go
// out at a local time; empty where it may.
func forbidden(p *Pack, c ledger.Channel, at time.Time, holiday bool) string {
	minute := at.Hour()*60 + at.Minute()
	clock := func(s string) int {
		t, _ := time.Parse("15:04", s) // the pack was parsed
		return t.Hour()*60 + t.Minute()
	}
	for _, r := range p.Rules {
		if len(r.Channels) > 0 && !slices.Contains(r.Channels, c.String()) {
			continue
		}
		switch r.Kind {
		case "quiet_hours":
			from, to := clock(r.From), clock(r.To)
			if from < to && minute >= from && minute < to || from > to && (minute >= from || minute < to) {
				return "quiet hour"
			}
		case "quiet_days":
			if slices.Contains(r.Days, strings.ToLower(at.Weekday().String())) {
				return "quiet day"
			}
			if r.Holidays && holiday {
				return "holiday"
			}
		}
	}
	return ""
}

// What is proposed may be done, wherever and whenever it is asked; and the
// probabilities that are logged are those of one draw.
func TestProposalsKeepTheRules(t *testing.T) {
	d := newDesk(t, nil)
	packs := slices.Sorted(maps.Keys(d.packs))
	names := slices.Sorted(maps.Keys(zones))
	contacts, windows := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		zone := rapid.SampledFrom(names).Draw(r, "zone")
		loc, err := time.LoadLocation(zone)
		if err != nil {
			r.Fatal(err)
		}
		country := zones[zone]
		d.settle(func(c *Creditor) {
			c.PolicyPack = rapid.SampledFrom(packs).Draw(r, "pack")
			c.Cadence = Cadence{
				GapDays: rapid.IntRange(0, 3).Draw(r, "gap"), PerWeek: rapid.IntRange(0, 3).Draw(r, "week"),
				PerMonth: rapid.IntRange(0, 6).Draw(r, "month"),
			}
		})
		b := d.books["c"]
		creditor := b.creditor.Load()
		day, err := ledger.ParseDay(rapid.SampledFrom(oddDays).Draw(r, "day"))
		if err != nil {
			r.Fatal(err)
		}
		midnight := day.UTC()
		asOf := time.Date(midnight.Year(), midnight.Month(), midnight.Day(), rapid.SampledFrom(hours).Draw(r, "hour"),
			rapid.SampledFrom(minutes).Draw(r, "minute"), 0, 0, loc)
		due := day - ledger.Day(rapid.IntRange(-1, 70).Draw(r, "late"))
		issued := (due - 30).UTC().Format(time.RFC3339)
		profile := strings.NewReplacer(`"Europe/Brussels"`, fmt.Sprintf("%q", zone), `"country":"BE",`, "").Replace(everywhere)
		if country != "" {
			profile = strings.Replace(profile, `"kind"`, fmt.Sprintf(`"country":%q,"kind"`, country), 1)
		}
		d.tell("d", "debtor.upserted "+issued+" "+profile,
			fmt.Sprintf(`invoice.issued %s {"invoice_id":"i","issued_at":%q,"due_on":%q,"amount":%d,"currency":"EUR"}`, issued, issued, due, rapid.IntRange(1, 3000).Draw(r, "amount")))
		var sent []time.Time
		for i, hours := range rapid.SliceOfN(rapid.IntRange(1, 45*24), 0, 8).Draw(r, "contacts") {
			at := asOf.Add(-time.Duration(hours) * time.Hour).UTC()
			sent = append(sent, at)
			d.tell("d", fmt.Sprintf(`contact.sent %s {"contact_id":"k%d","channel":%q}`, at.Format(time.RFC3339), i,
				rapid.SampledFrom(ledger.ChannelNames[:]).Draw(r, "channel")))
		}
		a, row, err := d.answer(newScratch(), b, b.learned.Load(), &Request{
			Creditor: "c", Debtor: "d", AsOf: asOf, Key: rapid.StringN(1, 4, -1).Draw(r, "key"), Alternatives: 3,
		})
		if err != nil {
			r.Fatal(err)
		}
		p := d.packs[creditor.PolicyPack]
		check := func(name string, at time.Time) {
			if at.Before(asOf.Truncate(time.Microsecond)) {
				r.Errorf("%v, asked at %v: in the past", at, asOf)
			}
			local := at.In(loc)
			c, _ := ledger.ParseChannel(name)
			y, m, dd := local.Date()
			holiday := d.calendar.Load().holiday(country, creditor.Country, p, ledger.DayOf(time.Date(y, m, dd, 12, 0, 0, 0, time.UTC), time.UTC))
			if why := forbidden(p, c, local, holiday); why != "" || local.Hour() < firstHour || local.Hour() > lastHour {
				r.Errorf("%s at %v under %s: %s", name, local, p.ID, why)
			}
			week, month := 0, 0
			for _, s := range sent {
				if at.Sub(s) < 7*24*time.Hour {
					week++
				}
				if at.Sub(s) < 28*24*time.Hour {
					month++
				}
				if days := int(ledger.DayOf(at, loc) - ledger.DayOf(s, loc)); days < creditor.Cadence.GapDays {
					r.Errorf("%v follows %v after %d days, want %d", at, s, days, creditor.Cadence.GapDays)
				}
			}
			if k := creditor.Cadence; k.PerWeek > 0 && week >= k.PerWeek || k.PerMonth > 0 && month >= k.PerMonth {
				r.Errorf("%v is one more than %+v allows: %d in the week, %d in the month before", at, k, week, month)
			}
		}
		if a.Action == ActionContact {
			contacts++
			check(a.Channel, *a.SendAt)
			if !a.Window.From.Equal(*a.SendAt) || !a.Window.To.After(*a.SendAt) {
				r.Errorf("window %+v of %v", a.Window, a.SendAt)
			}
			check(a.Channel, a.Window.To.Add(-time.Second))
			windows++
			if a.SendAt.Sub(asOf) > commitHours*time.Hour {
				r.Errorf("%v is promised %v ahead", a.SendAt, a.SendAt.Sub(asOf))
			}
			if a.Tone == "formal" && len(sent) == 0 {
				r.Error("formal without a reminder before")
			}
		}
		if row.Candidates == nil {
			return
		}
		log, err := readDrawn(row.Candidates)
		if err != nil {
			r.Fatal(err)
		}
		sum, drew := 0.0, false
		for _, c := range log {
			if c.Wait {
				sum += c.Prob
				drew = drew || a.Action == ActionWait && a.Propensity == c.Prob
				continue
			}
			for _, s := range c.Slots {
				sum += c.Prob * s.Prob
				check(c.Channel, time.Unix(s.At, 0))
				drew = drew || a.Channel == c.Channel && a.Tone == c.Tone && s.At == a.SendAt.Unix() && a.Propensity == c.Prob*s.Prob
			}
		}
		if math.Abs(sum-1) > 1e-12 { // a few hundred roundings
			r.Errorf("the probabilities sum to 1%+g", sum-1)
		}
		if !drew && a.Action != ActionHold {
			r.Errorf("the answer is not among what was drawn from: %s", asJSON(t, a))
		}
	})
	if contacts == 0 || windows == 0 {
		t.Errorf("%d contacts proposed: nothing was tested", contacts)
	}
}

// Where local hours do not begin with those of UTC, a window still ends with the
// local hour, and so before quiet hours begin.
func TestWindowEndsWithTheLocalHour(t *testing.T) {
	d := newDesk(t, nil)
	for i, zone := range []string{"Asia/Kolkata", "Asia/Kathmandu", "Europe/Brussels"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		debtor := fmt.Sprintf("d%d", i)
		d.tell(debtor, "debtor.upserted 2026-01-01T08:00:00Z "+strings.Replace(everywhere, "Europe/Brussels", zone, 1),
			`invoice.issued 2026-01-02T08:00:00Z {"invoice_id":"i","issued_at":"2026-01-02T08:00:00Z","due_on":"2026-02-01","amount":5000,"currency":"EUR"}`)
		contacts := 0
		for minute := range 60 {
			asOf := time.Date(2026, 3, 5, 19, minute, 0, 0, loc)
			a, _ := d.answerTo(Request{Debtor: debtor, AsOf: asOf, Channels: []string{"email"}})
			if a.Action != ActionContact || ledger.DayOf(*a.SendAt, loc) != ledger.DayOf(asOf, loc) {
				continue
			}
			contacts++
			if want := time.Date(2026, 3, 5, 20, 0, 0, 0, loc); !a.Window.To.Equal(want) {
				t.Errorf("%s: sent at %v until %v, want %v", zone, a.SendAt, a.Window.To, want)
			}
		}
		if contacts == 0 {
			t.Errorf("%s: no contact this evening, nothing was tested", zone)
		}
	}
}

// The reasons add up to the difference in value between what was chosen and
// the best of another channel, in every language.
func TestReasonsAddUp(t *testing.T) {
	d := newDesk(t, nil)
	seen := map[string]bool{}
	for i := range 120 {
		debtor := fmt.Sprintf("d%d", i)
		one(d, debtor)
		for k := range i % 3 {
			d.tell(debtor, fmt.Sprintf(`contact.sent 2026-03-%02dT09:00:00Z {"contact_id":"%s-%d","channel":%q}`, 3+5*k, debtor, k, ledger.ChannelNames[i%5]))
		}
		b := d.books["c"]
		for day := range 4 {
			for _, language := range []string{"nl", "fr", "en"} {
				s := newScratch()
				at := moment(t, "2026-02-28T06:00:00Z").AddDate(0, 0, day*7)
				q, err := d.Engine.ask(s, b, b.learned.Load(), &Request{Creditor: "c", Debtor: debtor, AsOf: at, Key: strconv.Itoa(day)})
				if err != nil {
					t.Fatal(err)
				}
				v := decide(s, q)
				if v.hold != "" {
					continue
				}
				chosen, rival := &v.cands[v.chosen], -1
				for k := range v.cands {
					c := &v.cands[k]
					other := k != v.chosen && (c.wait || chosen.wait || c.channel != chosen.channel)
					if other && (rival < 0 || c.mean > v.cands[rival].mean) {
						rival = k
					}
				}
				if rival < 0 {
					continue
				}
				sum := 0.0
				for _, r := range s.explain(&v, tongueOf(language)) {
					seen[r.Code] = true
					sum += r.Contribution
					if r.Text == "" || strings.Contains(r.Text, "%!") {
						t.Errorf("%s in %s: %q", r.Code, language, r.Text)
					}
					if said := inWords(tongueOf(language), r.Code, "", r.Contribution < 0, r.Args); said != r.Text {
						t.Errorf("%s in %s: logged %v reads %q, answered %q", r.Code, language, r.Args, said, r.Text)
					}
				}
				// Parts below 1e-9 are left out, eight at most.
				if want := chosen.mean - v.cands[rival].mean; math.Abs(sum-want) > 1e-8 {
					t.Errorf("%s: parts %v, difference %v", debtor, sum, want)
				}
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("only %v were given", slices.Sorted(maps.Keys(seen)))
	}
}

func TestEveryCodeHasWords(t *testing.T) {
	for code, words := range sentences {
		for _, tongue := range []tongue{english, dutch, french} {
			if words[tongue] == "" {
				t.Errorf("%s has no words in language %d", code, tongue)
			}
		}
	}
	for _, base := range []string{"UNREACHABLE", "NO_CONSENT", "CAPACITY"} {
		for c, name := range upper {
			if got := inWords(french, base+"_"+name, "", false, nil); !strings.Contains(got, channelWords[french][c]) {
				t.Errorf("%s_%s: %q does not name the channel", base, name, got)
			}
		}
	}
}

// What lies after the moment of a question plays no part, whenever it was told.
func TestTheFutureChangesNothing(t *testing.T) {
	plain, told := newDesk(t, nil), newDesk(t, nil)
	for i := range 20 {
		debtor := fmt.Sprintf("d%d", i)
		one(plain, debtor)
		one(told, debtor, `payment.received 2026-03-09T08:00:00Z {"payment_id":"p","invoice_id":"i1","amount":100}`,
			`contact.sent 2026-03-07T08:00:00Z {"contact_id":"k","channel":"sms"}`, `contact.opened 2026-03-07T09:00:00Z {"contact_id":"k"}`,
			`case.opened 2026-03-08T08:00:00Z {"case_id":"q","kind":"insolvency"}`, second[:len("invoice.issued ")]+strings.ReplaceAll(second[len("invoice.issued "):], "2026-02-02T", "2026-03-10T"))
		const asOf = "2026-03-05T06:00:00Z"
		if got, want := asJSON(t, told.ask(debtor, asOf)), asJSON(t, plain.ask(debtor, asOf)); got != want {
			t.Fatalf("with what came later\n%s\nwithout\n%s", got, want)
		}
	}
}
