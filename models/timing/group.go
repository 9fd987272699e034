package timing

import "math"

// maxGroups bounds the number of groups, so that mixing needs no allocation.
const maxGroups = 8

// groupFloor is the part of every debtor that may be anyone, whatever the
// group: a second habit must not be ruled out by the first.
const groupFloor = 0.1

// mix multiplies prior by the debtor's own mixture of group curves and scales
// e, the events expected, with it. Both keep their sum over what was exposed.
func (m *Model) mix(prior, n, e *[Hours]float64, seen, expected float64, row int) {
	var share [maxGroups]float64
	g := m.membership(&share, n, e, seen, expected, row)
	var r [Hours]float64
	for c := range g {
		for h, v := range (*[Hours]float64)(m.Groups[c*Hours:]) {
			r[h] += share[c] * v
		}
	}
	for h, v := range &r {
		prior[h] *= v
		e[h] *= v
	}
}

// membership stores the share of each group in a debtor given the events, over
// the mean of the group's curve where it was exposed, and returns the number of
// groups. The likelihood of events among the exposed hours is tempered:
// a debtor's events repeat each other, so that the first few say most.
func (m *Model) membership(share *[maxGroups]float64, n, e *[Hours]float64, seen, expected float64, row int) int {
	g := len(m.Groups) / Hours
	var mean [maxGroups]float64
	heat := 1 / (1 + seen/m.GroupHeat)
	var busy [Hours]uint8 // the hours with events
	hours := 0
	for h, v := range n {
		if v > 0 {
			busy[hours] = uint8(h)
			hours++
		}
	}
	top := math.Inf(-1)
	for c := range g {
		curve := (*[Hours]float64)(m.Groups[c*Hours:])
		sum, score := 0.0, 0.0
		for h, r := range curve {
			sum += e[h] * r
		}
		mean[c] = 1
		if expected > 0 {
			mean[c] = sum / expected
		}
		if seen > 0 {
			for _, h := range busy[:hours] {
				score += n[h] * math.Log(curve[h])
			}
			score -= seen * math.Log(mean[c])
		}
		share[c] = math.Log(m.GroupShares[row*g+c]) + heat*score
		top = max(top, share[c])
	}
	sum := 0.0
	for c := range g {
		share[c] = math.Exp(share[c] - top)
		sum += share[c]
	}
	for c := range g {
		share[c] = (groupFloor*m.GroupShares[row*g+c] + (1-groupFloor)*share[c]/sum) / mean[c]
	}
	return g
}

// Settings of drawing groups.
const (
	groupRounds  = 12 // of expectation and maximisation; more changes little
	groupEvents  = 5  // pooling of a group's hours to the profile, in events
	groupDebtors = 10 // pooling of a profile's shares of groups to all, in debtors
	groupRows    = 40 // debtors below which no group is drawn
	groupHoldout = 5  // one debtor in so many is kept out of drawing
)

var heats = []float64{5, 20, 80, 1000}

// group draws behaviour groups among some of the debtors, and keeps them where
// they predict the others better than one does without, by more than twice
// the standard error of the gain.
func (f *fitter) group() {
	m := f.m
	var rows []int
	for r := range f.rows.Len() {
		for _, v := range f.rows.Counts[r*Hours : (r+1)*Hours] {
			if v > 0 {
				rows = append(rows, r)
				break
			}
		}
	}
	if f.opt.Groups < 2 || len(rows) < groupRows {
		return
	}
	f.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	if limit := 2 * f.opt.Sample; f.opt.Sample > 0 && len(rows) > limit {
		rows = rows[:limit]
	}
	var learn []int
	for _, r := range rows {
		if r%groupHoldout != 0 {
			learn = append(learn, r)
		}
	}
	var drawn, heldOut []target
	for _, c := range f.cases {
		if c.row%groupHoldout != 0 {
			drawn = append(drawn, c)
		} else {
			heldOut = append(heldOut, c)
		}
	}
	if len(heldOut) == 0 || len(drawn) == 0 {
		return
	}
	all := f.cases
	defer func() { f.cases = all }()
	score := func(cases []target) ([]float64, float64, float64) {
		f.cases = cases
		dst := make([]float64, len(cases))
		sum, events := f.predict(dst)
		return dst, sum, events
	}
	mean := func() float64 {
		_, sum, events := score(drawn)
		return sum / events
	}
	plain := *m
	before, without, events := score(heldOut)
	best := plain
	bestSum := math.Inf(-1)
	var after []float64
	for _, g := range []int{2, 3, 4, 6, 8} {
		if g > f.opt.Groups {
			break
		}
		*m = plain
		f.draft(learn, g)
		at := mean()
		at = along(heats, &m.GroupHeat, at, mean)
		along(ownStrengths, &m.Strength, at, mean)
		dst, sum, _ := score(heldOut)
		if sum <= bestSum {
			break
		}
		best, bestSum, after = *m, sum, dst
	}
	gain := (bestSum - without) / events
	se := pairedError(heldOut, before, after, gain) / events
	keep := gain > 2*se
	*m = plain
	if keep {
		*m = best
		f.draft(rows, len(best.Groups)/Hours)
		m.Report.Group = bestSum / events
	}
	m.Report.GroupGain, m.Report.GroupSE = gain, se
	m.Report.GroupsTried = len(best.Groups) / Hours
}

// pairedError is the standard error of the summed differences of scores, by
// debtor, about their mean gain per event. Cases of one row stand together.
func pairedError(cases []target, before, after []float64, gain float64) float64 {
	sum, diff := 0.0, 0.0
	for i, c := range cases {
		diff += after[i] - before[i] - gain*c.weight
		if i+1 == len(cases) || cases[i+1].row != c.row {
			sum += diff * diff
			diff = 0
		}
	}
	return math.Sqrt(sum)
}

// draft sets g groups from rows: starts far apart (k-means++ on Hellinger
// distances), then expectation and maximisation of the mixture.
//
// See Arthur and Vassilvitskii (2007), k-means++: the advantages of careful
// seeding, and Dempster, Laird and Rubin (1977).
func (f *fitter) draft(rows []int, g int) {
	m := f.m
	m.Groups, m.GroupShares = nil, nil
	shape := make([]float64, len(rows)*Hours) // square roots of each debtor's shares
	var post [Hours]float64
	for i, r := range rows {
		f.posterior(&post, r)
		sum := 0.0
		for _, v := range &post {
			sum += v
		}
		for h, v := range &post {
			shape[i*Hours+h] = math.Sqrt(v / sum)
		}
	}
	near := make([]float64, len(rows))
	for i := range near {
		near[i] = 1
	}
	groups := make([]float64, 0, g*Hours)
	for range g {
		pick := f.weighted(near)
		f.posterior(&post, rows[pick])
		curve := m.Curves[m.row(int(f.rows.Profile[rows[pick]]))*Hours:][:Hours]
		var a, b float64
		for h := range post {
			a += post[h]
			b += curve[h]
		}
		for h := range post {
			groups = append(groups, post[h]/a*b/curve[h])
		}
		for i := range near {
			d := 0.0
			for h := range Hours {
				x := shape[i*Hours+h] - shape[pick*Hours+h]
				d += x * x
			}
			near[i] = min(near[i], d)
		}
	}
	m.Groups = groups
	m.GroupShares = make([]float64, (f.opt.Profiles+1)*g)
	for i := range m.GroupShares {
		m.GroupShares[i] = 1 / float64(g)
	}
	for range groupRounds {
		f.refine(rows, g)
	}
}

// refine is one round of expectation and maximisation.
func (f *fitter) refine(rows []int, g int) {
	m := f.m
	sums := make([][2][Hours]float64, g) // seen and expected of each group
	debtors := make([]float64, len(m.GroupShares))
	var n, e [Hours]float64
	var share [maxGroups]float64
	for _, r := range rows {
		f.cells(r, false, &n, &e)
		var seen, expected float64
		for h := range Hours {
			seen += n[h]
			expected += e[h]
		}
		if seen == 0 || expected == 0 {
			continue
		}
		row := m.row(int(f.rows.Profile[r]))
		m.membership(&share, &n, &e, seen, expected, row)
		weight := 1 / (1 + seen/m.GroupHeat)
		for c := range g {
			mean := 0.0
			for h, v := range m.Groups[c*Hours : (c+1)*Hours] {
				mean += e[h] * v
			}
			mean /= expected
			belongs := share[c] * mean
			debtors[c] += belongs
			if row > 0 {
				debtors[row*g+c] += belongs
			}
			for h := range Hours {
				sums[c][0][h] += weight * belongs * n[h]
				sums[c][1][h] += weight * share[c] * seen / expected * e[h]
			}
		}
	}
	k := newKernel(m.Bandwidth, m.Daily)
	for c := range g {
		curve := m.Groups[c*Hours:][:Hours]
		k.smooth(&n, &e, &sums[c][0], &sums[c][1])
		for h := range curve {
			curve[h] = (groupEvents + n[h]) / (groupEvents + e[h])
		}
	}
	total := float64(g)
	for c := range g {
		total += debtors[c]
	}
	for c := range g {
		m.GroupShares[c] = (1 + debtors[c]) / total
	}
	for p := 1; p <= f.opt.Profiles; p++ {
		total := float64(groupDebtors)
		for c := range g {
			total += debtors[p*g+c]
		}
		for c := range g {
			m.GroupShares[p*g+c] = (groupDebtors*m.GroupShares[c] + debtors[p*g+c]) / total
		}
	}
}

// posterior is Model.Posterior of a row.
func (f *fitter) posterior(dst *[Hours]float64, r int) {
	var exposure *[Hours]float32
	if f.rows.Exposure != nil {
		exposure = (*[Hours]float32)(f.rows.Exposure[r*Hours:])
	}
	f.m.Posterior(dst, (*[Hours]float32)(f.rows.Counts[r*Hours:]), exposure, int(f.rows.Profile[r]))
}

// weighted draws an index with probability proportional to its weight.
func (f *fitter) weighted(weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	at := f.rng.Float64() * sum
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}
