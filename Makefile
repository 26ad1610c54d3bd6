# Two commands to know: `make demo` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
SHELL := /bin/bash
PYTHON ?=
export PYTHON

bin := .venv/bin
# The parts that exist; the checks look at all of them.
code := $(wildcard schemas stream benchmarks evaluation tests scripts)

# ---- what people type -------------------------------------------------------

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup ## replay a real shop through real Kafka and Redis (DEMO_SECONDS=60 ends it by itself)
	@$(bin)/bandshift demo

.PHONY: test
test: setup-dev ## run every test, live ones on real Kafka and Redis included
	@scripts/ensure-browser >/dev/null
	@$(bin)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: check
check: check-format check-lint check-types check-imports check-docs ## everything that needs no run: lint, types, imports, docs

.PHONY: bench
bench: setup-dev ## measure speed beside what one would build otherwise
	@$(bin)/python -m benchmarks

.PHONY: chaos
chaos: setup-dev ## break Kafka, Redis, workers and learner, then compare with an undisturbed run (CHAOS="--seed 2 --minutes 30")
	@$(bin)/python -m tests.chaos --page docs/reliability.md $(CHAOS)

.PHONY: evaluate
evaluate: setup-dev ## measure how good the scores are, beside other models
	@$(bin)/python -m evaluation

.PHONY: simulate
simulate: setup-dev ## try thousands of schedules of faults in memory (MINUTES=5 SEED=1)
	@$(bin)/python -m tests.support.faults --minutes $(or $(MINUTES),5) --seed $(or $(SEED),1)

.PHONY: setup
setup: .venv/.runtime .venv/.project ## make .venv with what `make demo` needs

.PHONY: setup-dev
setup-dev: .venv/.dev .venv/.project ## make .venv with what everything needs

.PHONY: format
format: setup-dev ## put the code in its form
	@$(bin)/ruff check --quiet --fix-only .
	@$(bin)/ruff format --quiet .

.PHONY: docs-generate
docs-generate: setup-dev ## write the parts of docs/ that come from the code
	@$(bin)/python -m scripts.generate_docs

.PHONY: clean
clean: ## remove .venv and all that was made; keeps what git knows
	@rm -rf .venv var build *.egg-info benchmarks/results evaluation/results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- checks -----------------------------------------------------------------

.PHONY: check-format check-lint check-types check-imports check-docs
check-format: setup-dev
	@echo "format"
	@$(bin)/ruff format --quiet --check --output-format concise . || \
		{ echo "make format puts these right"; exit 1; }

check-lint: setup-dev
	@echo "lint"
	@$(bin)/ruff check --quiet --output-format concise .

check-types: setup-dev
	@echo "types"
	@$(bin)/mypy $(code)

check-imports: setup-dev
	@echo "imports"
	@$(bin)/lint-imports --no-logo --cache-dir var/cache/imports

check-docs: setup-dev
	@echo "docs"
	@$(bin)/mkdocs build --quiet --strict --site-dir var/site

# ---- environment: each file below is a stamp, so that a second run costs nothing --

.venv/bin/pip:
	@scripts/make-venv

.venv/.runtime: requirements/runtime.txt | .venv/bin/pip
	@scripts/install runtime
	@touch $@

# Development requirements hold everything that the runtime needs, in the same versions.
.venv/.dev: requirements/dev.txt | .venv/bin/pip
	@scripts/install dev
	@touch .venv/.runtime $@

# Offline: builds with the setuptools that the requirements pin.
.venv/.project: pyproject.toml | .venv/bin/pip
	@$(bin)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation --editable .
	@touch $@

# ---- pinned requirements ----------------------------------------------------

lock_options := --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	$(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: setup-dev ## write requirements/*.txt anew from pyproject.toml (UPGRADE=1 takes the newest versions)
	@$(bin)/uv pip compile pyproject.toml requirements/build.in $(lock_options) \
		--extra dev --output-file requirements/dev.txt >/dev/null
	@$(bin)/uv pip compile pyproject.toml requirements/build.in $(lock_options) \
		--extra demo --constraints requirements/dev.txt --output-file requirements/runtime.txt >/dev/null
	@$(bin)/uv pip compile pyproject.toml requirements/build.in $(lock_options) \
		--constraints requirements/dev.txt --output-file requirements/server.txt >/dev/null
	@! grep -nE '://|--(index|extra-index|find-links|trusted)|(^| )/' requirements/*.txt
