#!/bin/sh
# Measures models/survival beside R on the same machine, in one run: Cox, curves,
# concordance, Weibull on 1,000,000 × 20 rows already in memory on both sides,
# then streamed fits. Prints seconds, ratios and how far answers are apart.
#
# needs: Rscript with survival and jsonlite (Debian r-cran-survival,
# r-cran-jsonlite; glmnet for the path: r-cran-glmnet), python3 (numpy is
# installed beside the data where it is missing), RAPPEL_REFERENCE.
# environment: ROWS (1000000), RUNS (3), WORK (a folder for data, by default
# under TMPDIR), LARGE (copies of the rows in the second streamed fit; 10), PERIODS
# (copies of the rows as person-periods; 100),
# GLMNET (1 to run glmnet too: half a minute).
set -eu
cd "$(dirname "$0")/../.."
rows=${ROWS:-1000000}
runs=${RUNS:-3}
work=${WORK:-${TMPDIR:-/tmp}/rappel-bench-survival}
reference=${RAPPEL_REFERENCE:-../shared/reference}/survival
mkdir -p "$work"

python=python3
if ! $python -c 'import numpy' 2>/dev/null; then
	python=$work/venv/bin/python
	[ -x "$python" ] || { python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q 'numpy==1.24.2'; }
fi
data=$work/synth-$rows.bin
[ -f "$data" ] || $python bench/survival/data.py "$reference/gen_synth.py" "$reference/reference_synth.json" "$rows" "$data"
go build -o "$work/bench" ./bench/survival
go build -tags=duckdb_arrow -o "$work/rappel" ./cmd/rappel

uptime
"$work/bench" -data "$data" -runs "$runs" >"$work/go.json"
Rscript bench/survival/bench.R "$data" "$runs" >"$work/r.json"
python3 bench/survival/compare.py "$work/go.json" "$work/r.json" "$reference/reference_synth.json" "$rows"

echo
echo "rappel survival fit --stream on Arrow IPC and Parquet (peak memory in MB above a rappel that prints its help):"
for copies in 1 $(seq "${LARGE:-10}" "${LARGE:-10}" | grep -vx 1); do
	for kind in arrow parquet; do
		"$work/bench" -data "$data" -write "$work/streamed.$kind" -copies "$copies"
		"$work/bench" -rappel "$work/rappel" -stream "$work/streamed.$kind" | cut -c1-160
		rm -f "$work/streamed.$kind"
	done
done
if [ "${LARGE:-10}" -gt 1 ]; then
	echo "cloglog on person-periods made on the way, and with a warm start from 99 of 100 rows:"
	"$work/bench" -data "$data" -person-periods -copies "${PERIODS:-100}" | cut -c1-200
	"$work/bench" -data "$data" -warm | cut -c1-200
fi
