package features

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/duckdb/duckdb-go/v2"
)

// A lake of Parquet files gives the vectors of the warehouse it was written from.
func TestLakeEqualsWarehouse(t *testing.T) {
	db := creditors(t)
	fill(t, db, book(7, 30), time.Time{})
	dir := t.TempDir()
	for _, r := range relations {
		if r == "ratings" {
			continue // a relation without files is empty
		}
		partition := ""
		switch r {
		case "debtors", "invoices", "payments", "contacts", "engagements", "cases":
			partition = ", PARTITION_BY (creditor_id)"
		}
		if err := os.MkdirAll(filepath.Join(dir, r), 0o755); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, r)
		if partition == "" {
			to = filepath.Join(dir, r, "all.parquet")
		}
		exec(t, db, "COPY "+r+" TO '"+to+"' (FORMAT parquet"+partition+")")
	}
	exec(t, db, "DELETE FROM ratings")
	lake, err := OpenLake(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	asOf := day("2025-03-01T10:00:00Z")
	got, err := New(lake).Load(t.Context(), asOf, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, load(t, db, "2025-03-01T10:00:00Z", Filter{}))
}

// So does the lake of a snapshot; what is erased is not in the next one.
func TestSnapshotEqualsWarehouse(t *testing.T) {
	db := creditors(t)
	fill(t, db, book(7, 30), time.Time{})
	dir := filepath.Join(t.TempDir(), "lake")
	asOf := "2025-03-01T10:00:00Z"
	vectors := func() *Set {
		t.Helper()
		if _, err := db.WriteLake(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		lake, err := OpenLake(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer lake.Close()
		set, err := New(lake).Load(t.Context(), day(asOf), Filter{})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	first := vectors()
	same(t, first, load(t, db, asOf, Filter{}))
	gone := first.Key(0)
	if _, err := db.Erase(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	second := vectors()
	same(t, second, load(t, db, asOf, Filter{}))
	if _, there := second.Row(gone); there || second.Len() != first.Len()-1 {
		t.Errorf("%d vectors of %d are left, the erased among them: %v", second.Len(), first.Len(), there)
	}
}

func TestNoLake(t *testing.T) {
	if _, err := OpenLake(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no Parquet file") {
		t.Errorf("%v, want that the folder is empty", err)
	}
	if _, err := OpenLake(t.Context(), filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there was opened")
	}
}

func TestExport(t *testing.T) {
	db := creditors(t)
	fill(t, db, book(8, 20), time.Time{})
	asOf := day("2025-03-01T10:00:00Z")
	want := load(t, db, "2025-03-01T10:00:00Z", Filter{})
	dir := t.TempDir()
	for _, name := range []string{"v.arrow", "v.parquet"} {
		path := filepath.Join(dir, name)
		n, err := New(db).Export(t.Context(), path, asOf, Filter{})
		if err != nil || int(n) != want.Len() {
			t.Fatalf("%s: %d vectors, %v", name, n, err)
		}
		got := new(Set)
		if name == "v.arrow" {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := ipc.NewFileReader(f)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Schema().Equal(Schema()) {
				t.Errorf("%s: schema %v", name, r.Schema())
			}
			if hash, _ := r.Schema().Metadata().GetValue("rappel.vector"); hash != SchemaHash() {
				t.Errorf("%s: hash %q, want %q", name, hash, SchemaHash())
			}
			for i := range r.NumRecords() {
				rec, err := r.RecordBatch(i)
				if err != nil {
					t.Fatal(err)
				}
				if err := got.Append(rec); err != nil {
					t.Fatal(err)
				}
			}
		} else {
			var list []string // Parquet has no lists of fixed length
			for _, c := range columns {
				item := c.name
				if c.width > 0 {
					item += fmt.Sprintf("::FLOAT[%d] AS %s", c.width, c.name)
				}
				list = append(list, item)
			}
			err := db.Arrow(t.Context(), func(a *duckdb.Arrow) error {
				return (&session{ctx: t.Context(), db: a}).read("SELECT "+strings.Join(list, ", ")+" FROM '"+path+"'", got.Append)
			})
			if err != nil {
				t.Fatal(err)
			}
			var hash string
			err = db.DB().QueryRow("SELECT decode(value) FROM parquet_kv_metadata('" + path + "') WHERE decode(key) = 'rappel.vector'").Scan(&hash)
			if err != nil || hash != SchemaHash() {
				t.Errorf("%s: hash %q, %v, want %q", name, hash, err, SchemaHash())
			}
		}
		same(t, got, want)
	}
	if _, err := New(db).Export(t.Context(), filepath.Join(dir, "v.txt"), asOf, Filter{}); err == nil {
		t.Error("a text file was written")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
