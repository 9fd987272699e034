package api

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/labstack/echo/v4"

	"rappel/engine"
)

// answerWriter streams decisions in one media type.
type answerWriter interface {
	write(d *engine.Decision) error
	close() error
}

const arrowStream = "application/vnd.apache.arrow.stream"

// answers picks the form by Accept: an Arrow stream, NDJSON, else a JSON array.
// Nothing is written before the first decision, so that an error before it
// still has its status.
func answers(c echo.Context) answerWriter {
	switch {
	case accepts(c, arrowStream):
		return &arrowAnswers{c: c}
	case accepts(c, ndjson):
		return &jsonAnswers{c: c, kind: ndjson, after: "\n"}
	}
	return &jsonAnswers{c: c, kind: echo.MIMEApplicationJSON, open: "[", between: ",", end: "]\n"}
}

// accepts tells whether the client accepts a media type by name.
func accepts(c echo.Context, kind string) bool {
	for part := range strings.SplitSeq(c.Request().Header.Get(echo.HeaderAccept), ",") {
		if name, _, err := mime.ParseMediaType(part); err == nil && name == kind {
			return true
		}
	}
	return false
}

type jsonAnswers struct {
	c                               echo.Context
	kind, open, between, after, end string
	n                               int
}

func (w *jsonAnswers) start() error {
	w.c.Response().Header().Set(echo.HeaderContentType, w.kind)
	w.c.Response().WriteHeader(http.StatusOK)
	_, err := w.c.Response().Write([]byte(w.open))
	return err
}

func (w *jsonAnswers) write(d *engine.Decision) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if w.n == 0 {
		err = w.start()
	} else {
		_, err = w.c.Response().Write([]byte(w.between))
	}
	if err != nil {
		return err
	}
	w.n++
	_, err = w.c.Response().Write(append(b, w.after...))
	return err
}

func (w *jsonAnswers) close() error {
	if w.n == 0 {
		if err := w.start(); err != nil {
			return err
		}
	}
	_, err := w.c.Response().Write([]byte(w.end))
	return err
}

// decisionSchema holds the columns of a decision in an Arrow stream; the whole
// answer stands beside them as JSON.
var decisionSchema = arrow.NewSchema([]arrow.Field{
	{Name: "decision_id", Type: arrow.BinaryTypes.String},
	{Name: "debtor_id", Type: arrow.BinaryTypes.String},
	{Name: "action", Type: arrow.BinaryTypes.String},
	{Name: "hold_reason", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "channel", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "send_at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "tone", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "arm", Type: arrow.BinaryTypes.String},
	{Name: "propensity", Type: arrow.PrimitiveTypes.Float64},
	{Name: "value_eur", Type: arrow.PrimitiveTypes.Float64},
	{Name: "days_saved", Type: arrow.PrimitiveTypes.Float64},
	{Name: "paid_7d", Type: arrow.PrimitiveTypes.Float64},
	{Name: "requires_approval", Type: arrow.FixedWidthTypes.Boolean},
	{Name: "answer", Type: arrow.BinaryTypes.String},
}, nil)

// arrowRows is how many decisions a record batch of the stream holds.
const arrowRows = 500

type arrowAnswers struct {
	c     echo.Context
	out   *ipc.Writer
	build *array.RecordBuilder
	n     int
}

func (w *arrowAnswers) start() {
	w.c.Response().Header().Set(echo.HeaderContentType, arrowStream)
	w.c.Response().WriteHeader(http.StatusOK)
	w.out = ipc.NewWriter(w.c.Response(), ipc.WithSchema(decisionSchema))
	w.build = array.NewRecordBuilder(memory.DefaultAllocator, decisionSchema)
}

func (w *arrowAnswers) write(d *engine.Decision) error {
	if w.out == nil {
		w.start()
	}
	whole, err := json.Marshal(d)
	if err != nil {
		return err
	}
	optional := func(i int, v string) {
		b := w.build.Field(i).(*array.StringBuilder)
		if v == "" {
			b.AppendNull()
		} else {
			b.Append(v)
		}
	}
	number := func(i int, v float64) { w.build.Field(i).(*array.Float64Builder).Append(v) }
	optional(0, d.ID)
	optional(1, d.Debtor)
	optional(2, d.Action)
	optional(3, d.HoldReason)
	optional(4, d.Channel)
	at := w.build.Field(5).(*array.TimestampBuilder)
	if d.SendAt == nil {
		at.AppendNull()
	} else {
		at.AppendTime(d.SendAt.UTC().Truncate(time.Microsecond))
	}
	optional(6, d.Tone)
	optional(7, d.Arm)
	number(8, d.Propensity)
	number(9, d.Expected.ValueEUR)
	number(10, d.Expected.DaysSaved)
	number(11, d.Expected.Paid7d)
	w.build.Field(12).(*array.BooleanBuilder).Append(d.RequiresApproval)
	w.build.Field(13).(*array.StringBuilder).Append(string(whole))
	if w.n++; w.n%arrowRows == 0 {
		return w.flush()
	}
	return nil
}

func (w *arrowAnswers) flush() error {
	rec := w.build.NewRecordBatch()
	defer rec.Release()
	return w.out.Write(rec)
}

func (w *arrowAnswers) close() error {
	if w.out == nil {
		w.start()
	}
	defer w.build.Release()
	if w.n == 0 || w.n%arrowRows != 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return w.out.Close()
}
