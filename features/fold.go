package features

import (
	"cmp"
	"iter"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// folds are the steps that are made here: SQL says of each row whose it is, when it
// counts and from when to when it lasts, and a loop over the days of one debtor, in
// order, finds what lies between them. In a query that is a join of all that a
// debtor has with all that it has, or lists, each of which costs more than the
// loop. What a fold gives is a relation like any other.
var folds = map[string]fold{
	"settled": {[]string{"paying", "sending"}, (*session).settled},
	"touch":   {[]string{"contact", "answer", "paid"}, (*session).touch},
	"natural": {[]string{"overdue", "sending", "turn"}, (*session).natural},
	"payment": {[]string{"invoices_of", "parts_of"}, (*session).payment},
}

type fold struct {
	reads []string // the files whose rows it is given
	make  func(*session) error
}

// settled finds when the payments on an invoice first added up to its amount, and
// counts the contacts between its issue and then. That moment depends on earlier
// payments only, so it may be found once for all points; each point then asks
// whether it lies after its own.
// out: settled(iid UBIGINT, settled BIGINT (us or NULL), settled_day INTEGER, partly
// BOOLEAN (a payment came that left something open), contacts BIGINT (NULL while
// open)), of invoices with a payment.
func (c *session) settled() error {
	of, err := c.groups("paying", "sending")
	if err != nil {
		return err
	}
	payments, sent := of[0], of[1]
	return c.fold("settled", payments, []arrow.Field{
		{Name: "iid", Type: arrow.PrimitiveTypes.Uint64},
		{Name: "settled", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "settled_day", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "partly", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "contacts", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	}, func(b *array.RecordBuilder, debtors iter.Seq[int32]) {
		iids, moments, days := b.Field(0).(*array.Uint64Builder), b.Field(1).(*array.Int64Builder), b.Field(2).(*array.Int32Builder)
		partly, contacts := b.Field(3).(*array.BooleanBuilder), b.Field(4).(*array.Int64Builder)
		var order []int
		for d := range debtors {
			own := sent.of(d, 0)
			slices.Sort(own) // of the days nothing is asked here
			iid, issued, paid, day, cents, owed := payments.of(d, 0), payments.of(d, 1), payments.of(d, 2), payments.of(d, 3), payments.of(d, 4), payments.of(d, 5)
			order = order[:0]
			for i := range iid {
				order = append(order, i)
			}
			slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(iid[i], iid[j]), cmp.Compare(paid[i], paid[j])) })
			for k := 0; k < len(order); {
				first, sum, at := order[k], int64(0), -1 // at: where the sum was first reached
				n := k
				for ; n < len(order) && iid[order[n]] == iid[first]; n++ {
					sum += cents[order[n]]
					last := n+1 == len(order) || iid[order[n+1]] != iid[first] || paid[order[n+1]] != paid[order[n]] // of that moment
					if at < 0 && last && sum >= owed[first] {
						at = order[n]
					}
				}
				whole := sum >= owed[first]
				iids.Append(uint64(iid[first]))
				partly.Append(!whole || n-k > 1)
				k = n
				if !whole {
					moments.AppendNull()
					days.AppendNull()
					contacts.AppendNull()
					continue
				}
				from, _ := slices.BinarySearch(own, issued[at]+1)
				to, _ := slices.BinarySearch(own, paid[at])
				moments.Append(paid[at])
				days.Append(int32(day[at]))
				contacts.Append(int64(max(to-from, 0)))
			}
		}
	})
}

// touch finds the fate of each contact. All moments are firsts, so what comes later
// does not move them; each counts only where it is not after a point's own.
// out: touch(did INTEGER, ch INTEGER (or NULL), sent (us), sent_day, sent_hour
// INTEGER; delivered, bounced, opened, answered, opted_out (us of the first, or
// NULL), noticed (us of the first human sign, or NULL), unread_to INTEGER (local hour
// until which it lay unread; at most 96 hours), paid (us of the next payment, or
// NULL)).
func (c *session) touch() error {
	of, err := c.groups("contact", "answer", "paid")
	if err != nil {
		return err
	}
	contacts, answers, paid := of[0], of[1], of[2]
	number, moment := arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64
	return c.fold("touch", contacts, []arrow.Field{
		{Name: "did", Type: number},
		{Name: "ch", Type: number, Nullable: true},
		{Name: "sent_day", Type: number},
		{Name: "sent_hour", Type: number},
		{Name: "unread_to", Type: number, Nullable: true},
		{Name: "sent", Type: moment},
		{Name: "delivered", Type: moment, Nullable: true},
		{Name: "bounced", Type: moment, Nullable: true},
		{Name: "opened", Type: moment, Nullable: true},
		{Name: "answered", Type: moment, Nullable: true},
		{Name: "opted_out", Type: moment, Nullable: true},
		{Name: "noticed", Type: moment, Nullable: true},
		{Name: "paid", Type: moment, Nullable: true},
	}, func(b *array.RecordBuilder, debtors iter.Seq[int32]) {
		var numbers [5]*array.Int32Builder
		var times [8]*array.Int64Builder
		for k := range numbers {
			numbers[k] = b.Field(k).(*array.Int32Builder)
		}
		for k := range times {
			times[k] = b.Field(len(numbers) + k).(*array.Int64Builder)
		}
		type fate struct {
			first [5]int64 // by what of answer.sql
			hour  int64    // of the first human sign
		}
		var fates []fate
		at := map[int64]int{} // by cid
		for d := range debtors {
			cid, ch, sent, day, hour := contacts.of(d, 0), contacts.of(d, 1), contacts.of(d, 2), contacts.of(d, 3), contacts.of(d, 4)
			fates = fates[:0]
			clear(at)
			for i, id := range cid {
				at[id] = i
				fates = append(fates, fate{[5]int64{never, never, never, never, never}, never})
			}
			what, moments, hours := answers.of(d, 1), answers.of(d, 2), answers.of(d, 3)
			for k, id := range answers.of(d, 0) {
				i, ok := at[id]
				if !ok {
					continue // of a contact that is not known
				}
				f := &fates[i]
				f.first[what[k]] = min(f.first[what[k]], moments[k])
				if what[k] == 2 || what[k] == 3 {
					f.hour = min(f.hour, hours[k])
				}
			}
			pays := paid.of(d, 0)
			slices.Sort(pays)
			for i, f := range fates {
				numbers[0].Append(d)
				if ch[i] == none {
					numbers[1].AppendNull()
				} else {
					numbers[1].Append(int32(ch[i]))
				}
				numbers[2].Append(int32(day[i]))
				numbers[3].Append(int32(hour[i]))
				unread := hour[i] + 96
				if f.hour != never {
					unread = min(unread, f.hour+1)
				}
				numbers[4].Append(int32(unread))
				times[0].Append(sent[i])
				next := int64(never)
				if k, _ := slices.BinarySearch(pays, sent[i]+1); k < len(pays) {
					next = pays[k]
				}
				for k, t := range [...]int64{f.first[0], f.first[1], f.first[2], f.first[3], f.first[4], min(f.first[2], f.first[3]), next} {
					if t == never {
						times[1+k].AppendNull()
					} else {
						times[1+k].Append(t)
					}
				}
			}
		}
	})
}

// natural finds the days before today on which something was overdue and no contact
// had been sent that day or in the seven days before, and those of them on which an
// invoice was paid: what a debtor does unasked. Which days are such depends on what
// came before them only, so they are found once for all points of a debtor; each
// counts those before its today.
// out: natural(pid INTEGER, natural_days, natural_payments BIGINT), of debtors with
// anything overdue at some time.
func (c *session) natural() error {
	of, err := c.groups("overdue", "sending", "turn")
	if err != nil {
		return err
	}
	overdue, sent, turns := of[0], of[1], of[2]
	return c.fold("natural", turns, []arrow.Field{
		{Name: "pid", Type: arrow.PrimitiveTypes.Int32},
		{Name: "natural_days", Type: arrow.PrimitiveTypes.Int64},
		{Name: "natural_payments", Type: arrow.PrimitiveTypes.Int64},
	}, func(b *array.RecordBuilder, debtors iter.Seq[int32]) {
		pids, days, payments := b.Field(0).(*array.Int32Builder), b.Field(1).(*array.Int64Builder), b.Field(2).(*array.Int64Builder)
		var u unasked
		for d := range debtors {
			if !u.of(overdue.of(d, 0), overdue.of(d, 1), overdue.of(d, 2), sent.of(d, 1)) {
				continue
			}
			today := turns.of(d, 1)
			for i, pid := range turns.of(d, 0) {
				n, paid := u.before(today[i])
				pids.Append(int32(pid))
				days.Append(n)
				payments.Append(paid)
			}
		}
	})
}

// fold makes a relation of what each gives for the debtors that it is dealt: those
// of by, in their order, in as many parts as there are cores.
func (c *session) fold(name string, by *grouped, fields []arrow.Field, each func(b *array.RecordBuilder, debtors iter.Seq[int32])) error {
	made := arrow.NewSchema(fields, nil)
	parts := make([]arrow.RecordBatch, runtime.GOMAXPROCS(0))
	var work sync.WaitGroup
	for k, debtors := range by.deal(len(parts)) {
		work.Go(func() {
			b := array.NewRecordBuilder(memory.DefaultAllocator, made)
			defer b.Release()
			each(b, debtors)
			parts[k] = b.NewRecordBatch()
		})
	}
	work.Wait()
	defer func() {
		for _, rec := range parts {
			rec.Release()
		}
	}()
	return c.keep(name, made, parts)
}

// shadow is for how many days a contact explains a payment, its own included.
const shadow = 8

// span is a stretch of days: [from, to).
type span struct{ from, to int64 }

// unasked are the natural days of one debtor, and the days among them on which an
// invoice was paid.
type unasked struct {
	days []span // in order, apart
	paid []int64
	late []span  // scratch
	sent []int64 // scratch
}

// of finds them, and reports whether anything was ever overdue. Invoice i was
// overdue on [begins[i], over[i]), if that is not empty, and paid on paid[i], if
// that is not none; contacts were sent on the days sent, in any order.
func (u *unasked) of(begins, over, paid, sent []int64) bool {
	u.days, u.paid, u.late, u.sent = u.days[:0], u.paid[:0], u.late[:0], append(u.sent[:0], sent...)
	for i := range begins {
		if over[i] > begins[i] {
			u.late = append(u.late, span{begins[i], over[i]})
		}
	}
	if len(u.late) == 0 {
		return false
	}
	slices.SortFunc(u.late, func(a, b span) int { return int(a.from - b.from) })
	slices.Sort(u.sent)
	free := int64(math.MinInt64) // what lies before is done
	next := 0                    // of sent
	for _, l := range u.late {
		from := max(l.from, free)
		for from < l.to {
			for next < len(u.sent) && u.sent[next]+shadow <= from {
				next++
			}
			if next == len(u.sent) || u.sent[next] >= l.to {
				u.days = append(u.days, span{from, l.to})
				break
			}
			if u.sent[next] > from {
				u.days = append(u.days, span{from, u.sent[next]})
			}
			from = u.sent[next] + shadow
		}
		free = max(free, l.to)
	}
	u.paid = append(u.paid, paid...)
	slices.Sort(u.paid)
	u.paid = slices.Compact(u.paid)
	i := 0
	u.paid = slices.DeleteFunc(u.paid, func(d int64) bool {
		for i < len(u.days) && u.days[i].to <= d {
			i++
		}
		return i == len(u.days) || d < u.days[i].from
	})
	return true
}

// before counts them before a day.
func (u *unasked) before(today int64) (days, payments int64) {
	for _, s := range u.days {
		if s.from >= today {
			break
		}
		days += min(s.to, today) - s.from
	}
	n, _ := slices.BinarySearch(u.paid, today)
	return days, int64(n)
}

// payment adds up how a debtor pays, and what is open.
// out: payment(pid INTEGER, of points with any invoice; invoices_seen, invoices_paid,
// overdue_invoices, reminders BIGINT; days_late_mean, days_late_mean_amount (days,
// NULL where none was paid); share_paid_before_due, share_paid_after_reminder,
// share_paid_unprompted_late (in [0, 1], NULL alike), reminders_per_paid;
// open_balance, overdue_balance (units of the currency); oldest_due INTEGER (day, NULL where
// nothing is open)).
func (c *session) payment() error {
	of, err := c.groups("invoices_of", "parts_of")
	if err != nil {
		return err
	}
	invoices, parts := of[0], of[1]
	c.invoices = invoices
	fields := []arrow.Field{{Name: "pid", Type: arrow.PrimitiveTypes.Int32}, {Name: "oldest_due", Type: arrow.PrimitiveTypes.Int32, Nullable: true}}
	for _, name := range []string{"invoices_seen", "invoices_paid", "overdue_invoices"} {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64})
	}
	for _, name := range []string{
		"days_late_mean", "days_late_mean_amount", "share_paid_before_due", "share_paid_after_reminder", "share_paid_unprompted_late", "reminders_per_paid",
		"open_balance", "overdue_balance",
	} {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true})
	}
	return c.fold("payment", invoices, fields, func(b *array.RecordBuilder, points iter.Seq[int32]) {
		pids, oldest := b.Field(0).(*array.Int32Builder), b.Field(1).(*array.Int32Builder)
		var counts [3]*array.Int64Builder
		for k := range counts {
			counts[k] = b.Field(2 + k).(*array.Int64Builder)
		}
		var measures [8]*array.Float64Builder
		for k := range measures {
			measures[k] = b.Field(5 + k).(*array.Float64Builder)
		}
		for pid := range points {
			var s habit
			late, due, cents, contacts, overdue := invoices.of(pid, 0), invoices.of(pid, 2), invoices.of(pid, 3), invoices.of(pid, 4), invoices.of(pid, 5)
			s.oldest = never
			for i := range late {
				s.add(late[i], due[i], cents[i], contacts[i], overdue[i] != 0)
			}
			overdue = parts.of(pid, 1)
			for i, cents := range parts.of(pid, 0) {
				s.open -= cents
				s.overdueCents -= cents * overdue[i]
			}
			pids.Append(pid)
			if s.oldest == never {
				oldest.AppendNull()
			} else {
				oldest.Append(int32(s.oldest))
			}
			for k, n := range [...]int64{s.seen, s.paid, s.overdue} {
				counts[k].Append(n)
			}
			for k, of := range [...][2]int64{
				{s.late, s.paid},
				{s.lateCents, s.cents},
				{s.before, s.paid},
				{s.after, s.paid},
				{s.paid - s.before - s.after, s.paid},
				{s.reminders, s.paid},
				{s.open, 100},
				{s.overdueCents, 100},
			} {
				if of[1] == 0 {
					measures[k].AppendNull()
				} else {
					measures[k].Append(float64(of[0]) / float64(of[1]))
				}
			}
		}
	})
}

// habit adds up invoices: how many were seen, paid, before due, after a reminder and
// are overdue; of those paid their days late, days × cents, cents and reminders; of
// the others what is open and overdue, in cents, and the first day due.
type habit struct {
	seen, paid, before, after, overdue int64
	late, lateCents, cents, reminders  int64
	open, overdueCents, oldest         int64
}

func (s *habit) add(late, due, cents, contacts int64, overdue bool) {
	s.seen++
	if late == none {
		s.open += cents
		s.oldest = min(s.oldest, due)
		if overdue {
			s.overdue++
			s.overdueCents += cents
		}
		return
	}
	days := daysLate(late)
	s.paid++
	s.late += days
	s.lateCents += days * cents
	s.cents += cents
	s.reminders += contacts
	switch {
	case days <= 0:
		s.before++
	case contacts > 0:
		s.after++
	}
}

// none stands for NULL, and never for a moment that has not come.
const (
	none  = math.MinInt64
	never = math.MaxInt64
)

// grouped holds rows by their first column, the number of a debtor or point.
type grouped struct {
	from []int // group k has the rows [from[k], from[k+1])
	cols [][]int64
}

// groups reads the rows of files, one file after the other; those that have been
// read are put in order beside it.
func (c *session) groups(names ...string) (all []*grouped, err error) {
	all = make([]*grouped, len(names))
	var work sync.WaitGroup
	defer work.Wait()
	for i, name := range names {
		rows, err := c.rows(name)
		if err != nil {
			return nil, err
		}
		work.Go(func() { all[i] = rows.grouped() })
	}
	return all, nil
}

// rows are those of a query whose first column is the number of a debtor or point,
// from 1 on, and whose other columns are whole numbers.
type rows []arrow.RecordBatch

// rows reads those of a file, which their reader releases.
func (c *session) rows(name string) (r rows, err error) {
	err = c.read(text(name), func(rec arrow.RecordBatch) error {
		for k, col := range rec.Columns()[1:] {
			if id := col.DataType().ID(); id != arrow.INT64 && id != arrow.UINT64 {
				return &SchemaError{Column: rec.ColumnName(k + 1), Got: col.DataType().String()}
			}
		}
		rec.Retain()
		r = append(r, rec)
		return nil
	})
	if err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

func (r rows) release() {
	for _, rec := range r {
		rec.Release()
	}
}

// grouped puts rows in the order of their first column, and releases them.
func (r rows) grouped() *grouped {
	defer r.release()
	if len(r) == 0 {
		return &grouped{from: []int{0}}
	}
	keys := func(rec arrow.RecordBatch) []int32 { return rec.Column(0).(*array.Int32).Values() }
	last, n := int32(0), 0
	for _, rec := range r {
		for _, k := range keys(rec) {
			last = max(last, k)
		}
		n += int(rec.NumRows())
	}
	g := &grouped{from: make([]int, last+2), cols: make([][]int64, r[0].NumCols()-1)}
	for _, rec := range r {
		for _, k := range keys(rec) {
			g.from[k+1]++
		}
	}
	for k := range last + 1 {
		g.from[k+1] += g.from[k]
	}
	place, next := make([]int, 0, n), slices.Clone(g.from)
	for _, rec := range r {
		for _, k := range keys(rec) {
			place = append(place, next[k])
			next[k]++
		}
	}
	var work sync.WaitGroup
	for k := range g.cols {
		work.Go(func() {
			g.cols[k] = make([]int64, n)
			at := place
			for _, rec := range r {
				values := wholeNumbers(rec.Column(k + 1))
				for i, v := range values {
					g.cols[k][at[i]] = v
				}
				if col := rec.Column(k + 1); col.NullN() > 0 {
					for i := range values {
						if col.IsNull(i) {
							g.cols[k][at[i]] = none
						}
					}
				}
				at = at[len(values):]
			}
		})
	}
	work.Wait()
	return g
}

// wholeNumbers are those of a column; of one that stands for a name, its bits.
func wholeNumbers(col arrow.Array) []int64 {
	if names, ok := col.(*array.Uint64); ok {
		return arrow.Int64Traits.CastFromBytes(arrow.Uint64Traits.CastToBytes(names.Values()))
	}
	return col.(*array.Int64).Values()
}

// deal deals the groups to hands, in their order, to each about as many numbers.
func (g *grouped) deal(hands int) []iter.Seq[int32] {
	dealt := make([]iter.Seq[int32], hands)
	n := len(g.from) - 1
	for k := range dealt {
		from, to := n*k/hands, n*(k+1)/hands
		dealt[k] = func(yield func(int32) bool) {
			for i := from; i < to; i++ {
				if g.from[i] < g.from[i+1] && !yield(int32(i)) {
					return
				}
			}
		}
	}
	return dealt
}

// of returns a column of a group, empty where there is no such group.
func (g *grouped) of(key int32, column int) []int64 {
	if int(key) >= len(g.from)-1 {
		return nil
	}
	return g.cols[column][g.from[key]:g.from[key+1]]
}
