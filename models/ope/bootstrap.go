package ope

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	lane       = 8 // columns resampled together: one cache line of float64
	narrowLane = 2 // columns resampled together where few are left

	// maxUnits bounds the work of a replicate. Beyond it units are first
	// joined at random into this many groups, which leaves the variance and
	// skewness of a total unchanged in expectation.
	maxUnits = 1 << 14
)

// replicates returns reps × p column totals of the table, each over m units
// drawn with replacement. All columns, so all estimators, see the same draws.
// Replicate b depends on seed and b only, so neither the number of processors
// nor their timing shows in the result.
func (t *table) replicates(reps int, seed uint64) []float64 {
	t = t.grouped(seed)
	out := make([]float64, reps*t.p)
	columns := t.varying(out, reps)
	var wide [][][lane]float64
	var narrow [][][narrowLane]float64
	rest := columns
	for len(rest) > 2*narrowLane {
		k := min(len(rest), lane)
		wide = append(wide, make([][lane]float64, t.m))
		t.pack(func(u, c int, x float64) { wide[len(wide)-1][u][c] = x }, rest[:k])
		rest = rest[k:]
	}
	for len(rest) > 0 {
		k := min(len(rest), narrowLane)
		narrow = append(narrow, make([][narrowLane]float64, t.m))
		t.pack(func(u, c int, x float64) { narrow[len(narrow)-1][u][c] = x }, rest[:k])
		rest = rest[k:]
	}

	workers := min(runtime.GOMAXPROCS(0), reps)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			draws := make([]uint32, t.m)
			sums := make([]float64, len(wide)*lane+len(narrow)*narrowLane)
			for b := k; b < reps; b += workers {
				draw(draws, seed, uint64(b))
				dst := sums
				for _, block := range wide {
					gather(dst[:lane], block, draws)
					dst = dst[lane:]
				}
				for _, block := range narrow {
					gatherNarrow(dst[:narrowLane], block, draws)
					dst = dst[narrowLane:]
				}
				for j, c := range columns {
					out[b*t.p+c] = sums[j]
				}
			}
		})
	}
	wg.Wait()
	return out
}

// draw fills dst with indices below len(dst), uniform up to len(dst)/2³².
func draw(dst []uint32, seed, replicate uint64) {
	rng := rand.NewPCG(seed, replicate)
	m := uint64(len(dst))
	k := 0
	for ; k+1 < len(dst); k += 2 {
		u := rng.Uint64()
		dst[k] = uint32((u >> 32) * m >> 32)
		dst[k+1] = uint32((u & math.MaxUint32) * m >> 32)
	}
	if k < len(dst) {
		dst[k] = uint32((rng.Uint64() >> 32) * m >> 32)
	}
}

// gather stores the sums of the drawn rows of a block in sum.
func gather(sum []float64, block [][lane]float64, draws []uint32) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float64
	for _, u := range draws {
		row := &block[u]
		s0 += row[0]
		s1 += row[1]
		s2 += row[2]
		s3 += row[3]
		s4 += row[4]
		s5 += row[5]
		s6 += row[6]
		s7 += row[7]
	}
	sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], sum[6], sum[7] = s0, s1, s2, s3, s4, s5, s6, s7
}

// gatherNarrow is gather for a block of narrowLane columns.
func gatherNarrow(sum []float64, block [][narrowLane]float64, draws []uint32) {
	var s0, s1 float64
	for _, u := range draws {
		row := &block[u]
		s0 += row[0]
		s1 += row[1]
	}
	sum[0], sum[1] = s0, s1
}

// varying returns the columns that differ between units. The others have the
// same total in every replicate, which it stores in out.
func (t *table) varying(out []float64, reps int) []int {
	var cols []int
	for c := range t.p {
		first, constant := t.sum[c], true
		for u := 1; u < t.m && constant; u++ {
			constant = t.sum[u*t.p+c] == first
		}
		if !constant {
			cols = append(cols, c)
			continue
		}
		for b := range reps {
			out[b*t.p+c] = first * float64(t.m)
		}
	}
	return cols
}

// pack hands the values of columns to set, which stores them in a block.
func (t *table) pack(set func(unit, k int, x float64), columns []int) {
	for u := range t.m {
		for k, c := range columns {
			set(u, k, t.sum[u*t.p+c])
		}
	}
}

// grouped returns a table of at most maxUnits units.
func (t *table) grouped(seed uint64) *table {
	if t.m <= maxUnits {
		return t
	}
	perm := rand.New(rand.NewPCG(seed, math.MaxUint64)).Perm(t.m)
	g := &table{m: maxUnits, p: t.p, sum: make([]float64, maxUnits*t.p)}
	for k, u := range perm {
		dst := g.sum[k%maxUnits*t.p:][:t.p]
		for c, x := range t.sum[u*t.p : (u+1)*t.p] {
			dst[c] += x
		}
	}
	return g
}

// bca returns the bias-corrected and accelerated bootstrap interval of an
// estimate from its replicates, which it sorts, and the units' influences.
//
// See Efron (1987), doi:10.1080/01621459.1987.10478410. The acceleration is
// taken from the influences, the infinitesimal jackknife of section 7 there,
// and the level is raised to that of Student's t (Hesterberg 2015,
// doi:10.1080/00031305.2015.1089789, expanded percentiles).
func bca(estimate float64, reps, influence []float64, level float64) (lo, hi float64) {
	slices.Sort(reps)
	below, _ := slices.BinarySearch(reps, estimate)
	upTo, _ := slices.BinarySearchFunc(reps, estimate, func(a, b float64) int {
		if a <= b {
			return -1
		}
		return cmp.Compare(a, b)
	})
	share := (float64(below+upTo) + 1) / (2 * float64(len(reps)+1)) // ties count half
	z0 := distuv.UnitNormal.Quantile(share)
	var s2, s3 float64
	for _, x := range influence {
		s2 += x * x
		s3 += x * x * x
	}
	a := 0.0
	if s2 > 0 {
		a = s3 / (6 * math.Pow(s2, 1.5))
	}
	at := func(point float64) float64 {
		z := z0 + point
		return quantile(reps, distuv.UnitNormal.CDF(z0+z/max(1-a*z, 0.1)))
	}
	t := critical(influence, level)
	return at(-t), at(t)
}

// quantile interpolates between sorted values (Hyndman and Fan, type 6, which
// does not draw the tails of few replicates inwards).
func quantile(sorted []float64, p float64) float64 {
	h := min(max(p*float64(len(sorted)+1)-1, 0), float64(len(sorted)-1))
	k := min(int(h), len(sorted)-2)
	return sorted[k] + (h-float64(k))*(sorted[k+1]-sorted[k])
}
