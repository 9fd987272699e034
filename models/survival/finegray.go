package survival

import "fmt"

// Weighting is how the censoring distribution G, by which rows with a
// competing event fade from the risk set, treats ties.
type Weighting int

// The weightings.
const (
	// EventsFirst takes events at the time of a censoring out of the risk of
	// censoring, as finegray of R's survival does.
	EventsFirst Weighting = iota
	// Together leaves them in, as crr of cmprsk does.
	Together
)

// FineGrayOptions say how a Fine-Gray model is fitted.
type FineGrayOptions struct {
	CoxOptions
	Cause     uint8 // the event code of interest; 0 is 1
	Weighting Weighting
}

// FitFineGray fits proportional hazards of the subdistribution of one cause:
// what covariates do to its cumulative incidence. Rows that had another event
// stay in the risk set with weight G(t−)/G(Tᵢ−), the probability of not being
// censored until t; no row is written twice for it. G is estimated per
// stratum, and as in finegray without case weights.
//
// The result is a [Cox] whose baseline b gives the incidence 1 − exp(−b·risk);
// its Robust variance is the sandwich over rows (or clusters), with G taken
// as known. Entry times are refused.
//
// See Fine and Gray (1999), doi:10.1080/01621459.1999.10474144, and Geskus
// (2011), doi:10.1111/j.1541-0420.2010.01420.x.
func FitFineGray(d *Data, opt FineGrayOptions) (*Cox, error) {
	if opt.Cause == 0 {
		opt.Cause = 1
	}
	if d.Entry != nil {
		return nil, fmt.Errorf("fine-gray with entry times: %w", ErrEntry)
	}
	if opt.Ties == Exact {
		return nil, fmt.Errorf("fine-gray weights rows, exact ties do not take weights: %w", ErrWeight)
	}
	m, err := newCoxModel(d, opt.Cause, opt.Ties, true)
	if err != nil {
		return nil, err
	}
	if m.sub, err = newSubdistribution(m, opt.Weighting); err != nil {
		return nil, err
	}
	return m.fit(opt.CoxOptions)
}

// subdistribution is what rows with a competing event add to risk sets after
// it: their r/G(Tᵢ−) times G(t−).
type subdistribution struct {
	late []float64 // per row in use: 1/G(Tᵢ−) where its event competes, else 0
	g    []float64 // G(t−) per position
	cum  []float64 // running sum of g·h within the stratum
	last []int32   // per position: the last position of its stratum
	rest []float64 // per position: Σ late·r of the rows whose last risk set it is
	mean []float64 // the same with x, positions × p
}

func newSubdistribution(m *coxModel, w Weighting) (*subdistribution, error) {
	rows := *m.d
	rows.Weight = nil
	cs, err := rows.censorings(w == Together)
	if err != nil {
		return nil, err
	}
	k := len(m.time)
	s := &subdistribution{
		late: make([]float64, len(m.order)), g: make([]float64, k), cum: make([]float64, k),
		last: make([]int32, k), rest: make([]float64, k), mean: make([]float64, k*m.p),
	}
	stratum := make([]int32, k)
	for l := range m.label {
		for g := m.first[l]; g < m.first[l+1]; g++ {
			s.g[g] = cs[l].Before(m.time[g])
			s.last[g] = m.first[l+1] - 1
			stratum[g] = int32(l)
		}
	}
	for i, row := range m.order {
		if e := m.d.Event[row]; e != 0 && !m.event[i] {
			s.late[i] = 1 / cs[stratum[m.hi[i]]].Before(m.exit[row])
		}
	}
	return s, nil
}

// addRisk adds the faded rows to s0.
func (s *subdistribution) addRisk(m *coxModel) {
	clear(s.rest)
	for i, l := range s.late {
		if l > 0 {
			s.rest[m.hi[i]] += l * m.r[i]
		}
	}
	for k := range m.label {
		sum := 0.0
		for g := m.first[k]; g < m.first[k+1]; g++ {
			m.s0[g] += s.g[g] * sum
			sum += s.rest[g]
		}
	}
}

// accumulate fills cum.
func (s *subdistribution) accumulate(m *coxModel) {
	for k := range m.label {
		sum := 0.0
		for g := m.first[k]; g < m.first[k+1]; g++ {
			sum += s.g[g] * m.h[g]
			s.cum[g] = sum
		}
	}
}

// after returns the hazard that row i is exposed to after its competing
// event, faded.
func (s *subdistribution) after(i int, g int32) float64 {
	if s.late[i] == 0 {
		return 0
	}
	return s.late[i] * (s.cum[s.last[g]] - s.cum[g])
}

// addMeans adds the faded rows to s1.
func (s *subdistribution) addMeans(m *coxModel) {
	p := m.p
	clear(s.mean)
	for i, l := range s.late {
		if l > 0 {
			to, r := s.mean[int(m.hi[i])*p:int(m.hi[i])*p+p], l*m.r[i]
			for j, v := range m.x[i*p : i*p+p] {
				to[j] += r * v
			}
		}
	}
	sum := make([]float64, p)
	for k := range m.label {
		clear(sum)
		for g := int(m.first[k]); g < int(m.first[k+1]); g++ {
			for j := range sum {
				m.s1[g*p+j] += s.g[g] * sum[j]
				sum[j] += s.mean[g*p+j]
			}
		}
	}
}

// addScore adds to a row's score residual what it does after its competing
// event; tail is the running sum of means weighted by g.
func (s *subdistribution) addScore(score []float64, m *coxModel, i int, risk float64, tail []float64) {
	if s.late[i] == 0 {
		return
	}
	p, g := m.p, int(m.hi[i])
	last := int(s.last[g])
	h := s.cum[last] - s.cum[g]
	for j, v := range m.x[i*p : i*p+p] {
		score[j] += risk * s.late[i] * (tail[last*p+j] - tail[g*p+j] - v*h)
	}
}
