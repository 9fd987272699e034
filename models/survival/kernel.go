package survival

import (
	"math"
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

// expTo stores exp(x) in dst, which must not overlap x.
func expTo(dst, x []float64) {
	for i := expQuads(dst, x); i < len(x); i++ {
		dst[i] = math.Exp(x[i])
	}
}

// sumOf returns Σ v in four strands.
func sumOf(v []float64) float64 {
	var a, b, c, d float64
	for ; len(v) >= 4; v = v[4:] {
		a += v[0]
		b += v[1]
		c += v[2]
		d += v[3]
	}
	for _, x := range v {
		a += x
	}
	return (a + b) + (c + d)
}

// rowsOf stores rows lo…hi of columns in dst, row-major with stride values a
// row, less mean.
func rowsOf(dst []float64, stride int, columns [][]float64, mean []float64, lo, hi int) {
	for j, col := range columns {
		m := mean[j]
		to := dst[j:]
		for i, v := range col[lo:hi] {
			to[i*stride] = v - m
		}
	}
}

// gramRows is the number of rows that are walked at a time: few enough for the
// first-level cache.
const gramRows = 96

// gram adds up Σᵢ wᵢ·xᵢxᵢᵀ, the hot loop of every fit here. The upper triangle
// is walked in tiles of 4×8 whose sums stay in registers. Tiles at the edge
// reach into the next row, which does no harm to the columns that there are;
// only the last rows, which have no next one, are copied.
type gram struct {
	p, width int
	c        []float64 // p rounded up to 4, by width
	tail     []float64 // the last rows, to width
}

func newGram(p int) *gram {
	rows := (p + 3) / 4 * 4
	width := rows + 4 // tiles of 8 columns begin at multiples of 4
	return &gram{p: p, width: width, c: make([]float64, rows*width), tail: make([]float64, gramTail(p, width)*width)}
}

// gramTail returns how many rows at the end have no width values after their
// beginning.
func gramTail(p, width int) int { return (width + p - 1) / max(p, 1) }

// reset forgets all rows.
func (g *gram) reset() { clear(g.c) }

// add adds the rows of x (row-major, p columns) with weights w.
func (g *gram) add(x, w []float64) {
	p, width := g.p, g.width
	direct := max(0, len(w)-gramTail(p, width))
	for lo := 0; lo < direct; lo += gramRows {
		hi := min(lo+gramRows, direct)
		g.tiles(x[lo*p:], w[lo:hi], p)
	}
	if direct == len(w) {
		return
	}
	for i := direct; i < len(w); i++ {
		copy(g.tail[(i-direct)*width:], x[i*p:i*p+p])
	}
	g.tiles(g.tail, w[direct:], width)
}

// tiles adds rows that are stride values apart, and have width values each.
func (g *gram) tiles(x, w []float64, stride int) {
	for j := 0; j < g.p; j += 4 {
		for k := j; k < g.p; k += 8 {
			tile(g.c[j*g.width+k:], g.width, x[j:], x[k:], w, stride)
		}
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
func tilePlain(c []float64, cStride int, a, b, w []float64, stride int) {
	for i, wi := range w {
		bi := (*[8]float64)(b[i*stride:])
		for j, v := range a[i*stride : i*stride+4] {
			v *= wi
			cj := (*[8]float64)(c[j*cStride:])
			for k, u := range bi {
				cj[k] += v * u
			}
		}
	}
}
