#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the published Java client into build/java/lib, refuses bytes that are not those that were tested, and compiles the scenarios.
# After a change of pom.xml: build.sh --record writes the new checksums.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$here/../../build/java
mkdir -p "$out"
out=$(realpath "$out")

if ! cmp -s "$here/pom.xml" "$out/pom.xml"; then
  rm -rf "$out/lib"
  mvn --quiet --batch-mode --file "$here/pom.xml" -Dmaven.repo.local="$out/repository" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$out/lib" -DincludeScope=runtime
  cp "$here/pom.xml" "$out/pom.xml"
fi
[ "${1:-}" != --record ] || (cd "$out/lib" && sha256sum -- *.jar) >"$here/checksums.sha256"
(cd "$out/lib" && sha256sum --check --quiet --strict "$here/checksums.sha256") ||
  { echo "build.sh: what was fetched is not what was tested; see checksums.sha256" >&2; exit 1; }

rm -rf "$out/classes"
javac -Werror -Xlint:all,-processing,-try -d "$out/classes" -cp "$out/lib/*" "$here"/src/skerry/*.java
