package console

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// timelineShown is how many lines of a timeline a page shows.
const timelineShown = 150

type debtorBody struct {
	*engine.Profile
	Alerts   []engine.Alert
	Next     *engine.Reviewed // the last decision; nil: none
	Stale    bool             // its moment has passed
	Waiting  bool             // it waits for a person
	Mine     bool             // the hold is one that a person set
	Late     *figure
	Hours    *figure
	Channel  *figure
	Survival *figure
	Story    []storyLine
	Kinds    []string // what the timeline can be cut down to
	Only     string
	Cut      bool // older lines are not shown
	Today    string
	Soon     string // a moment to propose for another time
	Reach    []string
}

// storyLine is a line of the timeline: one happening, or mornings on which the
// same was decided.
type storyLine struct {
	engine.Happening
	Group string // invoice, contact, decision, person, other
	Times int
	From  time.Time // of the first of several
}

// debtor shows one debtor's whole story.
func (c *console) debtor(v *visit) error {
	if v.Creditor == "" {
		return ledger.ErrNotFound
	}
	q := v.r.URL.Query()
	key := ledger.Key{Creditor: v.Creditor, Debtor: q.Get("id")}
	ctx := v.r.Context()
	p, err := c.engine.Debtor(ctx, key, v.asOf)
	if err != nil {
		return err
	}
	body := &debtorBody{Profile: p, Only: q.Get("only"), Kinds: []string{"", "invoice", "contact", "decision", "person"}}
	page, err := c.engine.Alerts(ctx, engine.AlertQuery{Creditor: key.Creditor, Debtor: key.Debtor, AsOf: v.asOf})
	if err != nil {
		return err
	}
	body.Alerts = page.Alerts
	for i := range p.Timeline {
		h := &p.Timeline[i]
		h.Text = h.In(v.Language)
	}
	for i := range p.Timeline {
		h := &p.Timeline[i]
		if h.ID == "" || len(h.Kind) < 9 || h.Kind[:9] != "decision." {
			continue
		}
		if body.Next, err = c.engine.Decision(ctx, key.Creditor, h.ID); err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		if body.Next != nil {
			body.Next.Decision = *body.Next.In(v.Language)
		}
		body.Stale = body.Next != nil && !body.Next.ExpiresAt.After(v.moment)
		body.Waiting = h.Status == "waiting"
		break
	}
	for i := range p.Timeline {
		if h := &p.Timeline[i]; h.Kind == "case.opened" && h.Detail == "hold" && p.Hold == engine.HoldCreditor {
			body.Mine = true
		}
	}
	body.Late = v.lateFigure(p, body.Alerts)
	body.Hours, body.Channel, body.Survival = v.debtorFigure(p, "hours"), v.debtorFigure(p, "channels"), v.debtorFigure(p, "survival")
	body.Story, body.Cut = tell(p.Timeline, body.Only)
	zone := p.AsOf.Location()
	body.Today = v.moment.In(zone).Format(time.DateOnly)
	body.Soon = v.moment.In(zone).Add(time.Hour).Truncate(time.Hour).Format("2006-01-02T15:04")
	for _, ch := range p.Channels {
		if ch.Reachable && ch.Consent {
			body.Reach = append(body.Reach, ch.Channel)
		}
	}
	return v.show(http.StatusOK, "debtor", key.Debtor, body)
}

// tell cuts a timeline down to one group, and puts mornings on which nothing
// was sent for the same reason on one line.
func tell(timeline []engine.Happening, only string) (lines []storyLine, cut bool) {
	for i := range timeline {
		h := &timeline[i]
		l := storyLine{Happening: *h, Group: groupOf(h.Kind), Times: 1, From: h.At}
		if only != "" && l.Group != only {
			continue
		}
		if n := len(lines); n > 0 && l.Group == "decision" && h.Kind != "decision.contact" {
			last := &lines[n-1]
			if last.Kind == h.Kind && last.Detail == h.Detail && last.Text == h.Text {
				last.Times++
				last.From = h.At
				continue
			}
		}
		if len(lines) == timelineShown {
			return lines, true
		}
		lines = append(lines, l)
	}
	return lines, false
}

func groupOf(kind string) string {
	for i, r := range kind {
		if r == '.' {
			kind = kind[:i]
			break
		}
	}
	switch kind {
	case "invoice", "payment":
		return "invoice"
	case "contact", "sign":
		return "contact"
	case "decision":
		return "decision"
	case "review", "note", "case":
		return "person"
	}
	return "other"
}

func (v *visit) debtorFigure(p *engine.Profile, name string) *figure {
	var f *figure
	switch name {
	case "hours":
		f = v.hoursFigure(p)
	case "channels":
		f = v.channelsFigure(p)
	case "survival":
		f = v.survivalFigure(p)
	default:
		f = v.lateFigure(p, nil)
	}
	f.debtor = p.Debtor
	return f
}

// hoursFigure is the heat map of 7 × 24: colour is how likely the debtor looks,
// a dot where that rests on the debtor's own opens.
func (v *visit) hoursFigure(p *engine.Profile) *figure {
	o := &p.OpenTimes
	f := &figure{
		ID: "hours", debtor: p.Debtor, Title: v.T("When this debtor looks"), unit: "number", Shape: "tall",
		Head: []string{v.T("Day"), v.T("Hour"), v.T("Likely, × average"), v.T("Own opens"), v.T("Known of this debtor")},
	}
	mean, opens, known := 0.0, 0.0, 0.0
	for h := range o.Availability {
		mean += o.Availability[h] / float64(len(o.Availability))
		opens += o.Opens[h]
	}
	if mean <= 0 {
		f.Empty = v.T("Nothing is known yet.")
		return f
	}
	hours, days := make([]string, 24), make([]string, 7)
	for h := range hours {
		hours[h] = strconv.Itoa(h)
	}
	for d := range days {
		days[d] = weekdays[v.tongue][d]
	}
	cells, dots := make([][3]float64, 0, 168), make([][3]float64, 0, 168)
	top := 0.0
	for h, a := range o.Availability {
		x := a / mean
		top = max(top, x)
		known += o.Known[h] * x / float64(len(o.Availability))
		cells = append(cells, [3]float64{float64(h % 24), float64(h / 24), math.Round(x*100) / 100})
		if o.Known[h] >= 0.15 {
			dots = append(dots, [3]float64{float64(h % 24), float64(h / 24), math.Round(o.Known[h]*100) / 100})
		}
		f.tips = append(f.tips, fmt.Sprintf("%s %d:00\n%s\n%s", longWeekdays[v.tongue][h/24], h%24,
			v.T("%s × as likely as an average hour", v.Number(x, 1)), v.T("%s of it known of this debtor, the rest borrowed", v.Percent(o.Known[h]))))
		f.Rows = append(f.Rows, []cell{
			text(longWeekdays[v.tongue][h/24]),
			{Text: strconv.Itoa(h%24) + ":00", raw: strconv.Itoa(h % 24)},
			v.numberCell(x, 2), v.numberCell(o.Opens[h], 1), v.percentCell(o.Known[h]),
		})
	}
	f.Note = v.T("Local time. %s of this picture is known of this debtor (%s opens, fading with time); the rest is borrowed from those like them. A dot marks the hours that are known.",
		v.Percent(known), v.Number(opens, 1))
	days2 := slices.Clone(days)
	f.option = option{
		"xAxis": option{"type": "category", "data": hours, "splitArea": option{"show": false}, "axisTick": option{"show": false}, "axisLabel": option{"interval": 2}},
		"yAxis": option{"type": "category", "data": days2, "inverse": true, "axisTick": option{"show": false}},
		"visualMap": option{
			"show": false, "min": 0, "max": top, "dimension": 2, "seriesIndex": 0,
			"inRange": option{"color": []string{"--heat-0", "--heat-1", "--heat-2", "--heat-3"}},
		},
		"series": []option{
			{"type": "heatmap", "data": cells, "itemStyle": option{"borderColor": "--card", "borderWidth": 1}},
			{"type": "scatter", "data": dots, "symbolSize": 5, "itemStyle": option{"color": "--ink"}, "silent": true},
		},
		"tooltip": option{"trigger": "item"},
	}
	return f
}

// channelsFigure is how likely a contact moves the debtor, by channel, with the
// interval in which that lies.
func (v *visit) channelsFigure(p *engine.Profile) *figure {
	f := &figure{
		ID: "channels", debtor: p.Debtor, Title: v.T("Response by channel"), unit: "percent", Shape: "short",
		Note:  v.T("How often a contact moves this debtor to pay, learnt from their own answers and from those like them; the bar is the interval that holds it in 9 of 10 cases."),
		Head:  []string{v.T("Channel"), v.T("Contacts"), v.T("Answered or paid"), v.T("Response"), v.T("From"), v.T("To"), v.T("Silent in a row"), v.T("May be used")},
		Empty: v.T("Nothing is known yet."),
	}
	names := make([]string, 0, len(p.Channels))
	points, ranges := make([]float64, 0, len(p.Channels)), make([][3]float64, 0, len(p.Channels))
	for i, ch := range p.Channels {
		low, high := max(ch.Response-1.64*ch.SD, 0), min(ch.Response+1.64*ch.SD, 1)
		use := v.T("yes")
		if !ch.Reachable {
			use = v.T("not reachable")
		} else if !ch.Consent {
			use = v.T("no consent")
		}
		f.Rows = append(f.Rows, []cell{
			text(v.Channel(ch.Channel)), v.countCell(ch.Sends), v.countCell(ch.Answered), v.percentCell(ch.Response), v.percentCell(low), v.percentCell(high),
			v.countCell(ch.Silent), text(use),
		})
		names = append(names, v.Channel(ch.Channel))
		points = append(points, ch.Response)
		ranges = append(ranges, [3]float64{float64(i), low, high})
		f.tips = append(f.tips, v.Channel(ch.Channel)+"\n"+v.Percent(ch.Response)+" ("+v.Percent(low)+" – "+v.Percent(high)+")\n"+
			v.N(ch.Answered, "%s of %s answered or paid", v.Count(ch.Answered), v.Count(ch.Sends)))
	}
	f.option = option{
		"xAxis": option{"type": "value", "min": 0},
		"yAxis": option{"type": "category", "data": names, "inverse": true, "axisTick": option{"show": false}},
		"series": []option{
			{"type": "custom", "renderItem": "interval", "data": ranges, "encode": option{"x": []int{1, 2}, "y": 0}, "itemStyle": option{"color": "--accent"}, "silent": true},
			{"type": "scatter", "data": points, "symbolSize": 11, "itemStyle": option{"color": "--accent"}},
		},
		"tooltip": option{"trigger": "item"},
	}
	return f
}

// survivalFigure is the chance of still being unpaid, with and without contact.
func (v *visit) survivalFigure(p *engine.Profile) *figure {
	f := &figure{
		ID: "survival", debtor: p.Debtor, Title: v.T("Still unpaid, coming weeks"), unit: "percent", Shape: "short",
		Head: []string{v.T("Day"), v.T("Without contact")}, Empty: v.T("Nothing is open."),
	}
	if p.Open <= 0 {
		return f
	}
	f.Note = v.T("Expected after %s days without contact; what takes longer than 28 counts as 28.", v.Number(p.DaysToPay, 1))
	with := []float64(nil)
	names := []string{v.T("Without contact")}
	if p.Hastened != nil {
		with = p.Hastened.Survival
		name := v.T("With %s", v.Channel(p.Hastened.Channel))
		names = append(names, name)
		f.Head = append(f.Head, name)
		f.Note += " " + v.T("With contact, the best within reach, %s on %s: after %s.", v.Channel(p.Hastened.Channel), v.Soon(p.Hastened.SendAt), v.Number(p.Hastened.DaysToPay, 1))
	}
	days := []string{"0"}
	alone, hastened := []float64{1}, []float64{1}
	f.tips = []string{v.T("today")}
	for t, s := range p.Survival {
		days = append(days, strconv.Itoa(t+1))
		alone = append(alone, s)
		row := []cell{{Text: v.Count(t + 1), raw: strconv.Itoa(t + 1), Num: true}, v.percentCell(s)}
		tip := v.N(t+1, "after %s days", v.Count(t+1)) + "\n" + names[0] + ": " + v.Percent(s)
		if with != nil {
			hastened = append(hastened, with[t])
			row = append(row, v.percentCell(with[t]))
			tip += "\n" + names[1] + ": " + v.Percent(with[t])
		}
		f.Rows, f.tips = append(f.Rows, row), append(f.tips, tip)
	}
	series := []option{line(names[0], "--muted", alone)}
	if with != nil {
		series = append(series, line(names[1], "--accent", hastened))
	}
	f.option = option{
		"legend": legend(names...), "series": series,
		"xAxis": option{"type": "category", "data": days, "boundaryGap": false, "axisTick": option{"show": false}, "axisLabel": option{"interval": 6}},
		"yAxis": option{"type": "value", "min": 0, "max": 1},
	}
	return f
}

// lateFigure is how many days late each invoice was paid, or is by now, with
// the band that was expected where an alert says so.
func (v *visit) lateFigure(p *engine.Profile, alerts []engine.Alert) *figure {
	f := &figure{
		ID: "late", debtor: p.Debtor, Title: v.T("Days late, by invoice"), unit: "days",
		Head:  []string{v.T("Due"), v.T("Invoice"), v.T("Days late"), v.T("State"), v.T("Expected from"), v.T("Expected to")},
		Empty: v.T("No invoice has fallen due yet."),
	}
	points := lateness(p)
	bands := map[string]engine.AlertPoint{}
	since := ledger.Day(0)
	for i := range alerts {
		if a := &alerts[i]; a.Unit == "days" && a.Debtor == p.Debtor {
			for _, e := range a.Evidence {
				if e.Invoice != "" && e.High != nil {
					bands[e.Invoice] = e
				}
			}
			if a.Status == engine.AlertOpen || a.Status == engine.AlertConfirmed {
				since = max(since, a.Since)
			}
		}
	}
	if len(points) == 0 {
		return f
	}
	const shown = 40
	points = points[max(0, len(points)-shown):]
	days := make([]string, len(points))
	low, high := make([]any, len(points)), make([]any, len(points))
	var paid, open []option
	banded, mark := false, -1
	for i, x := range points {
		days[i] = v.Day(x.due)
		state := v.T("paid")
		if x.open {
			state = v.T("open")
		}
		row := []cell{v.dayCell(x.due), text(x.id), v.countCell(x.late), text(state), text(""), text("")}
		tip := x.id + "\n" + v.T("due %s", v.Day(x.due)) + "\n" + v.N(x.late, "%s days late", v.Count(x.late)) + ", " + state
		if b, ok := bands[x.id]; ok {
			banded = true
			lo := *b.High
			if b.Low != nil {
				lo = *b.Low
			}
			low[i], high[i] = lo, *b.High-lo
			row[4], row[5] = v.numberCell(lo, 1), v.numberCell(*b.High, 1)
			tip += "\n" + v.T("expected %s to %s", v.Days(lo), v.Days(*b.High))
		}
		if mark < 0 && since != 0 && x.due >= since {
			mark = i
		}
		point := option{"value": []any{i, x.late}}
		if x.open {
			open = append(open, point)
		} else {
			paid = append(paid, point)
		}
		f.Rows, f.tips = append(f.Rows, row), append(f.tips, tip)
	}
	series := []option{}
	names := []string{v.T("paid"), v.T("open")}
	if banded {
		name := v.T("expected")
		none := option{"opacity": 0}
		series = append(series,
			option{"type": "line", "name": name + " ", "data": low, "stack": "band", "stackStrategy": "all", "symbol": "none", "lineStyle": none, "silent": true},
			option{
				"type": "line", "name": name, "data": high, "stack": "band", "stackStrategy": "all", "symbol": "none", "lineStyle": none, "silent": true,
				"areaStyle": option{"color": "--accent", "opacity": 0.18}, "itemStyle": option{"color": "--accent"},
			})
		names = append(names, name)
		f.Note = v.T("The shaded band is what was expected of this debtor.")
	}
	paidSeries := option{"type": "scatter", "name": names[0], "data": paid, "symbolSize": 9, "itemStyle": option{"color": "--accent"}}
	if mark >= 0 {
		paidSeries["markLine"] = option{
			"silent": true, "symbol": "none", "label": option{"formatter": v.T("alert"), "color": "--bad"},
			"lineStyle": option{"color": "--bad", "type": "dashed"}, "data": []option{{"xAxis": mark}},
		}
	}
	series = append(series, paidSeries,
		option{"type": "scatter", "name": names[1], "data": open, "symbol": "diamond", "symbolSize": 12, "itemStyle": option{"color": "--warn"}})
	f.option = option{
		"legend": legend(names...), "series": series, "yAxis": values(),
		"xAxis": option{"type": "category", "data": days, "axisTick": option{"show": false}},
	}
	return f
}

// late is one invoice that has fallen due.
type late struct {
	id   string
	due  ledger.Day
	late int // days from due to payment, or until now
	open bool
}

// lateness reads the invoices that fell due from a timeline, by due date.
func lateness(p *engine.Profile) []late {
	today := ledger.DayOf(p.AsOf, p.AsOf.Location())
	type bill struct {
		due       ledger.Day
		left      float64
		paid      ledger.Day
		cancelled bool
	}
	bills := map[string]*bill{}
	for i := len(p.Timeline) - 1; i >= 0; i-- { // oldest first
		h := &p.Timeline[i]
		b := bills[h.ID]
		switch h.Kind {
		case "invoice.issued":
			due, err := ledger.ParseDay(h.Detail)
			if err != nil {
				continue
			}
			if b == nil {
				b = &bill{}
				bills[h.ID] = b
			}
			b.due, b.left = due, b.left+h.Amount
			if b.left > 0.005 {
				b.paid = 0
			}
		case "invoice.cancelled":
			if b != nil {
				b.cancelled = true
			}
		case "payment.received":
			if b == nil { // paid before it was issued
				b = &bill{}
				bills[h.ID] = b
			}
			if b.left -= h.Amount; b.left <= 0.005 && b.paid == 0 {
				b.paid = ledger.DayOf(h.At, h.At.Location())
			}
		}
	}
	var list []late
	for id, b := range bills {
		switch {
		case b.due == 0 || b.cancelled:
		case b.paid != 0:
			list = append(list, late{id, b.due, int(b.paid - b.due), false})
		case b.due <= today:
			list = append(list, late{id, b.due, int(today - b.due), true})
		}
	}
	slices.SortFunc(list, func(x, y late) int {
		if x.due != y.due {
			return int(x.due - y.due)
		}
		if x.id < y.id {
			return -1
		}
		return 1
	})
	return list
}
