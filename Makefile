# One command runs it (make run), one tests it (make test). All that is installed goes into $(VENV); a stamp in there
# says what has been installed, so that a second call does nothing.

# The first Python that is new enough. Another one: make test PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= $(firstword $(foreach python,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(python))))
VENV ?= .venv
BIN := $(VENV)/bin

# Where `make run` keeps its database, logs and settings.
TRADEWIND_HOME ?= $(CURDIR)/home

# Workers for the tests. They wait more than they compute, so there are more of them than cores.
WORKERS ?= $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))
TESTS ?= tests
CHAOS_SEEDS ?= 50
PLAN_INSTANCES ?= 10000000

# The airflow command to measure against. By default Apache Airflow is installed into a place of its own.
RIVAL_HOME := $(CURDIR)/home/rival
AIRFLOW ?= $(RIVAL_HOME)/bin/airflow
RIVAL_VERSION := 3.3.2

.DEFAULT_GOAL := help
.PHONY: help run cluster test check format bench plans chaos clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.has-run ## Start scheduler, LocalExecutor and web UI with the example DAGs
	@export TRADEWIND_HOME="$(TRADEWIND_HOME)" && exec $(BIN)/tradewind standalone

cluster: $(VENV)/.has-cluster ## Start PostgreSQL, Redis, two schedulers, two Celery workers, a triggerer, two web servers
	@export TRADEWIND_HOME="$(TRADEWIND_HOME)" && exec $(BIN)/tradewind cluster $(CLUSTER_ARGS)

test: $(VENV)/.has-test ## Run all tests against real SQLite, PostgreSQL and Redis
	$(BIN)/python -m tests.support.chromium --install
	$(BIN)/python -m tests.compat.packages
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS) $(TESTS)

check: $(VENV)/.has-dev ## Check format, lint, import contracts and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/.has-dev ## Format the code and mend what can be mended without thought
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.has-test $(AIRFLOW) ## Measure side by side with Apache Airflow; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks --airflow $(AIRFLOW) --out docs/benchmarks.md $(BENCH_ARGS)

plans: $(VENV)/.has-test ## Explain the hot statements over PLAN_INSTANCES=10000000 task instances (takes long, and tens of GB)
	PLAN_INSTANCES=$(PLAN_INSTANCES) $(BIN)/pytest -n 0 -o timeout=7200 $(PYTEST_ARGS) tests/plans

chaos: $(VENV)/.has-test ## Strike a cluster through a thousand runs, kill processes through many histories; writes docs/reliability.md
	$(BIN)/python -m tests.chaos --out docs/reliability.md $(CHAOS_ARGS)
	CHAOS_SEEDS=$(CHAOS_SEEDS) $(BIN)/pytest -n $(WORKERS) -k random $(PYTEST_ARGS) tests/e2e tests/executors tests/backfill \
		tests/engine/test_operating_laws.py tests/engine/test_operating_stored_laws.py

clean: ## Remove the environment and all caches; keeps home/
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './home/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Tradewind needs Python 3.11 or newer, and none was found. Install one (Debian: apt install python3-venv), or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make an environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.has-run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[examples]'
	@touch $@

$(VENV)/.has-cluster: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[examples,cluster]'
	@touch $@ $(VENV)/.has-run

$(VENV)/.has-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.has-run $(VENV)/.has-cluster

$(VENV)/.has-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.has-run $(VENV)/.has-cluster $(VENV)/.has-test

$(RIVAL_HOME)/bin/airflow: | $(BIN)/python
	$(PYTHON) -m venv $(RIVAL_HOME)
	$(RIVAL_HOME)/bin/python -m pip install --quiet --disable-pip-version-check 'apache-airflow==$(RIVAL_VERSION)' psycopg2-binary asyncpg
