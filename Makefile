# make demo       train on sample_videos/ and read a film with what was learnt
# make check      style and types, these for Linux, macOS and Windows
# make test       style, types and the fast tests
# make test-all   the slow tests too
# make clean      remove everything that can be made again, with .venv and runs/demo
#
# PYTHON names the interpreter that .venv is made with, 3.11 or newer: make test PYTHON=python3.13

PYTHON ?= python3
BIN := .venv/bin
OLD := "vidrnn needs Python 3.11 or newer, and this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12"

.PHONY: demo check test test-all clean

demo: .venv/installed
	$(BIN)/vidrnn train sample_videos --encoder small --out runs/demo --overwrite
	$(BIN)/vidrnn predict sample_videos/a_day.webm --model runs/demo

check: .venv/installed-for-tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(foreach system,linux darwin win32,$(BIN)/mypy --platform $(system) --cache-dir .mypy_cache/$(system) &&) true

test: check
	$(BIN)/python -m pytest -n auto --dist worksteal

test-all: .venv/installed-for-tests
	$(BIN)/python -m pytest -m ""

clean:
	rm -rf .venv runs/demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find vidrnn tests benchmarks sample_videos -name __pycache__ -exec rm -rf {} +

# Stamps: nothing is installed a second time until pyproject.toml changes.

.venv/installed: pyproject.toml | $(BIN)/pip
	@echo "Installing into .venv, which takes a few minutes the first time."
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/installed-for-tests: pyproject.toml | $(BIN)/pip
	@echo "Installing into .venv, which takes a few minutes the first time."
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch .venv/installed $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit($(OLD) if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
