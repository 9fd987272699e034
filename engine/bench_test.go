package engine

import (
	"fmt"
	"testing"
)

// BenchmarkRecommend decides for one debtor with five open channels over seven
// days: every hour from 8 to 20 is a slot. "decide" is the decision alone,
// "answer" with reasons, words and the row for the log; neither writes.
func BenchmarkRecommend(b *testing.B) {
	d := newDesk(b, nil)
	one(d, "d")
	for i := range 4 {
		d.tell("d", fmt.Sprintf(`contact.sent 2026-03-%02dT09:00:00Z {"contact_id":"k%d","channel":"email"}`, 2+4*i, i))
	}
	book := d.books["c"]
	l := book.learned.Load()
	req := Request{Creditor: "c", Debtor: "d", AsOf: moment(b, "2026-03-20T05:00:00Z"), Alternatives: 3}
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
