package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"rappel/datasets/ledger"
)

// Mapping says how the columns of a foreign file become rows of our tables.
// One file may feed several tables, each by an entry of its own.
type Mapping struct {
	Delimiter string   `yaml:"delimiter"` // of a CSV file; empty: found in its first line
	Header    []string `yaml:"header"`    // the columns of a CSV file that does not name them
	Timezone  string   `yaml:"timezone"`  // of times without an offset; empty: the creditor's
	Decimal   string   `yaml:"decimal"`   // "," for numbers such as 1.234,50; empty: a point
	Tables    []Entry  `yaml:"tables"`
}

// Entry is one table that a file feeds.
type Entry struct {
	Table   string            `yaml:"table"`
	Where   map[string]Values `yaml:"where"`   // only rows whose column holds one of these
	Unless  map[string]Values `yaml:"unless"`  // not rows whose column holds one of these
	Repeat  string            `yaml:"repeat"`  // a column with a number: the row stands for so many, {n} counts them
	Columns map[string]Column `yaml:"columns"` // by the name of the table's column
}

// Column says where the value of one column comes from: exactly one of From,
// Value, Template and Join. In YAML a bare text stands for From.
type Column struct {
	From     string            `yaml:"from"`     // a column of the file
	Value    string            `yaml:"value"`    // the same for every row
	Template string            `yaml:"template"` // text with {column}, {column:2} for its first two characters, {row} for the number of the row, and {n}, which counts rows that give the same text
	Join     []string          `yaml:"join"`     // columns, put together
	With     string            `yaml:"with"`     // what stands between them
	Map      map[string]string `yaml:"map"`      // replaces values; "*" stands for any other
	Default  string            `yaml:"default"`  // where the value is empty
	Format   string            `yaml:"format"`   // of a date or time, such as %d/%m/%Y
	Decimal  string            `yaml:"decimal"`  // as in Mapping
	AddDays  string            `yaml:"add_days"` // days to add to a date or time: a number, {n}, or a column
}

// UnmarshalYAML reads a column, refusing keys that it does not know.
func (c *Column) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		c.From = node.Value
		return nil
	}
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if key := node.Content[i]; !slices.Contains(columnKeys, key.Value) {
				return fmt.Errorf("line %d: %q is none of %s", key.Line, key.Value, strings.Join(columnKeys, ", "))
			}
		}
	}
	type plain Column // without this method
	return node.Decode((*plain)(c))
}

var columnKeys = []string{"from", "value", "template", "join", "with", "map", "default", "format", "decimal", "add_days"}

// Values is one text or a list of them.
type Values []string

// UnmarshalYAML reads one text or a list.
func (v *Values) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*v = Values{node.Value}
		return nil
	}
	return node.Decode((*[]string)(v))
}

// ReadMapping reads and checks the mapping of a YAML file.
func ReadMapping(path string) (*Mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	m, err := ParseMapping(text)
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	return m, nil
}

// ParseMapping reads and checks a mapping. Unknown keys, tables and columns are
// refused by name.
func ParseMapping(text []byte) (*Mapping, error) {
	var m Mapping
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(foreignWords.Replace(err.Error()))
	}
	return &m, m.Validate()
}

// foreignWords takes the names of Go types out of the messages of the decoder.
var foreignWords = strings.NewReplacer(
	"yaml: unmarshal errors:\n  ", "", " not found in type ingest.Mapping", " is not known", " not found in type ingest.Entry", " is not known",
)

// Validate reports what keeps a mapping from being used.
func (m *Mapping) Validate() error {
	if len([]rune(m.Delimiter)) > 1 {
		return fmt.Errorf("delimiter: %q is not one character", m.Delimiter)
	}
	if m.Timezone != "" && !ledger.ZoneExists(m.Timezone) {
		return fmt.Errorf("timezone: %q is not an IANA zone", m.Timezone)
	}
	if err := checkDecimal(m.Decimal); err != nil {
		return err
	}
	if len(m.Tables) == 0 {
		return errors.New("tables: a mapping needs at least one")
	}
	for i := range m.Tables {
		if err := m.Tables[i].validate(); err != nil {
			return fmt.Errorf("tables[%d]: %w", i, err)
		}
	}
	return nil
}

func checkDecimal(s string) error {
	if s != "" && s != "." && s != "," {
		return fmt.Errorf("decimal: %q is neither a point nor a comma", s)
	}
	return nil
}

func (e *Entry) validate() error {
	t := tables[e.Table]
	if t == nil {
		return fmt.Errorf("table: %q is none of %s", e.Table, strings.Join(Tables(), ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Columns)) {
		if t.index(name) < 0 {
			return fmt.Errorf("columns: %s has no column %q", e.Table, name)
		}
		c := e.Columns[name]
		if err := c.validate(); err != nil {
			return fmt.Errorf("columns: %s: %w", name, err)
		}
	}
	for _, c := range t.columns {
		if _, ok := e.Columns[c.name]; c.required && !ok && c.name != "creditor_id" {
			return fmt.Errorf("columns: %s needs %q", e.Table, c.name)
		}
	}
	return nil
}

func (c *Column) validate() error {
	n := 0
	for _, set := range []bool{c.From != "", c.Value != "", c.Template != "", len(c.Join) > 0} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errors.New("needs exactly one of from, value, template and join")
	}
	if _, err := cutTemplate(c.Template); err != nil {
		return err
	}
	if _, err := layout(c.Format); err != nil {
		return err
	}
	return checkDecimal(c.Decimal)
}

// piece is a part of a template: a literal text, or else a reference to a
// column, or to its first characters, or to the counters row and n.
type piece struct {
	literal, ref string
	first        int // 0: all
}

// cutTemplate cuts a template into its pieces.
func cutTemplate(s string) (pieces []piece, err error) {
	for s != "" {
		literal, rest, found := strings.Cut(s, "{")
		if literal != "" {
			pieces = append(pieces, piece{literal: literal})
		}
		if !found {
			break
		}
		ref, after, closed := strings.Cut(rest, "}")
		if !closed || ref == "" {
			return nil, fmt.Errorf("template: %q has a { without its column and }", s)
		}
		p := piece{ref: ref}
		if name, first, cut := strings.Cut(ref, ":"); cut {
			if p.ref = name; name == "" || len(first) != 1 || first < "1" || first > "9" {
				return nil, fmt.Errorf("template: {%s} is not {column:1} to {column:9}", ref)
			}
			p.first = int(first[0] - '0')
		}
		pieces, s = append(pieces, p), after
	}
	return pieces, nil
}

// directives are the words of a format and what they are in a Go layout. Go
// reads 1 for 01 too.
var directives = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "1", 'd': "2", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday",
	'H': "15", 'I': "3", 'M': "4", 'S': "5", 'p': "PM", 'z': "-0700", 'Z': "MST", '%': "%",
}

// layout turns a format such as %d/%m/%Y into a layout of package time.
func layout(format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		if i == len(format) {
			return "", fmt.Errorf("format: %q ends with %%", format)
		}
		word, ok := directives[format[i]]
		if !ok {
			return "", fmt.Errorf("format: %%%c is not known in %q", format[i], format)
		}
		b.WriteString(word)
	}
	if format != "" {
		// A layout that cannot read what it writes is no layout.
		want := time.Date(2009, 8, 7, 0, 0, 0, 0, time.UTC)
		if _, err := time.Parse(b.String(), want.Format(b.String())); err != nil {
			return "", fmt.Errorf("format: %q is not a date or time", format)
		}
	}
	return b.String(), nil
}
