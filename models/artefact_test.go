package models

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rappel/datasets/ledger"
)

// learnt is a model with something in every part.
func learnt() *Model {
	m := Prior()
	m.AddProfiles([]string{ProfileKey("consumer", "56", ""), ProfileKey("business", "", "")})
	key := ledger.Key{Creditor: "c", Debtor: "d"}
	phi := make([]float64, Effects)
	for j := range phi {
		phi[j] = math.Sin(float64(j))
	}
	h := m.Bandit.Observe(0, m.AddDebtor(key), phi, 0.25, 1)
	m.Handles, m.Decisions = append(m.Handles, uint64(h)), append(m.Decisions, "01J")
	m.Bandit.Solve()
	m.FittedAt, m.FirstFitAt, m.Until = 3, 2, 1
	m.Hazard.Coef[3] = math.Nextafter(m.Hazard.Coef[3], 1)
	return m
}

func manifest() *Manifest {
	return &Manifest{
		Vector: "v1:abc", To: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Seed: 7,
		Rows: map[string]int64{"debtors": 2}, Metrics: map[string]float64{"concordance": 0.7},
	}
}

func blob(t testing.TB, m *Model) []byte {
	t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestModelsSurviveTheirFiles(t *testing.T) {
	m := learnt()
	dir := filepath.Join(t.TempDir(), "model")
	man := manifest()
	if err := m.Save(dir, man); err != nil {
		t.Fatal(err)
	}
	got, read, err := Load(dir, "v1:abc")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(blob(t, got), blob(t, m)) || !reflect.DeepEqual(got.Hazard, m.Hazard) || !reflect.DeepEqual(got.Response, m.Response) ||
		!reflect.DeepEqual(got.Timing, m.Timing) || !reflect.DeepEqual(got.Speeds, m.Speeds) {
		t.Error("what was loaded is not what was saved")
	}
	if read.ID != man.ID || !strings.HasPrefix(read.ID, "m-2026-03-01-") || read.Seed != 7 || !maps.Equal(read.Files, man.Files) {
		t.Errorf("manifest %+v, want %+v", read, man)
	}
	if got.Profile("consumer|56|") != 0 || got.Profile("nobody") != -1 || got.Debtor(ledger.Key{Creditor: "c", Debtor: "d"}) != m.Debtor(ledger.Key{Creditor: "c", Debtor: "d"}) {
		t.Error("keys were lost")
	}

	again := filepath.Join(t.TempDir(), "again")
	if err := learnt().Save(again, manifest()); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(slices.Sorted(maps.Keys(man.Files)), "manifest.json") {
		a, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(again, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: the same model gives other bytes", name)
		}
	}
	copied, err := Unmarshal(blob(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(blob(t, copied), blob(t, m)) {
		t.Error("a blob does not come back as it was")
	}
}

func TestCloneIsIndependent(t *testing.T) {
	m := learnt()
	before := blob(t, m)
	c, err := m.Clone()
	if err != nil {
		t.Fatal(err)
	}
	c.AddProfiles([]string{"new"})
	c.Hazard.Coef[0]++
	c.Response.Base[0] = 0.9
	c.Forget(ledger.Key{Creditor: "c", Debtor: "d"})
	c.Drop("01J")
	c.Bandit.Forget(0.5)
	if !bytes.Equal(blob(t, m), before) {
		t.Error("the original changed with its clone")
	}
}

func TestForgottenDebtorsLeaveNoName(t *testing.T) {
	m := learnt()
	key := ledger.Key{Creditor: "c", Debtor: "d"}
	m.Forget(key)
	if bytes.Contains(blob(t, m), []byte("c\x00d")) || slices.Contains(m.Debtors, "c\x00d") {
		t.Error("the name is still there")
	}
	if i := m.AddDebtor(ledger.Key{Creditor: "c", Debtor: "e"}); i != 1 {
		t.Errorf("the next debtor is %d: it would inherit what was learnt of the one forgotten", i)
	}
}

func TestBadArtefactsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		vector string
	}{
		{"foreign vectors", func(*testing.T, string) {}, "v2:def"},
		{"no folder", func(t *testing.T, dir string) { check(t, os.RemoveAll(dir)) }, "v1:abc"},
		{"a file is missing", func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, "keys.arrow"))) }, "v1:abc"},
		{"a bit has flipped", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "hazard.arrow")
			b, err := os.ReadFile(path)
			check(t, err)
			b[len(b)/2] ^= 1
			check(t, os.WriteFile(path, b, 0o600))
		}, "v1:abc"},
		{"cut short", func(t *testing.T, dir string) { check(t, os.Truncate(filepath.Join(dir, "bandit.arrow"), 100)) }, "v1:abc"},
		{"another format", func(t *testing.T, dir string) { edit(t, dir, `"format": 1`, `"format": 99`) }, "v1:abc"},
		{"unknown key", func(t *testing.T, dir string) { edit(t, dir, `"format": 1`, `"format": 1, "more": 2`) }, "v1:abc"},
		{"no JSON", func(t *testing.T, dir string) {
			check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("model"), 0o600))
		}, "v1:abc"},
		{"a file elsewhere", func(t *testing.T, dir string) { edit(t, dir, `"keys.arrow"`, `"../keys.arrow"`) }, "v1:abc"},
		{"a part left out", func(t *testing.T, dir string) {
			text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
			check(t, err)
			_, rest, _ := strings.Cut(string(text), `"keys.arrow": "`)
			edit(t, dir, `"keys.arrow": "`+rest[:64]+`",`, "")
		}, "v1:abc"},
	} {
		dir := filepath.Join(t.TempDir(), "model")
		check(t, learnt().Save(dir, manifest()))
		c.damage(t, dir)
		if _, _, err := Load(dir, c.vector); !errors.Is(err, ErrArtefact) {
			t.Errorf("%s: %v, want ErrArtefact", c.name, err)
		}
	}
	folder := t.TempDir()
	check(t, os.WriteFile(filepath.Join(folder, "letters.txt"), nil, 0o600))
	if err := learnt().Save(folder, manifest()); err == nil {
		t.Error("a folder of other things was overwritten")
	}
	if _, err := Unmarshal([]byte("no archive")); !errors.Is(err, ErrArtefact) {
		t.Errorf("no archive: %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// edit replaces text of the manifest.
func edit(t *testing.T, dir, old, text string) {
	t.Helper()
	path := filepath.Join(dir, "manifest.json")
	b, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Contains(b, []byte(old)) {
		t.Fatalf("no %q in %s", old, b)
	}
	check(t, os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(text), 1), 0o600))
}

// Whatever a file holds, reading it ends in a value or in an error.
func FuzzPart(f *testing.F) {
	for _, part := range []any{&keysPart{Profiles: []string{"a"}, Handles: []uint64{1}}, &hazardPart{HazardNames[:], PriorHazard().Coef, PriorHazard().Coef, NewLeaving().Rate}} {
		b, err := encodePart(part)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		for _, at := range []int{40, 200, len(b) / 2, len(b) - 60, len(b) - 12} {
			c := bytes.Clone(b)
			c[at] ^= 0xff
			f.Add(c)
		}
	}
	f.Add([]byte("ARROW1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var keys keysPart
		if err := decodePart(b, &keys); err != nil && !errors.Is(err, ErrPart) {
			t.Errorf("%v is no ErrPart", err)
		}
		var hazard hazardPart
		if err := decodePart(b, &hazard); err != nil && !errors.Is(err, ErrPart) {
			t.Errorf("%v is no ErrPart", err)
		}
	})
}

// FuzzBlob reads what a learning keeps of a model, as it was and damaged.
func FuzzBlob(f *testing.F) {
	b := blob(f, Prior())
	f.Add(b)
	f.Add(b[:len(b)/2])
	for _, at := range []int{0, 40, len(b) / 2, len(b) - 30} {
		c := bytes.Clone(b)
		c[at] ^= 0xff
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Unmarshal(b); (m == nil) == (err == nil) {
			t.Errorf("%v and %v", m, err)
		}
	})
}

// FuzzManifest loads an artefact of true files under any manifest at all.
func FuzzManifest(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "m")
	if err := Prior().Save(dir, &Manifest{Vector: "v"}); err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(dir, "manifest.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(bytes.Replace(whole, []byte(".arrow"), []byte("/../../../etc/passwd"), 1))
	f.Add([]byte(`{"format":1,"vector":"v","files":{}}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, man, err := Load(dir, "v")
		if err != nil && !errors.Is(err, ErrArtefact) {
			t.Errorf("%v is no ErrArtefact", err)
		}
		if err == nil && (m == nil || man.Vector != "v") {
			t.Error("taken, and nothing of it")
		}
	})
}
