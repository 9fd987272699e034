package features

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/datasets/ledger"
)

// Version of the behaviour vector; a change of meaning under the same names
// raises it.
const Version = 1

// HoursOfWeek is the length of the open-time lists. Hour 0 is Monday 00:00 on
// the debtor's wall clock.
const HoursOfWeek = 168

// Set is many behaviour vectors, column by column: row i of every slice is one
// debtor. A list column of width w holds row i at [i*w, (i+1)*w). Its fields, in
// this order, are the schema of the vector; what is not known is 0 unless said
// otherwise. Shares and rates lie in [0, 1], money is in units of the currency,
// spans are in days unless named otherwise. Lists of five run over the channels
// and lists of six over ledger.Methods.
type Set struct {
	// Keys and the moment of each vector, microseconds since 1970.
	Creditor []string `col:"creditor_id"`
	Debtor   []string `col:"debtor_id"`
	AsOf     []int64  `col:"as_of"`

	// Profile.
	Kind     []string `col:"kind"`
	Sector   []string `col:"sector"` // first two digits of the NACE code, or empty
	Area     []string `col:"area"`   // country and first two characters of the postcode
	Language []string `col:"language"`
	Timezone []string `col:"timezone"` // the debtor's, else the creditor's
	Country  []string `col:"country"`

	// Payment.
	InvoicesSeen            []float64 `col:"invoices_seen"`
	InvoicesPaid            []float64 `col:"invoices_paid"` // in full
	DaysLateMean            []float64 `col:"days_late_mean"`
	DaysLateMedian          []float64 `col:"days_late_median"`
	DaysLateMAD             []float64 `col:"days_late_mad"` // median absolute deviation
	DaysLateMeanAmount      []float64 `col:"days_late_mean_amount"`
	DaysLateTrend           []float64 `col:"days_late_trend"` // mean of the last three paid, less the mean before
	SharePaidBeforeDue      []float64 `col:"share_paid_before_due"`
	SharePaidAfterReminder  []float64 `col:"share_paid_after_reminder"`
	SharePaidUnpromptedLate []float64 `col:"share_paid_unprompted_late"`
	RemindersPerPaid        []float64 `col:"reminders_per_paid"`
	Disputes                []float64 `col:"disputes"`
	PromisesBroken          []float64 `col:"promises_broken"`
	PromisesKept            []float64 `col:"promises_kept"`
	OpenBalance             []float64 `col:"open_balance"`
	OverdueBalance          []float64 `col:"overdue_balance"`
	OpenInvoices            []float64 `col:"open_invoices"`
	OverdueInvoices         []float64 `col:"overdue_invoices"`
	OldestDPD               []float64 `col:"oldest_dpd"`   // days past due of the oldest open invoice; negative before due
	CadenceDays             []float64 `col:"cadence_days"` // median gap between issues
	Cadence                 []float64 `col:"cadence"`      // 0 irregular, 1 weekly, 2 monthly
	NaturalDays             []float64 `col:"natural_days"` // days before today with something overdue and no contact that day or the seven before
	NaturalPayments         []float64 `col:"natural_payments"`

	// Days of payment.
	PayWeekday       []float32 `col:"pay_weekday" width:"7"` // decayed counts, Monday first
	PayMonthEnd      []float64 `col:"pay_month_end"`         // share of their sum on the last three or first two days of a month
	DaysSincePayment []float64 `col:"days_since_payment"`    // -1: never paid

	// Open times.
	Opens        []float32 `col:"opens" width:"168"`    // decayed counts of human signs by local hour of week
	Exposure     []float32 `col:"exposure" width:"168"` // decayed hours during which something lay unread, each by its age
	OpenWeekday  []float32 `col:"open_weekday" width:"7"`
	MachineOpens []float64 `col:"machine_opens"`

	// Response by channel: counts of contacts, medians in hours.
	Sends        []float32 `col:"sends" width:"5"`
	SendsMatured []float32 `col:"sends_matured" width:"5"` // a week old, or answered or paid since
	Delivered    []float32 `col:"delivered" width:"5"`
	Bounced      []float32 `col:"bounced" width:"5"`
	Opened       []float32 `col:"opened" width:"5"`
	Answered     []float32 `col:"answered" width:"5"`
	Paid3d       []float32 `col:"paid_3d" width:"5"`
	Paid7d       []float32 `col:"paid_7d" width:"5"`
	Paid14d      []float32 `col:"paid_14d" width:"5"`
	OptedOut     []float32 `col:"opted_out" width:"5"`
	HoursToOpen  []float32 `col:"hours_to_open" width:"5"`
	HoursToPay   []float32 `col:"hours_to_pay" width:"5"`
	SilentRun    []float32 `col:"silent_run" width:"5"` // contacts since the last that was noticed or followed by a payment

	OpenRate   []float32 `col:"open_rate" width:"5"`    // opened within a week; shrunk to the profile, then to all of the creditor
	Paid7dRate []float32 `col:"paid_7d_rate" width:"5"` // followed by a payment within a week; shrunk alike

	// Methods of payment.
	MethodShare    []float32 `col:"method_share" width:"6"`
	MethodDaysLate []float32 `col:"method_days_late" width:"6"`
	UsualMethod    []string  `col:"usual_method"`

	// Signals. Lists of four run over night, morning, afternoon and evening.
	SunResponse          []float32 `col:"sun_response" width:"4"`  // share of sunshine at signs, less that when something lay unread; shrunk
	RainResponse         []float32 `col:"rain_response" width:"4"` // the same of hours with rain
	ForecastSun          []float32 `col:"forecast_sun" width:"7"`  // hours of sun, today first; -1: unknown
	ForecastRain         []float32 `col:"forecast_rain" width:"7"` // mm
	SectorRisk           []float64 `col:"sector_risk"`
	SectorRiskChange     []float64 `col:"sector_risk_change"`
	RegionRisk           []float64 `col:"region_risk"`
	DaysToHoliday        []float64 `col:"days_to_holiday"` // 0: today; -1: unknown
	DayOfMonth           []float64 `col:"day_of_month"`
	DaysSinceUsualPayday []float64 `col:"days_since_usual_payday"` // the month's end where half the pay days lie there, else the commonest weekday; -1: never paid

	// Context.
	DaysPastDue       []float64 `col:"days_past_due"`
	Step              []float64 `col:"step"`                // contacts since the oldest open invoice fell due
	HoursSinceContact []float64 `col:"hours_since_contact"` // whole days times 24; -1: never
	LastChannel       []float64 `col:"last_channel"`        // -1: none
	Contacts7d        []float64 `col:"contacts_7d"`
	Contacts28d       []float64 `col:"contacts_28d"`
	Rating            []float64 `col:"rating"`
	RatingChange      []float64 `col:"rating_change"`
	Complaints        []float64 `col:"complaints"`

	rows map[ledger.Key]int
}

// column is one field of Set.
type column struct {
	name  string
	index int // of the field in Set
	width int // of a list; 0 for one value a row
	typ   arrow.DataType
}

var (
	columns = columnsOf(reflect.TypeFor[Set]())
	schema  = schemaOf(columns)
)

func columnsOf(t reflect.Type) []column {
	var cols []column
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("col")
		if name == "" {
			continue
		}
		c := column{name: name, index: i}
		if w := f.Tag.Get("width"); w != "" {
			if _, err := fmt.Sscan(w, &c.width); err != nil {
				panic(err)
			}
		}
		switch f.Type.Elem().Kind() {
		case reflect.String:
			c.typ = arrow.BinaryTypes.String
		case reflect.Int64:
			c.typ = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
		case reflect.Float64:
			c.typ = arrow.PrimitiveTypes.Float64
		case reflect.Float32:
			c.typ = arrow.FixedSizeListOf(int32(c.width), arrow.PrimitiveTypes.Float32)
		default:
			panic("features: column of " + f.Type.String())
		}
		cols = append(cols, c)
	}
	return cols
}

func schemaOf(cols []column) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.name, Type: c.typ, Nullable: true}
	}
	md := arrow.NewMetadata([]string{"rappel.vector"}, []string{hashOf(cols)})
	return arrow.NewSchema(fields, &md)
}

func hashOf(cols []column) string {
	h := sha256.New()
	for _, c := range cols {
		fmt.Fprintf(h, "%s %s\n", c.name, c.typ)
	}
	return fmt.Sprintf("v%d:%x", Version, h.Sum(nil)[:4])
}

// Schema returns the Arrow schema of the behaviour vector, in fixed order. Its
// metadata repeats SchemaHash under "rappel.vector".
func Schema() *arrow.Schema { return schema }

// SchemaHash names version, columns and types of the vector, such as
// "v1:9f2c07aa". An artefact trained on another vector is refused by it.
func SchemaHash() string { return hashOf(columns) }

// SchemaError reports a batch that is not a batch of behaviour vectors.
type SchemaError struct {
	Column string // the first that differs
	Got    string // its type, or empty where it is missing
}

func (e *SchemaError) Error() string {
	if e.Got == "" {
		return "features: column " + e.Column + " is missing"
	}
	return "features: column " + e.Column + " has type " + e.Got
}

// Decode copies the rows of rec, which has the columns of Schema, to a new Set.
// It returns a *SchemaError for any other batch.
func Decode(rec arrow.RecordBatch) (*Set, error) {
	s := new(Set)
	if err := s.Append(rec); err != nil {
		return nil, err
	}
	return s, nil
}

// Append adds the rows of rec to s; a row whose key s already holds replaces it.
// rec is not kept. It returns a *SchemaError, and leaves s as it was, where rec
// lacks a column of Schema.
func (s *Set) Append(rec arrow.RecordBatch) error {
	cols := make([]arrow.Array, len(columns))
	for i, c := range columns {
		at := rec.Schema().FieldIndices(c.name)
		if len(at) == 0 {
			return &SchemaError{Column: c.name}
		}
		cols[i] = rec.Column(at[0])
		if cols[i].DataType().ID() != c.typ.ID() {
			return &SchemaError{Column: c.name, Got: cols[i].DataType().String()}
		}
		if l, ok := cols[i].(*array.FixedSizeList); ok {
			_, isFloat := l.ListValues().(*array.Float32)
			if !isFloat || l.DataType().(*arrow.FixedSizeListType).Len() != int32(c.width) {
				return &SchemaError{Column: c.name, Got: l.DataType().String()}
			}
		}
	}
	v := reflect.ValueOf(s).Elem()
	n := s.Len()
	for i, c := range columns {
		switch dst := v.Field(c.index).Addr().Interface().(type) {
		case *[]string:
			a := cols[i].(*array.String)
			for r := range a.Len() {
				*dst = append(*dst, strings.Clone(a.Value(r)))
			}
		case *[]int64:
			for _, t := range cols[i].(*array.Timestamp).Values() {
				*dst = append(*dst, int64(t))
			}
		case *[]float64:
			*dst = append(*dst, cols[i].(*array.Float64).Values()...)
		case *[]float32:
			l := cols[i].(*array.FixedSizeList)
			from := l.Offset() * c.width
			values := l.ListValues().(*array.Float32).Values()
			*dst = append(*dst, values[from:from+l.Len()*c.width]...)
		}
	}
	s.index(n)
	return nil
}

// merge adds the rows of t, which replace those of the same key.
func (s *Set) merge(t *Set) {
	v, w := reflect.ValueOf(s).Elem(), reflect.ValueOf(t).Elem()
	n := s.Len()
	for _, c := range columns {
		f := v.Field(c.index)
		f.Set(reflect.AppendSlice(f, w.Field(c.index)))
	}
	s.index(n)
}

// index takes note of the rows from n on; one whose key is known takes the place
// of the old.
func (s *Set) index(n int) {
	if s.rows == nil {
		s.rows = make(map[ledger.Key]int, s.Len())
	}
	for i := n; i < s.Len(); {
		k := s.Key(i)
		old, ok := s.rows[k]
		if !ok {
			s.rows[k] = i
			i++
			continue
		}
		last := s.Len() - 1
		s.move(old, i)
		s.move(i, last)
		s.cut(last)
	}
}

// Numbers calls yield with each column of one number a row, in order.
func (s *Set) Numbers(yield func(name string, values []float64)) {
	v := reflect.ValueOf(s).Elem()
	for _, c := range columns {
		if values, ok := reflect.TypeAssert[[]float64](v.Field(c.index)); ok {
			yield(c.name, values)
		}
	}
}

// Len returns the number of vectors.
func (s *Set) Len() int { return len(s.AsOf) }

// Key returns whose vector row i is.
func (s *Set) Key(i int) ledger.Key { return ledger.Key{Creditor: s.Creditor[i], Debtor: s.Debtor[i]} }

// Row returns the row of a debtor, and whether there is one.
func (s *Set) Row(k ledger.Key) (int, bool) {
	i, ok := s.rows[k]
	return i, ok
}

// Remove drops the vector of a debtor, if there is one. The last row takes its
// place.
func (s *Set) Remove(k ledger.Key) {
	i, ok := s.rows[k]
	if !ok {
		return
	}
	delete(s.rows, k)
	last := s.Len() - 1
	if i != last {
		s.rows[s.Key(last)] = i
		s.move(i, last)
	}
	s.cut(last)
}

// move copies row from over row to.
func (s *Set) move(to, from int) {
	v := reflect.ValueOf(s).Elem()
	for _, c := range columns {
		w := max(c.width, 1)
		f := v.Field(c.index)
		reflect.Copy(f.Slice(to*w, (to+1)*w), f.Slice(from*w, (from+1)*w))
	}
}

// cut keeps the first n rows.
func (s *Set) cut(n int) {
	v := reflect.ValueOf(s).Elem()
	for _, c := range columns {
		f := v.Field(c.index)
		f.SetLen(n * max(c.width, 1))
	}
}

// Sorted returns the rows in the order of their keys.
func (s *Set) Sorted() []int {
	order := make([]int, s.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := strings.Compare(s.Creditor[a], s.Creditor[b]); c != 0 {
			return c
		}
		return strings.Compare(s.Debtor[a], s.Debtor[b])
	})
	return order
}
