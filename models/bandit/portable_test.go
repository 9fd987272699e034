package bandit

import (
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// The compiler finds nothing in this package to fuse on arm64, so that
// decisions there have the same bits as on amd64, which never fuses.
func TestNothingIsFusedOnARM(t *testing.T) {
	build := exec.Command("go", "build", "-gcflags=rappel/models/bandit=-S", ".")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	listing, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, listing)
	}
	if !regexp.MustCompile(`\sFMULD\s`).Match(listing) {
		t.Fatal("the listing shows no multiplication: this test looks for the wrong thing")
	}
	for _, line := range regexp.MustCompile(`(?m)^.*\sFN?M(ADD|SUB)D\s.*$`).FindAll(listing, -1) {
		t.Errorf("fused: %s", line)
	}
}

// A short life of the engine's learner, down to the last bit. A change here is
// a change of every decision that is replayed: it needs a reason.
func TestDecisionsAreTheSameBits(t *testing.T) {
	h := fnv.New64a()
	p := mustPooled(t, smallConfig())
	w := NewWorkspace(4)
	mean, sd, prob := make([]float64, 5), make([]float64, 5), make([]float64, 5)
	phis := make([]float64, 20)
	for i := range 300 {
		rng := Stream(1, strconv.Itoa(i))
		for j := range phis {
			phis[j] = float64(rng.IntN(9)-4) / 3
		}
		d := int32(i % 11)
		p.Posterior().Score(mean, sd, phis, d%3, d, w)
		p.Posterior().Contrast(mean, sd, phis, Best(mean), d%3, d, w)
		Thompson(prob, mean, sd, Exploration{Scale: 0.5, Floor: 0.02}, w)
		a := Draw(prob, 1, strconv.Itoa(i))
		for _, v := range prob {
			fmt.Fprintf(h, "%x ", math.Float64bits(v))
		}
		handle := p.Observe(d%3, d, phis[4*a:4*a+4], float64(rng.IntN(7))/6, 1)
		p.Correct(handle, float64(rng.IntN(3)-1)/7)
		p.Close(handle)
		if i%10 == 9 {
			p.Forget(0.97)
			p.Tune(1)
		}
	}
	if got, want := h.Sum64(), uint64(0x5d379bdb9cb7ff00); got != want {
		t.Errorf("hash of all probabilities %#x, want %#x", got, want)
	}
}
