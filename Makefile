# Everything from a fresh clone: `make demo`, `make test`, `make check`. Needs Python 3.11 or newer, make and git.
PYTHON ?= python3
VENV ?= .venv
PEERS := bench bench-litellm bench-guidellm
BIN := $(VENV)/bin
export LITELLM_LOCAL_MODEL_COST_MAP = True
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo suites test check test-all bench bench-env format clean system

demo: $(VENV)/.core
	$(BIN)/python -m harness -m suite=toolcall model=smollm2,gemma3_270m model.protocol=prompted,constrained \
		suite.limit=$(or $(LIMIT),20)
	$(BIN)/python -m harness do=report

# What suites beyond toolcall need (lm-eval, Inspect, instruction checkers, embeddings), and litellm for hosted models.
suites: $(VENV)/.suites

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not gpu and not network" $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate_models.py --check

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What pip cannot bring, said in words before anything fails half-way.
system:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not here; install Python 3.11 or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: this Python cannot make environments; on Debian and Ubuntu: apt-get install python3-venv"; exit 2; }

$(VENV)/bin/python: | system
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: requirements/core.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/core.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.suites: requirements/suites.txt $(VENV)/.core
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/suites.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.core
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

# Ours against every peer that is installed, the parts of a call, and memory; some eight minutes. bench-env adds the
# largest peer, guidellm, which brings torch (5 GB).
bench: $(VENV)/.dev .venv-bench/.done .venv-bench-litellm/.done
	@mkdir -p reports/bench
	$(BIN)/python -m benchmarks.compare $(ARGS)
	$(BIN)/python -m pytest benchmarks -q --benchmark-json=reports/bench/parts.json --benchmark-columns=median,min,rounds
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.report
	.venv-bench/bin/python -m benchmarks.picture

bench-env: $(PEERS:%=.venv-%/.done)

$(PEERS:%=.venv-%/.done): .venv-%/.done: requirements/%.txt | system
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS:%=.venv-%) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
