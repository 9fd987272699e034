package engine

import (
	"testing"

	"rappel/datasets/ledger"
)

// The pay hazard, fitted to ten months of the built-in world, foretells the
// invoices of the next half year: what is foretold of a tenth of them comes, on
// average within three in a hundred. Chance alone makes one in a hundred of
// tenths of 250 invoices, of debtors who pay alike every month; a season that
// the first year cannot have shown makes the rest.
func TestHazardIsCalibratedOnTheBuiltInWorld(t *testing.T) {
	e, end := lived(t, 300, 58, "2024-11-04")
	o := DefaultTrainOptions()
	cut, err := ledger.ParseDay("2025-07-01")
	if err != nil {
		t.Fatal(err)
	}
	o.Cut, o.To, o.Horizons = cut.UTC(), end, []int{28, 60}
	r, err := e.EvaluateHazard(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Score.At) != 2 {
		t.Fatalf("%d horizons", len(r.Score.At))
	}
	for _, m := range r.Score.At {
		t.Logf("%d days: calibration error %.4f, Brier %.4f, of Kaplan-Meier %.4f", m.Days, m.Calibration, m.Brier, m.KaplanMeier)
		if m.Calibration > 0.03 {
			t.Errorf("%d days: calibration error %.4f, want at most 0.03: %+v", m.Days, m.Calibration, m.Tenths)
		}
		if m.Brier > 0.75*m.KaplanMeier {
			t.Errorf("%d days: Brier score %.4f, want at most three quarters of the %.4f of Kaplan-Meier", m.Days, m.Brier, m.KaplanMeier)
		}
	}
}
