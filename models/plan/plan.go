// Package plan chooses one option for each of many, under capacities that all
// share, so that the sum of values is as large as can be.
//
// It sees numbers only: who chooses, what the options are worth and which
// resources they use. Prices on the resources are found on all choosers at once
// (Lagrangian relaxation); at these prices everybody's best option is nearly
// the best plan, and the prices say what one more unit of a resource is worth.
// What is chosen in the end never uses more than there is.
package plan

import (
	"fmt"
	"math"
	"slices"
)

// Use is how much of a resource an option takes.
type Use struct {
	Resource int
	Amount   int64 // above 0
}

// Option is one of those that a chooser has.
type Option struct {
	Kind  int // of Problem.AddKind; 0: uses nothing
	Value float64
}

// Problem is choosers and resources. It keeps 8 bytes an option that could be
// chosen at some prices, and drops the others as they come.
type Problem struct {
	capacity []int64
	kinds    [][]Use
	end      []int // by chooser: where its options end
	group    []int32
	value    []float32
	kind     []uint16
	place    []uint16 // of the option as it was added
}

// New returns a problem with resources of these capacities, which may still be
// changed by SetCapacity, and with the kind 0, which uses nothing.
func New(capacity []int64) *Problem {
	for r, c := range capacity {
		if c < 0 {
			panic(fmt.Sprintf("plan: capacity %d of resource %d", c, r))
		}
	}
	return &Problem{capacity: slices.Clone(capacity), kinds: [][]Use{nil}}
}

// AddResource adds a resource and returns its number.
func (p *Problem) AddResource(capacity int64) int {
	p.capacity = append(p.capacity, capacity)
	return len(p.capacity) - 1
}

// SetCapacity changes how much there is of a resource.
func (p *Problem) SetCapacity(resource int, capacity int64) {
	if capacity < 0 {
		panic(fmt.Sprintf("plan: capacity %d of resource %d", capacity, resource))
	}
	p.capacity[resource] = capacity
}

// AddKind adds a way of using resources, which many options may share, and
// returns its number. There are at most 65,535.
func (p *Problem) AddKind(uses ...Use) int {
	for _, u := range uses {
		if u.Amount <= 0 || u.Resource < 0 || u.Resource >= len(p.capacity) {
			panic(fmt.Sprintf("plan: use %+v of %d resources", u, len(p.capacity)))
		}
	}
	if len(p.kinds) > math.MaxUint16 {
		panic("plan: too many kinds of use")
	}
	p.kinds = append(p.kinds, slices.Clone(uses))
	return len(p.kinds) - 1
}

// Len returns how many choosers there are.
func (p *Problem) Len() int { return len(p.end) }

// Add adds a chooser. Every option of a kind other than 0 also takes one unit
// of the resource group, if that is not negative. One option at least must be
// of kind 0: that can always be chosen. Values must be finite.
func (p *Problem) Add(group int, options []Option) {
	free := math.Inf(-1)
	for _, o := range options {
		if !(math.Abs(o.Value) <= math.MaxFloat32) {
			panic(fmt.Sprintf("plan: value %v of an option", o.Value))
		}
		if o.Kind == 0 {
			free = max(free, o.Value)
		}
	}
	if math.IsInf(free, -1) || len(options) > math.MaxUint16 {
		panic("plan: a chooser needs an option that uses nothing, and at most 65,535 others")
	}
	start := len(p.value)
	for i, o := range options {
		if o.Kind != 0 && o.Value <= free {
			continue // never chosen, at no prices
		}
		at := start + slices.Index(p.kind[start:], uint16(o.Kind))
		if at < start {
			p.kind, p.value, p.place = append(p.kind, uint16(o.Kind)), append(p.value, float32(o.Value)), append(p.place, uint16(i))
		} else if float32(o.Value) > p.value[at] {
			p.value[at], p.place[at] = float32(o.Value), uint16(i)
		}
	}
	p.end = append(p.end, len(p.value))
	p.group = append(p.group, int32(group))
}

func (p *Problem) options(i int) (from, to int) {
	if i > 0 {
		from = p.end[i-1]
	}
	return from, p.end[i]
}

// Solution is what was chosen.
type Solution struct {
	Choice []int     // by chooser: which of its options, as they were added
	Kind   []int     // by chooser: the kind of that option
	Value  float64   // of all choices
	Bound  float64   // no choice at all can be worth more, but for rounding of 1e-6
	Price  []float64 // by resource: what one more unit is worth
	Used   []int64   // by resource, never above its capacity
}
