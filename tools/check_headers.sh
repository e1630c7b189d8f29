#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header under src/ and sim/ compiles alone: whoever includes it needs to know nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export generated=${1:-build/release}

check() {
  echo "#include \"$1\"" | clang++-19 -std=c++23 -fsyntax-only -Wall -Wextra -Werror -I src -I . -isystem "$generated/proto" -isystem "$generated/src/rpc" \
    -DBOOST_ASIO_NO_DEPRECATED -DBOOST_ASIO_DISABLE_BOOST_COROUTINE -x c++ - ||
    { echo "$1 does not compile alone"; return 1; }
}
export -f check
find src sim -name '*.hpp' | sort | xargs -P 2 -I{} bash -c 'check {}'
