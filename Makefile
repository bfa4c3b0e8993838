# What a contributor runs. CI runs the same targets (.ci/run).
BIN ?= .venv/bin
TESTS ?=

.PHONY: setup test lint types imports words check demo

setup:
	python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e '.[test]'

test:
	$(BIN)/python -m pytest $(TESTS)

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

words:
	$(BIN)/python -m pytest tests/test_words.py

check: lint types imports words test

demo:
	$(BIN)/xmic demo
