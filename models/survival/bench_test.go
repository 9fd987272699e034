package survival

import "testing"

// days draws n rows of whole-day times with heavy ties and p normal columns.
func days(n, p int, seed uint64) *Data {
	b := simulated(n, p+1, seed, CLogLog)
	d := &Data{Time: make([]float64, n), Event: make([]uint8, n)}
	for i := range n {
		d.Time[i] = float64(1 + (i*7919)%120)
		d.Event[i] = uint8(1 - i%10/7)
	}
	for j := range p {
		c := make([]float64, n)
		for i := range c {
			c[i] = b.X[i*(p+1)+j+1]
		}
		d.Columns = append(d.Columns, c)
	}
	return d
}

func BenchmarkCoxDays(b *testing.B) {
	d := days(100000, 20, 1)
	for b.Loop() {
		if _, err := FitCox(d, CoxOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGram(b *testing.B) {
	const n, p = 1024, 20
	d := simulated(n, p, 1, CLogLog)
	w, g := make([]float64, n), newGram(p)
	for i := range w {
		w[i] = 1
	}
	for b.Loop() {
		g.add(d.X, w)
	}
	b.ReportMetric(float64(n*p*(p+1)/2)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gmuladd/s")
}
