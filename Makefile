# Needs Python >= 3.11, make and git; everything else is made here, inside the checkout:
#   .venv/          the laptop's AWS, the command, the workloads' libraries, the tests' tools
#   .tools/         aws-sam-cli and the npm linters, each in an environment of its own
#   .signalbox/     built layers and the laptop's state
# A stamp file stands for each finished step, so a second run starts at once.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(CURDIR)/$(VENV)/bin/uv pip compile --quiet --universal \
        --python-version 3.11 --generate-hashes --no-emit-index-url
# Files of tests side by side; in their order, so that the long scenarios are not left for the end.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
ARCHITECTURE ?= arm64

.PHONY: help demo demo-promotion test check up bench build docs lock clean tools-asl tools-sam

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | column -t -s @ 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: .venv/.laptop .signalbox/.layers ## the whole story on this machine: release, train, judge, approve, predict
	@$(RUN) signalbox demo $(DEMO)

demo-promotion: .venv/.development .signalbox/.layers ## three models through dev, staging and prod: promoted, refused, rolled back
	@$(RUN) signalbox demo-promotion $(DEMO)

up: .venv/.laptop .signalbox/.layers ## serve the laptop's AWS until Ctrl-C
	@$(RUN) signalbox up $(UP)

test: .venv/.development .signalbox/.layers tools-asl ## every test; what CI runs
	@$(RUN) $(PY) -m pytest $(PARALLEL) $(PYTEST)

check: .venv/.development tools-asl ## format, lint, types, imports and contracts, in under 30 s
	@$(RUN) ruff format --check --quiet . || { echo "run: $(VENV)/bin/ruff format ." >&2; exit 1; }
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy --no-error-summary & types=$$!; \
	  $(RUN) $(PY) -m pytest -q tests/contracts --ignore-glob='*/test_statemachines_[it]*'; contracts=$$?; \
	  wait $$types && exit $$contracts # those left out run the machines

bench: .venv/.development .signalbox/.layers ## the numbers of benchmarks/
	@$(RUN) $(PY) -m benchmarks $(BENCH)

build: .venv/.development tools-sam ## sam validate --lint and, where Python 3.13 is, sam build
	@ARCHITECTURE=$(ARCHITECTURE) sh tools/build_sam.sh

docs: .venv/.laptop ## write the pages that are generated from the code
	@$(RUN) $(PY) -m signalbox_cli.reference

lock: .venv/.development ## resolve requirements/*.in and the layer's again
	cd requirements && $(LOCK) $(UPGRADE) dev.in -o dev.txt
	cd requirements && $(LOCK) $(UPGRADE) -c dev.txt laptop.in -o laptop.txt
	cd requirements && $(LOCK) $(UPGRADE) -c dev.txt build.in -o build.txt
	cd requirements && $(LOCK) $(UPGRADE) sam.in -o sam.txt
	cd layers/dependencies && $(LOCK) $(UPGRADE) -c ../../requirements/dev.txt requirements.in -o requirements.txt
	cd tools/asl && npm install --package-lock-only --omit-lockfile-registry-resolved

clean: ## remove everything that was made here, the laptop's state included
	rm -rf $(VENV) .tools .signalbox .aws-sam demo-data .pytest_cache .mypy_cache .ruff_cache \
	  .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ----------------------------------------------------------------------------------- the steps

.venv/.laptop: requirements/build.txt requirements/laptop.txt pyproject.toml tools/make_environment.sh
	@echo "installing (once)"
	@python="$(PYTHON)"; [ -n "$$python" ] || python=$$(sh tools/find_python.sh) || exit 1; \
	  sh tools/make_environment.sh "$$python" $(VENV) requirements/build.txt requirements/laptop.txt
	@sh tools/link_project.sh $(VENV)
	@touch $@

.venv/.development: .venv/.laptop requirements/dev.txt
	@echo "installing the development tools (once)"
	@sh tools/make_environment.sh $(PY) $(VENV) requirements/dev.txt
	@touch $@

.signalbox/.layers: .venv/.laptop template.yaml $(shell find layers -type f -not -name '*.pyc')
	@$(RUN) $(PY) -m localaws.build_layers > /dev/null
	@touch $@

tools-asl: .tools/asl/.ready
.tools/asl/.ready: tools/asl/package.json tools/asl/package-lock.json
	@mkdir -p .tools/asl
	@if npm --version > /dev/null 2>&1; then \
	    cp tools/asl/package.json tools/asl/package-lock.json .tools/asl/ && \
	    npm ci --prefix .tools/asl --silent --no-fund --no-audit && touch $@; \
	  else \
	    echo "npm was not found: the state machine files are checked without asl-validator (install Node.js to have it)" >&2; \
	  fi

tools-sam: .tools/sam/.ready
.tools/sam/.ready: requirements/build.txt requirements/sam.txt tools/make_environment.sh
	@echo "installing aws-sam-cli (once)"
	@sh tools/make_environment.sh $(PY) .tools/sam requirements/sam.txt
	@touch $@
