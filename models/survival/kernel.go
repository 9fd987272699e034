package survival

import (
	"runtime"
	"sync"
)

// lanes is the number of independent sums into which rows are dealt. It is
// fixed, so that results are the same bits on any number of processors.
const lanes = 16

// blockRows is the number of consecutive rows dealt to one lane at a time.
const blockRows = 256

// eachLane calls work for every lane in 0…lanes−1, on as many goroutines as
// there are processors.
func eachLane(work func(lane int)) {
	workers := min(runtime.GOMAXPROCS(0), lanes)
	if workers == 1 {
		for l := range lanes {
			work(l)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for l := w; l < lanes; l += workers {
				work(l)
			}
		})
	}
	wg.Wait()
}

// addDot adds x·b to dst for rows of x (row-major, len(b) columns).
func addDot(dst, x, b []float64) {
	p := len(b)
	from := addDotQuads(dst, x, b)
	if from == p {
		return
	}
	for i := range dst {
		row := x[i*p : i*p+p : i*p+p]
		var s0, s1 float64
		j := from
		for ; j+2 <= p; j += 2 {
			s0 += row[j] * b[j]
			s1 += row[j+1] * b[j+1]
		}
		if j < p {
			s0 += row[j] * b[j]
		}
		dst[i] += s0 + s1
	}
}

// addXtV adds Σᵢ vᵢ·xᵢ to dst; x is row-major with len(dst) columns.
func addXtV(dst, x, v []float64) {
	p := len(dst)
	from := addXtVQuads(dst, x, v)
	if from == p {
		return
	}
	for i, vi := range v {
		row := x[i*p : i*p+p : i*p+p]
		for j := from; j < p; j++ {
			dst[j] += vi * row[j]
		}
	}
}

// gramRows is the number of rows packed at a time: small enough for the
// first-level cache.
const gramRows = 48

// gram adds up Σᵢ wᵢ·xᵢxᵢᵀ, the hot loop of every fit here. Rows are packed a
// few at a time to a width without edges, once as they are and once weighted,
// and the upper triangle is walked in tiles of 4×8 whose sums stay in
// registers.
type gram struct {
	p, width int
	c        []float64 // p rounded up to 4, by width
	x, wx    []float64 // gramRows × width
}

func newGram(p int) *gram {
	rows := (p + 3) / 4 * 4
	width := rows + 4 // tiles of 8 columns begin at multiples of 4
	return &gram{
		p: p, width: width, c: make([]float64, rows*width),
		x: make([]float64, gramRows*width), wx: make([]float64, gramRows*width),
	}
}

// reset forgets all rows.
func (g *gram) reset() { clear(g.c) }

// add adds the rows of x (row-major, p columns) with weights w.
func (g *gram) add(x, w []float64) {
	p, width := g.p, g.width
	for len(w) > 0 {
		m := min(gramRows, len(w))
		for i, wi := range w[:m] {
			row := x[i*p : i*p+p]
			to, toW := g.x[i*width : i*width+p][:len(row)], g.wx[i*width : i*width+p][:len(row)]
			for j, v := range row {
				to[j] = v
				toW[j] = wi * v
			}
		}
		for j := 0; j < p; j += 4 {
			for k := j; k < p; k += 8 {
				tile(g.c[j*width+k:], width, g.x[j:], g.wx[k:], width, m)
			}
		}
		x, w = x[m*p:], w[m:]
	}
}

// addTo adds the upper triangle of the sum to dst, p×p and row-major.
func (g *gram) addTo(dst []float64) {
	for j := range g.p {
		for k := j; k < g.p; k++ {
			dst[j*g.p+k] += g.c[j*g.width+k]
		}
	}
}

// tilePlain is tile for any processor.
func tilePlain(c []float64, cStride int, a, b []float64, stride, rows int) {
	for i := range rows {
		bi := (*[8]float64)(b[i*stride:])
		for j, v := range a[i*stride : i*stride+4] {
			cj := (*[8]float64)(c[j*cStride:])
			for k, u := range bi {
				cj[k] += v * u
			}
		}
	}
}
