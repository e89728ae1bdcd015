# The two main targets are `make demo` and `make test`. Each installs what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Twice quiet: errors are printed, and no warning about a package index that lacks a package.
PIP := $(BIN)/pip --disable-pip-version-check --quiet --quiet
FIXTURES_PIP := tests/fixtures/$(PIP)
READY := $(VENV)/.ready
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready
PAGE_READY := node_modules/.ready
FIXTURES_READY := tests/fixtures/.venv/.ready
FULL_SIZE := tests/full_size/.made
PIP_ARGS ?=
PAGE := src/memery/gateway/web tests/page/unit

.DEFAULT_GOAL := help
.PHONY: help demo test coverage test-slow browser test-page test-models test-gateway check check-python check-page format dist eval train fixtures bench bench-gateway clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "memery needs Python 3.11 or later: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is missing. On Debian: sudo apt-get install python3-venv"; exit 1; }
	@echo "Installing memery and its dependencies"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(DEMO_READY): $(READY)
	@echo "Installing the demo's photographs"
	@$(PIP) install --constraint constraints.txt --no-deps scikit-image
	@touch $@

$(TEST_READY): $(DEMO_READY) tests/plugin/pyproject.toml
	@echo "Installing what the tests need"
	@$(PIP) install --constraint constraints.txt --editable '.[dev]' ./tests/plugin
	@touch $@

# Node comes with a wheel. Pinned versions without a lock file: it would name a registry.
$(PAGE_READY): package.json $(TEST_READY)
	@echo "Installing what the checks of the web page need"
	@$(BIN)/npm install --no-package-lock --ignore-scripts --no-audit --no-fund --no-update-notifier \
		--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=1000 --silent || { \
		echo "npm could not install TypeScript and oxlint, which check the web page: try $(BIN)/npm ping, and check its" \
			"registry and proxy settings. Without npm: make check-python, then $(BIN)/pytest -m 'not slow'"; exit 1; }
	@touch $@

demo: $(DEMO_READY) ## Index photographs and find the right ones; DIR=folder QUERY="words" for your own
	$(BIN)/python examples/demo.py $(if $(DIR),"--dir=$(DIR)") $(if $(QUERY),"--query=$(QUERY)")

browser: $(TEST_READY) # for the page's tests: found or installed, else an error
	@$(BIN)/python tests/browser.py >/dev/null

test: browser check ## Run all checks and the fast tests
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

coverage: browser ## Run the fast tests with branch coverage; fails below 90 %
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow" --cov --cov-report=term

test-slow: browser ## Run the slow tests
	$(BIN)/pytest -n 2 --dist worksteal -m slow

test-page: browser ## Test the whole web page in a browser; WRITE=1 renews the documentation's screenshots
	WRITE=$(WRITE) $(BIN)/pytest -n 2 tests/page/suite_*.py

test-models: $(TEST_READY) $(FIXTURES_READY) ## Test a full-size CLIP, exports and the fixtures
	cd tests && fixtures/.venv/bin/python -W ignore -m fixtures
	rm -rf $(FULL_SIZE)
	cd tests && fixtures/.venv/bin/python -W ignore -m fixtures.full_size $(abspath $(FULL_SIZE))
	FULL_SIZE=$(abspath $(FULL_SIZE)) FULL_SIZE_PYTHON=$(abspath tests/fixtures/.venv/bin/python) \
		$(BIN)/pytest tests/full_size/suite.py

test-gateway: $(TEST_READY) ## Fuzz the REST API with thousands of generated requests
	GATEWAY_CASES=300 $(BIN)/pytest tests/gateway/rest/test_openapi.py

check: check-python check-page ## Check format, style, types and import contracts; unit tests of the page

check-python: $(TEST_READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-page: $(PAGE_READY)
	$(BIN)/node node_modules/typescript/bin/tsc
	$(BIN)/node node_modules/oxlint/bin/oxlint --deny-warnings --report-unused-disable-directives $(PAGE)
	$(BIN)/node --test --test-reporter=dot 'tests/page/unit/*.test.js'

format: $(TEST_READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

dist: $(TEST_READY) ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build --outdir dist .

eval: $(TEST_READY) ## Measure how well memery finds: CAPTIONS=, LABELLED=, MEMES= folders; MODEL=name
	@$(BIN)/python -m evaluation $(if $(CAPTIONS),--captions "$(CAPTIONS)") $(if $(LABELLED),--labelled "$(LABELLED)") \
		$(if $(MEMES),--memes "$(MEMES)") $(if $(MODEL),--model "$(MODEL)")

train: ## Train the starter model: CAPTIONS=folder LABELLED=folder
	$(MAKE) -C training train CAPTIONS="$(abspath $(CAPTIONS))" LABELLED="$(abspath $(LABELLED))"

fixtures: $(FIXTURES_READY) ## Regenerate the tests' models and compare them; WRITE=1 replaces them
	cd tests && fixtures/.venv/bin/python -W ignore -m fixtures $(if $(WRITE),--write)

$(FIXTURES_READY): tests/fixtures/requirements.txt constraints.txt pyproject.toml
	@echo "Creating tests/fixtures/.venv"
	@$(PYTHON) -m venv tests/fixtures/.venv
	@echo "Installing torch and what else the fixtures need (1.2 GB)"
	@$(FIXTURES_PIP) install --no-deps $(PIP_ARGS) -r $<
	@echo "Installing memery and its dependencies"
	@$(FIXTURES_PIP) install --constraint constraints.txt --editable .
	@touch $@

bench: $(TEST_READY) ## Measure the performance budgets; PHOTOS=folder, and MODEL=folder for a CLIP model
	$(BIN)/python -m benchmarks $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(MODEL),--model "$(MODEL)")

bench-gateway: $(TEST_READY) ## Measure the server: searches, encoder, many clients, overload; PHOTOS=folder for the page
	$(BIN)/python -m benchmarks.gateway
	$(BIN)/python -m benchmarks.uploads
	$(if $(PHOTOS),$(BIN)/python -m benchmarks.page --browser "$$($(BIN)/python tests/browser.py)" "$(PHOTOS)")

clean: ## Remove all generated files
	rm -rf $(VENV) node_modules tests/fixtures/.venv $(FULL_SIZE) dist demo .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
