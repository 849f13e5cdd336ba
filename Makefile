# Needs only Python 3.11 and make. `make` alone tells what there is.

PYTHON ?= $(or $(shell command -v python3.11),python3)
WORKERS ?= logical

BIN := .venv/bin/python
INSTALL := $(BIN) -m pip install --quiet --disable-pip-version-check
PEERS_INSTALL := .venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: help run test lint format bench bench-admin bench-peers clean

help: ## Show these lines
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

run: .venv/.run ## Run all of it at http://127.0.0.1:8000 (PORT=8001 make run for another port)
	@exec $(BIN) -m config.run

test: .venv/.dev ## Run the tests, those in a browser too where Chromium is installed
	@exec $(BIN) -m pytest -n $(WORKERS) --dist loadgroup

lint: .venv/.dev ## Check form, types, migrations, production settings and the API schema
	@$(BIN) -m ruff format --check .
	@$(BIN) -m ruff check .
	@$(BIN) -m mypy
	@$(BIN) manage.py makemigrations --check --dry-run
	@ENV_FILE=config/placeholder.env $(BIN) manage.py check --deploy --fail-level WARNING
	@$(BIN) manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: .venv/.dev ## Measure spending against PostgreSQL itself (ONLY=single,hot ROUNDS= SECONDS= SIZE=)
	@exec $(BIN) -m tests.benchmarks.spending $(if $(ONLY),--only $(ONLY)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SIZE),--size $(SIZE))

bench-admin: .venv/.dev ## Measure the admin with ten million entries, made once (ARGS=--help)
	@exec $(BIN) -m tests.benchmarks.admin $(ARGS)

bench-peers: .venv/.dev .venv-peers/.made ## Measure other ledgers beside ours (PGLEDGER=/path/to/pgledger.sql, ARGS=--help)
	@exec $(BIN) -m tests.benchmarks.peers $(ARGS)

format: .venv/.dev ## Put the code in form
	@$(BIN) -m ruff check --fix .
	@$(BIN) -m ruff format .

clean: ## Remove the virtual environment; the data in var/ stays
	@rm -rf .venv .venv-peers

# The stamps in .venv are younger than the requirements they stand for.
.venv/.run: requirements.txt requirements-embedded.txt constraints.txt | .venv/.made
	@echo "Installing what Credits needs ..."
	@$(INSTALL) -r requirements.txt -r requirements-embedded.txt
	@touch $@

.venv/.dev: requirements-dev.txt requirements.txt requirements-embedded.txt constraints.txt | .venv/.made
	@echo "Installing what Credits and its tests need ..."
	@$(INSTALL) -r requirements-dev.txt
	@touch .venv/.run $@

# One by one where not all can be had: the rest is measured, and what is missing is told.
.venv-peers/.made: requirements-peers.txt
	@echo "Installing the peers in .venv-peers ..."
	@$(PYTHON) -m venv .venv-peers
	@$(PEERS_INSTALL) -r $< || grep -o '^[^#]*' $< | xargs -n 1 $(PEERS_INSTALL) || true
	@touch $@

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Credits needs Python 3.11 or newer; $(PYTHON) is older. Name another: make PYTHON=/path/to/python3.11 ...")'
	@echo "Making .venv with $(PYTHON) ..."
	@$(PYTHON) -m venv .venv
	@touch $@
