# Rappel. `make help` lists what there is.

# DuckDB's Arrow interface needs this build tag: set here, and nowhere else.
TAGS := duckdb_arrow
export GOFLAGS := $(GOFLAGS) -tags=$(TAGS)
export CGO_ENABLED := 1

BIN      := bin/rappel
TOOLS    := $(CURDIR)/bin/tools
LINT     := $(TOOLS)/golangci-lint
LINT_VERSION := v2.15.0
VENV     := .venv
RAPPEL_REFERENCE ?= $(abspath ../shared/reference)
export RAPPEL_REFERENCE
FUZZTIME ?= 60s

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: need-build ## build bin/rappel
	go build -o $(BIN) ./cmd/rappel

.PHONY: run
run: build ## a synthetic creditor, from files to an open server with one recommendation
	./$(BIN) demo $(RUNFLAGS)

.PHONY: check
check: need-build ## quick: build, vet and the tests that need no server, browser or reference
	go vet ./...
	go test -short ./datasets/ledger/... ./models/... ./engine/... ./api/...

.PHONY: test
test: need-test lint test-go test-real test-notebooks ## everything that must pass
	@echo "make test: all passed"

.PHONY: test-go
test-go: build
	go test -timeout 20m ./...
	go test -timeout 10m -race -short ./models/bandit ./api

.PHONY: test-real
test-real: build ## the walk-through of docs/real-data.md, each step as it stands there
	./docs/walk docs/real-data.md

.PHONY: test-notebooks
test-notebooks: build $(VENV)/ready ## the notebooks, from top to bottom
	PATH="$(CURDIR)/bin:$$PATH" $(VENV)/bin/python notebooks/run.py

$(VENV)/ready: notebooks/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r notebooks/requirements.txt
	touch $@

.PHONY: lint
lint: need-build $(LINT) ## formatting and golangci-lint
	$(LINT) run ./...

$(LINT):
	GOBIN=$(TOOLS) GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

.PHONY: fmt
fmt: $(LINT) ## format the code
	$(LINT) fmt ./...

.PHONY: bench
bench: need-build ## benchmarks, each beside what it compares to
	go test -run '^$$' -bench . -benchtime 2s ./features ./engine ./models/bandit ./models/timing ./models/ope ./datasets/store ./api/console

.PHONY: bench-pages
bench-pages: need-build ## the pages of the console with 100,000 debtors in the warehouse: the first answer after a restart, and the later ones
	go test -run '^$$' -bench Pages -benchtime 20x ./api/console

.PHONY: bench-survival
bench-survival: need-build ## survival estimators beside R (needs R with survival, glmnet, jsonlite)
	bash bench/survival/run.sh

.PHONY: bench-year
bench-year: build ## a year of a synthetic creditor over HTTP against the fixed ladder, three seeds
	./$(BIN) simulate --policy fixed,simple,oracle,rappel --debtors 300 --weeks 52 --seeds 3

.PHONY: bench-cold
bench-cold: build ## the first eight weeks of a creditor without history against the fixed ladder, ten seeds
	./$(BIN) simulate --policy fixed,rappel --debtors 150 --weeks 8 --seeds 10

.PHONY: bench-plan
bench-plan: need-build ## one plan of 300,000 debtors (or DEBTORS=10000, 50000, 100000, 200000, 1000000) from its file to the last decision logged: time, memory, gap
	go test -run '^$$' -bench 'PlanBook/^$(or $(DEBTORS),300000)$$' -benchtime 1x -timeout 1h ./engine

.PHONY: bench-uplift
bench-uplift: need-build ## 200 synthetic experiments with a control group of a fifth: coverage, and power beside the plain difference
	go test -run '^$$' -bench Uplift -benchtime 1x -timeout 3h ./engine

.PHONY: vendor-console
vendor-console: ## fetch and build what the console's pages and tests load, by the lock file (needs npm); the result is committed
	cd api/console/web && npm ci --no-audit --no-fund && npm run --silent build
	cp api/console/web/node_modules/echarts/LICENSE api/console/static/echarts.LICENSE
	cp api/console/web/node_modules/echarts/NOTICE api/console/static/echarts.NOTICE
	cp api/console/web/node_modules/axe-core/axe.min.js api/testdata/axe.min.js

.PHONY: bench-alerts
bench-alerts: need-build ## changes planted in books of 5,000 debtors over a year, five seeds, and the alerts they give
	go test -run '^$$' -bench BenchmarkAlerts -benchtime 1x -timeout 6h ./engine -debtors 5000 -seeds 5 $(ALERTFLAGS)

.PHONY: screenshots
screenshots: build need-test ## a picture of each page of the console, of the demo, into docs/console
	@dir=$$(mktemp -d); ./$(BIN) demo --addr 127.0.0.1:18080 >$$dir/out & demo=$$!; trap "kill $$demo; rm -rf $$dir" EXIT; \
	until grep -q ^password $$dir/out; do kill -0 $$demo && sleep 1 || exit 1; done; \
	go run docs/console/shoot.go http://127.0.0.1:18080 eva $$(awk '/^password/ {print $$2}' $$dir/out) docs/console

.PHONY: fuzz
fuzz: need-build ## every decoder for FUZZTIME (default 60s) each
	@set -e; for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$pkg; \
		done; done

.PHONY: need-build
need-build:
	@command -v go >/dev/null || { echo "Go 1.26 is missing: install it from https://go.dev/dl/ or with: apt-get install golang-go"; exit 1; }
	@go version | awk '{split(substr($$3, 3), v, "."); exit !(v[1] > 1 || v[2] >= 26)}' || { echo "Go 1.26 or later is needed, this is $$(go version)"; exit 1; }
	@command -v $${CC:-cc} >/dev/null || { echo "A C compiler is missing: apt-get install gcc"; exit 1; }
	@command -v $${CXX:-c++} >/dev/null || { echo "A C++ compiler is missing: apt-get install g++"; exit 1; }

.PHONY: need-test
need-test: need-build
	@command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || $(call install,python3 python3-venv)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || $(call install,chromium)

# install names Debian packages and installs them where that is possible.
install = { echo "installing: apt-get install $(1)"; \
	{ [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; } \
	|| { echo "missing: run as root: apt-get install $(1)"; exit 1; }; }

.PHONY: clean
clean: ## remove what was built
	rm -rf bin $(VENV) out
