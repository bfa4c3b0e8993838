# What a contributor runs. CI runs the same targets (.ci/run).
BIN ?= .venv/bin
# One test: make test TESTS='tests/test_words.py -n 0'
TESTS ?=

.PHONY: setup test lint types imports words docs check demo

setup:
	python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e '.[test]'

test:
	$(BIN)/python -m pytest -n logical $(TESTS)

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

words:
	$(BIN)/python -m pytest tests/test_words.py

# The pages of commands and keys are written by python -m xmic_cli.reference; a test says when they are not current.
docs:
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint types imports words test

demo:
	$(BIN)/xmic demo
