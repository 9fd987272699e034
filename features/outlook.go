package features

import (
	"context"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Sky is the weather of one region as it could be known before each hour.
type Sky struct {
	Hours    []int64 // since 1970, UTC, rising
	Sun, Wet []float64
}

// Outlook returns, by region, the weather from a moment until ten days after
// asOf: of past hours as it was forecast the midnight before, of those to come
// as known at asOf. See sql/outlook.sql.
func (p *Pipeline) Outlook(ctx context.Context, from, asOf time.Time) (map[string]*Sky, error) {
	skies := map[string]*Sky{}
	err := p.session(ctx, func(c *session) error {
		if err := c.window(Window{From: from}, asOf); err != nil {
			return err
		}
		return c.read(text("outlook"), func(rec arrow.RecordBatch) error {
			region, hour := rec.Column(0).(*array.String), rec.Column(1).(*array.Int64)
			sun, wet := rec.Column(2).(*array.Float64), rec.Column(3).(*array.Float64)
			for i := range int(rec.NumRows()) {
				s := skies[region.Value(i)]
				if s == nil {
					s = &Sky{}
					skies[strings.Clone(region.Value(i))] = s
				}
				s.Hours = append(s.Hours, hour.Value(i))
				s.Sun, s.Wet = append(s.Sun, sun.Value(i)), append(s.Wet, wet.Value(i))
			}
			return nil
		})
	})
	return skies, err
}
