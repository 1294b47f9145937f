# Needs make and Python 3.11 or newer; everything else comes with the locks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ATTAIN_DATA_DIR ?= .attain
export ATTAIN_DATA_DIR

.DEFAULT_GOAL := help
.PHONY: help run install test drawn chaos overload check format contract migration bench kpis kills abuse fuzz filters pay quotas replay clients ui lock stop clean

help: ## show what can be asked
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

run: $(VENV)/.runtime ## install, fill the demo tenant, serve on http://localhost:8000
	$(BIN)/attain serve --demo

install: $(VENV)/.complete ## make .venv with everything that running, testing and linting need

# A stamp per lock: pip runs again only when a lock has changed.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Attain needs Python 3.11 or newer; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.complete: $(VENV)/.runtime requirements-dev.lock
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

test: install ## every test but those of `make drawn`, on two processes
	$(BIN)/python -m pytest -n 2 --dist worksteal -q --ignore=tests/fuzz

drawn: install ## 8 drawn requests for each operation and identity, judged by the contract
	PYTHONHASHSEED=0 $(BIN)/python -m pytest -n 2 -q tests/fuzz

chaos: install ## ten thousand requests of callers who go away
	ATTAIN_CHAOS_REQUESTS=10000 $(BIN)/python -m pytest -q -rP tests/test_chaos.py | grep -v "request  "

overload: install ## five times what the service can take, one noisy tenant and nine quiet ones
	$(BIN)/python -m benchmarks.overload

check: install ## format, lint, types, layers, contract files, migrations against models
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/attain contract --check
	$(BIN)/attain migrate --check

format: install ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

contract: install ## write openapi/openapi.json, openapi/schema.graphql and docs/numbers anew
	$(BIN)/attain contract

migration: install ## name="add leads": a revision from the models, each new table under its policy
	$(BIN)/attain migrate --revision "$(name)"
	$(BIN)/ruff check --quiet --fix migrations
	$(BIN)/ruff format --quiet migrations

kills: install ## ten rolling restarts and ten of PostgreSQL under load; each killed ten times in an import of 50,000 rows
	$(BIN)/python -m tests.kills.under_load 10
	$(BIN)/python -m tests.kills.import_kills 50000 10

bench: install ## the benchmark beside its yardstick, and every number beside SQL written by hand
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.kpis

kpis: install ## every number beside SQL written by hand, at 1,000,000 opportunities
	$(BIN)/python -m benchmarks.kpis

abuse: install ## what attacks on GraphQL cost a neighbour
	$(BIN)/python -m benchmarks.abuse

fuzz: install ## 5,000 random selections through both executors; who sees what in 100 companies; 200 drawn requests for each operation and role
	ATTAIN_TEST_SELECTIONS=5000 $(BIN)/python -m pytest -q tests/faces/graphql/test_same_answer.py
	ATTAIN_TEST_COMPANIES=100 $(BIN)/python -m pytest -n 2 -q tests/catalogue/test_visibility.py
	ATTAIN_FUZZ_EXAMPLES=200 $(BIN)/python -m pytest -n 2 -q tests/fuzz

filters: install ## every number over twelve random pasts; 1,000 random filters of each, put together again from its rows
	ATTAIN_TEST_HISTORIES=8 $(BIN)/python -m pytest -n 2 -q tests/language/metrics/test_random_histories.py
	ATTAIN_TEST_FILTERS=1000 $(BIN)/python -m pytest -n 2 -q tests/language/metrics/test_filters.py

pay: install ## 1,000 random amendments a life of pay, each held against a calculation from nothing
	ATTAIN_TEST_AMENDMENTS=1000 $(BIN)/python -m pytest -n 2 -q tests/sales/incentives/test_life.py

quotas: install ## 10,000 quotas of random seasons, ramps, changes and moves, against loops over days
	ATTAIN_TEST_QUOTAS=10000 $(BIN)/python -m pytest -q tests/sales/targets/test_expected.py

replay: install ## the demo's two years and four invented lives lived through, every number asked again as of then
	ATTAIN_TEST_REPLAY_DAYS=60 $(BIN)/python -m pytest -q tests/demo/test_replay.py
	ATTAIN_TEST_LIVES=4 $(BIN)/python -m pytest -q tests/language/metrics/test_replay.py

clients: install ## other people's clients, made from the contract, against a live service (needs npm and Chromium)
	@$(MAKE) --no-print-directory -j 4 clients/node_modules/.complete clients/.venv/.complete clients/.chromium ui
	$(BIN)/python clients/run.py

clients/node_modules/.complete: clients/package-lock.json
	cd clients && npm ci --loglevel=error
	@touch $@

clients/.venv/.complete: clients/python/requirements.lock
	$(PYTHON) -m venv clients/.venv
	clients/.venv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

clients/.chromium: clients/chromium.sh
	clients/chromium.sh > $@.part
	@mv $@.part $@

ui: ## install GraphiQL, which the service then serves at /graphql by itself (needs npm)
	npm ci --loglevel=error

# The locks carry versions and hashes only; `uv` is needed by whoever changes a dependency, by nobody else.
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: ## pin the newest allowed versions anew (needs uv)
	$(LOCK) pyproject.toml --all-extras --group build --upgrade -o requirements.lock
	$(LOCK) pyproject.toml --all-extras --group build --group dev --constraint requirements.lock --upgrade -o requirements-dev.lock

stop: ## end a running service and its embedded PostgreSQL
	@test ! -x $(BIN)/attain || $(BIN)/attain stop

clean: stop ## remove .venv and caches; the data folder stays
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
