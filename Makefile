# `make run` and `make test` are all that a fresh machine needs; both set up what they use.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
UV     ?= uv
ARTIFACTS ?= artifacts
# for `make bench`: the interpreter of an environment with `bakenn[tflite]`
BAKENN ?= $(BIN)/python
# a file of tests is run by one process, so that its fixtures are made once
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup run test lint check fix dashboard bench accuracies limits pictures arm mcu uno zoo lock clean

help: ## show these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

setup: $(VENV)/host ## set up what training, exporting and measuring need, nothing else

run: $(VENV)/host ## set up, train, export every format, print the accuracy/latency table
	$(BIN)/python -m train
	$(BIN)/python -m export --format all
	$(BIN)/python -m benchmark

test: $(VENV)/dev ## set up, run every test (data set and real training included)
	$(PYTEST)

lint: $(VENV)/dev ## lint and strict typing; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint ## lint, strict typing and the fast tests; changes nothing
	$(PYTEST) -m "not slow"

fix: $(VENV)/dev ## fix what the linter and the formatter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dashboard: $(VENV)/host ## show every trial of the searches in TensorBoard, on this machine only
	$(BIN)/tensorboard --logdir artifacts/logs --host 127.0.0.1

bench: $(VENV)/dev ## print the speed ratios that the README claims, and the time of `make run` (needs it once)
	$(BIN)/python -m tests.ratios
	$(BIN)/python -m tests.beside --artifacts $(ARTIFACTS) --bakenn $(BAKENN)
	$(BIN)/python -m tests.in_browser --artifacts $(ARTIFACTS)

accuracies: $(VENV)/dev ## print what training reaches at several widths and seeds (half an hour)
	$(BIN)/python -m tests.accuracies

limits: $(VENV)/dev ## from limits to a network, for seven devices (two hours)
	$(BIN)/python -m tests.limits

pictures: $(VENV)/dev ## make the README's two pictures in benchmark/report/pictures/ (needs `make run` once)
	$(BIN)/python -m tests.pictures

arm: $(VENV)/dev ## run the exports on an emulated ARM machine, compare outputs (needs `make run`)
	$(BIN)/python -m tests.arm --artifacts $(ARTIFACTS)

mcu: $(VENV)/dev ## run three networks as C on emulated microcontrollers, compare every output byte
	$(BIN)/python -m tests.mcu

uno: $(VENV)/dev ## Fashion-MNIST on an emulated Arduino Uno: accuracy, flash, RAM, time
	$(BIN)/python -m tests.mcu.uno

zoo: $(VENV)/dev ## export real architectures to every format, beside the bare converters (an hour and more)
	$(BIN)/python -m tests.zoo
	$(BIN)/python -m tests.zoo.recurrent
	$(BIN)/python -m tests.zoo.trained

lock: ## resolve the dependencies anew (needs uv)
	$(UV) pip compile $(LOCK) --upgrade --extra dev pyproject.toml -o requirements-dev.txt
	$(UV) pip compile $(LOCK) -c requirements-dev.txt --extra host --extra finetune pyproject.toml -o requirements-host.txt
	$(UV) pip compile $(LOCK) -c requirements-dev.txt --extra device pyproject.toml -o requirements-device.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

clean: ## remove the environment, the caches and everything in artifacts/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
	find artifacts -mindepth 1 ! -name README.md -delete

# A stamp a requirements file: the environment is made once, and completed when the lock changes.
$(VENV)/%: requirements-%.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo \
	  "error: got '$(PYTHON)', expected Python 3.11; install it or give it: make PYTHON=…" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@
