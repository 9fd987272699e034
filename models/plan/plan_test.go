package plan_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"rappel/models/plan"
)

// instance is a problem that can be read back.
type instance struct {
	capacity []int64
	kinds    [][]plan.Use
	group    []int
	options  [][]plan.Option
}

func (x *instance) problem() *plan.Problem {
	p := plan.New(x.capacity)
	for _, uses := range x.kinds[1:] {
		p.AddKind(uses...)
	}
	for i, o := range x.options {
		p.Add(x.group[i], o)
	}
	return p
}

// morning draws an instance like a day of collecting: channels with a capacity,
// one of them by hour block, too; a budget in cents; groups under pressure.
func morning(rng *rand.Rand, choosers int) *instance {
	const calls, letters, early, late, budget, groups = 0, 1, 2, 3, 4, 2
	some := func(share float64) int64 { return rng.Int64N(int64(share*float64(choosers)) + 2) }
	x := &instance{
		capacity: []int64{some(0.4), some(0.5), some(0.3), some(0.3), some(1) * 160, some(0.7), some(0.7)},
		kinds: [][]plan.Use{
			nil,
			{{calls, 1}, {early, 1}, {budget, 600}},
			{{calls, 1}, {late, 1}, {budget, 600}},
			{{letters, 1}, {budget, 160}},
			{{budget, 8}},
			{{budget, 1}},
		},
	}
	for range choosers {
		money := math.Exp(rng.NormFloat64() + 1)
		list := []plan.Option{{Kind: 0, Value: rng.Float64() - 0.5}}
		for k := 1; k < len(x.kinds); k++ {
			if rng.Float64() < 0.8 {
				list = append(list, plan.Option{Kind: k, Value: money*rng.Float64()*[]float64{0, 4, 4, 2, 1.2, 1}[k] - 0.5})
			}
		}
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		x.options = append(x.options, list)
		x.group = append(x.group, rng.IntN(groups+1)+4)
		if x.group[len(x.group)-1] == 4 {
			x.group[len(x.group)-1] = -1
		}
	}
	return x
}

// check fails where a solution breaks a promise.
func (x *instance) check(tb testing.TB, s *plan.Solution) {
	tb.Helper()
	used := make([]int64, len(x.capacity))
	value := 0.0
	for i, c := range s.Choice {
		o := x.options[i][c]
		value += o.Value
		for _, u := range x.kinds[o.Kind] {
			used[u.Resource] += u.Amount
		}
		if o.Kind != 0 && x.group[i] >= 0 {
			used[x.group[i]]++
		}
	}
	if !slices.Equal(used, s.Used) {
		tb.Errorf("used %v, told %v", used, s.Used)
	}
	for r, c := range x.capacity {
		if used[r] > c {
			tb.Errorf("resource %d: %d of %d used", r, used[r], c)
		}
	}
	near := 1e-5 * (1 + math.Abs(value)) // values are kept in single precision
	if math.Abs(value-s.Value) > near || s.Bound < s.Value-near {
		tb.Errorf("value %v, told %v, bound %v", value, s.Value, s.Bound)
	}
}

// optimum is the value of the best choice, by dynamic programming over what is
// used up.
func (x *instance) optimum() float64 {
	type state [7]int64
	best := map[state]float64{{}: 0}
	for i, options := range x.options {
		next := make(map[state]float64, len(best))
		for s, v := range best {
			for _, o := range options {
				t, fits := s, true
				for _, u := range x.kinds[o.Kind] {
					t[u.Resource] += u.Amount
				}
				if g := x.group[i]; o.Kind != 0 && g >= 0 {
					t[g]++
				}
				for r, c := range x.capacity {
					fits = fits && t[r] <= c
				}
				if fits {
					if old, ok := next[t]; !ok || v+o.Value > old {
						next[t] = v + o.Value
					}
				}
			}
		}
		best = next
	}
	top := math.Inf(-1)
	for _, v := range best {
		top = max(top, v)
	}
	return top
}

// In 100,000 random mornings no capacity is ever passed.
func TestNeverMoreThanThereIs(t *testing.T) {
	const instances = 100_000
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for k := w; k < instances && !t.Failed(); k += workers {
				rng := rand.New(rand.NewPCG(uint64(k), 7))
				x := morning(rng, 1+rng.IntN(8)+k%1000/999*200)
				if x.check(t, x.problem().Solve()); t.Failed() {
					t.Logf("instance %d", k)
				}
			}
		})
	}
	wg.Wait()
}

// The choice is within 1 % of the best that there is.
func TestNearTheOptimum(t *testing.T) {
	worst, exact, mean := 0.0, 0, 0.0
	const instances = 600
	for k := range instances {
		rng := rand.New(rand.NewPCG(uint64(k), 8))
		x := morning(rng, 2+k%14)
		s := x.problem().Solve()
		x.check(t, s)
		want := x.optimum()
		if s.Bound < want-1e-5*(1+math.Abs(want)) {
			t.Errorf("instance %d: bound %v below the optimum %v", k, s.Bound, want)
		}
		gap := (want - s.Value) / math.Abs(want)
		worst, mean = max(worst, gap), mean+gap/instances
		if gap < 1e-6 {
			exact++
		}
		if gap > 0.01 {
			t.Errorf("instance %d of %d: %v, optimum %v", k, len(x.options), s.Value, want)
		}
	}
	t.Logf("%d of %d are optimal; on average %.5f %% below, at worst %.3f %%", exact, instances, 100*mean, 100*worst)
}

// On many choosers the bound itself shows how near the optimum is.
func TestNearTheBound(t *testing.T) {
	for _, n := range []int{100, 1000, 30_000} {
		x := morning(rand.New(rand.NewPCG(uint64(n), 9)), n)
		s := x.problem().Solve()
		x.check(t, s)
		t.Logf("%d choosers: %.4f %% below the bound", n, 100*(s.Bound-s.Value)/s.Bound)
		if s.Value < 0.99*s.Bound {
			t.Errorf("%d choosers: value %v, bound %v", n, s.Value, s.Bound)
		}
	}
}

// A price is what one more unit adds.
func TestPriceIsWorth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 10))
	x := morning(rng, 3000)
	x.capacity = []int64{300, 400, 200, 1 << 40, 1 << 40, 1 << 40, 1 << 40}
	s := x.problem().Solve()
	for r := range 3 {
		more := *x
		more.capacity = slices.Clone(x.capacity)
		more.capacity[r] += 30
		gain := (more.problem().Solve().Value - s.Value) / 30
		// Of thirty units the last is worth a little less than the first.
		if math.Abs(gain-s.Price[r]) > 0.15*s.Price[r]+0.02 {
			t.Errorf("resource %d: price %v, one of thirty more adds %v", r, s.Price[r], gain)
		}
	}
	if p := s.Price[4]; p > 1e-6 {
		t.Errorf("a budget that nobody reaches costs %v", p)
	}
}

// What there is nothing of is priced at what the first unit of it adds, also
// beside what there is too little of; and two things that are of use only
// together add nothing alone.
func TestPriceOfTheFirst(t *testing.T) {
	const plenty = 1 << 40
	for r := range 7 {
		x := morning(rand.New(rand.NewPCG(uint64(r), 13)), 400)
		x.capacity = []int64{plenty, plenty, plenty, plenty, plenty, plenty, plenty}
		x.capacity[r] = 0
		s := x.problem().Solve()
		x.check(t, s)
		more := *x
		more.capacity = slices.Clone(x.capacity)
		more.capacity[r] = 1
		gain := more.problem().Solve().Value - s.Value
		if s.Price[r] <= 0 || math.Abs(s.Price[r]-gain) > 1e-4 { // single precision
			t.Errorf("resource %d: price %v, the first unit adds %v", r, s.Price[r], gain)
		}
	}

	x := morning(rand.New(rand.NewPCG(1, 14)), 3000)
	x.capacity = []int64{300, 0, 200, plenty, plenty, 0, plenty}
	s := x.problem().Solve()
	for _, r := range []int{1, 5} {
		more := *x
		more.capacity = slices.Clone(x.capacity)
		more.capacity[r] = 1
		gain := more.problem().Solve().Value - s.Value
		// The calls left over from whoever takes it are worth their price.
		if math.Abs(gain-s.Price[r]) > 0.1*s.Price[r]+0.02 {
			t.Errorf("resource %d beside scarce ones: price %v, the first unit adds %v", r, s.Price[r], gain)
		}
	}

	p := plan.New([]int64{0, 0})
	p.AddKind(plan.Use{Resource: 0, Amount: 1}, plan.Use{Resource: 1, Amount: 1})
	p.Add(-1, []plan.Option{{Value: 1}, {Kind: 1, Value: 5}})
	if s := p.Solve(); s.Price[0] != 0 || s.Price[1] != 0 {
		t.Errorf("one of two that are needed together is priced %v", s.Price)
	}
}

func TestSameWhateverTheProcessors(t *testing.T) {
	x := morning(rand.New(rand.NewPCG(3, 11)), 20_000)
	want := x.problem().Solve()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if got := x.problem().Solve(); !reflect.DeepEqual(got, want) {
		t.Error("one processor chooses otherwise")
	}
}

func TestAddRefuses(t *testing.T) {
	for name, options := range map[string][]plan.Option{
		"nothing that uses nothing": {{Kind: 1, Value: 1}},
		"no number":                 {{Kind: 0, Value: math.NaN()}},
		"none":                      nil,
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("taken")
				}
			}()
			p := plan.New([]int64{1})
			p.AddKind(plan.Use{Resource: 0, Amount: 1})
			p.Add(-1, options)
		})
	}
}

// BenchmarkSolve plans for many debtors with sixty options each: five channels
// by hour, of which calls are scarce by the hour.
func BenchmarkSolve(b *testing.B) {
	for _, n := range []int{30_000, 300_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			const hours, channels = 12, 5
			var p *plan.Problem
			for b.Loop() {
				rng := rand.New(rand.NewPCG(uint64(n), 12))
				size := int64(n)
				capacity := []int64{size / 50, size / 20, size / 3 * 100} // calls, letters, cents
				p = plan.New(capacity)
				kinds := make([]int, 0, hours*channels)
				for c := range channels {
					for range hours {
						r := p.AddResource([]int64{size / 400, size / 100, size, size, size}[c])
						uses := []plan.Use{{Resource: r, Amount: 1}, {Resource: 2, Amount: []int64{600, 160, 8, 7, 1}[c]}}
						if c < 2 {
							uses = append(uses, plan.Use{Resource: c, Amount: 1})
						}
						kinds = append(kinds, p.AddKind(uses...))
					}
				}
				options := make([]plan.Option, 1, 1+hours*channels)
				for range n {
					money := math.Exp(rng.NormFloat64() + 1)
					options = options[:1]
					for c := range channels {
						like := money * rng.Float64() * []float64{4, 2, 1.3, 1.2, 1}[c]
						for h := range hours {
							options = append(options, plan.Option{Kind: kinds[c*hours+h], Value: like*(0.7+0.6*rng.Float64()) - 0.3})
						}
					}
					p.Add(-1, options)
				}
				s := p.Solve()
				b.ReportMetric(100*(s.Bound-s.Value)/s.Bound, "%gap")
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-held")
			b.ReportMetric(float64(m.Sys)/1e6, "MB-from-system")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/plan")
			runtime.KeepAlive(p)
		})
	}
}
