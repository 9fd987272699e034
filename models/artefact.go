package models

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rappel/models/bandit"
	"rappel/models/response"
	"rappel/models/timing"
)

// FormatVersion is the version of the artefact's files.
const FormatVersion = 1

// ErrArtefact is wrapped by every error about a damaged or foreign artefact.
var ErrArtefact = errors.New("models: bad artefact")

// Manifest says what an artefact holds and where it comes from.
type Manifest struct {
	ID         string             `json:"id"`
	Format     int                `json:"format"`
	Vector     string             `json:"vector"` // version and hash of the vector schema
	From       time.Time          `json:"from"`
	To         time.Time          `json:"to"`
	Rows       map[string]int64   `json:"rows"`
	Seed       uint64             `json:"seed"`
	Parameters map[string]float64 `json:"parameters"`
	Metrics    map[string]float64 `json:"metrics"`
	Tenths     []Tenth            `json:"calibration,omitempty"` // of the holdout, at the first horizon
	Files      map[string]string  `json:"files"`                 // SHA-256 by name
}

// parts are the files of an artefact and what each holds.
type hazardPart struct {
	Names       []string
	Coef, Usual []float64
	Leave       []float64
}

type timingPart struct {
	Model    timing.Model
	Speeds   []timing.Speed
	HalfLife float64
	Flat     []int32
	Weather  timing.Weather
	Sectors  []string
}

type keysPart struct {
	Profiles, Debtors, Decisions []string
	Handles                      []uint64
	FittedAt, FirstFitAt, Until  int64
	RewardHalfLife               float64
}

// encode returns the files of the model, without the manifest.
func (m *Model) encode() (map[string][]byte, error) {
	state := m.Bandit.State()
	parts := map[string]any{
		"hazard.arrow":   &hazardPart{HazardNames[:], m.Hazard.Coef, m.Usual.Coef, m.Leave.Rate},
		"timing.arrow":   &timingPart{*m.Timing, m.Speeds, m.HalfLife, m.Flat, m.Weather, m.WeatherSectors},
		"response.arrow": m.Response,
		"bandit.arrow":   &state,
		"keys.arrow": &keysPart{
			m.Profiles, m.Debtors, m.Decisions, m.Handles, m.FittedAt, m.FirstFitAt, m.Until, m.RewardHalfLife,
		},
	}
	files := make(map[string][]byte, len(parts))
	for name, part := range parts {
		b, err := encodePart(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = b
	}
	return files, nil
}

// decode reads what encode returned.
func decode(files map[string][]byte) (*Model, error) {
	var (
		hazard hazardPart
		times  timingPart
		resp   response.Model
		state  bandit.State
		keys   keysPart
	)
	for name, part := range map[string]any{
		"hazard.arrow": &hazard, "timing.arrow": &times, "response.arrow": &resp,
		"bandit.arrow": &state, "keys.arrow": &keys,
	} {
		b, ok := files[name]
		if !ok {
			return nil, fmt.Errorf("%s is missing: %w", name, ErrArtefact)
		}
		if err := decodePart(b, part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if !slices.Equal(hazard.Names, HazardNames[:]) || len(hazard.Coef) != HazardColumns || len(hazard.Usual) != HazardColumns ||
		len(hazard.Leave) != causes*leaveBins {
		return nil, fmt.Errorf("hazard.arrow: columns are not those of this version: %w", ErrArtefact)
	}
	n := len(keys.Profiles)
	if len(keys.Handles) != len(keys.Decisions) || resp.Segments > n || len(resp.Segment) != resp.Segments*response.Channels ||
		len(resp.SegmentSeen) != len(resp.Segment) || times.Model.Profiles() > n ||
		len(times.Speeds) != response.Channels || len(times.Flat) > n+1 || !(times.HalfLife > 0) || !(keys.RewardHalfLife > 0) ||
		len(times.Weather.Kept) != len(times.Sectors) || len(times.Weather.Beta) != len(times.Sectors)*times.Weather.Blocks*times.Weather.Covariates || len(state.PriorMean) != Effects {
		return nil, fmt.Errorf("parts do not fit each other: %w", ErrArtefact)
	}
	pool, err := bandit.Restore(state)
	if err != nil {
		return nil, fmt.Errorf("bandit.arrow: %w", err)
	}
	m := &Model{
		Hazard: &Hazard{hazard.Coef}, Usual: &Hazard{hazard.Usual}, Leave: &Leaving{hazard.Leave},
		Timing: &times.Model, Speeds: times.Speeds,
		HalfLife: times.HalfLife, Flat: times.Flat, Weather: times.Weather, WeatherSectors: times.Sectors,
		Response: &resp, Bandit: pool, Profiles: keys.Profiles, Debtors: keys.Debtors,
		Handles: keys.Handles, Decisions: keys.Decisions,
		FittedAt: keys.FittedAt, FirstFitAt: keys.FirstFitAt, Until: keys.Until, RewardHalfLife: keys.RewardHalfLife,
	}
	m.index()
	return m, nil
}

// Clone returns an independent copy that decides and learns identically.
func (m *Model) Clone() (*Model, error) {
	files, err := m.encode()
	if err != nil {
		return nil, err
	}
	return decode(files)
}

// MarshalBinary packs the model's files into one blob; the same model gives
// the same bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	files, err := m.encode()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Unmarshal reads what MarshalBinary wrote.
func Unmarshal(blob []byte) (*Model, error) {
	z, err := zip.NewReader(bytes.NewReader(blob), int64(len(blob)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtefact, err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		files[f.Name] = b
	}
	return decode(files)
}

// Save writes the artefact to dir, which must not exist or be an artefact
// already. The folder appears complete or not at all. It fills in the
// manifest's ID, format and file hashes: the same model and manifest give the
// same bytes.
func (m *Model) Save(dir string, man *Manifest) error {
	files, err := m.encode()
	if err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	man.Format = FormatVersion
	man.Files = make(map[string]string, len(files))
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		man.Files[name] = hex.EncodeToString(sum[:])
		all.Write(sum[:])
	}
	man.ID = "m-" + man.To.UTC().Format(time.DateOnly) + "-" + hex.EncodeToString(all.Sum(nil))[:8]
	text, err := json.MarshalIndent(man, "", "  ")
	if err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	files["manifest.json"] = append(text, '\n')

	if _, err := os.Stat(dir); err == nil {
		if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err != nil {
			return fmt.Errorf("save %s: the folder exists and is not a model artefact", dir)
		}
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".artefact-*")
	if err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(tmp, name), b, 0o644); err != nil {
			return fmt.Errorf("save %s: %w", dir, err)
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	return nil
}

// ReadManifest reads the manifest of an artefact and checks its format.
func ReadManifest(dir string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return nil, fmt.Errorf("artefact %s: %w: %w", dir, ErrArtefact, err)
	}
	man := &Manifest{}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(man); err != nil {
		return nil, fmt.Errorf("artefact %s: manifest.json: %w: %w", dir, ErrArtefact, err)
	}
	if man.Format != FormatVersion {
		return nil, fmt.Errorf("artefact %s: format %d, this version reads %d: %w", dir, man.Format, FormatVersion, ErrArtefact)
	}
	return man, nil
}

// Load reads the artefact in dir, checking every file's hash and that it was
// trained on vectors of the schema given.
func Load(dir, vector string) (*Model, *Manifest, error) {
	man, err := ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	if man.Vector != vector {
		return nil, nil, fmt.Errorf("artefact %s: trained on vectors %s, this version serves %s: %w", dir, man.Vector, vector, ErrArtefact)
	}
	files := make(map[string][]byte, len(man.Files))
	for name, want := range man.Files {
		if name != filepath.Base(name) {
			return nil, nil, fmt.Errorf("artefact %s: file name %q: %w", dir, name, ErrArtefact)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, nil, fmt.Errorf("artefact %s: %w: %w", dir, ErrArtefact, err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
			return nil, nil, fmt.Errorf("artefact %s: %s is damaged: its hash is not the manifest's: %w", dir, name, ErrArtefact)
		}
		files[name] = b
	}
	m, err := decode(files)
	if err != nil {
		return nil, nil, fmt.Errorf("artefact %s: %w", dir, err)
	}
	return m, man, nil
}
