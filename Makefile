# Two commands need nothing but Python >= 3.11: `make demo` and `make test`. Each builds what it lacks in .venv,
# and a second run starts at once.
PYTHON ?= python3
WORKERS ?= 2
SPHINXOPTS ?= -W --keep-going

VENV := .venv
BIN := $(VENV)/bin
LATEST := .venv-latest
WHEEL := .venv-wheel
# Without its dependencies: it asks for a cell-gears and a torchtext that current torch cannot load.
SCGPT := scgpt==0.2.4
# Any one of them will do; no Python package brings a browser.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
# Tests in one file share what takes long to make, so each worker takes files that follow each other.
PARALLEL := -n $(WORKERS) --dist worksteal
COVERING := tests/core tests/pp tests/tl tests/models tests/test_hard_inputs.py tests/test_pass.py
PIP_OPTIONS := -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint coverage docs bench build try-wheel nightly test-latest clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## audit the bundled screen and say what was found
	@$(BIN)/scpertbias demo

test: lint  ## lint, type check, tests and docstring examples; a skip for want of an extra is a failure
	@command -v $(BROWSERS) >/dev/null || echo "No Chromium here: the report is not tested in a browser." \
		"Debian and Ubuntu have it: apt-get install chromium" >&2
	SCPERTBIAS_NO_SKIP=1 MPLBACKEND=agg $(BIN)/pytest $(PARALLEL)

lint: $(VENV)/.test  ## ruff and mypy alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: $(VENV)/.test  ## coverage of lines and branches of _core, pp and tl by their tests; under 95 % is a failure
	MPLBACKEND=agg $(BIN)/pytest $(PARALLEL) --cov --cov-report= $(COVERING)
	$(BIN)/coverage report --include='*/_core/*,*/pp/*,*/tl/*' --fail-under=95

docs: $(VENV)/.doc  ## the documentation, in docs/_build/html; a warning is a failure
	$(BIN)/sphinx-build -b html $(SPHINXOPTS) docs docs/_build/html

bench: $(VENV)/.test  ## the budgets, measured
	$(BIN)/python -m benchmarks

build: $(VENV)/.created  ## sdist and wheel, in dist/, checked for PyPI
	@$(BIN)/python -m pip install $(PIP_OPTIONS) build twine
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

try-wheel: build  ## install the wheel in an empty environment, and run the demo from it
	rm -rf $(WHEEL)
	$(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/python -m pip install $(PIP_OPTIONS) dist/*.whl
	cd $(WHEEL) && bin/scpertbias demo

nightly: $(VENV)/.test  ## what takes minutes: the long tutorials, and a tenth of the screens behind docs/truth.csv
	MPLBACKEND=agg $(BIN)/pytest -m nightly
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m benchmarks.truth --part 0.1 --jobs $(WORKERS) --check

# The newest release of everything. Only warnings that point at this package are errors: others' deprecations are theirs.
test-latest:  ## the tests on the newest stack: make test-latest PYTHON=python3.13
	$(call require_python)
	$(PYTHON) -m venv $(LATEST)
	$(LATEST)/bin/python -m pip install $(PIP_OPTIONS) --upgrade --upgrade-strategy eager -e ".[test,dask]"
	MPLBACKEND=agg $(LATEST)/bin/pytest $(PARALLEL) -o "filterwarnings=$$(printf 'default\nerror:::scpertbias')"

clean:  ## remove everything that make made
	rm -rf .coverage* $(VENV) $(LATEST) $(WHEEL) build dist docs/_build docs/api/generated .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

define require_python
@command -v $(PYTHON) >/dev/null || { \
	echo "$(PYTHON) was not found. Name a Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "scpertbias needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 | head -n 1)." \
	     "Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
endef

$(VENV)/.created:
	$(call require_python)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/.created
	@echo "Installing scpertbias in $(VENV) (the first time takes a minute or more) ..."
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing scpertbias and its test tools in $(VENV) (the first time takes a minute or more) ..."
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints.txt -e ".[dev,test,gears,scgpt,dask]"
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-deps "$(SCGPT)"
	@touch $@ $(VENV)/.demo

$(VENV)/.doc: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing scpertbias and its documentation tools in $(VENV) ..."
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints.txt -e ".[doc]"
	@touch $@
