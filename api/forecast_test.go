package api_test

import (
	"net/url"
	"testing"
	"time"
)

func TestForecast(t *testing.T) {
	s := start(t)
	s.book(12)
	type week struct {
		From                      string
		Mean, P10, P50, P90, Came float64
	}
	type forecast struct {
		Invoices   int
		Open, Held float64
		Weeks      []week
		Backtest   *struct {
			Weeks []week
			Cells int
		}
	}
	ask := func(query string) forecast {
		return into[forecast](t, s.must(200, "GET", "/v1/forecast?creditor_id=acme&as_of="+url.QueryEscape(days(1).Format(time.RFC3339))+query, nil))
	}
	f := ask("")
	if len(f.Weeks) != 8 || f.Invoices == 0 || f.Open <= 0 || f.Backtest != nil {
		t.Fatalf("%+v", f)
	}
	sum := 0.0
	for i, w := range f.Weeks {
		if !(w.P10 <= w.P50 && w.P50 <= w.P90) {
			t.Errorf("week %d: %+v", i, w)
		}
		sum += w.Mean
	}
	if sum <= 0 || sum > f.Open {
		t.Errorf("%v to come of %v", sum, f.Open)
	}
	if g := ask("&weeks=2&backtest=3"); len(g.Weeks) != 2 || g.Backtest == nil || g.Backtest.Cells < len(g.Backtest.Weeks) {
		t.Errorf("%+v", g)
	}
	for _, q := range []string{"&weeks=0", "&weeks=53", "&weeks=two", "&backtest=-1"} {
		s.must(422, "GET", "/v1/forecast?creditor_id=acme"+q, nil)
	}
	s.must(404, "GET", "/v1/forecast?creditor_id=other", nil)
}
