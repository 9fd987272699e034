package ope_test

import (
	"fmt"
	"math/rand/v2"

	"rappel/models/ope"
)

// A log drew e-mail or phone evenly; would calling four times in five have
// earned more?
func ExampleEvaluate() {
	rng := rand.New(rand.NewPCG(1, 1))
	var log ope.Log
	for range 2000 {
		called := rng.Float64() < 0.5
		paid, target := 0.3, 0.2
		if called {
			paid, target = 0.5, 0.8
		}
		log.Reward = append(log.Reward, bernoulli(rng, paid))
		log.Propensity = append(log.Propensity, 0.5)
		log.Target = append(log.Target, target)
	}
	cfg := ope.DefaultConfig()
	cfg.Estimators = []string{ope.SNIPS}
	report, err := ope.Evaluate(&log, cfg)
	if err != nil {
		fmt.Println(err) // for example a *ope.SupportError: the log cannot tell
		return
	}
	e := report.Estimates[0]
	fmt.Printf("%.2f (%.2f to %.2f), truth 0.46\n", e.Value, e.Lo, e.Hi)
	// Output: 0.45 (0.42 to 0.47), truth 0.46
}
