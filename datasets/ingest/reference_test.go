package ingest

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reference returns the folder of the real data sets. Without them the test is
// skipped, except where CI runs it.
func reference(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("RAPPEL_REFERENCE")
	if dir == "" {
		for up := ".."; len(up) < 30; up = filepath.Join("..", up) {
			if d := filepath.Join(up, "shared", "reference"); exists(d) {
				dir = d
				break
			}
		}
	}
	if dir != "" && exists(filepath.Join(dir, "data")) {
		return filepath.Join(dir, "data")
	}
	if os.Getenv("CI") != "" {
		tb.Fatal("the real data sets are not there: set RAPPEL_REFERENCE")
	}
	tb.Skip("the real data sets are not there: set RAPPEL_REFERENCE to their folder")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// head copies the header and the first rows of a packed CSV file.
func head(tb testing.TB, path string, rows int) string {
	tb.Helper()
	r, err := openText(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	var b strings.Builder
	lines := bufio.NewScanner(r)
	for i := 0; i <= rows && lines.Scan(); i++ {
		b.WriteString(lines.Text() + "\n")
	}
	return write(tb, tb.TempDir(), "head.csv", b.String())
}

// The real data sets, read as they are: every row is accounted for.
func TestRealData(t *testing.T) {
	data := reference(t)
	for name, c := range map[string]struct {
		file     string
		read     int
		rejected int
		tables   []TableReport
	}{
		"receivables": {"ibm_accounts_receivable.csv", 2466, 0, []TableReport{
			{"creditors", 2466, 1}, {"debtors", 2466, 100}, {"debtor_channels", 4932, 200}, {"invoices", 2466, 2466}, {"payments", 2466, 2466}, {"cases", 561, 561},
		}},
		"bank-calls": {"uci_bank-additional.zip#bank-additional/bank-additional-full.csv", 41188, 0, []TableReport{
			{"debtors", 41188, 41188}, {"debtor_channels", 41188, 41188}, {"contacts", 105754, 105754}, {"engagements", 4640, 4640},
		}},
		"email-opens": {"outspot_email_opens.csv", 58239, 0, []TableReport{
			{"debtors", 58239, 1000}, {"debtor_channels", 58239, 1000}, {"engagements", 58239, 58239},
		}},
		"nacebel":      {"nacebel.csv", 2024, 0, []TableReport{{"sectors", 2024, 2024}}},
		"postcodes-be": {"be_postcodes_jief.csv", 2757, 0, []TableReport{{"postcodes", 2757, 1145}}},
		"postcodes-nl": {"nl_4pp.csv", 4699, 0, []TableReport{{"postcodes", 4699, 4699}}},
		// The head of the log; docs/real-data.md reads all of it.
		"traffic-fines": {"road_traffic_fines_events.csv.gz", 60000, 0, []TableReport{
			{"debtors", 17378, 17378},
			{"debtor_channels", 17378, 17378},
			{"invoices", 17378, 17378},
			{"payments", 8614, 8614},
			{"contacts", 19214, 19214},
			{"engagements", 7950, 7950},
			{"cases", 6389, 6303},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := fresh(t)
			path := filepath.Join(data, c.file)
			if name == "traffic-fines" {
				path = head(t, path, c.read)
			}
			got, err := Run(t.Context(), s, Options{Creditor: "real", Mapping: mappings(t)[name], Rejected: t.TempDir()}, path)
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			if got[0].Read != c.read || got[0].Rejected != c.rejected {
				t.Errorf("%d rows read and %d rejected, want %d and %d", got[0].Read, got[0].Rejected, c.read, c.rejected)
			}
			for i, want := range c.tables {
				if i >= len(got[0].Tables) || got[0].Tables[i] != want {
					t.Errorf("tables\n got %+v\nwant %+v", got[0].Tables, c.tables)
					break
				}
			}
		})
	}
}
