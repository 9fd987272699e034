package features

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// spread gives a batch of vector.sql the schema of Schema. All columns are
// passed on as they are, without a copy, but two: the packed lists looks and
// unread (see hours.sql) become the dense opens and exposure. A batch without
// them is returned unchanged, retained.
func spread(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(rec.Schema().FieldIndices("looks")) == 0 {
		rec.Retain()
		return rec, nil
	}
	cols := make([]arrow.Array, len(columns))
	defer func() {
		for _, a := range cols {
			if a != nil {
				a.Release()
			}
		}
	}()
	for i, c := range columns {
		name := map[string]string{"opens": "looks", "exposure": "unread"}[c.name]
		if name == "" {
			name = c.name
		}
		at := rec.Schema().FieldIndices(name)
		if len(at) == 0 {
			return nil, &SchemaError{Column: name}
		}
		col := rec.Column(at[0])
		switch packed, isList := col.(*array.List); {
		case name == c.name && col.DataType().ID() == c.typ.ID():
			cols[i] = retype(c.typ, col)
		case name == "looks" && isList:
			cols[i] = week(packed, opens)
		case name == "unread" && isList:
			cols[i] = week(packed, exposure)
		default:
			return nil, &SchemaError{Column: name, Got: col.DataType().String()}
		}
	}
	return array.NewRecordBatch(schema, cols, rec.NumRows()), nil
}

// retype gives an array the exact type t, of the same layout, without a copy.
func retype(t arrow.DataType, a arrow.Array) arrow.Array {
	d := a.Data()
	same := array.NewData(t, d.Len(), d.Buffers(), d.Children(), d.NullN(), d.Offset())
	defer same.Release()
	return array.MakeFromData(same)
}

// opens adds up signs: weight and hour of the week.
func opens(slot *[HoursOfWeek]int64, packed []int64) {
	for _, v := range packed {
		slot[v&255] += v >> 8
	}
}

// exposure adds up the hours that something lay unread: first hour, length and
// weight. An hour in which two contacts lay unread counts once, for the first.
// It sorts packed.
func exposure(slot *[HoursOfWeek]int64, packed []int64) {
	slices.Sort(packed)
	until := int64(0)
	for _, v := range packed {
		first, length, weight := v>>38, v>>31&127, v&(1<<31-1)
		for h := max(first, until); h < first+length; h++ {
			slot[(h+72)%HoursOfWeek] += weight // 1970 began on a Thursday
		}
		until = max(until, first+length)
	}
}

// week spreads each packed list over the hours of a week. Weights are whole
// numbers of 2^-30, so their sums do not depend on the order of the list.
func week(packed *array.List, add func(slot *[HoursOfWeek]int64, packed []int64)) arrow.Array {
	n := packed.Len()
	values := packed.ListValues().(*array.Int64).Values()
	out := make([]float32, n*HoursOfWeek)
	var own []int64
	for r := range n {
		if packed.IsNull(r) {
			continue
		}
		var slot [HoursOfWeek]int64
		from, to := packed.ValueOffsets(r)
		own = append(own[:0], values[from:to]...)
		add(&slot, own)
		for h, w := range slot {
			out[r*HoursOfWeek+h] = float32(float64(w) / (1 << 30))
		}
	}
	buf := memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(out))
	flat := array.NewData(arrow.PrimitiveTypes.Float32, len(out), []*memory.Buffer{nil, buf}, nil, 0, 0)
	defer flat.Release()
	data := array.NewData(arrow.FixedSizeListOf(HoursOfWeek, arrow.PrimitiveTypes.Float32), n,
		[]*memory.Buffer{nil}, []arrow.ArrayData{flat}, 0, 0)
	defer data.Release()
	return array.NewFixedSizeListData(data)
}
