#!/usr/bin/env bash
# Fetches a version of d3 from the npm registry and puts it here: ./refresh.sh 7.9.2
set -euo pipefail
cd "$(dirname "$0")"
version="${1:?which version? ./refresh.sh 7.9.2}"
[[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "not a version: $version; give one such as 7.9.2" >&2; exit 2; }
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
(cd "$scratch" && npm pack --silent "d3@$version" >/dev/null && tar xzf "d3-$version.tgz")
rm -f d3-*.min.js
cp "$scratch/package/dist/d3.min.js" "d3-$version.min.js"
cp "$scratch/package/LICENSE" d3-LICENSE
{ echo "/*! d3"; cat d3-LICENSE; echo "*/"; } > d3-licence.js
hash="$(sha256sum "d3-$version.min.js" | cut -d' ' -f1)"
row="| \`d3-$version.min.js\` | \`d3@$version\`, \`dist/d3.min.js\` as it is | ISC, \`d3-LICENSE\`; \`d3-licence.js\` carries it into every page | \`$hash\` |"
sed -i "s#^| \`d3-[0-9.]*min\.js.*#$row#" README.md
echo "d3 $version, sha256 $hash; now name it in harness/report/figures/html.py"
