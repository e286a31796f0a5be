# The front door. `make help` lists every command; each bootstraps what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3

# uv must neither download Pythons nor carry a trust store of its own: the machine's certificates are the ones that work.
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := 1
export UV_NO_PROGRESS := 1
# Cores, not wheels: a hard link into .venv is enough, and falls back to a copy across file systems.
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv
AWS_VENV := .venv-aws
PG_VENV := .venv-postgres
BIN := $(VENV)/bin
UV := $(BIN)/uv

.PHONY: help setup client demo crowd eval test test-long test-postgres check format synth layer lock clean

help: ## List the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready $(AWS_VENV)/.ready node_modules/.ready ## Make both environments and the npm tools (.venv, .venv-aws, node_modules)

$(VENV)/.ready: requirements/dev.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Cadenza needs Python 3.11 or later (make PYTHON=python3.13 ...)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(UV) || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --no-config requirements/dev.txt requirements/uv.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(AWS_VENV)/.ready: $(VENV)/.ready requirements/aws.txt
	@test -x $(AWS_VENV)/bin/python || $(BIN)/python -m venv --without-pip $(AWS_VENV)
	@$(UV) pip sync --quiet --python $(AWS_VENV)/bin/python --require-hashes --no-config requirements/aws.txt
	@touch $@

$(PG_VENV)/.ready: $(VENV)/.ready requirements/postgres.txt
	@test -x $(PG_VENV)/bin/python || $(BIN)/python -m venv --without-pip $(PG_VENV)
	@$(UV) pip sync --quiet --python $(PG_VENV)/bin/python --require-hashes --no-config requirements/postgres.txt
	@touch $@

node_modules/.ready: package.json package-lock.json
	@npm ci --silent --ignore-scripts
	@touch $@

demo: setup ## Run the whole way on this machine and check it (KEEP=1 leaves it running)
	@$(BIN)/python -m local.demo

crowd: setup ## Plan for 200 leads at once on this machine, with a model that is slow and breaks (LEADS=200)
	@$(BIN)/python -m local.crowd

test: setup ## Run the tests (under five minutes)
	@$(BIN)/pytest -q --numprocesses 3 --dist loadfile --no-loadscope-reorder

eval: setup ## Score analyst and planner on sample sites (OPENAI_API_KEY scores that model; ARGS="--mails")
	@$(BIN)/python -m evaluation $(ARGS)

test-long: setup ## Run properties and interleavings at their full count (under thirty minutes)
	@CADENZA_LONG=1 $(BIN)/pytest -q -m long --numprocesses auto --dist worksteal

test-postgres: setup $(PG_VENV)/.ready ## Run the SQL on PostgreSQL 16 and 17 too (the embedded one is 18)
	@for bin in $(PG_VENV)/lib/python3*/site-packages/*/pginstall/bin; do \
		$$bin/postgres --version && CADENZA_POSTGRES_BIN=$$PWD/$$bin $(BIN)/pytest -q tests/store || exit 1; \
	done

check: setup ## Lint, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@node_modules/.bin/basedpyright
	@$(BIN)/lint-imports

format: $(VENV)/.ready ## Format, and fix what can be fixed by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

synth: layer node_modules/.ready ## Synthesise the production stack (cdk.out), checked by cdk-nag
	@JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20 node_modules/.bin/cdk synth --quiet

layer: $(VENV)/.ready ## Build the Lambda layers (arm64, Python 3.13) without Docker
	@$(BIN)/python scripts/build-layers

client: setup ## Write the client's and the command's operations anew, from the API's document
	@$(BIN)/python -m codegen

lock: $(VENV)/.ready ## Pin every dependency anew with hashes (requirements/*.txt)
	@scripts/lock

clean: ## Remove what the commands made (environments, builds, local state)
	@rm -rf $(VENV) $(AWS_VENV) $(PG_VENV) node_modules build cdk.out .local
