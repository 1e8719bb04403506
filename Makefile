# make setup | demo | test | check | bench | docs | clean.   Needs python3 (3.11 or newer) and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TESTS  ?=

# Networks in tests are tiny: one thread a worker, two workers.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

.PHONY: help setup demo test check format tree bench docs clean

help:
	@echo "make setup   make .venv with headstart and every tool"
	@echo "make demo    setup, then a run on product reviews; prints where the report is"
	@echo "make test    setup, then all tests with coverage (TESTS='-k word' for some)"
	@echo "make check   setup, then style, types, imports and house rules"
	@echo "make format  let ruff rewrite what it can"
	@echo "make tree    write the tree of files into the README"
	@echo "make bench   setup, then the benchmarks of docs/benchmarks.md (long)"
	@echo "make docs    setup, then the documentation into site/"
	@echo "make clean   remove what the targets above wrote, except .venv and runs/"

setup: $(READY)

# An existing .venv is kept; pip only adds what pyproject.toml asks for and is not there yet.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("headstart needs Python 3.11 or newer; %s is %d.%d. Run: make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)" % ((sys.executable,) + sys.version_info[:2]))'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: installing into $(VENV) (the first time downloads torch: minutes)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check torch torchvision
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev,docs]'
	@touch $@

demo: setup
	@rm -rf runs/demo
	@$(BIN)/headstart data pull reviews
	@$(BIN)/headstart run sample:reviews --budget 2m --out runs/demo
	@echo "report: $(CURDIR)/runs/demo/report.html"

# Files in their order: those of many seconds come first, so that neither worker ends long after the other.
test: setup
	@$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(TESTS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(ONE_THREAD) $(BIN)/python -m pytest -q tests/unit/test_house.py

format: setup
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

tree: setup
	@$(BIN)/python docs/tree.py

bench: setup
	@$(BIN)/python -m benchmarks

docs: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

clean:
	@rm -rf build dist site .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache src/*.egg-info
