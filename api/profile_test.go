package api_test

import (
	"math"
	"net/url"
	"testing"
	"time"
)

// A profile says when payment is expected, as its curves do, and a contact
// brings it forward.
func TestProfileSaysWhenPaymentIsExpected(t *testing.T) {
	s := start(t)
	s.book(3)
	type curve struct {
		Survival  []float64
		DaysToPay float64 `json:"days_to_pay"`
	}
	p := into[struct {
		curve
		Hastened *curve
	}](t, s.must(200, "GET", debtorPath("D-0", acme)+"&as_of="+url.QueryEscape(morning.Format(time.RFC3339)), nil))
	if p.Hastened == nil || p.DaysToPay <= p.Hastened.DaysToPay {
		t.Fatalf("expected after %v days, with a contact %+v", p.DaysToPay, p.Hastened)
	}
	for _, c := range []curve{p.curve, *p.Hastened} {
		days := 0.0
		for _, open := range c.Survival[:28] {
			days += open
		}
		if math.Abs(days-c.DaysToPay) > 1e-9 || days <= 0 || days > 28 {
			t.Errorf("expected after %v days, the curve says %v", c.DaysToPay, days)
		}
	}
}
