package features

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// spread gives a batch of vector.sql the schema of Schema. All columns are
// passed on as they are, without a copy, but one: the sparse list hours becomes
// the two dense lists opens and exposure. A batch without hours is returned
// unchanged, retained.
func spread(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(rec.Schema().FieldIndices("hours")) == 0 {
		rec.Retain()
		return rec, nil
	}
	var made []arrow.Array
	defer func() {
		for _, a := range made {
			a.Release()
		}
	}()
	cols := make([]arrow.Array, len(columns))
	for i, c := range columns {
		switch c.name {
		case "opens":
			hours, ok := rec.Column(rec.Schema().FieldIndices("hours")[0]).(*array.List)
			if !ok {
				return nil, &SchemaError{Column: "hours", Got: "no list"}
			}
			opens, exposure := densify(hours)
			made = append(made, opens, exposure)
			cols[i], cols[i+1] = opens, exposure
		case "exposure": // made with opens
		default:
			at := rec.Schema().FieldIndices(c.name)
			if len(at) == 0 {
				return nil, &SchemaError{Column: c.name}
			}
			col := rec.Column(at[0])
			if col.DataType().ID() != c.typ.ID() {
				return nil, &SchemaError{Column: c.name, Got: col.DataType().String()}
			}
			cols[i] = retype(c.typ, col)
			made = append(made, cols[i])
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

// densify reads a list of packed weights (see hours.sql) as the hours of a week:
// the decayed opens in each, and the running sum of the changes of exposure.
// Weights are whole numbers of 2^-30, so the sums are exact.
func densify(hours *array.List) (opens, exposure arrow.Array) {
	n := hours.Len()
	o, e := make([]float32, n*HoursOfWeek), make([]float32, n*HoursOfWeek)
	packed := hours.ListValues().(*array.Int64).Values()
	const unit = 1.0 / (1 << 30)
	for r := range n {
		var slot [2 * HoursOfWeek]int64
		if hours.IsValid(r) {
			from, to := hours.ValueOffsets(r)
			for _, v := range packed[from:to] {
				slot[v&511] += v >> 9
			}
		}
		var lying int64
		for h := range HoursOfWeek {
			o[r*HoursOfWeek+h] = float32(float64(slot[h]) * unit)
			lying += slot[HoursOfWeek+h]
			e[r*HoursOfWeek+h] = float32(float64(lying) * unit)
		}
	}
	return week(o), week(e)
}

// week wraps n×168 values, which it then owns, as a list array of n rows.
func week(values []float32) arrow.Array {
	buf := memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(values))
	flat := array.NewData(arrow.PrimitiveTypes.Float32, len(values), []*memory.Buffer{nil, buf}, nil, 0, 0)
	defer flat.Release()
	rows := len(values) / HoursOfWeek
	data := array.NewData(arrow.FixedSizeListOf(HoursOfWeek, arrow.PrimitiveTypes.Float32), rows,
		[]*memory.Buffer{nil}, []arrow.ArrayData{flat}, 0, 0)
	defer data.Release()
	return array.NewFixedSizeListData(data)
}
