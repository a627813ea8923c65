# Everything a newcomer types: `make demo`, `make test`. Everything CI types: `make ci`.
# The first call of any target builds .venv; a second starts at once.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.ready-dev

.PHONY: help demo test test-all check format ci clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (a minute or two, once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "facskit needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $(READY)

$(DEV): $(READY)
	@echo "Adding what tests and checks need (half a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(DEV)

demo: $(READY)  ## recognise photographs, train and evaluate a small model (under 8 minutes)
	@$(BIN)/facskit demo --out demo

test: $(DEV)  ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-all: $(DEV)  ## run the tests, the slow ones too
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m 'not gpu'

check: $(DEV)  ## formatting, lint, types, direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEV)  ## format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

ci: check test  ## what CI runs

clean:  ## remove what can be made again
	@rm -rf $(VENV) demo runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
