# Everything a newcomer types: `make demo`, `make test`. Everything CI types: `make ci`.
# The first call of any target builds .venv; a second starts at once.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.ready-dev
DOCS   := $(VENV)/.ready-docs
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.PHONY: help demo page synthesis test test-all bench check docs format ci clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (a minute or two, once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "facskit needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) '.[training]'
	@touch $(READY)

$(DEV): $(READY)
	@echo "Adding what tests and checks need (half a minute, once) ..."
	@$(PIP) '.[dev]'
	@touch $(DEV)

demo: $(READY)  ## recognise photographs, train and evaluate a small model (under 8 minutes)
	@$(BIN)/facskit demo --out demo
	@echo "The command is $(BIN)/facskit here; after 'source $(BIN)/activate' it's facskit alone, as in the docs."

synthesis: $(READY)  ## add what renders faces (VTK) to .venv
	@$(PIP) '.[synthesis]'

page: $(READY)  ## add the page in the browser (facskit serve) to .venv
	@$(PIP) '.[page]'

$(DOCS): $(READY)
	@$(PIP) '.[docs]'
	@touch $(DOCS)

test: $(DEV)  ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-all: $(DEV)  ## run the tests, the slow ones too
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m 'not gpu'

bench: $(DEV)  ## time what is claimed to be fast, and compare with the figures kept (under 10 minutes)
	@$(BIN)/python -m benchmarks.all

check: $(DEV)  ## formatting, lint, types, direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(DOCS)  ## the docs as a site with a reference of the code: build/site/index.html
	@$(BIN)/python tools/build_docs.py

format: $(DEV)  ## format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

ci: check docs test  ## what CI runs

clean:  ## remove what can be made again
	@rm -rf $(VENV) demo runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
