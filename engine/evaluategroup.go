package engine

import (
	"cmp"
	"slices"
	"time"

	"rappel/models/ope"
)

// groups is how many groups a policy's log may be split by.
const groups = 5

// PolicyGroups are those: the channel that was logged, or wait; the debtor's
// kind, sector (two digits) and area (country and two characters of the
// postcode); and the month of its first invoice.
var PolicyGroups = [groups]string{"channel", "kind", "sector", "area", "cohort"}

// groupBy fills in which groups a decision belongs to; empty: not known.
func (j *judged) groupBy(f *facts) {
	j.group[0] = ActionWait
	if j.row.Action == ActionContact {
		j.group[0] = j.row.Channel.String()
	}
	j.group[1], j.group[2], j.group[3] = string(f.profile.Kind), sectorOf(f.profile.Sector), areaOf(&f.profile)
}

// cohortOf is the month of an account's first invoice.
func (a *account) cohortOf() string {
	first := int64(0)
	for i := range a.invoices {
		if at := a.invoices[i].issued; at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	if first == 0 {
		return ""
	}
	return time.Unix(first, 0).UTC().Format("2006-01")
}

// Group returns the value of one of PolicyGroups for every row.
func (p *PolicyLog) Group(by string) []string {
	k := slices.Index(PolicyGroups[:], by)
	out := make([]string, len(p.rows))
	for i := range p.rows {
		out[i] = p.rows[i].group[k]
	}
	return out
}

// PolicyPressure is how often a group of debtors would be contacted.
type PolicyPressure struct {
	By, Name           string // kind or area, and which
	Decisions, Debtors int
	Model, Against     float64      // share of decisions that are a contact: of both policies
	Difference         ope.Estimate // Model less Against
}

// Pressure compares by kind and by area how often the two policies contact, on
// the facts of the same decisions. A group of one debtor has no interval.
func (p *PolicyLog) Pressure(level float64) ([]PolicyPressure, error) {
	cfg := ope.DefaultConfig()
	cfg.Estimators, cfg.Interval, cfg.Level, cfg.Looks = []string{ope.SNIPS}, ope.Delta, level, 1
	cfg.Gate = ope.Gate{MaxUnsupported: 1}
	var out []PolicyPressure
	for _, by := range []string{"kind", "area"} {
		rows := map[string][]int{}
		for i, name := range p.Group(by) {
			rows[name] = append(rows[name], i)
		}
		first := len(out)
		for name, list := range rows {
			x := PolicyPressure{By: by, Name: name, Decisions: len(list)}
			more := &ope.Log{}
			for _, i := range list {
				model, against := 1-p.rows[i].policy[0][0], 1-p.rows[i].policy[1][0]
				x.Model += model / float64(len(list))
				x.Against += against / float64(len(list))
				more.Reward, more.Cluster = append(more.Reward, model-against), append(more.Cluster, p.Model.Cluster[i])
				more.Propensity, more.Target = append(more.Propensity, 1), append(more.Target, 1)
			}
			rep, err := ope.Evaluate(more, cfg)
			if err != nil {
				return nil, err
			}
			x.Debtors, x.Difference = rep.Support.Clusters, rep.Estimates[0]
			out = append(out, x)
		}
		slices.SortFunc(out[first:], func(a, b PolicyPressure) int {
			return cmp.Or(cmp.Compare(b.Decisions, a.Decisions), cmp.Compare(a.Name, b.Name))
		})
	}
	return out, nil
}
