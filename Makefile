# `make` lists the targets. Each one that runs Python first brings .venv up to date.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The interpreter that .venv is made with.
PYTHON ?= python3
# The build of torch to install, as arguments to pip. For example, one for CPUs only:
#   make setup TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
# Further arguments to what a target runs: make test ARGS="-k config"
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
STAMP := .venv/.stamp
CODE := $(wildcard src tests benchmarks tools)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Make .venv with all that the other targets need

# torch comes after the lock, which holds the dependencies of torch that are not its own builds'.
$(STAMP): requirements.lock pyproject.toml
	[[ -x $(BIN)/python ]] || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --no-deps --require-hashes -r requirements.lock
	$(PIP) install --quiet $(TORCH)
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	touch $@

.PHONY: demo
demo: $(STAMP) ## Train and evaluate on the demo data
	$(BIN)/python -m mtbert.demo $(ARGS)

.PHONY: test
test: $(STAMP) ## Run the tests, save the long ones
	$(BIN)/python -m pytest $(ARGS)

.PHONY: test-long
test-long: $(STAMP) ## Run the long tests and write their result into docs/guarantees.md
	$(BIN)/python -m pytest -m long --junitxml=build/long.xml $(ARGS)
	$(BIN)/python tools/long_suite_docs.py build/long.xml --command 'make test-long$(if $(ARGS), ARGS="$(ARGS)")'

.PHONY: lint
lint: $(STAMP) ## Check format, style and types
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy

.PHONY: format
format: $(STAMP) ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: check
check: lint test ## Lint, then test

.PHONY: bench
bench: $(STAMP) ## Run the benchmarks
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: lock
lock: ## Write requirements.lock anew (ARGS=--upgrade moves versions on)
	PYTHON="$(PYTHON)" tools/lock.sh $(firstword $(TORCH)) $(ARGS)

.PHONY: clean
clean: ## Remove build outputs and caches; keep .venv and runs
	rm -rf dist build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove .venv too
	rm -rf .venv
