# The verbs of countenance. `make help` lists them; `make demo` and `make test` need nothing but python3 and pip.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint ui repro rollback clean

PYTHON ?= python3
# cpu: never a CUDA download. cuda: whatever build pip chooses for this machine.
TORCH ?= cpu
# base: the embedded people; real: your photographs (set COUNTENANCE_FACES); small: a few minutes, for CI.
ENV ?= base
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed-$(TORCH)
PORT ?= 5000
# Where conf/<ENV>/globals.yml puts the registry.
REGISTRY = $(if $(filter base,$(ENV)),data,data/$(ENV))/09_registry

export DO_NOT_TRACK := true
export KEDRO_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := False
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12
	@echo
	@echo 'ENV=real|small chooses another environment, TORCH=cuda the GPU build, e.g. make demo ENV=small'

demo: $(READY) ## run the whole chain and print the KPI sheet (about 8 minutes on two cores)
	@kedro run --env $(ENV)

test: $(READY) ## run the test suite (about 12 minutes)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 \
	  pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

lint: $(READY) ## ruff, mypy --strict on the library, and the import contracts
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports

ui: $(READY) ## open the MLflow registry of ENV on http://127.0.0.1:5000 (PORT=… for another)
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --port $(PORT) \
	  --backend-store-uri sqlite:///$(REGISTRY)/mlflow.db

repro: $(READY) ## bring everything that is out of date up to date (dvc repro)
	@dvc repro

rollback: $(READY) ## return to the previous champion, at once
	@kedro run --env $(ENV) --pipelines rollback

clean: ## remove what runs have written (data, registry, caches); the environment stays
	@find data -mindepth 2 ! -name .gitkeep ! -name .gitignore -delete
	@find data -mindepth 1 -maxdepth 1 -type d ! -name '0[1-8]_*' -exec rm -rf {} +
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "countenance needs Python 3.11 or newer: set PYTHON=python3.11 or the like." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); this takes a few minutes once."
ifeq ($(TORCH),cpu)
	@version=$$(sed -n 's/^torch==//p' constraints.txt); \
	  case "$$(uname -s)-$$(uname -m)" in Linux-x86_64) wanted="torch==$$version+cpu";; *) wanted="torch==$$version";; esac; \
	  $(BIN)/python -m pip install --quiet --constraint constraints.txt "$$wanted" \
	  || { echo "pip found no CPU build of torch $$version: add PyTorch's CPU index (PIP_EXTRA_INDEX_URL) or a folder with" \
	       "its wheel (PIP_FIND_LINKS), or say TORCH=cuda for the GPU build." >&2; exit 1; }
endif
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[pipelines,development]'
	@# The oracle of the intervals asks for numpy 1 and runs with the one that is tested here, so pip must not decide.
	@$(BIN)/python -m pip install --quiet --no-deps cimat==0.1.2
	@touch $@
