package engine

import (
	"fmt"
	"testing"
)

// BenchmarkRecommend decides for one debtor with five open channels over seven
// days: every hour from 8 to 20 is a slot. "decide" is the decision alone,
// "recommend" with reasons and words, "answer" with the row for the log, too;
// none writes.
func BenchmarkRecommend(b *testing.B) {
	d, req := benchDesk(b)
	book := d.books["c"]
	l := book.learned.Load()
	s := newScratch()
	b.Run("decide", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := req
			q, err := d.Engine.ask(s, book, l, &r)
			if err != nil {
				b.Fatal(err)
			}
			if v := d.resolve(s, q); v.hold != "" {
				b.Fatal(v.hold)
			}
		}
		b.ReportMetric(float64(len(s.slots)), "slots")
		b.ReportMetric(float64(len(s.cands)), "candidates")
	})
	b.Run("recommend", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got := recommend(b, d, s, req); len(got.Reasons) < 5 || len(got.Alternatives) != 3 {
				b.Fatalf("%+v", got)
			}
		}
	})
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := req
			if _, _, err := d.answer(s, book, l, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchDesk returns a desk with a debtor of four contacts without answer, and a
// request about it.
func benchDesk(tb testing.TB) (*desk, Request) {
	tb.Helper()
	d := newDesk(tb, func(c *Creditor) { c.PolicyPack = "us-regf" }) // it opens 13 hours
	one(d, "d")
	for i := range 4 {
		d.tell("d", fmt.Sprintf(`contact.sent 2026-03-%02dT09:00:00Z {"contact_id":"k%d","channel":"email"}`, 2+4*i, i))
	}
	return d, Request{Creditor: "c", Debtor: "d", AsOf: moment(tb, "2026-03-20T05:00:00Z"), Alternatives: 3}
}

func recommend(tb testing.TB, d *desk, s *scratch, r Request) *Decision {
	tb.Helper()
	book := d.books["c"]
	q, err := d.Engine.ask(s, book, book.learned.Load(), &r)
	if err != nil {
		tb.Fatal(err)
	}
	v := d.resolve(s, q)
	return s.word(q, &v)
}

// A recommendation in words takes fewer than twenty allocations: what it returns,
// and little else.
func TestRecommendAllocations(t *testing.T) {
	d, req := benchDesk(t)
	s := newScratch()
	if n := testing.AllocsPerRun(100, func() { recommend(t, d, s, req) }); n >= 20 {
		t.Errorf("%v allocations", n)
	}
}
