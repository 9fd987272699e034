// Package ope says what a policy would have earned on decisions that another
// policy took, and how sure that answer is.
//
// It sees numbers only: a [Log] holds, per decision, the reward that followed,
// the probability with which the logged action was drawn, and the probability
// with which the policy in question would have drawn it. It knows nothing of
// debtors, files or clocks.
//
// Every estimator here is a sum of ratios of column totals (see terms), which
// is what lets one cluster bootstrap, one jackknife and one delta method serve
// all of them, self-normalised ones and paired differences included.
package ope

import (
	"errors"
	"fmt"
	"math"
)

// Log is n logged decisions in the order in which they were taken. Rows are
// never changed by this package.
type Log struct {
	Reward     []float64 // what followed; ignored where Censoring says incomplete
	Propensity []float64 // probability of the logged action when it was drawn, in (0, 1]
	Target     []float64 // probability of the same action under the policy in question, in [0, 1]

	Weight  []float64 // importance of a row, ≥ 0; nil means 1 each
	Cluster []int     // who the row belongs to, any labels; rows of one cluster may depend on one another; nil means independent rows

	// Untried is, per row, the probability that the policy gave to what the log
	// gave none, where all of both is known; nil where only the logged action's is.
	Untried []float64

	// Q and V are predictions made without the row's own cluster (see
	// [FitReward]): Q of the reward of the logged action, V of the reward
	// under the policy in question. Nil means no model: both are 0.
	Q, V []float64

	// Censoring is set where some rewards were not yet complete when the log
	// was cut; nil means that all are.
	Censoring *Censoring
}

// Errors that callers branch on.
var (
	// ErrEmpty means a log without rows.
	ErrEmpty = errors.New("ope: the log has no rows")
	// ErrNoModel means an estimator that needs Q and V was asked for without them.
	ErrNoModel = errors.New("ope: this estimator needs a reward model")
	// ErrCensored means that an estimator for complete rewards was asked for
	// on a censored log, or the other way round.
	ErrCensored = errors.New("ope: censored rewards need ipcw-ips, ipcw-snips or ipcw-dr, complete ones the others")
)

// RowError reports a row whose value cannot be used.
type RowError struct {
	Row    int    // from 0; the message counts from 1
	Column string // field of Log
	Value  float64
	Want   string
}

func (e *RowError) Error() string {
	return fmt.Sprintf("ope: row %d: %s is %v, want %s", e.Row+1, e.Column, e.Value, e.Want)
}

// validate returns the first row that cannot be used. It panics when columns
// differ in length.
func (l *Log) validate() error {
	n := len(l.Reward)
	if n == 0 {
		return ErrEmpty
	}
	sameLength(n, "Propensity", l.Propensity)
	sameLength(n, "Target", l.Target)
	for _, c := range []struct {
		name   string
		values []float64
	}{{"Weight", l.Weight}, {"Untried", l.Untried}, {"Q", l.Q}, {"V", l.V}} {
		if c.values != nil {
			sameLength(n, c.name, c.values)
		}
	}
	if l.Cluster != nil {
		sameLength(n, "Cluster", l.Cluster)
	}
	if (l.Q == nil) != (l.V == nil) {
		panic("ope: Q and V go together")
	}
	if l.Censoring != nil {
		if err := l.Censoring.validate(n); err != nil {
			return err
		}
	}
	total := 0.0
	for i := range n {
		if p := l.Propensity[i]; !(p > 0 && p <= 1+rounding) {
			return &RowError{i, "propensity", p, "a probability above 0, and at most 1"}
		}
		if p := l.Target[i]; !(p >= 0 && p <= 1+rounding) {
			return &RowError{i, "target", p, "a probability from 0 to 1"}
		}
		if r := l.Reward[i]; !finite(r) && l.complete(i) {
			return &RowError{i, "reward", r, "a finite number"}
		}
		if w := l.weight(i); !(w >= 0) || math.IsInf(w, 1) {
			return &RowError{i, "weight", w, "a finite number of at least 0"}
		}
		if l.Untried != nil && !(l.Untried[i] >= 0 && l.Untried[i] <= 1+rounding) {
			return &RowError{i, "untried", l.Untried[i], "a probability"}
		}
		if l.Q != nil && !(finite(l.Q[i]) && finite(l.V[i])) {
			return &RowError{i, "q", l.Q[i] + l.V[i], "finite predictions"}
		}
		total += l.weight(i)
	}
	if total == 0 {
		return ErrEmpty
	}
	return nil
}

// rounding is by how much a probability may pass 1.
const rounding = 1e-9

func (l *Log) weight(i int) float64 {
	if l.Weight == nil {
		return 1
	}
	return l.Weight[i]
}

func (l *Log) complete(i int) bool { return l.Censoring == nil || l.Censoring.Complete[i] }

// ratio returns the importance ratio of row i, target over propensity.
func (l *Log) ratio(i int) float64 { return l.Target[i] / l.Propensity[i] }

// Ratios stores target over propensity of every row in dst and returns dst,
// allocating where dst is nil. It panics when the lengths disagree.
func (l *Log) Ratios(dst []float64) []float64 {
	if dst == nil {
		dst = make([]float64, len(l.Target))
	}
	sameLength(len(l.Target), "dst", dst)
	for i := range dst {
		dst[i] = l.ratio(i)
	}
	return dst
}

// units returns, for each row, the index of its cluster in order of first
// appearance, and how many clusters there are.
func (l *Log) units() (of []int32, m int) {
	of = make([]int32, len(l.Reward))
	if l.Cluster == nil {
		for i := range of {
			of[i] = int32(i)
		}
		return of, len(of)
	}
	seen := make(map[int]int32)
	for i, c := range l.Cluster {
		u, ok := seen[c]
		if !ok {
			u = int32(len(seen))
			seen[c] = u
		}
		of[i] = u
	}
	return of, len(seen)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func sameLength[T any](n int, name string, values []T) {
	if len(values) != n {
		panic(fmt.Sprintf("ope: %s has %d rows, Reward has %d", name, len(values), n))
	}
}

// Select returns the log of some rows, predictions included.
func (l *Log) Select(rows []int) *Log {
	out := &Log{
		Reward: pick(l.Reward, rows), Propensity: pick(l.Propensity, rows), Target: pick(l.Target, rows),
		Weight: pick(l.Weight, rows), Cluster: pick(l.Cluster, rows), Untried: pick(l.Untried, rows),
		Q: pick(l.Q, rows), V: pick(l.V, rows),
	}
	if c := l.Censoring; c != nil {
		out.Censoring = &Censoring{Time: pick(c.Time, rows), Complete: pick(c.Complete, rows), Stratum: pick(c.Stratum, rows)}
	}
	return out
}

// pick returns the values at rows, nil for nil.
func pick[T any](values []T, rows []int) []T {
	if values == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = values[i]
	}
	return out
}
