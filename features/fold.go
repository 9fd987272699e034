package features

import (
	"cmp"
	"math"
	"slices"

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
	payments, err := c.group("paying")
	if err != nil {
		return err
	}
	sent, err := c.group("sending")
	if err != nil {
		return err
	}
	for d := range sent.groups() {
		slices.Sort(sent.of(d, 0)) // of the days nothing is asked here
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "iid", Type: arrow.PrimitiveTypes.Uint64},
		{Name: "settled", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "settled_day", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "partly", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "contacts", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	}, nil))
	defer b.Release()
	iids, moments, days := b.Field(0).(*array.Uint64Builder), b.Field(1).(*array.Int64Builder), b.Field(2).(*array.Int32Builder)
	partly, contacts := b.Field(3).(*array.BooleanBuilder), b.Field(4).(*array.Int64Builder)
	var order []int
	for d := range payments.groups() {
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
			own := sent.of(d, 0)
			from, _ := slices.BinarySearch(own, issued[at]+1)
			to, _ := slices.BinarySearch(own, paid[at])
			moments.Append(paid[at])
			days.Append(int32(day[at]))
			contacts.Append(int64(max(to-from, 0)))
		}
	}
	return c.keepBuilt("settled", b)
}

// touch finds the fate of each contact. All moments are firsts, so what comes later
// does not move them; each counts only where it is not after a point's own.
// out: touch(did INTEGER, ch INTEGER (or NULL), sent (us), sent_day, sent_hour
// INTEGER; delivered, bounced, opened, answered, opted_out (us of the first, or
// NULL), noticed (us of the first human sign, or NULL), unread_to INTEGER (local hour
// until which it lay unread; at most 96 hours), paid (us of the next payment, or
// NULL)).
func (c *session) touch() error {
	var contacts, answers, paid *grouped
	for _, g := range []struct {
		name string
		dst  **grouped
	}{{"contact", &contacts}, {"answer", &answers}, {"paid", &paid}} {
		var err error
		if *g.dst, err = c.group(g.name); err != nil {
			return err
		}
	}
	number, moment := arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
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
	}, nil))
	defer b.Release()
	b.Reserve(contacts.len())
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
	for d := range contacts.groups() {
		cid, ch, sent, day, hour := contacts.of(d, 0), contacts.of(d, 1), contacts.of(d, 2), contacts.of(d, 3), contacts.of(d, 4)
		fates = fates[:0]
		clear(at)
		for i, id := range cid {
			at[id] = i
			fates = append(fates, fate{[5]int64{never, never, never, never, never}, never})
		}
		what, moments, hours := answers.of(d, 1), answers.of(d, 2), answers.of(d, 3)
		for k, id := range answers.of(d, 0) {
			f := &fates[at[id]]
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
	return c.keepBuilt("touch", b)
}

// natural finds the days before today on which something was overdue and no contact
// had been sent that day or in the seven days before, and those of them on which an
// invoice was paid: what a debtor does unasked. Which days are such depends on what
// came before them only, so they are found once for all points of a debtor; each
// counts those before its today.
// out: natural(pid INTEGER, natural_days, natural_payments BIGINT), of debtors with
// anything overdue at some time.
func (c *session) natural() error {
	overdue, err := c.group("overdue")
	if err != nil {
		return err
	}
	sent, err := c.group("sending")
	if err != nil {
		return err
	}
	turns, err := c.group("turn")
	if err != nil {
		return err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "pid", Type: arrow.PrimitiveTypes.Int32},
		{Name: "natural_days", Type: arrow.PrimitiveTypes.Int64},
		{Name: "natural_payments", Type: arrow.PrimitiveTypes.Int64},
	}, nil))
	defer b.Release()
	pids, days, payments := b.Field(0).(*array.Int32Builder), b.Field(1).(*array.Int64Builder), b.Field(2).(*array.Int64Builder)
	var u unasked
	for d := range turns.groups() {
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
	return c.keepBuilt("natural", b)
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

// none stands for NULL, and never for a moment that has not come.
const (
	none  = math.MinInt64
	never = math.MaxInt64
)

// grouped holds the rows of a query by their first column, the number of a debtor or
// point, from 1 on; the other columns are whole numbers.
type grouped struct {
	from []int // group k has the rows [from[k], from[k+1])
	cols [][]int64
}

// group reads the rows of a file, in no particular order within a group.
func (c *session) group(name string) (*grouped, error) {
	var keys []int32
	var cols [][]int64
	err := c.read(text(name), func(rec arrow.RecordBatch) error {
		keys = append(keys, rec.Column(0).(*array.Int32).Values()...)
		if cols == nil {
			cols = make([][]int64, rec.NumCols()-1)
		}
		for k := range cols {
			col, at := rec.Column(k+1), len(cols[k])
			switch col := col.(type) {
			case *array.Int64:
				cols[k] = append(cols[k], col.Values()...)
			case *array.Uint64: // a number that stands for a name: its bits
				cols[k] = append(cols[k], arrow.Int64Traits.CastFromBytes(arrow.Uint64Traits.CastToBytes(col.Values()))...)
			default:
				return &SchemaError{Column: rec.ColumnName(k + 1), Got: col.DataType().String()}
			}
			if col.NullN() > 0 {
				for i := range col.Len() {
					if col.IsNull(i) {
						cols[k][at+i] = none
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	last := int32(0)
	for _, k := range keys {
		last = max(last, k)
	}
	g := &grouped{from: make([]int, last+2), cols: cols}
	for _, k := range keys {
		g.from[k+1]++
	}
	for k := range last + 1 {
		g.from[k+1] += g.from[k]
	}
	place := make([]int, len(keys))
	next := slices.Clone(g.from)
	for i, k := range keys {
		place[i] = next[k]
		next[k]++
	}
	for k, col := range cols {
		sorted := make([]int64, len(col))
		for i, v := range col {
			sorted[place[i]] = v
		}
		cols[k] = sorted
	}
	return g, nil
}

// len is the number of rows.
func (g *grouped) len() int { return g.from[len(g.from)-1] }

// groups yields the numbers of the groups.
func (g *grouped) groups() func(yield func(int32) bool) {
	return func(yield func(int32) bool) {
		for k := range len(g.from) - 1 {
			if g.from[k] < g.from[k+1] && !yield(int32(k)) {
				return
			}
		}
	}
}

// of returns a column of a group, empty where there is no such group.
func (g *grouped) of(key int32, column int) []int64 {
	if int(key) >= len(g.from)-1 {
		return nil
	}
	return g.cols[column][g.from[key]:g.from[key+1]]
}
