package features

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"rappel/datasets/ledger"
)

// vectorFiles are the files that the vectors are made of.
var vectorFiles = []string{"vector", "payments_of", "looks_of", "contacts_of", "sky"}

// answerVectors builds the steps of the vectors and yields them.
func (c *session) answerVectors(points string, instead map[string]string, yield func(arrow.RecordBatch) error) error {
	if err := c.build(points, instead, vectorSteps, slices.Concat(vectorFiles, poolFiles)...); err != nil {
		return err
	}
	p, err := c.pool()
	if err != nil {
		return err
	}
	return c.readVectors(p, yield)
}

// readVectors yields the vectors, in the schema of Schema. What is one number or
// text a debtor passes as it is, without a copy. What happened to a debtor several
// times comes as rows of whole numbers, one an event, and is added up here: SQL says
// of every event whether it counts, and as what; sums, medians and runs over the
// events of one debtor are cheap in a loop and dear in a query.
// The rates of profiles are those of p; errDay says that it does not hold all.
func (c *session) readVectors(p *pool, yield func(arrow.RecordBatch) error) error {
	e := around{pool: p}
	of, err := c.groups("payments_of", "looks_of", "contacts_of", "sky")
	if err != nil {
		return err
	}
	e.invoices, e.payments, e.looks, e.contacts = c.invoices, of[0], of[1], of[2]
	e.skies = skiesOf(of[3])
	return c.read(text("vector"), func(rec arrow.RecordBatch) error {
		made, err := e.unpack(rec)
		if err != nil {
			return err
		}
		defer made.Release()
		return yield(made)
	})
}

// around is what the rows of vector.sql are completed from; the files say what
// their columns are.
type around struct {
	invoices, payments, looks, contacts *grouped // by pid
	skies                               []skyAt  // by place
	pool                                *pool
	made                                unpacked // the batch that lives
}

// unpack gives a batch of vector.sql the schema of Schema. It lives until the next is
// asked for.
func (e *around) unpack(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	in, err := readPacked(rec)
	if err != nil {
		return nil, err
	}
	n := int(rec.NumRows())
	u := &e.made
	u.reset(n)
	var work errgroup.Group
	share := (n + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	for from := 0; from < n; from += share {
		work.Go(func() error { return e.complete(&unpacked{Set: u.Set}, in, from, min(from+share, n)) })
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	made := reflect.ValueOf(&u.Set).Elem()
	cols := make([]arrow.Array, len(columns))
	defer func() {
		for _, a := range cols {
			if a != nil {
				a.Release()
			}
		}
	}()
	for i, c := range columns {
		if f := made.Field(c.index); !f.IsNil() {
			cols[i] = columnOf(c, f.Interface(), n)
			continue
		}
		col, err := columnNamed(rec, c.name)
		if err != nil {
			return nil, err
		}
		if col.DataType().ID() != c.typ.ID() {
			return nil, &SchemaError{Column: c.name, Got: col.DataType().String()}
		}
		cols[i] = retype(c.typ, col)
	}
	return array.NewRecordBatch(schema, cols, rec.NumRows()), nil
}

// complete makes the columns of the rows from, from+1, …, to-1.
func (e *around) complete(u *unpacked, in *packed, from, to int) error {
	for r := from; r < to; r++ {
		pid := in.pid[r]
		u.invoices(r, e.invoices.of(pid, 0), e.invoices.of(pid, 1))
		u.payments(r, e.payments.of(pid, 0), e.payments.of(pid, 1), in.weekday[r], in.monthEnded[r])
		u.looks(r, e.looks.of(pid, 0))
		u.unread(r, e.contacts.of(pid, 4))
		oldest := int64(none)
		if in.open[r] > 0 {
			oldest = int64(in.oldest[r])
		}
		ripe := u.contacts(r, e.contacts.of(pid, 0), e.contacts.of(pid, 1), oldest)
		profile, err := e.pool.rates(in.creditor[r], in.profile[r], in.today[r])
		if err != nil {
			return err
		}
		for k := range ledger.Channels {
			u.OpenRate[r*ledger.Channels+k] = shrunk(ripe[k].opened, ripe[k].n, profile.open[k])
			u.Paid7dRate[r*ledger.Channels+k] = shrunk(ripe[k].paid, ripe[k].n, profile.pay[k])
		}
		u.forecast(r, in.ahead.of(r), in.suns.of(r), in.rains.of(r))
		if place := int(in.place[r]); place < len(e.skies) {
			e.skies[place].respond(u.SunResponse[4*r:4*r+4], u.RainResponse[4*r:4*r+4], in.upto[r], e.looks.of(pid, 1), e.contacts.of(pid, 4))
		}
		u.spans(r, u.HoursToOpen, e.contacts.of(pid, 1), e.contacts.of(pid, 2))
		u.spans(r, u.HoursToPay, e.contacts.of(pid, 1), e.contacts.of(pid, 3))
	}
	return nil
}

// retype gives an array the exact type t, of the same layout, without a copy.
func retype(t arrow.DataType, a arrow.Array) arrow.Array {
	d := a.Data()
	same := array.NewData(t, d.Len(), d.Buffers(), d.Children(), d.NullN(), d.Offset())
	defer same.Release()
	return array.MakeFromData(same)
}

// packed is the part of a batch of vector.sql from which other columns are made.
type packed struct {
	pid, place          []int32
	upto                []int64
	creditor, profile   []uint64
	today               []int32
	weekday, monthEnded []int32   // of today
	open, oldest        []float64 // invoices, and days past due of the oldest of them
	ahead, suns, rains  lists[int64]
}

func readPacked(rec arrow.RecordBatch) (*packed, error) {
	p := new(packed)
	for _, c := range []struct {
		name string
		dst  any
	}{
		{"pid", &p.pid},
		{"place", &p.place},
		{"upto", &p.upto},
		{"creditor", &p.creditor},
		{"prof", &p.profile},
		{"today", &p.today},
		{"weekday", &p.weekday},
		{"month_ended", &p.monthEnded},
		{"open_invoices", &p.open},
		{"oldest_dpd", &p.oldest},
		{"ahead", &p.ahead},
		{"suns", &p.suns},
		{"rains", &p.rains},
	} {
		col, err := columnNamed(rec, c.name)
		if err != nil {
			return nil, err
		}
		var fits bool
		switch dst := c.dst.(type) {
		case *[]int32:
			var a *array.Int32
			if a, fits = col.(*array.Int32); fits {
				*dst = a.Values()
			}
		case *[]float64:
			var a *array.Float64
			if a, fits = col.(*array.Float64); fits {
				*dst = a.Values()
			}
		case *[]int64:
			var a *array.Int64
			if a, fits = col.(*array.Int64); fits {
				*dst = a.Values()
			}
		case *[]uint64:
			var a *array.Uint64
			if a, fits = col.(*array.Uint64); fits {
				*dst = a.Values()
			}
		case *lists[int64]:
			fits = dst.read(col)
		}
		if !fits {
			return nil, &SchemaError{Column: c.name, Got: col.DataType().String()}
		}
	}
	return p, nil
}

func columnNamed(rec arrow.RecordBatch, name string) (arrow.Array, error) {
	at := rec.Schema().FieldIndices(name)
	if len(at) == 0 {
		return nil, &SchemaError{Column: name}
	}
	return rec.Column(at[0]), nil
}

// lists are the lists of a column; values are those of all rows.
type lists[T any] struct {
	rows   *array.List
	values []T
}

// read takes the lists of a column, and reports whether it has any of this type.
func (l *lists[T]) read(col arrow.Array) bool {
	rows, isList := col.(*array.List)
	if !isList {
		return false
	}
	values, fits := rows.ListValues().(interface{ Values() []T })
	if !fits {
		return false
	}
	l.rows, l.values = rows, values.Values()
	return true
}

// of returns the list of a row, empty where it is NULL.
func (l *lists[T]) of(row int) []T {
	if l.rows.IsNull(row) {
		return nil
	}
	from, to := l.rows.ValueOffsets(row)
	return l.values[from:to]
}

// unpacked holds the columns that are made here, in the fields of a Set; the
// others are nil.
type unpacked struct {
	Set
	own []int64 // scratch
}

// reset makes room for n rows, all of zeros.
func (u *unpacked) reset(n int) {
	for _, f := range []*[]float64{
		&u.DaysLateMedian, &u.DaysLateMAD, &u.DaysLateTrend, &u.CadenceDays, &u.Cadence,
		&u.PayMonthEnd, &u.DaysSincePayment, &u.DaysSinceUsualPayday,
		&u.Step, &u.HoursSinceContact, &u.LastChannel, &u.Contacts7d, &u.Contacts28d, &u.MachineOpens, &u.Complaints,
	} {
		zero(f, n)
	}
	for _, f := range []*[]float32{
		&u.Sends, &u.SendsMatured, &u.Delivered, &u.Bounced, &u.Opened, &u.Answered, &u.Paid3d, &u.Paid7d, &u.Paid14d,
		&u.OptedOut, &u.HoursToOpen, &u.HoursToPay, &u.SilentRun, &u.OpenRate, &u.Paid7dRate,
	} {
		zero(f, n*ledger.Channels)
	}
	for _, f := range []*[]float32{&u.MethodShare, &u.MethodDaysLate} {
		zero(f, n*len(ledger.Methods))
	}
	for _, f := range []*[]float32{&u.PayWeekday, &u.OpenWeekday, &u.ForecastSun, &u.ForecastRain} {
		zero(f, n*7)
	}
	for _, f := range []*[]float32{&u.SunResponse, &u.RainResponse} {
		zero(f, n*4)
	}
	for _, f := range []*[]float32{&u.Opens, &u.Exposure} {
		zero(f, n*HoursOfWeek)
	}
	zero(&u.UsualMethod, n)
}

// zero makes s n long and empty, in its own room where that is enough.
func zero[T any](s *[]T, n int) {
	if cap(*s) < n {
		*s = make([]T, n)
		return
	}
	*s = (*s)[:n]
	clear(*s)
}

// daysLate are those of a paid invoice, as invoices_of.sql packs them.
func daysLate(late int64) int64 { return late&(1<<20-1) - 1<<19 }

// invoices puts those that were paid in the order of their settlement.
func (u *unpacked) invoices(r int, late, issues []int64) {
	own := u.own[:0]
	for _, v := range late {
		if v != none {
			own = append(own, v)
		}
	}
	slices.Sort(own)
	n := len(own)
	sum, last := int64(0), int64(0) // of all, and of the last three
	for i, v := range own {
		own[i] = daysLate(v)
		sum += own[i]
		if i >= n-3 {
			last += own[i]
		}
	}
	if n > 3 {
		u.DaysLateTrend[r] = float64(last)/3 - float64(sum-last)/float64(n-3)
	}
	if n > 0 {
		u.DaysLateMedian[r], u.DaysLateMAD[r] = medianAndMAD(own)
	}

	own = append(own[:0], issues...)
	slices.Sort(own)
	gaps := own[:0]
	for i := 1; i < len(own); i++ {
		if gap := own[i] - own[i-1]; gap > 0 {
			gaps = append(gaps, gap)
		}
	}
	u.own = own
	if len(gaps) == 0 {
		return
	}
	n = len(gaps)
	days, spread := medianAndMAD(gaps)
	u.CadenceDays[r] = days
	switch {
	case n >= 3 && days >= 6 && days <= 8 && spread <= 1:
		u.Cadence[r] = 1
	case n >= 3 && days >= 27 && days <= 33 && spread <= 3:
		u.Cadence[r] = 2
	}
}

// medianAndMAD returns the median of values, and that of the distances to it. It
// sorts values and overwrites them.
func medianAndMAD(values []int64) (med, mad float64) {
	slices.Sort(values)
	twice := middle(values) // twice the median is a whole number
	for i, v := range values {
		d := 2*v - twice
		values[i] = max(d, -d)
	}
	slices.Sort(values)
	return float64(twice) / 2, float64(middle(values)) / 4
}

// middle returns twice the median of sorted values.
func middle(sorted []int64) int64 {
	n := len(sorted)
	return sorted[(n-1)/2] + sorted[n/2]
}

// one is the weight of something of today; weights are whole numbers of 2^-30, so
// that their sums do not depend on the order of a list.
const one = 1 << 30

// payments adds up pay days, each once, and payments by method.
func (u *unpacked) payments(r int, days, methods []int64, weekday, monthEnded int32) {
	u.DaysSincePayment[r], u.DaysSinceUsualPayday[r] = -1, -1
	if len(days) == 0 {
		return
	}
	own := append(u.own[:0], days...)
	slices.Sort(own)
	own = slices.Compact(own)
	u.own = own
	var weights [7]int64
	ends, all := int64(0), int64(0)
	for _, v := range own {
		w := v & (1<<31 - 1)
		weights[v>>31&7] += w
		all += w
		ends += w * (v >> 34 & 1)
	}
	usual := 0
	for d, w := range weights {
		u.PayWeekday[r*7+d] = float32(float64(w) / one)
		if w > weights[usual] {
			usual = d
		}
	}
	if all > 0 { // unless all was too long ago
		u.PayMonthEnd[r] = float64(ends) / float64(all)
	}
	u.DaysSincePayment[r] = float64(own[0] >> 35)
	if u.PayMonthEnd[r] >= 0.5 {
		u.DaysSinceUsualPayday[r] = float64(monthEnded)
	} else {
		u.DaysSinceUsualPayday[r] = float64((int(weekday) - usual + 7) % 7)
	}

	var count, dated, late [8]int64
	for _, v := range methods {
		m := v & 7
		count[m]++
		if v&8 != 0 {
			dated[m]++
			late[m] += v>>4 - 1<<19
		}
	}
	best := 0
	for m := range ledger.Methods {
		u.MethodShare[r*6+m] = float32(float64(count[m]) / float64(len(methods)))
		if dated[m] > 0 {
			u.MethodDaysLate[r*6+m] = float32(float64(late[m]) / float64(dated[m]))
		}
		if count[m] > count[best] {
			best = m
		}
	}
	if count[best] > 0 {
		u.UsualMethod[r] = ledger.Methods[best]
	}
}

// looks adds up signs by hour of the week, and by weekday where only the date is
// known; and counts what machines opened, and complaints.
func (u *unpacked) looks(r int, packed []int64) {
	var slot [HoursOfWeek + 7]int64
	for _, v := range packed {
		switch v {
		case -1:
			u.MachineOpens[r]++
		case -2:
			u.Complaints[r]++
		default:
			slot[v&255] += v >> 8
		}
	}
	for h, w := range slot[:HoursOfWeek] {
		u.Opens[r*HoursOfWeek+h] = float32(float64(w) / one)
	}
	for d, w := range slot[HoursOfWeek:] {
		u.OpenWeekday[r*7+d] = float32(float64(w) / one)
	}
}

const freshest = 32

// sunk is how much the hour of an age counts as exposure while a contact lies
// unread, in parts of freshest: it sinks in the pile, and what nobody saw for a day
// tells little of the hours since. The figures are a belief of how an e-mail sinks.
var sunk = func() (by [128]int64) {
	for age := range by {
		switch {
		case age < 6:
			by[age] = freshest
		case age < 12:
			by[age] = freshest / 2
		case age < 24:
			by[age] = freshest / 5
		default:
			by[age] = 1
		}
	}
	return by
}()

// unread adds up the hours that something lay unread, each by its age.
func (u *unpacked) unread(r int, packed []int64) {
	var slot [HoursOfWeek]int64
	for _, v := range packed {
		if v == none {
			continue
		}
		first, length, weight := v>>38, v>>31&127, v&(1<<31-1)
		h := ((first+72)%HoursOfWeek + HoursOfWeek) % HoursOfWeek // 1970 began on a Thursday
		for _, part := range sunk[:length] {
			slot[h] += weight * part
			if h++; h == HoursOfWeek {
				h = 0
			}
		}
	}
	for h, w := range slot {
		u.Exposure[r*HoursOfWeek+h] = float32(float64(w) / (freshest * one))
	}
}

// ripe counts contacts whose week is over: how many, opened and paid within it.
type ripe struct{ n, opened, paid int64 }

// shrunk is a rate of a debtor, shrunk to that of its profile with the weight of
// ten contacts.
func shrunk(x, n int64, profile float64) float32 {
	return float32((float64(x) + 10*profile) / (float64(n) + 10))
}

// contacts counts contacts by channel, and by age, and those since the oldest open
// invoice fell due, oldest days ago (none: none is open); it returns those that are ripe, by channel.
func (u *unpacked) contacts(r int, sends, facts []int64, oldest int64) (ripen [ledger.Channels]ripe) {
	u.HoursSinceContact[r], u.LastChannel[r] = -1, -1
	var good [ledger.Channels]int64 // when the last was sent that was noticed, or followed by a payment
	for k := range good {
		good[k] = math.MinInt64
	}
	last, youngest := int64(math.MinInt64), int64(math.MaxInt64)
	for i, f := range facts { // see contacts_of.sql
		age, ch := f>>17, f>>14&7
		youngest = min(youngest, age)
		if age < 7 {
			u.Contacts7d[r]++
		}
		if age < 28 {
			u.Contacts28d[r]++
		}
		if age < oldest {
			u.Step[r]++
		}
		if ch >= ledger.Channels {
			continue
		}
		if sends[i] > last || sends[i] == last && float64(ch) > u.LastChannel[r] {
			last, u.LastChannel[r] = sends[i], float64(ch)
		}
		at := r*ledger.Channels + int(ch)
		u.Sends[at]++
		u.SendsMatured[at] += float32(f >> 13 & 1)
		u.Delivered[at] += float32(f >> 12 & 1)
		u.Bounced[at] += float32(f >> 11 & 1)
		u.Opened[at] += float32(f >> 10 & 1)
		u.Answered[at] += float32(f >> 9 & 1)
		u.Paid3d[at] += float32(f >> 8 & 1)
		u.Paid7d[at] += float32(f >> 7 & 1)
		u.Paid14d[at] += float32(f >> 6 & 1)
		u.OptedOut[at] += float32(f >> 5 & 1)
		ripen[ch].n += f >> 4 & 1
		ripen[ch].opened += f >> 3 & 1
		ripen[ch].paid += f >> 2 & 1
		if f>>1&1 != 0 {
			good[ch] = max(good[ch], sends[i])
		}
	}
	for i, f := range facts {
		if ch := f >> 14 & 7; ch < ledger.Channels && sends[i] > good[ch] {
			u.SilentRun[r*ledger.Channels+int(ch)]++
		}
	}
	if len(facts) > 0 {
		u.HoursSinceContact[r] = float64(youngest * 24)
	}
	return ripen
}

// spans writes the median of spans in microseconds to hours, by channel.
func (u *unpacked) spans(r int, hours []float32, facts, packed []int64) {
	own := u.own[:0]
	for i, v := range packed {
		if ch := facts[i] >> 14 & 7; v != none && ch < ledger.Channels {
			own = append(own, v<<3|ch)
		}
	}
	slices.SortFunc(own, func(a, b int64) int { return cmp.Or(cmp.Compare(a&7, b&7), cmp.Compare(a, b)) })
	u.own = own
	for len(own) > 0 {
		n, ch := 1, own[0]&7
		for n < len(own) && own[n]&7 == ch {
			n++
		}
		med := (float64(own[(n-1)/2]>>3) + float64(own[n/2]>>3)) / 2
		hours[r*ledger.Channels+int(ch)] = float32(med / 3.6e9)
		own = own[n:]
	}
}

// forecast spreads what is known of the coming days.
func (u *unpacked) forecast(r int, ahead, suns, rains []int64) {
	sun, rain := u.ForecastSun[7*r:7*r+7], u.ForecastRain[7*r:7*r+7]
	for d := range sun {
		sun[d], rain[d] = -1, -1
	}
	for i, d := range ahead { // see forecast.sql
		sun[d], rain[d] = float32(float64(suns[i])/60000), float32(float64(rains[i])/1000)
	}
}

// columnOf makes the Arrow column of n rows from a slice of a Set. Numbers are not
// copied.
func columnOf(c column, values any, n int) arrow.Array {
	switch v := values.(type) {
	case []string:
		b := array.NewStringBuilder(memory.DefaultAllocator)
		defer b.Release()
		b.AppendValues(v, nil)
		return b.NewArray()
	case []float64:
		data := array.NewData(c.typ, n, []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Float64Traits.CastToBytes(v))}, nil, 0, 0)
		defer data.Release()
		return array.MakeFromData(data)
	case []float32:
		flat := array.NewData(arrow.PrimitiveTypes.Float32, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(v))}, nil, 0, 0)
		defer flat.Release()
		data := array.NewData(c.typ, n, []*memory.Buffer{nil}, []arrow.ArrayData{flat}, 0, 0)
		defer data.Release()
		return array.MakeFromData(data)
	}
	panic(fmt.Sprintf("features: a column of %T", values))
}
