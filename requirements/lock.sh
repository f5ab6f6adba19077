#!/usr/bin/env bash
# Rewrites the pinned requirement files from pyproject.toml. Needs uv; run it when a dependency changes.
# Hashes, but no index address: whoever installs uses the index that their pip is set up for.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header "$@"; }
# The extra with the tightest bounds comes first; what is smaller takes its versions.
compile pyproject.toml --group build --extra suites --extra hosted --output-file requirements/suites.txt
compile pyproject.toml --group build --constraint requirements/suites.txt --output-file requirements/core.txt
compile pyproject.toml --group build --group dev --extra suites --extra hosted --constraint requirements/suites.txt --output-file requirements/dev.txt
for peers in bench bench-litellm bench-guidellm; do
  compile "requirements/$peers.in" --output-file "requirements/$peers.txt"
done
