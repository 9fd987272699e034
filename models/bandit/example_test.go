package bandit_test

import (
	"fmt"

	"rappel/models/bandit"
)

// Two channels, two debtors: the first answers to the second channel, the other
// has not been tried. What is known of all carries over.
func Example() {
	config := bandit.DefaultPooledConfig(2)
	for j := range config.Coefficients {
		config.Coefficients[j].DebtorSD = 0.3
	}
	pool, err := bandit.NewPooled(config)
	if err != nil {
		panic(err)
	}
	for range 20 {
		pool.Observe(bandit.NoSegment, 0, []float64{1, 0}, 0.1, 1)
		h := pool.Observe(bandit.NoSegment, 0, []float64{0, 1}, 0.4, 1) // expected so far
		pool.Correct(h, 0.3)                                            // paid sooner
		pool.Close(h)
	}
	pool.Solve()

	slate := []float64{1, 0, 0, 1} // two candidates, a row each
	mean, sd, prob := make([]float64, 2), make([]float64, 2), make([]float64, 2)
	w := bandit.NewWorkspace(2)
	for debtor := range int32(2) {
		post := pool.Posterior()
		post.Score(mean, sd, slate, bandit.NoSegment, debtor, w)
		bandit.Thompson(prob, mean, sd, bandit.Exploration{Scale: 0.5, Floor: 0.02}, w)
		fmt.Printf("debtor %d: means %.2f, probabilities %.2f, drawn %d\n",
			debtor, mean, prob, bandit.Draw(prob, 1, "decision-1"))
	}
	// Output:
	// debtor 0: means [0.10 0.69], probabilities [0.01 0.99], drawn 1
	// debtor 1: means [0.09 0.64], probabilities [0.04 0.96], drawn 1
}
