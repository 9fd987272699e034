package survival

import "math"

// exactTies is the conditional likelihood of tied events: at each event time
// the probability that of all subsets of the risk set with d rows it was this
// one. The sum over subsets is an elementary symmetric function, built up row
// by row together with its derivatives.
//
// See Gail, Lubin and Rubinstein (1981), doi:10.1093/biomet/68.3.703.
type exactTies struct {
	m       *coxModel
	members [][]int32 // rows at risk at each position
}

func newExactTies(m *coxModel) *exactTies {
	e := &exactTies{m: m, members: make([][]int32, len(m.time))}
	for i := range m.order {
		for g := m.lo[i] + 1; g <= m.hi[i]; g++ {
			e.members[g] = append(e.members[g], int32(i))
		}
	}
	return e
}

// scale returns the mean of r over the risk set, by which r is divided so
// that the sums over subsets stay within range.
func (e *exactTies) scale(g int) float64 {
	s := 0.0
	for _, i := range e.members[g] {
		s += e.m.r[i]
	}
	return s / float64(len(e.members[g]))
}

// value returns the log-likelihood at the linear predictors of the model.
func (e *exactTies) value() float64 {
	ll := 0.0
	for i, dead := range e.m.event {
		if dead {
			ll += e.m.eta[i]
		}
	}
	for g, d := range e.m.events {
		if d == 0 {
			continue
		}
		b := make([]float64, d+1)
		b[0] = 1
		scale := e.scale(g)
		for _, i := range e.members[g] {
			r := e.m.r[i] / scale
			for k := d; k > 0; k-- {
				b[k] += r * b[k-1]
			}
		}
		ll -= math.Log(b[d]) + float64(d)*math.Log(scale)
	}
	return ll
}

// derivatives stores gradient and information.
func (e *exactTies) derivatives(grad, info []float64) {
	m, p := e.m, e.m.p
	clear(grad)
	clear(info)
	for i, dead := range m.event {
		if dead {
			for j := range p {
				grad[j] += m.x[i*p+j]
			}
		}
	}
	for g, d := range m.events {
		if d == 0 {
			continue
		}
		b := make([]float64, d+1)
		db, ddb := make([]float64, int(d+1)*p), make([]float64, int(d+1)*p*p)
		b[0] = 1
		scale := e.scale(g)
		for _, i := range e.members[g] {
			r, x := m.r[i]/scale, m.x[int(i)*p:int(i)*p+p]
			for k := int(d); k > 0; k-- {
				below := db[(k-1)*p : k*p]
				for j := range p {
					to, from := ddb[(k*p+j)*p:(k*p+j+1)*p], ddb[((k-1)*p+j)*p:((k-1)*p+j+1)*p]
					for l := j; l < p; l++ {
						to[l] += r * (from[l] + x[j]*below[l] + below[j]*x[l] + x[j]*x[l]*b[k-1])
					}
				}
				for j := range p {
					db[k*p+j] += r * (below[j] + x[j]*b[k-1])
				}
				b[k] += r * b[k-1]
			}
		}
		for j := range p {
			mean := db[int(d)*p+j] / b[d]
			grad[j] -= mean
			for l := j; l < p; l++ {
				info[j*p+l] += ddb[(int(d)*p+j)*p+l]/b[d] - mean*db[int(d)*p+l]/b[d]
			}
		}
	}
}
