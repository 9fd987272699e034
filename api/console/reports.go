package console

import (
	"net/http"
	"strconv"
	"strings"

	"rappel/engine"
)

// reportMonths is how many months the reports go back.
const reportMonths = 13

// forecastWeeks is how far the forecast of cash goes.
const forecastWeeks = 8

type reportsBody struct {
	*engine.Overview
	Last    *engine.Month // the running month
	Before  *engine.Month // the one before
	Figures []*figure
}

// reports shows how it went: what was owed, what came in, what it cost, and who
// was contacted how often.
func (c *console) reports(v *visit) error {
	if v.Creditor == "" {
		return v.show(http.StatusOK, "today", v.T("Reports"), nil)
	}
	o, err := c.engine.Overview(v.Creditor, v.asOf, reportMonths)
	if err != nil {
		return err
	}
	body := reportsBody{Overview: o, Last: &o.Months[len(o.Months)-1], Before: &o.Months[len(o.Months)-2]}
	for _, name := range []string{"dso", "ageing"} {
		body.Figures = append(body.Figures, v.overviewFigure(o, name))
	}
	body.Figures = append(body.Figures,
		&figure{ID: "forecast", Title: v.T("Cash expected, by week"), Later: true},
		&figure{ID: "backtest", Title: v.T("What the forecast would have said before"), Later: true},
	)
	body.Figures = append(body.Figures, &figure{ID: "uplift", Title: v.T("What the engine earned"), Later: true})
	for _, name := range []string{"cost", "channelcost", "complaints", "fairness"} {
		body.Figures = append(body.Figures, v.overviewFigure(o, name))
	}
	return v.show(http.StatusOK, "reports", v.T("Reports"), body)
}

// ages are the names of the ageing's buckets.
func (v *visit) ages() []string {
	return []string{v.T("not due"), "1–30", "31–60", "61–90", v.T("over 90")}
}

func (v *visit) overviewFigure(o *engine.Overview, name string) *figure {
	f := &figure{ID: name, Empty: v.T("Nothing is known yet.")}
	n := len(o.Months)
	labels := make([]string, n)
	for i := range o.Months {
		labels[i] = v.Month(o.Months[i].From)
	}
	x := axis(labels)
	switch name {
	case "dso":
		f.Title, f.unit = v.T("Days sales outstanding"), "days"
		f.Note = v.T("What was open at the end of each month, in days of the sales of the 90 days before.")
		f.Head = []string{v.T("End of"), v.T("Open"), v.T("Issued"), v.T("Received"), "DSO"}
		data := make([]any, n)
		for i := range o.Months {
			m := &o.Months[i]
			if m.DSO > 0 {
				data[i] = m.DSO
			}
			f.Rows = append(f.Rows, []cell{v.dayCell(m.To), v.moneyCell(m.Open()), v.moneyCell(m.Issued), v.moneyCell(m.Collected), v.numberCell(m.DSO, 1)})
			f.tips = append(f.tips, labels[i]+"\nDSO "+v.Number(m.DSO, 1)+" "+v.T("days")+"\n"+v.T("Open")+" "+v.Euros(m.Open()))
		}
		s := line("DSO", "--accent", data)
		s["showSymbol"], s["connectNulls"] = true, false
		f.option = option{"xAxis": x, "yAxis": option{"type": "value", "min": 0}, "series": []option{s}}
	case "ageing":
		f.Title, f.unit = v.T("Ageing of what is open"), "money"
		f.Note = v.T("Open at the end of each month, by days past due.")
		f.Head = append([]string{v.T("End of")}, v.ages()...)
		var series []option
		for k, age := range v.ages() {
			data := make([]float64, n)
			for i := range o.Months {
				data[i] = o.Months[i].Ageing[k]
			}
			series = append(series, bars(age, "--age-"+strconv.Itoa(k), "open", data))
		}
		for i := range o.Months {
			row, tip := []cell{v.dayCell(o.Months[i].To)}, []string{labels[i]}
			for k, age := range v.ages() {
				row = append(row, v.moneyCell(o.Months[i].Ageing[k]))
				tip = append(tip, age+": "+v.Euros(o.Months[i].Ageing[k]))
			}
			f.Rows, f.tips = append(f.Rows, row), append(f.tips, strings.Join(tip, "\n"))
		}
		f.option = option{"legend": legend(v.ages()...), "xAxis": x, "yAxis": values(), "series": series}
	case "cost":
		f.Title, f.unit = v.T("Cost per euro collected"), "money4"
		f.Note = v.T("Cost of all contacts of a month over what came in that month on invoices past due.")
		f.Head = []string{v.T("Month"), v.T("Contacts"), v.T("Cost"), v.T("Received when past due"), v.T("Cost per euro")}
		data := make([]any, n)
		for i := range o.Months {
			m := &o.Months[i]
			rate := 0.0
			if m.Late > 0 {
				rate = m.Cost / m.Late
				data[i] = rate
			}
			f.Rows = append(f.Rows, []cell{text(labels[i]), v.countCell(m.Contacts), v.moneyCell(m.Cost), v.moneyCell(m.Late), v.numberCell(rate, 4)})
			f.tips = append(f.tips, labels[i]+"\n"+v.Money(m.Cost)+" / "+v.Euros(m.Late)+"\n= "+v.Number(rate, 4))
		}
		f.option = option{"xAxis": x, "yAxis": values(), "series": []option{bars(v.T("Cost per euro"), "--accent", "", data)}}
	case "channelcost":
		f.Title, f.unit, f.Shape = v.T("What each channel brought"), "money", "short"
		f.Note = v.T("Received on overdue invoices within 14 days after a contact and before the next one. It says what came after, not what came because: for that, see the comparison with the control group.")
		f.Head = []string{v.T("Channel"), v.T("Contacts"), v.T("Cost"), v.T("Received after"), v.T("Cost per euro")}
		var names []string
		var data []float64
		for _, ch := range o.Channels {
			if ch.Contacts == 0 {
				continue
			}
			rate := 0.0
			if ch.Collected > 0 {
				rate = ch.Cost / ch.Collected
			}
			names, data = append(names, v.Channel(ch.Channel)), append(data, ch.Collected)
			f.Rows = append(f.Rows, []cell{text(v.Channel(ch.Channel)), v.countCell(ch.Contacts), v.moneyCell(ch.Cost), v.moneyCell(ch.Collected), v.numberCell(rate, 4)})
			f.tips = append(f.tips, v.Channel(ch.Channel)+"\n"+v.Euros(ch.Collected)+"\n"+v.T("Cost")+" "+v.Money(ch.Cost))
		}
		f.option = option{
			"xAxis": values(), "yAxis": option{"type": "category", "data": names, "inverse": true, "axisTick": option{"show": false}},
			"series": []option{bars(v.T("Received after"), "--accent", "", data)}, "tooltip": option{"trigger": "item"},
		}
	case "complaints":
		f.Title, f.unit = v.T("Complaints and opt-outs"), "number"
		f.Note = v.T("Per 1,000 contacts of the month.")
		f.Head = []string{v.T("Month"), v.T("Contacts"), v.T("Complaints"), v.T("Opt-outs")}
		complaints, outs := make([]any, n), make([]any, n)
		for i := range o.Months {
			m := &o.Months[i]
			if m.Contacts > 0 {
				complaints[i] = 1000 * float64(m.Complaints) / float64(m.Contacts)
				outs[i] = 1000 * float64(m.OptOuts) / float64(m.Contacts)
			}
			f.Rows = append(f.Rows, []cell{text(labels[i]), v.countCell(m.Contacts), v.countCell(m.Complaints), v.countCell(m.OptOuts)})
			f.tips = append(f.tips, labels[i]+"\n"+v.T("Complaints")+": "+v.Count(m.Complaints)+"\n"+v.T("Opt-outs")+": "+v.Count(m.OptOuts)+"\n"+
				v.T("Contacts")+": "+v.Count(m.Contacts))
		}
		names := []string{v.T("Complaints"), v.T("Opt-outs")}
		a, b := line(names[0], "--bad", complaints), line(names[1], "--warn", outs)
		a["showSymbol"], b["showSymbol"] = true, true
		f.option = option{"legend": legend(names...), "xAxis": x, "yAxis": option{"type": "value", "min": 0}, "series": []option{a, b}}
	case "fairness":
		f.Title, f.unit = v.T("Fairness of contact pressure"), "number"
		f.Note = v.T("Contacts per debtor with something overdue and 30 days, over the last 90 days, by kind and by area. Areas of fewer than 10 debtors are left out of the chart.")
		f.Head = []string{v.T("By"), v.T("Group"), v.T("Debtors"), v.T("Contacts"), v.T("Per debtor and 30 days")}
		var names []string
		var data []float64
		all := 0.0
		for _, p := range o.Pressure {
			name := p.Name
			if p.By != "area" {
				name = v.T(map[string]string{"": "all", "business": "businesses", "consumer": "consumers"}[p.Name])
			}
			f.Rows = append(f.Rows, []cell{text(v.T(p.By)), text(name), v.countCell(p.Debtors), v.countCell(p.Contacts), v.numberCell(p.Rate, 2)})
			if p.By == "all" {
				all = p.Rate
			}
			if p.By == "area" && (p.Debtors < 10 || len(names) >= 18) {
				continue
			}
			names, data = append(names, name), append(data, p.Rate)
			f.tips = append(f.tips, name+"\n"+v.Number(p.Rate, 2)+"\n"+v.T("Debtors")+": "+v.Count(p.Debtors))
		}
		s := bars(v.T("Per debtor and 30 days"), "--accent", "", data)
		s["markLine"] = option{
			"silent": true, "symbol": "none", "label": option{"show": false}, "lineStyle": option{"color": "--warn", "type": "dashed"},
			"data": []option{{"yAxis": all}},
		}
		f.option = option{
			"xAxis": option{"type": "category", "data": names, "axisTick": option{"show": false}, "axisLabel": option{"rotate": 40}}, "yAxis": option{"type": "value", "min": 0},
			"series": []option{s},
		}
	}
	return f
}

// forecastFigure is the cash of the coming weeks as a fan, or what the same
// forecast would have said before, beside what came.
func (c *console) forecastFigure(v *visit, name string) (*figure, error) {
	fc, err := remember(c, v, "forecast", func() (*engine.Forecast, error) {
		return c.engine.Forecast(v.r.Context(), v.Creditor, v.asOf, forecastWeeks, 0, 1)
	})
	if err != nil {
		return nil, err
	}
	f := &figure{ID: name, unit: "money", Empty: v.T("Nothing is open.")}
	if name == "backtest" {
		f.Title, f.Shape = v.T("What the forecast would have said before"), "short"
		f.Note = v.T("Made on %s for the weeks until now, on the invoices that were open then, and what came in on them.", v.Date(fc.Check.AsOf.In(v.loc)))
		f.Head = []string{"", v.T("Amount")}
		f.Rows = [][]cell{{text(v.T("Foretold")), v.moneyCell(fc.Check.Expected)}, {text(v.T("Came in")), v.moneyCell(fc.Check.Came)}}
		names := []string{v.T("Foretold"), v.T("Came in")}
		f.tips = []string{names[0] + "\n" + v.Euros(fc.Check.Expected), names[1] + "\n" + v.Euros(fc.Check.Came)}
		f.option = option{
			"xAxis": values(), "yAxis": option{"type": "category", "data": names, "inverse": true, "axisTick": option{"show": false}},
			"series": []option{bars("", "--accent", "", []float64{fc.Check.Expected, fc.Check.Came})}, "tooltip": option{"trigger": "item"},
		}
		return f, nil
	}
	f.Title = v.T("Cash expected, by week")
	f.Note = v.T("From the invoices that are open now. In 8 of 10 weeks the cash lies within the band.")
	f.Head = []string{v.T("Week from"), v.T("Middle"), v.T("Low (1 in 10)"), v.T("High (1 in 10)")}
	n := len(fc.Weeks)
	labels, low, mid, high := make([]string, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, w := range fc.Weeks {
		labels[i], low[i], mid[i], high[i] = v.Day(w.From), w.P10, w.P50, w.P90
		f.Rows = append(f.Rows, []cell{v.dayCell(w.From), v.moneyCell(w.P50), v.moneyCell(w.P10), v.moneyCell(w.P90)})
		f.tips = append(f.tips, labels[i]+"\n"+v.Euros(w.P50)+"\n"+v.Euros(w.P10)+" – "+v.Euros(w.P90))
	}
	names := []string{v.T("Middle"), v.T("8 of 10 weeks")}
	x := axis(labels)
	x["boundaryGap"] = false
	f.option = option{
		"legend": legend(names...), "xAxis": x, "yAxis": values(),
		"series": append(band(names[1], "--accent", low, high), line(names[0], "--accent", mid)),
	}
	return f, nil
}

// upliftFigure is the difference between treatment and control, measure by
// measure; the chart shows those that are shares of what was collected.
func (c *console) upliftFigure(v *visit) (*figure, error) {
	u, err := remember(c, v, "uplift", func() (*engine.Uplift, error) {
		return c.engine.Uplift(v.r.Context(), engine.UpliftOptions{Creditor: v.Creditor, AsOf: v.asOf})
	})
	if err != nil {
		return nil, err
	}
	f := &figure{
		ID: "uplift", Title: v.T("What the engine earned"), unit: "percent", Empty: v.T("Too little is known of the control group yet."),
		Head: []string{v.T("Measure"), v.T("Treated"), v.T("Control group"), v.T("Difference"), v.T("From"), v.T("To")},
	}
	f.Note = v.N(u.Control, "Treatment against a control group drawn by lot, %s against %s debtors; the bar is the 95%% interval.", v.Count(u.Treated), v.Count(u.Control))
	if e := u.Earned; e != nil && e.Lo != nil && e.Hi != nil {
		f.Note = v.N(u.Control, "Treatment against a control group drawn by lot, %s against %s debtors; the bar is the 95%% interval. Earned so far: %s, between %s and %s.",
			v.Count(u.Treated), v.Count(u.Control), v.Euros(e.Euro), v.Euros(*e.Lo), v.Euros(*e.Hi))
	}
	var names []string
	var points []float64
	var ranges [][3]float64
	for _, m := range u.Measures {
		d := m.Difference
		name := v.T(m.Name)
		f.Rows = append(f.Rows, []cell{
			text(name), v.numberCell(m.TreatedMean, 3), v.numberCell(m.ControlMean, 3), v.numberCell(d.Value, 3), v.numberCell(d.Lo, 3), v.numberCell(d.Hi, 3),
		})
		if m.Name != "collected_7d" && m.Name != "collected_14d" && m.Name != "collected_30d" {
			continue
		}
		ranges = append(ranges, [3]float64{float64(len(names)), d.Lo, d.Hi})
		names, points = append(names, name), append(points, d.Value)
		f.tips = append(f.tips, name+"\n"+v.Percent(m.TreatedMean)+" – "+v.Percent(m.ControlMean)+" = "+v.Percent(d.Value)+"\n("+v.Percent(d.Lo)+" – "+v.Percent(d.Hi)+")")
	}
	f.option = option{
		"xAxis": option{"type": "value", "scale": true},
		"yAxis": option{"type": "category", "data": names, "inverse": true, "axisTick": option{"show": false}},
		"series": []option{
			{
				"type": "custom", "renderItem": "interval", "data": ranges, "encode": option{"x": []int{1, 2}, "y": 0}, "itemStyle": option{"color": "--accent"}, "silent": true,
				"markLine": option{"silent": true, "symbol": "none", "label": option{"show": false}, "lineStyle": option{"color": "--line-strong"}, "data": []option{{"xAxis": 0}}},
			},
			{"type": "scatter", "data": points, "symbolSize": 11, "itemStyle": option{"color": "--accent"}},
		},
		"tooltip": option{"trigger": "item"},
	}
	return f, nil
}
