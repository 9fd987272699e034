package ingest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMappingRefuses(t *testing.T) {
	columns := func(s string) string { return "tables: [{table: sectors, columns: {sector_code: " + s + "}}]" }
	for text, want := range map[string]string{
		"":                           "at least one",
		"tables: []":                 "at least one",
		"tabels: []":                 "tabels",
		"tables: [{table: sector}]":  `"sector" is none of`,
		"tables: [{table: sectors}]": `needs "sector_code"`,
		"tables: [{table: events}]":  `"events" is none of`,
		"timezone: Mars/Olympus\n":   "IANA",
		"delimiter: ab":              "delimiter",
		"decimal: x":                 "decimal",
		"tables: [{table: sectors, columns: {sector_code: code, colour: x}}]":       `no column "colour"`,
		"tables: [{table: sectors, wher: {a: b}}]":                                  "wher",
		columns("{form: code}"):                                                     `"form" is none of from`,
		columns("{from: code, value: x}"):                                           "exactly one",
		columns("{}"):                                                               "exactly one",
		columns("[code]"):                                                           "cannot unmarshal",
		columns(`{template: "{code"}`):                                              "template",
		columns(`{template: "{}"}`):                                                 "template",
		columns(`{template: "{code:x}"}`):                                           "template",
		columns(`{from: code, format: "%Q"}`):                                       "%Q",
		columns(`{from: code, format: "%"}`):                                        "ends with %",
		columns(`{from: code, decimal: ";"}`):                                       "decimal",
		"tables: [{table: sectors, where: {a: {b: c}}, columns: {sector_code: c}}]": "cannot unmarshal",
	} {
		if _, err := ParseMapping([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant …%s…", text, err, want)
		}
	}
	if _, err := ReadMapping(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a mapping that is not there was read")
	}
}

// mappings returns the mappings that ship with the product.
func mappings(tb testing.TB) map[string]*Mapping {
	tb.Helper()
	files, err := filepath.Glob("../../docs/mappings/*.yaml")
	if err != nil || len(files) < 7 {
		tb.Fatal(files, err)
	}
	read := map[string]*Mapping{}
	for _, f := range files {
		m, err := ReadMapping(f)
		if err != nil {
			tb.Error(err)
		}
		read[strings.TrimSuffix(filepath.Base(f), ".yaml")] = m
	}
	return read
}

func TestShippedMappings(t *testing.T) { mappings(t) }

func TestDocumentedMapping(t *testing.T) {
	text, err := os.ReadFile("../../docs/ingest.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/ingest.md has no example of a mapping")
	}
	if _, err := ParseMapping([]byte(example)); err != nil {
		t.Error(err)
	}
}

func TestLayout(t *testing.T) {
	for format, want := range map[string]string{
		"":                  "",
		"%d/%m/%Y":          "2/1/2006",
		"%Y-%m-%d %H:%M:%S": "2006-1-2 15:4:5",
		"%d %b %y":          "2 Jan 06",
	} {
		if got, err := layout(format); err != nil || got != want {
			t.Errorf("layout(%q) = %q, %v, want %q", format, got, err, want)
		}
	}
}

// FuzzMapping demands that any text is either refused or a mapping with which
// a file can be read without a panic.
func FuzzMapping(f *testing.F) {
	files, err := filepath.Glob("../../docs/mappings/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("tables: [{table: contacts, repeat: a, columns: {contact_id: {template: '{a}{n}'}, debtor_id: a, channel: {value: sms}, sent_at: {from: b, format: '%Y', add_days: a}}}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseMapping(text)
		if err != nil {
			return
		}
		drain(t, []byte("a,b,case_id,activity,ts\n1,2024,c,Payment,2006-07-24T00:00:00+02:00\n2,x,,,\n"), ".csv", m)
	})
}
