# Every target sets up what it needs: a virtual environment in .venv, made once and renewed when pyproject.toml or the
# locked versions change.
#
#   make run ARGS="--n-workers 4"      ARGS goes to the program that the target runs
#   make install PYTHON=python3.12     PYTHON makes the environment; 3.11 is the oldest that works

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The versions that every machine installs. The ranges in pyproject.toml are wider; `make test-newest` and
# `make test-oldest` run the suite at either end of them.
LOCK ?= constraints.txt
OLDEST := constraints-oldest.txt
ARGS ?=
# The contract of the last release, which later ones may only add to: a descriptor set, so that the check needs neither
# tags nor the history. Also: AGAINST='.git#branch=main,subdir=protos'.
RELEASED := protos/released.binpb
AGAINST ?= $(RELEASED)
# What `make coverage` measures. All of the tests: make coverage COVERED=tests
COVERED ?= tests/unit tests/contract tests/property
CHAOS_SECONDS ?= 3600
DIFFERENTIAL_SECONDS ?= 3600

# What is checked for types, strictly; tests are free to leave them out, but not to have them wrong.
TYPED := client_sdk scheduler_service worker_service deploy docs examples benchmarks tests
# Clusters are many processes: where Python is told to write no bytecode, each would compile all of it anew.
COMPILE = $(BIN)/python -m compileall -q client_sdk scheduler_service worker_service deploy tests
# Where distributed is, which tests/parity compares with.
PEER := build/parity
PARITY_PEER := PARITY_BACKEND=distributed $(PEER)/bin/python -m pytest -o cache_dir=$(PEER)/cache
STUBS := client_sdk/dagrpc/v1
# Where JupyterLab with dask's extension is, which depends on distributed.
JUPYTERLAB := build/jupyterlab
# The contract with its comments, for reflection and for `dagrpc protos`.
DESCRIPTORS := dagrpc/_contract/descriptors.binpb

IMAGE ?= dagrpc:latest
BASE_IMAGE ?= python:3.11-slim-bookworm
WORKERS ?= 2
COMPOSE_FILE := deploy/compose/compose.yaml
# Files beside it that change it: make up OVERLAYS="tls limits"
OVERLAYS ?=
# Else it would be called after the folder of that file.
COMPOSE_PROJECT_NAME ?= dagrpc
export COMPOSE_PROJECT_NAME
# The plug-in where there is one, else the program of its own.
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) \
  -f $(COMPOSE_FILE) $(foreach overlay,$(OVERLAYS),-f deploy/compose/$(overlay).yaml)

.PHONY: help install lock run test test-newest test-oldest test-docker test-kubernetes coverage chaos differential \
  parity parity-peer test-jupyterlab lint format docs proto proto-check proto-breaking proto-released release clients \
  bench soak image up down clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "dagrpc needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing dagrpc and its development tools in $(VENV)"
	@PIP_CONSTRAINT=$(LOCK) PIP_BUILD_CONSTRAINT=$(LOCK) \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@$(COMPILE)
	@touch $@

install: $(INSTALLED)  ## Make .venv and install the project in it

lock:  ## Write the locked versions anew: the newest of everything, and the oldest that are supported
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check ".[dev]" "setuptools>=77" uv
	@build/lock/bin/python -m pip freeze --all --exclude pip --exclude uv --exclude dagrpc > $(LOCK)
	@rm -f $(OLDEST) && build/lock/bin/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 \
	  --extra dev --group oldest --no-annotate --no-header --output-file $(OLDEST) pyproject.toml

run: $(INSTALLED)  ## Run the main job: a year of flights on a local cluster
	@$(BIN)/python -m examples.flights.main $(ARGS)

test: $(INSTALLED)  ## Run the whole test suite
	@$(COMPILE)
	@$(BIN)/python -m $(if $(ARGS),pytest $(ARGS),tests $(if $(ONCE),--once))

test-newest:  ## Run the whole test suite with the newest versions of everything
	@rm -rf build/newest && $(MAKE) test VENV=build/newest LOCK=

test-oldest:  ## Run the whole test suite with the oldest versions that are supported, on Python 3.11
	@$(MAKE) test VENV=build/oldest LOCK=$(OLDEST)

# What a machine lacks is said in the summary; CI_DEPLOY=1 makes it a failure.
test-docker: $(INSTALLED)  ## Run the tests of containers, on the Docker engine
	@$(BIN)/python -m pytest -rs tests/e2e/test_deployment.py tests/e2e/test_compose_overlays.py \
	  tests/e2e/test_docker_cluster.py $(ARGS)

# They make namespaces of their own in the cluster of KUBECONFIG, whose node has the images of the local Docker engine, or
# DAGRPC_TEST_IMAGE. This machine has to be a node of it, or to reach its services otherwise.
test-kubernetes: $(INSTALLED)  ## Run the tests of Kubernetes, on the cluster of KUBECONFIG
	@DAGRPC_TEST_KUBECONFIG=$${KUBECONFIG:-} $(BIN)/python -m pytest -rs tests/e2e/test_kubernetes.py \
	  tests/e2e/test_kube_cluster.py $(ARGS)

coverage: $(INSTALLED)  ## Measure which lines and branches the tests in COVERED run, in all their processes
	@rm -rf build/coverage
	$(BIN)/coverage run -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(COVERED) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage html --quiet
	@$(BIN)/coverage report

chaos: $(INSTALLED)  ## Break processes and connections for CHAOS_SECONDS while work runs (an hour)
	$(BIN)/python -m tests.chaos --total $(CHAOS_SECONDS) --summary build/chaos.md $(ARGS)

differential: $(INSTALLED)  ## Compare random programs with plain Python for DIFFERENTIAL_SECONDS (an hour)
	$(BIN)/python -m tests.differential --seconds $(DIFFERENTIAL_SECONDS) $(ARGS)

parity: $(INSTALLED) parity-peer  ## Run tests/parity with dagrpc and with distributed
	$(BIN)/python -m pytest tests/parity $(ARGS)

# What failed is run again by itself, up to twice: on a busy machine, distributed fails some of them now and then.
parity-peer: $(PEER)/.installed  ## Run tests/parity with distributed: `make test` has them with dagrpc
	$(PARITY_PEER) -n auto --maxprocesses 4 --dist loadfile tests/parity $(ARGS) || \
	  $(PARITY_PEER) --last-failed --last-failed-no-failures=none tests/parity || \
	  $(PARITY_PEER) --last-failed --last-failed-no-failures=none tests/parity

# distributed must not be where dagrpc is: a program finds out by importing it.
$(PEER)/.installed: Makefile
	@$(PYTHON) -m venv $(PEER)
	@echo "installing distributed in $(PEER)"
	@PIP_CONSTRAINT=$(LOCK) $(PEER)/bin/python -m pip install --quiet --disable-pip-version-check "distributed==2026.8.0" \
	  "dask[array,dataframe]" bokeh xarray hypothesis prometheus-client pyyaml pytest pytest-timeout pytest-xdist
	@touch $@

test-jupyterlab: $(INSTALLED) $(JUPYTERLAB)/.installed  ## Run the tests with JupyterLab and dask's extension for it
	$(BIN)/python -m pytest tests/integration/test_jupyterlab.py $(ARGS)

# Notebooks run where the project is: what a kernel needs has a folder of its own.
$(JUPYTERLAB)/.installed: Makefile
	@rm -rf $(JUPYTERLAB) && $(PYTHON) -m venv $(JUPYTERLAB)
	@echo "installing JupyterLab in $(JUPYTERLAB)"
	@$(JUPYTERLAB)/bin/python -m pip install --quiet --disable-pip-version-check "distributed==2026.8.0" \
	  "jupyterlab==4.6.6" "dask-labextension==7.0.0" "jupyter-server-proxy==4.6.0"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $(JUPYTERLAB)/kernel "ipykernel==7.4.0"
	@touch $@

lint: $(INSTALLED)  ## Check style, types, import rules and the contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	$(BIN)/buf lint protos

format: $(INSTALLED)  ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED)  ## Build the documentation as a site in build/site; a warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

proto: $(INSTALLED)  ## Write the Python stubs of the contract
	@mkdir -p $(STUBS)
	$(BIN)/python protos/make_stubs.py client_sdk

proto-check: $(INSTALLED)  ## Fail when the committed stubs are not those of the contract
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	$(BIN)/python protos/make_stubs.py "$$fresh" && \
	{ cmp -s "$$fresh/$(DESCRIPTORS)" client_sdk/$(DESCRIPTORS) && diff -r -x __init__.py -x __pycache__ "$$fresh/dagrpc/v1" $(STUBS) >&2 || \
	  { echo "the stubs in $(STUBS) or $(DESCRIPTORS) are stale: run make proto" >&2; exit 1; }; } && \
	echo "the stubs are fresh"

proto-breaking: $(INSTALLED)  ## Fail when the contract breaks with that of the last release, or with AGAINST
	$(BIN)/buf breaking protos --against '$(AGAINST)'

proto-released: $(INSTALLED)  ## Record the contract as the one that later changes may only add to
	$(BIN)/buf build protos --exclude-source-info --output $(RELEASED)

release: $(INSTALLED) proto-check  ## Build wheel and sdist in dist/, and check them in an empty environment
	@PIP_CONSTRAINT=$(LOCK) PIP_BUILD_CONSTRAINT=$(LOCK) .ci/release $(BIN)/python

soak: $(INSTALLED)  ## A million small tasks in waves: is all memory given back?
	@$(BIN)/python -m benchmarks.soak $(ARGS)

clients: $(INSTALLED)  ## Build and test the clients in other LANGUAGES, or in all that have toolchains here
	@$(BIN)/python -m examples.clients.build $(LANGUAGES)
	@$(BIN)/python -m pytest tests/integration/test_foreign_clients.py -q -rs $(ARGS)

bench: $(INSTALLED)  ## Measure against distributed; writes docs/benchmarks.md and the figures in README.md
	@$(BIN)/python -m benchmarks.run $(ARGS)

image:  ## Build the container image
	docker build --network host --build-arg BASE_IMAGE=$(BASE_IMAGE) --file deploy/docker/Dockerfile --tag $(IMAGE) .

up: image  ## Start a scheduler and WORKERS workers in containers
	DAGRPC_IMAGE=$(IMAGE) $(COMPOSE) up --detach --scale worker=$(WORKERS)

down:  ## Stop the containers
	DAGRPC_IMAGE=$(IMAGE) $(COMPOSE) down --volumes --remove-orphans

clean:  ## Remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
