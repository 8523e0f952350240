# Guanxi. `make` alone lists what there is. Needed: make and Python 3.11 or later with venv.
#
# Everything is installed into .venv from requirements/*.txt, whose every line is pinned and hashed.
# A stamp in .venv tells which of them it holds, so that a target installs only what has changed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

ARGS ?=
NODE ?= 440300
WORKERS ?= 2
EXAMPLES ?= 100
M ?=

# The demo and the tests start many processes; each would compile the program anew without its bytecode.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
DEV := .venv/.dev
# The development set holds the demo's too, in the same versions.
DEMO := $(if $(wildcard $(DEV)),$(DEV),.venv/.demo)

# The first interpreter that is new enough; PYTHON=... names another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)

.PHONY: help
help: ## list these targets
	@echo "usage: make TARGET [NAME=value]"; echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- use ---

.PHONY: demo
demo: $(DEMO) ## start HQ, provinces and cities here and show the whole idea; ARGS="--once --json" ends by itself
	@$(BIN)/guanxi demo $(ARGS)

.PHONY: run
run: $(DEMO) ## run one node; NODE=440300 is its division code
	@$(BIN)/guanxi node run --node $(NODE) $(ARGS)

# --- check ---

.PHONY: test
test: $(DEV) ## run the tests; ARGS="-k word" chooses some of them, WORKERS=4 uses more processes
	@$(BIN)/pytest -n $(WORKERS) -m "not thorough" $(ARGS)

.PHONY: test-thorough
test-thorough: $(DEV) ## run the tests that `make test` leaves out: each node lost at each moment, and other long ones
	@$(BIN)/pytest -n $(WORKERS) -m thorough $(ARGS)

.PHONY: check
check: lint docs migrations-match ## everything else that must hold: lint, docs, migrations

.PHONY: lint
lint: $(DEV) ## ruff, mypy and the import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

.PHONY: migrations-match
migrations-match: $(DEV) ## compare the models with what the migrations make
	@$(BIN)/guanxi db check

.PHONY: coverage
coverage: $(DEV) ## run the tests and report the lines and branches that none of them reaches
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n $(WORKERS) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

.PHONY: chaos
chaos: $(DEV) ## break processes, databases and links, and count what is lost; ARGS="--seconds N --seed S --json"
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: fuzz
fuzz: $(DEV) ## make up requests from each tier's own description; EXAMPLES=200 for each operation
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q tests/fuzz $(ARGS)

.PHONY: bench
bench: $(DEV) ## measure; ARGS="NAME..." chooses, ARGS=--json prints one object a line
	@$(BIN)/python -m bench $(ARGS)

.PHONY: drill
drill: $(DEV) ## a whole nation on this machine: quiet, nightly storm, HQ away and back; ARGS="--cities 6 --json"
	@$(BIN)/python -m bench.drill $(ARGS)

# --- change ---

.PHONY: fix
fix: $(DEV) ## let ruff mend and format what it can
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format --quiet .

.PHONY: migration
migration: $(DEV) ## write a migration from the models; M="what it does"
	@test -n "$(M)" || { echo 'Say what the migration does: make migration M="add a column".' >&2; exit 2; }
	@$(BIN)/guanxi db revision "$(M)"
	@$(BIN)/ruff check --quiet --fix migrations || true
	@$(BIN)/ruff format --quiet migrations

COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --no-config --group build --universal \
    --python-version 3.11 --fork-strategy fewest --only-binary :all: --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)

.PHONY: lock
lock: $(DEV) ## pin and hash what pyproject.toml asks for; ARGS=--upgrade takes newer versions
	@$(COMPILE) --all-extras --output-file requirements/dev.txt
	@$(COMPILE) --extra demo --constraints requirements/dev.txt --output-file requirements/demo.txt
	@$(COMPILE) --constraints requirements/dev.txt --output-file requirements/run.txt

# --- documentation ---

.PHONY: docs
docs: $(DEV) ## write the pages that the program knows best, and build the documentation into build/site
	@$(BIN)/python -m shared.node.documentation docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: docs-serve
docs-serve: $(DEV) ## show the documentation on loopback while it is being written
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

.PHONY: clean
clean: ## remove what was made here, .venv too; a node's data stays
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
	    .pytest_cache .ruff_cache
	find bench migrations services shared tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environment ---

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Guanxi needs Python 3.11 or later, and none was found on the PATH." \
	    "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Guanxi needs Python 3.11 or later; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." >&2; exit 1; }
	@echo "Making .venv with $$("$(PYTHON)" --version)." >&2
	@"$(PYTHON)" -m venv --clear .venv

# --only-binary: nothing from a registry is built here, so nothing unlocked is fetched to build it.
.venv/.%: requirements/%.txt pyproject.toml | $(BIN)/python
	@echo "Installing requirements/$*.txt into .venv; this takes a minute, once." >&2
	@$(BIN)/python -m pip --disable-pip-version-check install -qq --no-input \
	    --require-hashes --only-binary :all: --requirement requirements/$*.txt
	@$(BIN)/python -m pip --disable-pip-version-check install -qq --no-input \
	    --no-deps --no-build-isolation --no-index --editable .
	@touch $@
