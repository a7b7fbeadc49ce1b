# Two commands matter: `make demo` and `make test`. Each sets up what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_NUM_THREADS ?= 1
# Gateways, workers and jobs are processes of their own: without it each would compile hundreds of modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check bench docs lock clean help

help:            ## What each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=24'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(STAMP)   ## The whole loop on sample data, then the application (ARGS="--data bike_hour.csv", ARGS=--keep-running)
	$(BIN)/mlops demo --project . $(ARGS)

test: $(STAMP)   ## Every test, three at a time since many wait for processes (ARGS="tests/core -k name" for some)
	$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

check: $(STAMP)  ## ruff, mypy strict, import contracts, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_architecture.py

bench: $(STAMP)  ## Benchmarks against what a user would pick instead (peers are installed by hand)
	@for file in bench/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: $(STAMP)   ## Write docs/cli.md and the tables of docs/tui.md from the code
	$(BIN)/python -m docs.make_cli
	$(BIN)/python -m docs.make_tui

lock:            ## Pin what CI installs (after a change of dependencies); the heavy extras (dask, pandera, ray, shap, xgboost) are tried by hand
	$(BIN)/uv pip compile --quiet --extra dev --extra web --extra optuna --extra images --extra skops --extra onnx-export --extra lightgbm --universal --python-version 3.11 --no-header --output-file requirements.lock pyproject.toml

clean:           ## Remove the environment and caches; the workspace in storage/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
