#!/usr/bin/env bash
# Rewrites the pinned requirement files from pyproject.toml. Needs uv; run it when a dependency changes.
# Hashes, but no index address: whoever installs uses the index that their pip is set up for.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header "$@"; }
compile pyproject.toml --group build --output-file requirements/core.txt
compile pyproject.toml --group build --group dev --constraint requirements/core.txt --output-file requirements/dev.txt
for peers in bench bench-litellm bench-guidellm; do
  compile "requirements/$peers.in" --output-file "requirements/$peers.txt"
done
