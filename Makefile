# Two commands on a fresh machine with Python 3.11+ and make: `make demo`, `make test`. ARGS reaches the program.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
JOBS   ?= 2

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
# Compose v2 is a plugin of docker, v1 a command of its own.
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

.DEFAULT_GOAL := help
.PHONY: help demo test check lint coverage docs format lock screenshots site up down clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  ARGS="…" reaches the program: make demo ARGS="--port 8123 --once"; PYTHON=python3.12 chooses the interpreter'

demo: $(STAMP) ## Broker, worker and a simulated fleet on http://127.0.0.1:8000, until Ctrl-C
	@exec $(BIN)/stream-app demo $(ARGS)

# Most tests of the integration wait for a broker: two processes take little more than half the time of one.
test: $(STAMP) ## All tests, JOBS at a time (those with Kafka take a real one if there is one)
	@exec $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: lint ## What a change must pass, in a minute: lint, contract and unit tests with few examples per property
	$(BIN)/python -m pytest -q tests/contract tests/unit $(ARGS)

lint: $(STAMP) ## Format, style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

coverage: $(STAMP) ## Coverage of the unit tests, compiled functions included: they run as Python (htmlcov/index.html)
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run -m pytest -q tests/unit $(ARGS)
	$(BIN)/python -m coverage html --quiet
	$(BIN)/python -m coverage report

docs: $(STAMP) ## Generate what is generated: the metrics page from the docstrings, schemas and AsyncAPI from the models
	$(BIN)/python -m tools.metrics_page
	$(BIN)/python -m schemas.export
	$(BIN)/python -m stream_app.infra.http.codes
	$(BIN)/python -m tools.asyncapi
	$(BIN)/python -m tools.grafana_dashboard
	$(BIN)/python -m tools.prometheus_rule
	$(BIN)/python -m tools.scale_page

format: $(STAMP) ## Format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# pip-compile does not read dependency groups: it gets them on stdin, which requirements.lock calls "-r -".
GROUPS_OF_PYPROJECT = import tomllib; \
	print(*sum(tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"].values(), []), sep="\n")

lock: $(STAMP) ## Renew requirements.lock from pyproject.toml (ARGS="--upgrade" takes newer releases)
	@$(BIN)/python -c '$(GROUPS_OF_PYPROJECT)' | env -u PIP_FIND_LINKS $(BIN)/pip-compile --quiet --all-extras \
		--generate-hashes --strip-extras --allow-unsafe \
		--no-header --no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file requirements.lock $(ARGS) pyproject.toml -

site: $(STAMP) ## The documentation as a site that loads nothing from elsewhere, into site/ (warnings are errors)
	$(BIN)/properdocs build --quiet --strict --clean $(ARGS)

screenshots: $(STAMP) ## Pictures of the dashboard in docs/img, from a demo that runs for some minutes (needs chromium)
	@exec $(BIN)/python -m tools.screenshots $(ARGS)

up: ## Kafka, topics and worker in containers (ARGS="--scale worker=2")
	$(COMPOSE) up --build --detach $(ARGS)

down: ## Stop the containers and delete their data
	$(COMPOSE) down --volumes $(ARGS)

clean: ## Delete the virtual environment, caches and the demo's data
	rm -rf $(VENV) .demo .stream-app .cache build dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml tools/front_end.py
	@command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) is not there: install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than 3.11: name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) lacks the venv module: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) (once; one or two minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m stream_app.warm_up
	@touch $@

.PHONY: release-check
release-check: $(STAMP) ## Build the wheel, install it into a fresh environment, run the demo from it
	@exec $(BIN)/python -m pytest tests/e2e/test_wheel.py $(ARGS)

.PHONY: chaos
chaos: $(STAMP) ## The fault suite: real workers and broker under faults, every row counted (SEEDS=n SEED=first FAULT=F3)
	@exec $(BIN)/python -m tests.chaos $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--seed $(SEED)) $(if $(FAULT),--fault $(FAULT)) $(ARGS)

.PHONY: bench bench-check bench-profile bench-quick bench-scale
bench: $(STAMP) ## This project beside its peers, each in an environment of its own (ARGS="--help" tells the options)
	@exec $(BIN)/python -m bench $(ARGS)

bench-quick: $(STAMP) ## This project beside the naive Faust agent, in a minute: one line
	@exec $(BIN)/python -m bench --quick $(ARGS)

bench-check: $(STAMP) ## The hand-written loops in Go and Rust are killed again and again: their sums stay exact
	@exec $(BIN)/python -m bench.crash $(ARGS)

bench-profile: $(STAMP) ## Where a worker spends its CPU time, step by step (ARGS="--help" tells the options)
	@exec $(BIN)/python -m bench.profile $(ARGS)

bench-scale: $(STAMP) ## This project alone: assets, workers, latency, look-ups, recovery, memory (ARGS="--help" tells the options)
	@exec $(BIN)/python -m bench.scale $(ARGS)
