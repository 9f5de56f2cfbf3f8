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

.PHONY: help demo demo-promotion demo-delivery test lint check up bench build docs lock clean tools-asl tools-sam
.PHONY: package bundle review preview deploy acceptance-train acceptance-infer promote-tag promotable

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | column -t -s @ 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: .venv/.laptop .signalbox/.layers ## the whole story on this machine: release, train, judge, approve, predict
	@$(RUN) signalbox demo $(DEMO)

demo-promotion: .venv/.development .signalbox/.layers ## three models through dev, staging and prod: promoted, refused, rolled back
	@$(RUN) signalbox demo-promotion $(DEMO)

demo-delivery: .venv/.development .signalbox/.layers ## two commits through the delivery pipeline of five accounts: stopped, delivered
	@$(RUN) signalbox demo-delivery $(DEMO)

up: .venv/.laptop .signalbox/.layers ## serve the laptop's AWS until Ctrl-C
	@$(RUN) signalbox up $(UP)

test: .venv/.development .signalbox/.layers tools-asl tools-sam ## every test; what CI runs
	@$(RUN) $(PY) -m pytest $(PARALLEL) $(PYTEST)

lint: .venv/.development ## format and lint only, in a second
	@$(RUN) ruff format --check --quiet . || { echo "run: $(VENV)/bin/ruff format ." >&2; exit 1; }
	@$(RUN) ruff check --quiet .

check: lint tools-asl ## format, lint, types, imports and contracts, in about half a minute
	@$(RUN) mypy --no-error-summary & types=$$!; \
	  $(RUN) $(PY) -m pytest -q tests/contracts --ignore-glob='*/test_statemachines_[!d]*'; contracts=$$?; \
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

# -------------------------------------------------------------------------------------- delivery
# What every CI calls (docs/delivery.md), after `make check`, `make test` and `make build`. ENV is
# dev, staging or prod; AS=delivery (or acceptance) calls AWS as that role of the environment, and
# nothing as the caller itself. REGION is one of the environment's, or its first. SIGNALBOX_PACKAGER=laptop packages without a network.

ifeq ($(origin AS),default) # make's own AS is an assembler
AS :=
endif
ROLE = $(if $(AS),$(PY) -m delivery.as_role $(ENV)/$(AS)$(if $(REGION),/$(REGION)) --)
IN_REGION = $(if $(REGION),--region $(REGION))
WORKLOAD ?= workloads/diabetes
ACCEPTANCE ?= .signalbox/acceptance
COMMITTED = SIGNALBOX_COMMIT=$$($(PY) -m delivery.commits)
HAS_ENV = @[ -n "$(ENV)" ] || { echo "say which environment: make $@ ENV=dev" >&2; exit 2; }

package: .venv/.laptop ## ENV=x: upload the code, write .aws-sam/packaged.yaml with its parameters
	$(HAS_ENV)
	@$(RUN) $(ROLE) $(PY) -m delivery.package $(ENV) $(IN_REGION)

preview: .venv/.laptop ## ENV=x: what the package would change, by a change set that is not executed
	$(HAS_ENV)
	@$(RUN) $(ROLE) $(PY) -m delivery.change_sets preview $(ENV) $(IN_REGION) --output .aws-sam/preview.txt

deploy: .venv/.laptop ## ENV=x: apply the package, and wait; a failing update leaves what was
	$(HAS_ENV)
	@$(RUN) $(ROLE) $(PY) -m delivery.change_sets deploy $(ENV) $(IN_REGION) $(DEPLOY)

bundle: .venv/.laptop ## packages and previews of all environments that the delivery pipeline deploys to
	@[ "$(SIGNALBOX_PACKAGER)" = laptop ] || $(MAKE) build
	@$(RUN) $(PY) -m delivery.bundle

review: .venv/.laptop ## what the change sets would do that the delivery pipeline prepared in prod; refuses a loss of data
	@$(RUN) $(PY) -m delivery.bundle review

acceptance-train: .venv/.laptop ## ENV=x: train WORKLOAD there as anybody would, approve the version
	$(HAS_ENV)
	@$(RUN) $(COMMITTED) $(ROLE) signalbox acceptance train $(WORKLOAD) -e $(ENV) --output $(ACCEPTANCE)

acceptance-infer: .venv/.laptop ## ENV=x: a real endpoint and a real batch beside the evaluation
	$(HAS_ENV)
	@$(RUN) $(ROLE) signalbox acceptance infer $(WORKLOAD) -e $(ENV) --output $(ACCEPTANCE)

promote-tag: .venv/.laptop ## TAG=staging|prod [COMMIT=x]: make and push the tag that promotes a commit
	@$(RUN) $(PY) -m delivery.promotion_tags make $(or $(TAG),staging) --commit $(or $(COMMIT),HEAD) --push

promotable: .venv/.laptop ## REF=tag [COMMIT=x]: refuse a tag whose commit must not be promoted
	@$(RUN) $(PY) -m delivery.promotion_tags check $(REF) $(if $(COMMIT),--commit $(COMMIT)) $(if $(EVIDENCE),--evidence $(EVIDENCE))

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
	@there="$(SIGNALBOX_CHECKOUT)/.tools/asl"; \
	  if [ -e "$$there/.ready" ] && cmp -s tools/asl/package-lock.json "$$there/package-lock.json"; then \
	    cp -R "$$there/." .tools/asl/ && touch $@; \
	  elif npm --version > /dev/null 2>&1; then \
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
