package bandit

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// smallConfig has four coefficients: the first is common to all, the second
// deviates by segment, the third by debtor, the fourth by both.
func smallConfig() PooledConfig {
	return PooledConfig{
		Coefficients: []Coefficient{
			{Mean: 1, SD: 0.3},
			{Mean: 0, SD: 0.5, SegmentSD: 0.2},
			{Mean: -0.5, SD: 0.4, DebtorSD: 0.3},
			{Mean: 0.2, SD: 1, SegmentSD: 0.3, DebtorSD: 0.4},
		},
		NoiseSD: 0.5, NoiseWeight: 10, PoolWeight: 10, ChangeAlarm: 4,
	}
}

// record is one decision of a generated log.
type record struct {
	segment, debtor int32
	phi             []float64
	target, weight  float64
}

func randomLog(rng *rand.Rand, n, p, segments, debtors int) []record {
	log := make([]record, n)
	for i := range log {
		d := int32(rng.IntN(debtors))
		log[i] = record{d % int32(segments), d, make([]float64, p), rng.NormFloat64(), 0.5 + rng.Float64()}
		for j := range log[i].phi {
			if rng.IntN(4) > 0 {
				log[i].phi[j] = rng.NormFloat64()
			}
		}
	}
	return log
}

func mustPooled(tb testing.TB, c PooledConfig) *Pooled {
	tb.Helper()
	p, err := NewPooled(c)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// dense computes the same posterior the plain way: every deviation of every
// group is a column of one design matrix. It returns mean and covariance of
// the coefficients of one debtor (or of a debtor, or segment, without data).
func dense(c PooledConfig, noise float64, log []record, segments, debtors, segment, debtor int) (*mat.VecDense, *mat.SymDense) {
	p := len(c.Coefficients)
	segments, debtors = segments+1, debtors+1 // the last of each has no data
	columns := p * (1 + segments + debtors)
	lift := func(phi []float64, s, d int) *mat.VecDense {
		x := mat.NewVecDense(columns, nil)
		for j, v := range phi {
			x.SetVec(j, v)
			x.SetVec(p*(1+s)+j, v)
			x.SetVec(p*(1+segments+d)+j, v)
		}
		return x
	}
	precision := mat.NewSymDense(columns, nil)
	right := mat.NewVecDense(columns, nil)
	const never = 1e12 // precision of a deviation that is fixed at 0
	for j, k := range c.Coefficients {
		precision.SetSym(j, j, 1/(k.SD*k.SD))
		right.SetVec(j, k.Mean/(k.SD*k.SD))
		for g := range segments + debtors {
			sd := k.SegmentSD
			if g >= segments {
				sd = k.DebtorSD
			}
			at := p*(1+g) + j
			precision.SetSym(at, at, min(1/(sd*sd), never))
		}
	}
	for _, r := range log {
		x := lift(r.phi, int(r.segment), int(r.debtor))
		precision.SymRankOne(precision, r.weight/noise, x)
		right.AddScaledVec(right, r.weight*r.target/noise, x)
	}
	var chol mat.Cholesky
	if !chol.Factorize(precision) {
		panic("dense precision is not positive definite")
	}
	var all mat.VecDense
	if err := chol.SolveVecTo(&all, right); err != nil {
		panic(err)
	}
	var inverse mat.SymDense
	if err := chol.InverseTo(&inverse); err != nil {
		panic(err)
	}
	if segment < 0 {
		segment = segments - 1
	}
	if debtor < 0 {
		debtor = debtors - 1
	}
	mean, cov := mat.NewVecDense(p, nil), mat.NewSymDense(p, nil)
	unit := make([]float64, p)
	rows := make([]*mat.VecDense, p)
	for j := range p {
		clear(unit)
		unit[j] = 1
		rows[j] = lift(unit, segment, debtor)
		mean.SetVec(j, mat.Dot(rows[j], &all))
	}
	for i := range p {
		for j := i; j < p; j++ {
			cov.SetSym(i, j, mat.Inner(rows[i], &inverse, rows[j]))
		}
	}
	return mean, cov
}

func TestPooledPosteriorIsThatOfTheDenseModel(t *testing.T) {
	const segments, debtors = 3, 9
	c := smallConfig()
	rng := Stream(1, "dense")
	log := randomLog(rng, 120, 4, segments, debtors)
	p := mustPooled(t, c)
	for _, r := range log {
		p.Observe(r.segment, r.debtor, r.phi, r.target, r.weight)
	}
	p.Solve()
	post, w := p.Posterior(), NewWorkspace(4)

	cases := []struct {
		name            string
		segment, debtor int32
	}{
		{"debtor with data", 1, 4},
		{"new debtor of a known segment", 2, NoDebtor},
		{"debtor beyond those seen", 2, 1000},
		{"new debtor of an unknown segment", NoSegment, NoDebtor},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			d := int(k.debtor)
			if d >= debtors {
				d = -1
			}
			wantMean, wantCov := dense(c, 0.25, log, segments, debtors, int(k.segment), d)
			phis := make([]float64, 0, 40)
			for range 10 {
				for range 4 {
					phis = append(phis, rng.NormFloat64())
				}
			}
			mean, sd := make([]float64, 10), make([]float64, 10)
			post.Score(mean, sd, phis, k.segment, k.debtor, w)
			gap, gapSD := make([]float64, 10), make([]float64, 10)
			post.Contrast(gap, gapSD, phis, 3, k.segment, k.debtor, w)
			base := mat.NewVecDense(4, phis[12:16])
			coefficients := post.Mean(make([]float64, 4), k.segment, k.debtor)
			for i := range mean {
				phi := mat.NewVecDense(4, phis[4*i:4*i+4])
				// The dense model fixes absent deviations by a precision of
				// 1e12 and is itself good to about 1e-10.
				const tolerance = 1e-8
				if got, want := mean[i], mat.Dot(phi, wantMean); math.Abs(got-want) > tolerance {
					t.Errorf("mean of row %d = %v, want %v", i, got, want)
				}
				if got, want := sd[i], math.Sqrt(mat.Inner(phi, wantCov, phi)); math.Abs(got-want) > tolerance {
					t.Errorf("SD of row %d = %v, want %v", i, got, want)
				}
				if got, want := dot(phis[4*i:4*i+4], coefficients), mean[i]; math.Abs(got-want) > 1e-14 {
					t.Errorf("φ·Mean of row %d = %v, want %v", i, got, want)
				}
				var difference mat.VecDense
				difference.SubVec(phi, base)
				if got, want := gapSD[i], math.Sqrt(mat.Inner(&difference, wantCov, &difference)); math.Abs(got-want) > tolerance {
					t.Errorf("SD of the gap of row %d = %v, want %v", i, got, want)
				}
				if gap[i] != mean[i] {
					t.Errorf("Contrast mean of row %d = %v, Score says %v", i, gap[i], mean[i])
				}
			}
		})
	}
}

// A log that was corrected, or whose debtors moved, ends where the log would
// have that had the final targets and segments from the start.
func TestCorrectAndMoveEndWhereTheFinalLogWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := Stream(rapid.Uint64().Draw(t, "seed"), "correct")
		log := randomLog(rng, 30, 4, 2, 5)
		c := smallConfig()
		c.ChangeAlarm = 0 // what was expected when is another story
		late, sure := mustPooled(&testing.T{}, c), mustPooled(&testing.T{}, c)
		handles := make([]Handle, len(log))
		for i, r := range log {
			// Until its last decision each debtor lives in segment 2.
			segment := int32(2)
			if !slices.ContainsFunc(log[i+1:], func(o record) bool { return o.debtor == r.debtor }) {
				segment = r.segment
			}
			handles[i] = late.Observe(segment, r.debtor, r.phi, 0, r.weight)
			sure.Observe(r.segment, r.debtor, r.phi, r.target, r.weight)
		}
		for _, i := range rng.Perm(len(log)) {
			late.Correct(handles[i], log[i].target/3)
			late.Correct(handles[i], log[i].target-log[i].target/3)
			late.Close(handles[i])
			if late.Correct(handles[i], 1) {
				t.Fatalf("a closed decision was corrected")
			}
		}
		late.Tune(2)
		sure.Tune(2)
		for d := range int32(5) {
			got := late.Posterior().Mean(make([]float64, 4), NoSegment, d)
			want := sure.Posterior().Mean(make([]float64, 4), NoSegment, d)
			for j := range got {
				if math.Abs(got[j]-want[j]) > 1e-9 { // rounding of 30 sums, amplified by the condition number
					t.Fatalf("debtor %d coefficient %d = %v, want %v", d, j, got[j], want[j])
				}
			}
		}
	})
}

func TestForgetIsTheSameAsSmallerWeights(t *testing.T) {
	log := randomLog(Stream(3, "forget"), 60, 4, 2, 6)
	forgetful, light := mustPooled(t, smallConfig()), mustPooled(t, smallConfig())
	for i, r := range log {
		if i == 40 {
			forgetful.Forget(0.25)
		}
		h := forgetful.Observe(r.segment, r.debtor, r.phi, r.target-1, r.weight)
		if i < 40 {
			defer forgetful.Close(h)
			light.Observe(r.segment, r.debtor, r.phi, r.target, r.weight/4)
		} else {
			light.Observe(r.segment, r.debtor, r.phi, r.target, r.weight)
		}
	}
	for h := range Handle(60) {
		forgetful.Correct(h+1, 1) // with the weight that is left of the decision
	}
	forgetful.Solve()
	light.Solve()
	got, want := forgetful.Posterior().Mean(make([]float64, 4), 0, 2), light.Posterior().Mean(make([]float64, 4), 0, 2)
	for j := range got {
		if math.Abs(got[j]-want[j]) > 1e-10 { // rounding
			t.Errorf("coefficient %d = %v, want %v", j, got[j], want[j])
		}
	}
}

func TestTuneFindsNoiseAndPooling(t *testing.T) {
	// 400 debtors in 8 segments with 20 decisions each; priors wrong by 2 and more.
	c := PooledConfig{
		Coefficients: []Coefficient{{SD: 1, SegmentSD: 0.5, DebtorSD: 0.1}, {SD: 1}},
		NoiseSD:      1, NoiseWeight: 5, PoolWeight: 1,
	}
	rng := Stream(5, "tune")
	p := mustPooled(t, c)
	segment := make([]float64, 8)
	for s := range segment {
		segment[s] = 0.2 * rng.NormFloat64()
	}
	for d := range int32(400) {
		own := 0.3 + segment[d%8] + 0.4*rng.NormFloat64()
		for range 20 {
			phi := []float64{1, rng.NormFloat64()}
			p.Observe(d%8, d, phi, own-0.7*phi[1]+0.25*rng.NormFloat64(), 1)
		}
	}
	p.Tune(50)
	// Standard errors: noise 0.25/√(2·8000) = 0.002; debtors 0.4/√800 = 0.014;
	// segments 0.2/√16 = 0.05. Three of each.
	for _, k := range []struct {
		name                 string
		got, want, tolerance float64
	}{
		{"noise", p.Posterior().NoiseSD(), 0.25, 0.006},
		{"debtor SD", math.Sqrt(p.State().DebtorVariance[0]), 0.4, 0.045},
		{"segment SD", math.Sqrt(p.State().SegmentVariance[0]), 0.2, 0.15},
	} {
		if math.Abs(k.got-k.want) > k.tolerance {
			t.Errorf("%s = %.4f, want %.2f ± %.3f", k.name, k.got, k.want, k.tolerance)
		}
	}
}

// play makes n decisions and learns from them; it returns what was chosen, with
// which probability.
func play(p *Pooled, from, n int) []float64 {
	w := NewWorkspace(4)
	mean, sd, prob := make([]float64, 6), make([]float64, 6), make([]float64, 6)
	phis := make([]float64, 24)
	var out []float64
	var open []Handle
	for i := from; i < from+n; i++ {
		id := fmt.Sprintf("decision %d", i)
		rng := Stream(9, id)
		for j := range phis {
			phis[j] = rng.NormFloat64()
		}
		d := int32(rng.IntN(7))
		post := p.Posterior()
		post.Score(mean, sd, phis, d%3, d, w)
		post.Contrast(mean, sd, phis, Best(mean), d%3, d, w)
		Thompson(prob, mean, sd, Exploration{Scale: 1, Floor: 0.01}, w)
		a := Draw(prob, 9, id)
		out = append(out, float64(a), prob[a], mean[a], sd[a])
		open = append(open, p.Observe(d%3, d, phis[4*a:4*a+4], rng.NormFloat64(), 1))
		if i%5 == 4 {
			p.Correct(open[rng.IntN(len(open))], rng.NormFloat64())
			p.Forget(0.99)
			p.Tune(1)
		}
		if i%7 == 6 {
			p.Close(open[0])
			open = open[1:]
		}
	}
	return out
}

func TestResumeGivesTheIdenticalStream(t *testing.T) {
	p := mustPooled(t, smallConfig())
	play(p, 0, 103)
	var file bytes.Buffer
	if err := gob.NewEncoder(&file).Encode(p.State()); err != nil {
		t.Fatal(err)
	}
	var s State
	if err := gob.NewDecoder(&file).Decode(&s); err != nil {
		t.Fatal(err)
	}
	q, err := Restore(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range s.Open[:3] {
		p.Correct(Handle(h), 0.5)
		q.Correct(Handle(h), 0.5)
	}
	want, got := play(p, 103, 200), play(q, 103, 200)
	if !slices.Equal(got, want) {
		t.Errorf("the resumed learner decides differently")
	}
	if a, b := fmt.Sprint(p.State()), fmt.Sprint(q.State()); a != b {
		t.Errorf("the resumed learner ends in another state")
	}
}

func TestRestoreRefusesWhatCannotBe(t *testing.T) {
	p := mustPooled(t, smallConfig())
	play(p, 0, 50)
	cases := []struct {
		name  string
		spoil func(*State)
		want  error
	}{
		{"short column", func(s *State) { s.B = s.B[1:] }, ErrState},
		{"short prior", func(s *State) { s.PriorSD = s.PriorSD[1:] }, ErrState},
		{"not a number", func(s *State) { s.A[0] = math.NaN() }, ErrState},
		{"no noise", func(s *State) { s.Noise = 0 }, ErrState},
		{"indefinite", func(s *State) { s.A[0] = -1e6 }, ErrState},
		{"indefinite debtor", func(s *State) { s.LeafRows[6] = -1e6 }, ErrState},
		{"unknown segment", func(s *State) { s.LeafSegment[0] = 99 }, ErrState},
		{"unknown leaf", func(s *State) { s.DebtorLeaf[0] = 99 }, ErrState},
		{"debtor without leaf", func(s *State) { s.OpenLeaf[0] = NoDebtor }, ErrState},
		{"handle from the future", func(s *State) { s.Next = 1 }, ErrState},
		{"no prior", func(s *State) { s.PriorSD[0] = 0 }, ErrConfig},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			s := p.State()
			k.spoil(&s)
			if _, err := Restore(s); !errors.Is(err, k.want) {
				t.Errorf("Restore = %v, want %v", err, k.want)
			}
		})
	}
}

func TestChoosingWhileLearning(t *testing.T) {
	p := mustPooled(t, smallConfig())
	var group sync.WaitGroup
	done := make(chan struct{})
	for g := range 64 {
		group.Go(func() {
			w := NewWorkspace(4)
			mean, sd, prob := make([]float64, 3), make([]float64, 3), make([]float64, 3)
			phis := []float64{1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1}
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				d := int32((g + i) % 10)
				p.Posterior().Score(mean, sd, phis, d%2, d, w)
				Thompson(prob, mean, sd, Exploration{Scale: 1, Floor: 0.03}, w)
				if a := Draw(prob, uint64(g), "x"); prob[a] < 0.01 {
					t.Errorf("drew candidate %d with probability %v", a, prob[a])
				}
			}
		})
	}
	for i, r := range randomLog(Stream(4, "race"), 200, 4, 2, 10) {
		h := p.Observe(r.segment, r.debtor, r.phi, r.target, r.weight)
		p.Correct(h, 0.1)
		if i%10 == 9 {
			p.Forget(0.99)
			p.Tune(1)
		}
	}
	close(done)
	group.Wait()
}

func TestChoosingDoesNotAllocate(t *testing.T) {
	const n, k = 12, 24
	c := DefaultPooledConfig(n)
	for j := range 4 {
		c.Coefficients[j].SegmentSD, c.Coefficients[j].DebtorSD = 0.3, 0.3
	}
	p := mustPooled(t, c)
	for _, r := range randomLog(Stream(6, "allocations"), 100, n, 3, 9) {
		p.Observe(r.segment, r.debtor, r.phi, r.target, r.weight)
	}
	p.Solve()
	rng := Stream(6, "phis")
	phis := make([]float64, n*k)
	for i := range phis {
		phis[i] = rng.NormFloat64()
	}
	mean, sd, prob := make([]float64, k), make([]float64, k), make([]float64, k)
	w := NewWorkspace(n)
	choose := func() {
		post := p.Posterior()
		post.Score(mean, sd, phis, 1, 4, w)
		post.Contrast(mean, sd, phis, Best(mean), 1, 4, w)
		Thompson(prob, mean, sd, Exploration{Scale: 1, Floor: 0.02}, w)
		Draw(prob, 1, "01JX3F")
	}
	choose()
	if got := testing.AllocsPerRun(100, choose); got != 0 {
		t.Errorf("a choice allocates %v times", got)
	}
}
