package ingest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// plan turns the cells of one source into rows of one table.
type plan struct {
	name    string
	table   *table
	where   []condition
	repeat  int // cell with the number of rows that one stands for, −1: one
	values  []value
	row     row
	counts  map[string]int // of {n}, by column and text
	foreign string         // the creditor that every row must have, or empty
}

// condition is a column that must, or must not, hold one of some texts.
type condition struct {
	cell  int
	texts Values
	not   bool
}

// value is where one column of the table comes from.
type value struct {
	from    []bound // none: the file says nothing of this column
	mapped  map[string]string
	absent  string // where the text is empty
	reading reading
	addDays int // cell with the days to add, −1: none; see also reading
	addN    bool
	counted bool // the text has {n}
}

// bound is a piece of a template whose column has been found.
type bound struct {
	literal string
	cell    int // −1: literal; or one of the counters
	first   int // characters of the cell, 0: all
}

// The counters of a template, as cells.
const (
	literalText = -1
	rowCounter  = -2
	nCounter    = -3
)

// newPlan joins an entry of a mapping to a source; without an entry the
// columns of the source bear our names. creditor, where given, is whose data
// it is; z is the zone of times that have none.
func newPlan(name string, e *Entry, m *Mapping, s source, creditor string, z *time.Location) (*plan, error) {
	t := tables[name]
	p := &plan{name: name, table: t, repeat: -1, row: row{table: t, cells: make([]cell, len(t.columns))}, counts: map[string]int{}}
	find := func(column string) (int, error) {
		i := s.column(column)
		if i < 0 {
			return 0, fmt.Errorf("no column %q; there are %s", column, strings.Join(s.names(), ", "))
		}
		return i, nil
	}
	if e != nil {
		for _, group := range []struct {
			by  map[string]Values
			not bool
		}{{e.Where, false}, {e.Unless, true}} {
			for _, column := range slices.Sorted(maps.Keys(group.by)) {
				i, err := find(column)
				if err != nil {
					return nil, err
				}
				p.where = append(p.where, condition{i, group.by[column], group.not})
			}
		}
		if e.Repeat != "" {
			i, err := find(e.Repeat)
			if err != nil {
				return nil, err
			}
			p.repeat = i
		}
	}
	for _, c := range t.columns {
		v := value{addDays: -1, reading: reading{zone: z}}
		spec, mapped := Column{}, false
		if e != nil {
			spec, mapped = e.Columns[c.name]
			v.reading.comma = m.Decimal == ","
		}
		switch {
		case mapped:
			if err := v.bind(&spec, find); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
		case e == nil && s.column(c.name) >= 0:
			v.from = []bound{{cell: s.column(c.name)}}
		}
		if c.name == "creditor_id" && creditor != "" {
			if v.from == nil {
				v.from = []bound{{literal: creditor, cell: literalText}}
			}
			if v.absent == "" {
				v.absent = creditor // as in NDJSON, where a column is known row by row
			}
			p.foreign = creditor
		}
		if v.from == nil && c.required {
			if c.name == "creditor_id" {
				return nil, errors.New("no column creditor_id: say whose data it is with --creditor")
			}
			return nil, fmt.Errorf("no column %q, which %s needs; there are %s", c.name, name, strings.Join(s.names(), ", "))
		}
		p.values = append(p.values, v)
	}
	return p, nil
}

// bind finds the columns that a specification names.
func (v *value) bind(c *Column, find func(string) (int, error)) error {
	add := func(ref string) error {
		i, err := find(ref)
		v.from = append(v.from, bound{cell: i})
		return err
	}
	switch {
	case c.From != "":
		if err := add(c.From); err != nil {
			return err
		}
	case c.Value != "":
		v.from = []bound{{literal: c.Value, cell: literalText}}
	case c.Template != "":
		pieces, err := cutTemplate(c.Template)
		if err != nil {
			return err
		}
		for _, p := range pieces {
			switch p.ref {
			case "":
				v.from = append(v.from, bound{literal: p.literal, cell: literalText})
			case "row":
				v.from = append(v.from, bound{cell: rowCounter})
			case "n":
				v.from, v.counted = append(v.from, bound{cell: nCounter}), true
			default:
				if err := add(p.ref); err != nil {
					return err
				}
				v.from[len(v.from)-1].first = p.first
			}
		}
	default:
		for i, column := range c.Join {
			if i > 0 && c.With != "" {
				v.from = append(v.from, bound{literal: c.With, cell: literalText})
			}
			if err := add(column); err != nil {
				return err
			}
		}
	}
	v.mapped, v.absent = c.Map, c.Default
	var err error
	if v.reading.layout, err = layout(c.Format); err != nil {
		return err
	}
	if c.Decimal != "" {
		v.reading.comma = c.Decimal == ","
	}
	switch c.AddDays {
	case "":
	case "{n}":
		v.addN = true
	default:
		if v.reading.addDays, err = days(c.AddDays); err != nil {
			if v.addDays, err = find(c.AddDays); err != nil {
				return fmt.Errorf("add_days: %w", err)
			}
		}
	}
	return nil
}

// wants reports whether the conditions hold for a row.
func (p *plan) wants(cells []string) bool {
	for _, c := range p.where {
		if slices.Contains(c.texts, cells[c.cell]) == c.not {
			return false
		}
	}
	return true
}

// maxRepeat bounds how many rows one row may stand for.
const maxRepeat = 1000

// take reads one row of the source into rows of the table.
func (p *plan) take(cells []string, rowNumber int, to *batch) *fault {
	if !p.wants(cells) {
		return nil
	}
	if p.repeat < 0 {
		return p.one(cells, rowNumber, 0, to)
	}
	times, err := strconv.Atoi(cells[p.repeat])
	if err != nil || times < 0 || times > maxRepeat {
		return &fault{reason: fmt.Sprintf("the number of repetitions is not between 0 and %d", maxRepeat), value: cells[p.repeat]}
	}
	for n := 1; n <= times; n++ {
		if f := p.one(cells, rowNumber, n, to); f != nil {
			return f
		}
	}
	return nil
}

// one reads one row; n is its number among repetitions, 0 where there are
// none.
func (p *plan) one(cells []string, rowNumber, n int, to *batch) *fault {
	clear(p.row.cells)
	for i := range p.values {
		v, column := &p.values[i], &p.table.columns[i]
		if v.from == nil {
			continue
		}
		s := p.textOf(v, column.name, cells, rowNumber, n)
		if v.mapped != nil {
			if to, ok := v.mapped[s]; ok {
				s = to
			} else if to, ok := v.mapped["*"]; ok {
				s = to
			}
		}
		if s == "" {
			s = v.absent
		}
		if s == "" {
			if column.required {
				return &fault{column: column.name, reason: "is missing"}
			}
			continue
		}
		how := v.reading
		if v.addN {
			how.addDays += n
		}
		if v.addDays >= 0 {
			add, err := days(cells[v.addDays])
			if err != nil {
				return &fault{column: column.name, reason: err.Error(), value: s}
			}
			how.addDays += add
		}
		if reason := p.row.cells[i].read(column, s, how); reason != "" {
			return &fault{column: column.name, reason: reason, value: s}
		}
	}
	if p.foreign != "" && p.row.cells[0].s != p.foreign {
		return &fault{column: "creditor_id", reason: "is not " + p.foreign, value: p.row.cells[0].s}
	}
	return p.table.add(&p.row, to)
}

// textOf returns the text of one column.
func (p *plan) textOf(v *value, column string, cells []string, rowNumber, n int) string {
	if len(v.from) == 1 && v.from[0].cell >= 0 && v.from[0].first == 0 {
		return strings.TrimSpace(cells[v.from[0].cell])
	}
	if v.counted && n == 0 {
		key := column + "\x00" + p.join(v, cells, rowNumber, "")
		p.counts[key]++
		n = p.counts[key]
	}
	return p.join(v, cells, rowNumber, strconv.Itoa(n))
}

// join puts the pieces of a text together, count for {n}.
func (p *plan) join(v *value, cells []string, rowNumber int, count string) string {
	if len(v.from) == 1 && v.from[0].cell == literalText {
		return v.from[0].literal
	}
	var b strings.Builder
	for _, piece := range v.from {
		switch piece.cell {
		case literalText:
			b.WriteString(piece.literal)
		case rowCounter:
			b.WriteString(strconv.Itoa(rowNumber))
		case nCounter:
			b.WriteString(count)
		default:
			s := strings.TrimSpace(cells[piece.cell])
			if piece.first > 0 && utf8.RuneCountInString(s) > piece.first {
				s = string([]rune(s)[:piece.first])
			}
			b.WriteString(s)
		}
	}
	return b.String()
}
