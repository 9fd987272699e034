package survival

import "testing"

// competingVeteran is veteran in tens of days, with deaths of two kinds told
// apart by age.
func competingVeteran(t *testing.T) *Data {
	t.Helper()
	v := readTable(t, "veteran.csv")
	d := &Data{Names: []string{"trt", "karno", "age"}, Time: v.num("time"), Event: toEvents(v.num("status"))}
	for _, name := range d.Names {
		d.Columns = append(d.Columns, v.num(name))
	}
	for i := range d.Time {
		d.Time[i] = float64((int(d.Time[i]) + 9) / 10)
		if d.Event[i] == 1 && int(d.Columns[2][i])%3 == 0 {
			d.Event[i] = 2
		}
	}
	return d
}

// R 4.2.2: survival 3.5-3, coxph of finegray(…, etype = 1) with its weights and
// cluster = id; cmprsk 2.2-11, crr.
func TestFineGrayMatchesR(t *testing.T) {
	d := competingVeteran(t)
	tests := []struct {
		name               string
		opt                FineGrayOptions
		coef, se, robust   []float64
		logLikNull, logLik float64
	}{
		{
			"finegray, efron",
			FineGrayOptions{CoxOptions: CoxOptions{Robust: true}},
			[]float64{0.0229031556965938, -0.00368209657697968, -0.0175475457947914},
			[]float64{0.224790736871144, 0.0057179494754715, 0.0106373629071439},
			[]float64{0.226071280636719, 0.00629011674265765, 0.0109239794402139},
			-357.212452393758, -355.810016201048,
		},
		{
			"finegray, breslow",
			FineGrayOptions{CoxOptions: CoxOptions{Robust: true, Ties: Breslow}},
			[]float64{0.0261299156045982, -0.0032941997820135, -0.0171435365011754},
			[]float64{0.224776846957816, 0.00571708525078552, 0.0106364008694926},
			[]float64{0.221376595873137, 0.0061047382931786, 0.0106289665768922},
			-358.599984329009, -357.27879823715,
		},
		{
			"crr",
			FineGrayOptions{CoxOptions: CoxOptions{Ties: Breslow}, Weighting: Together},
			[]float64{0.0254383162583307, -0.00323342036718277, -0.0171392565824694},
			nil, nil, -358.769352872742, -357.452073108671,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := FitFineGray(d, tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "coef", got.Coef, tc.coef, 1e-7, 0.01)
			near(t, "loglik", []float64{got.LogLikNull, got.LogLik}, []float64{tc.logLikNull, tc.logLik}, 1e-9, 0)
			if tc.se != nil {
				near(t, "se", got.SE(), tc.se, 1e-8, 0)
				near(t, "robust se", got.RobustSE(), tc.robust, 1e-8, 0)
			}
		})
	}
}

// R: survfit(Surv(time, factor(ev)) ~ 1, id = id), and with entry times.
func TestAalenJohansenMatchesR(t *testing.T) {
	d := competingVeteran(t)
	entered := *d
	entered.Entry = make([]float64, d.Rows())
	for i, time := range d.Time {
		entered.Entry[i] = float64(int(time / 2 * float64((i+1)%3) / 2))
		if entered.Entry[i] >= time {
			entered.Entry[i] = 0
		}
	}
	for name, tc := range map[string]struct {
		d         *Data
		state, se [][]float64
	}{
		"all from the beginning": {
			d,
			[][]float64{{0.700729927007299, 0.175182481751825, 0.124087591240876}, {0.494199001152516, 0.307952362658471, 0.197848636189013}, {0.206379694690204, 0.475597323462340, 0.318022981847456}},
			[][]float64{{0.0391243102505507, 0.0324761091120703, 0.0281665874610991}, {0.0428458105840694, 0.0395458228612254, 0.0341100896635885}, {0.0360396113311694, 0.0436845637572020, 0.0406830974151363}},
		},
		"entered late": {
			&entered,
			[][]float64{{0.476136964569011, 0.311607615018509, 0.212255420412480}, {0.286976174886482, 0.434876277098359, 0.278147548015160}, {0.099435922419667, 0.545301445035776, 0.355262632544557}},
			[][]float64{{0.0541851686417038, 0.0533773978447997, 0.0457246164927782}, {0.0411535743459651, 0.0518099647459764, 0.0466071985368635}, {0.0232862002466373, 0.0496997292050614, 0.0475183464343731}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			aj, err := AalenJohansen(tc.d)
			if err != nil {
				t.Fatal(err)
			}
			for k, at := range []float64{3, 8, 20} {
				p := aj[0].At(at)
				near(t, "states", append([]float64{p.Survival}, p.CIF...), tc.state[k], 1e-12, 0)
				near(t, "se", append([]float64{p.SE}, p.SECIF...), tc.se[k], 1e-10, 0)
			}
		})
	}
}
