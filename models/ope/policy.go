package ope

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Features is what a log's reward model may look at.
type Features struct {
	X       *mat.Dense // n×p, known before the decision; nil for none
	Action  []int      // 0 … Actions−1, the logged action of each row
	Actions int
	// Policy returns the probability of an action at row i under the policy in
	// question. Nil where only the logged action's is known (Log.Target): the
	// model is then of the reward under that policy given X, fitted with the
	// importance ratios, and serves as both Q and V.
	Policy func(i, action int) float64
}

// FitModel sets l.Q and l.V from a cross-fitted reward model and returns it.
// Rows with censored rewards are stood in for by complete ones.
func (l *Log) FitModel(f Features, cfg RewardConfig) (*RewardModel, error) {
	l.Q, l.V = nil, nil
	if err := l.validate(); err != nil {
		return nil, err
	}
	n := len(l.Reward)
	weight := make([]float64, n)
	for i := range weight {
		weight[i] = l.weight(i)
	}
	if l.Censoring != nil {
		inverse, err := l.Censoring.Weights(nil, l.Weight)
		if err != nil {
			return nil, err
		}
		for i, g := range inverse {
			weight[i] *= g
		}
	}
	data := &RewardData{X: f.X, Reward: l.Reward, Weight: weight, Cluster: l.Cluster}
	if f.Policy != nil {
		data.Action, data.Actions = f.Action, f.Actions
	} else {
		for i := range weight {
			weight[i] *= l.ratio(i)
		}
	}
	model, err := FitReward(data, cfg)
	if err != nil {
		return nil, err
	}
	q, v := make([]float64, n), make([]float64, n)
	for i := range q {
		if f.Policy == nil {
			q[i] = model.Predict(i, 0)
			v[i] = q[i]
			continue
		}
		q[i] = model.Predict(i, f.Action[i])
		for a := range f.Actions {
			if p := f.Policy(i, a); p != 0 {
				v[i] += p * model.Predict(i, a)
			}
		}
	}
	l.Q, l.V = q, v
	return model, nil
}

// RecoverPolicy returns the whole policy behind the target probabilities of
// logged actions where they tell it: when, within each cell of decisions made
// alike (labels from 0), every action always has the same target probability
// and those of the actions seen sum to 1 within tolerance. ok is false
// otherwise.
func RecoverPolicy(cell, action []int, actions int, target []float64, tolerance float64) (policy func(i, action int) float64, ok bool) {
	const unseen = -1
	var table [][]float64
	for i, c := range cell {
		for c >= len(table) {
			if (len(table)+1)*actions > 8*len(cell)+actions {
				return nil, false // more cells than rows could fill
			}
			row := make([]float64, actions)
			for a := range row {
				row[a] = unseen
			}
			table = append(table, row)
		}
		switch p := &table[c][action[i]]; {
		case *p == unseen:
			*p = target[i]
		case math.Abs(*p-target[i]) > tolerance:
			return nil, false
		}
	}
	for _, row := range table {
		sum := 0.0
		for a, p := range row {
			row[a] = max(p, 0)
			sum += row[a]
		}
		if math.Abs(sum-1) > tolerance {
			return nil, false
		}
	}
	return func(i, a int) float64 { return table[cell[i]][a] }, true
}
