# The tasks of this project: `make` lists them. Each prepares what it needs in .venv, once, and again when a lock changes.
# Needed to begin with: GNU make, a POSIX shell, and Python 3.11 or newer with venv.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Bytecode is kept, whatever is usual here: compiling all that the tests import takes half a minute each time.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

# What is handed to the command of a task: make demo ARGS=--exit, make test ARGS=tests/unit/template
ARGS ?=

# On both processors, a file at a time: the longest first, see tests/conftest.py.
BOTH := --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The first Python that will do: new enough, and able to make an environment with pip in it.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)
NO_PYTHON := Headrace needs Python 3.11 or newer with venv: on Debian `apt-get install python3-venv`

BIN := .venv/bin
INSTALLED := .venv/installed
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url

# uv is quick, but knows nothing of pip's configuration; where the index is only in there, pip does the same, slowly.
export UV_SYSTEM_CERTS := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1
install = $(BIN)/uv pip install --quiet --python $(BIN)/python $(1) || \
	{ echo 'uv could not install this; pip tries, with its own configuration'; $(BIN)/python -m pip install --quiet $(1); }

.PHONY: help setup demo test fuzz contract check docs bench verify lock fmt

help:
	@echo 'make TASK, where TASK is one of these:'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED)/dev  ## prepare .venv for working on Headrace

demo: $(INSTALLED)/run  ## deliver 10,000 people to a partner on this machine; ARGS=--exit ends when they have arrived
	@$(BIN)/headrace demo $(ARGS)

test: $(INSTALLED)/dev  ## run the tests; ARGS=tests/unit/template runs some of them
	@$(BIN)/python -m pytest $(or $(ARGS),$(BOTH) -m 'not campaign')

fuzz: $(INSTALLED)/dev  ## feed the template language random programs; ARGS='--seconds 600' for how long
	@$(BIN)/python fuzz/templates.py $(ARGS)

contract: $(INSTALLED)/dev  ## hold a server to its OpenAPI document; ARGS='--seconds 600' for how long
	@$(BIN)/python fuzz/contract.py $(ARGS)

check: $(INSTALLED)/dev  ## format, lint, types, and whether the locks are up to date
	@$(BIN)/ruff format --check --quiet . || { echo 'some files are not formatted: run `make fmt`'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/python -m mypy
	@$(BIN)/python requirements/inputs.py

# Longer campaigns join here, each as a line of its own, before the tests: their summary comes last.
verify: $(INSTALLED)/dev  ## everything that has to hold before a change is handed in
	@$(MAKE) check
	@$(MAKE) contract ARGS='--seconds 120'
	@$(MAKE) test ARGS='-m campaign $(BOTH)'
	@$(MAKE) test

docs: $(INSTALLED)/docs  ## build the documentation into site/, strictly
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet $(ARGS)

bench: $(INSTALLED)/bench  ## run the benchmarks one after the other; ARGS goes to each
	@for benchmark in benchmarks/[!_]*.py; do \
		test -f "$$benchmark" || continue; \
		echo "$$benchmark"; \
		$(BIN)/python "$$benchmark" $(ARGS) || exit; \
	done

fmt: $(INSTALLED)/dev  ## format the code, and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(INSTALLED)/build  ## resolve pyproject.toml into requirements/; ARGS=--upgrade takes the newest versions
	$(LOCK) $(ARGS) pyproject.toml --output-file requirements/run.txt
	$(LOCK) $(ARGS) pyproject.toml --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
	$(LOCK) $(ARGS) --group docs --constraints requirements/dev.txt --output-file requirements/docs.txt
	$(LOCK) $(ARGS) --group bench --constraints requirements/dev.txt --output-file requirements/bench.txt
	$(LOCK) $(ARGS) --group build --constraints requirements/dev.txt --output-file requirements/build.txt
	@$(BIN)/python requirements/inputs.py --write

# A lock names everything that is needed, so nothing more is looked for: what aepp asks for is not (see pyproject.toml).

# What is installed, as empty files: each is newer than the lock it was installed from.

$(INSTALLED)/build: requirements/build.txt
	@$(if $(PYTHON),,$(error $(NO_PYTHON)))echo 'making .venv with $(PYTHON)'
	@'$(PYTHON)' -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/build.txt
	@mkdir -p $(INSTALLED) && touch $@

$(INSTALLED)/run: requirements/run.txt pyproject.toml $(INSTALLED)/build
	@echo 'installing requirements/run.txt and Headrace itself'
	@$(call install,--no-deps --require-hashes --requirement requirements/run.txt)
	@$(call install,--no-deps --no-build-isolation --editable .)
	@touch $@

$(INSTALLED)/dev $(INSTALLED)/docs $(INSTALLED)/bench: $(INSTALLED)/%: requirements/%.txt $(INSTALLED)/run
	@echo 'installing requirements/$*.txt'
	@$(call install,--no-deps --require-hashes --requirement requirements/$*.txt)
	@touch $@
