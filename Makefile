# Everything that a fresh clone needs: each target makes what it depends on, but for gpu-test, gpu-pairs and gpu-results.
.DEFAULT_GOAL := help
.PHONY: help run test check format results results-measured claims-measured counts predict-cpu speed search dist gpu-test gpu-pairs gpu-results test-extras test-fleet test-torch fuzz clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := .venv-extras
EXTRAS_READY := $(EXTRAS)/.ready

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: $(READY) ## the main job: counts and CPU latency of VoVNet-39
	$(BIN)/bench run --model vovnet39 --device cpu

test: $(READY) ## the whole test suite
	$(BIN)/pytest --numprocesses auto

check: $(READY) ## what CI runs: format, lint, types, tests, generated files are current
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test
	$(BIN)/python -m tools.generate --check

format: $(READY) ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

results: $(READY) ## write every generated file anew: results/, the README's tables, the docs' help texts
	$(BIN)/python -m tools.generate

results-measured: $(READY) ## measure the networks of results/cpu.md on this machine, which should be quiet, and write it
	$(BIN)/python -m tools.measure
	$(BIN)/python -m tools.generate

claims-measured: $(READY) ## measure the article's claims on one thread of this machine, which should be quiet, and write their page
	$(BIN)/python -m tools.measured_claims
	$(BIN)/python -m tools.generate

predict-cpu: $(READY) ## calibrate one thread of this machine, which should be quiet, and predict other networks on it
	$(BIN)/python -m tools.cpu_predictions

speed: $(READY) ## how fast the tool itself is, as ratios in one run
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.speed

# A machine that is lent for its card has a torch of its own, and often no index of packages: these make no
# environment and install nothing. PYTHON is one that has torch and the other dependencies.
HERE = PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}"

gpu-test: ## what only a GPU can show, in some minutes, with PYTHON as it is (it has pytest too)
	$(HERE) $(PYTHON) -m pytest tests/gpu -rs -p no:randomly

gpu-pairs: ## live rounds on this card: a network against itself, and against a slower copy, in two minutes
	$(HERE) $(PYTHON) -m tools.gpu_pairs

gpu-results: ## measure the networks of the GPU's page on this card, with PYTHON as it is; a second call resumes
	$(HERE) $(PYTHON) -m tools.gpu_results

dist: $(READY) ## the wheel and the source archive of a release, in dist/
	$(BIN)/python -m hatchling build --clean

# torchvision does not import beside the torch of constraints.txt: it has an environment of its own, of some 6 GB.
$(EXTRAS_READY): pyproject.toml
	$(PYTHON) -m venv $(EXTRAS)
	$(EXTRAS)/bin/python -m pip install --quiet --upgrade pip
	$(EXTRAS)/bin/python -m pip install --quiet torch==2.14.1 torchvision==0.29.1 timm==1.0.31
	$(EXTRAS)/bin/python -m pip install --quiet --editable '.[dev]'
	touch $@

counts: $(EXTRAS_READY) ## count the networks of timm and torchvision that claims name, and store them (some minutes)
	OMP_NUM_THREADS=1 $(EXTRAS)/bin/python -m tools.stored_counts

test-extras: $(EXTRAS_READY) ## torchvision's and timm's models against their published figures (a large second environment)
	OMP_NUM_THREADS=1 $(EXTRAS)/bin/pytest tests/extras -s
	OMP_NUM_THREADS=1 $(EXTRAS)/bin/python -m tests.speed

test-fleet: $(READY) ## a sweep over a cluster of Slurm that is started on this machine: it takes root and Debian's packages of Slurm
	$(BIN)/pytest tests/fleet -m fleet -rs

# Each torch has an environment of its own, of some 6 GB: the package index has only CUDA builds of the older ones.
TORCH_ENV = .venv-torch-$(TORCH)
test-torch: ## the whole test suite with another torch, for example TORCH=2.9.1 PYTHON=python3.11
	@test -n "$(TORCH)" || { echo "make test-torch: name a version, as TORCH=2.9.1" >&2; exit 2; }
	$(PYTHON) -m venv $(TORCH_ENV)
	$(TORCH_ENV)/bin/python -m pip install --quiet --upgrade pip
	$(TORCH_ENV)/bin/python -m pip install --quiet torch==$(TORCH) --editable '.[dev]'
	$(TORCH_ENV)/bin/pytest --numprocesses auto -rs

FUZZ_READY := $(VENV)/.fuzz-ready
$(FUZZ_READY): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	touch $@

search: $(READY) ## the test suite with new random examples of every property: run it now and then
	$(BIN)/pytest --numprocesses auto --hypothesis-profile search

fuzz: $(FUZZ_READY) ## look for input that breaks a loader, SECONDS=60 each; what it finds stays in .fuzz/
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60)

clean: ## forget the virtual environments and the caches
	rm -rf $(VENV) $(EXTRAS) .venv-torch-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz
