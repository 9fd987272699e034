package console

import (
	"net/http"
	"strconv"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// shownToday is how many alerts and how many proposals the first page lists.
const shownToday = 8

type todayBody struct {
	Today      *engine.Today
	Planned    int // contacts of the day that go out by themselves
	Sent       int
	Open       float64
	Overdue    float64
	Owing      int
	Alerts     []engine.Alert // those with the most euro at risk × confidence
	AlertTotal int
	AtRisk     float64 // of all open alerts
	Waiting    []*engine.Decision
	Plan       *figure
}

// today shows what changed, what waits and what goes out.
func (c *console) today(v *visit) error {
	if v.Creditor == "" {
		return v.show(http.StatusOK, "today", v.T("Today"), nil)
	}
	body := &todayBody{}
	var err error
	if body.Today, err = c.engine.Today(v.Creditor, v.asOf); err != nil {
		return err
	}
	for _, h := range body.Today.Hours {
		body.Planned += h.Planned
		body.Sent += h.Sent
	}
	if body.Waiting, _, err = c.engine.Waiting(v.r.Context(), v.Creditor, v.asOf, 0, shownToday); err != nil {
		return err
	}
	for i, d := range body.Waiting {
		body.Waiting[i] = d.In(v.Language)
	}
	page, err := c.engine.Alerts(v.r.Context(), engine.AlertQuery{Creditor: v.Creditor, Status: engine.AlertOpen, Current: true, AsOf: v.asOf})
	if err != nil {
		return err
	}
	for i := range page.Alerts {
		body.AtRisk += page.Alerts[i].EuroAtRisk
	}
	body.AlertTotal, body.Alerts = page.Total, page.Alerts[:min(len(page.Alerts), shownToday)]
	w, err := c.engine.Worklist(v.r.Context(), v.Creditor, "", v.asOf, 0, 0)
	if err != nil {
		return err
	}
	body.Open, body.Overdue, body.Owing = w.Open, w.Overdue, w.Total
	body.Plan = v.planFigure(body.Today)
	return v.show(http.StatusOK, "today", v.T("Today"), body)
}

// planFigure is the day's contacts by hour and channel.
func (v *visit) planFigure(t *engine.Today) *figure {
	f := &figure{
		ID: "plan", Title: v.T("Contacts today, by hour"), unit: "count", Shape: "short",
		Head: []string{v.T("Hour"), v.T("Channel"), v.T("Planned"), v.T("Waiting for approval"), v.T("Sent")},
		Note: v.T("By the debtors' own clocks"), Empty: v.T("No contact is planned today."),
	}
	if len(t.Hours) == 0 {
		return f
	}
	first, last := 23, 0
	for _, h := range t.Hours {
		first, last = min(first, h.Hour), max(last, h.Hour)
		f.Rows = append(f.Rows, []cell{
			{Text: strconv.Itoa(h.Hour) + ":00", raw: strconv.Itoa(h.Hour)},
			text(v.Channel(h.Channel)),
			v.countCell(h.Planned), v.countCell(h.Waiting), v.countCell(h.Sent),
		})
	}
	first, last = min(first, 8), max(last, 18)
	var hours []string
	for h := first; h <= last; h++ {
		hours = append(hours, strconv.Itoa(h))
	}
	var series []option
	var names []string
	tips := make([]string, len(hours))
	for _, channel := range ledger.ChannelNames {
		data := make([]int, len(hours))
		sum := 0
		for _, h := range t.Hours {
			if n := h.Planned + h.Waiting + h.Sent; h.Channel == channel {
				data[h.Hour-first] += n
				sum += n
			}
		}
		if sum == 0 {
			continue
		}
		name := v.Channel(channel)
		names = append(names, name)
		series = append(series, bars(name, "--"+channel, "day", data))
		for i, n := range data {
			if n > 0 {
				tips[i] += "\n" + name + ": " + v.Count(n)
			}
		}
	}
	for i := range tips {
		tips[i] = hours[i] + ":00" + tips[i]
	}
	f.tips = tips
	f.option = option{"legend": legend(names...), "xAxis": axis(hours), "yAxis": option{"type": "value", "minInterval": 1}, "series": series}
	return f
}

type debtorsBody struct {
	*engine.Worklist
	Text       string
	First      int // place of the first on this page, from 1
	Last       int
	Prev, Next int // pages, from 1; 0: none
}

// pageNumber is the page of a list that an address names, from 1.
func pageNumber(r *http.Request) int {
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 1 || page > 1_000_000 {
		return 1
	}
	return page
}

// debtors lists those with overdue claims, the largest first, or those whose id
// holds a text; the id of one debtor leads to that debtor.
func (c *console) debtors(v *visit) error {
	if v.Creditor == "" {
		return v.show(http.StatusOK, "today", v.T("Debtors"), nil)
	}
	page := pageNumber(v.r)
	body := debtorsBody{Text: v.r.URL.Query().Get("q")}
	if body.Text != "" && c.engine.KnowsDebtor(ledger.Key{Creditor: v.Creditor, Debtor: body.Text}) {
		http.Redirect(v.w, v.r, v.Debtor(body.Text), http.StatusSeeOther)
		return nil
	}
	from := (page - 1) * perPage
	var err error
	if body.Worklist, err = c.engine.Worklist(v.r.Context(), v.Creditor, body.Text, v.asOf, from, perPage); err != nil {
		return err
	}
	body.First, body.Last, body.Prev = from+1, min(from+perPage, body.Total), page-1
	if from+perPage < body.Total {
		body.Next = page + 1
	}
	return v.show(http.StatusOK, "debtors", v.T("Debtors"), body)
}
