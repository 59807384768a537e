# `make` alone prints this menu. Everything works with Python 3.11 and make alone.
# Debian's own is built with optimisation (docs/adr/0009-python-build.md).
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11) $(shell command -v python3.11 python3))
STACK = $(PYTHON) -m stack
VENV = .venv/bin
# Each process has PostgreSQL and Redis of its own. Two of them wait for a whole site more than they
# compute (tests/conftest.py), so that a third has room on two processors.
PYTEST = $(VENV)/python -m pytest --numprocesses 3 --dist worksteal
COMPILE = $(VENV)/uv pip compile --quiet --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-strip-extras --python-version 3.11 --custom-compile-command "make lock" $(UPGRADE)

# Enough for checks that look at settings and never connect.
PRODUCTION = SECRET_KEY=check-only-aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bD1fH3jK5mN7pQ9sT1v HTTPS=true \
	DEBUG=false ALLOWED_HOSTS=shop.example DATABASE_URL=postgresql://check@/check REDIS_URL=redis://localhost
# Hundreds of processes start in a run of the tests, and each would compile the site anew.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help up down restart status logs environment test test-long test-postgres-15 check lock \
	load bench bench-etl bench-search geoip clean

help: ## print this menu
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)

up: ## start everything: PostgreSQL, Redis, three instances, nginx, sample data
	@$(STACK) up

down: ## stop exactly what `make up` started
	@$(STACK) down

restart: ## apply code and settings, one instance at a time, losing no request
	@$(STACK) restart

status: ## what runs, and whether the site is ready
	@$(STACK) status

logs: ## follow all logs
	@$(STACK) logs

environment: ## install what tests and checks need
	@$(STACK) environment

test: environment ## run the tests (ARGS="-k name" for some, ARGS="-n 0" in one process)
	$(PYTEST) -m "not long" $(ARGS)

test-long: environment ## run the long sizes of races and faults as well, with coverage
	$(PYTEST) --cov --cov-report=term $(ARGS)

test-postgres-15: environment ## run the tests against Debian's PostgreSQL 15
	@setting="$$($(STACK) postgres-15)" && eval "$$setting" && \
		$(PYTEST) -m "not e2e and not long" $(ARGS)

check: environment ## lint, format, types, layers, migrations, OpenAPI file, deployment settings
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(PRODUCTION) $(VENV)/mypy
	$(VENV)/lint-imports
	$(PRODUCTION) $(VENV)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(VENV)/python manage.py spectacular --validate --fail-on-warn | diff -u docs/openapi.yaml -
	$(PRODUCTION) $(VENV)/python manage.py check --deploy --fail-level WARNING

load: environment ## load test with k6 (SCENARIO=smoke average stress spike soak breakpoint, RATE=, URL=)
	@$(VENV)/python -m tests.load

bench-etl: environment ## imports against plain COPY (PRODUCTS=1000000 takes half an hour and 45 GB)
	@$(VENV)/python -m tests.bench.etl

bench: environment ## measure against peers on Node 20 (PRODUCTS=1000000, ONLY=; takes its time)
	@$(VENV)/python -m tests.bench

bench-search: environment ## time search over made-up profiles (PROFILES=1000000; ten million take 15 GB)
	@$(VENV)/python -m tests.bench.search

geoip: ## fetch Debian's tables of addresses and countries, and print where they are
	@$(STACK) geoip

lock: environment ## pin requirements*.in, with hashes (UPGRADE=--upgrade for newer versions)
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -c requirements.txt -o requirements-dev.txt

clean: ## remove databases, logs and .venv (CONFIRM=yes)
	@$(STACK) clean $(if $(filter yes,$(CONFIRM)),--yes)
