#!/usr/bin/env bash
# The checks of the C++ code under sanitizers: kernels of every instruction set with AddressSanitizer and
# UndefinedBehaviorSanitizer, the pool of threads with ThreadSanitizer. Fails on the first report.
#   scripts/sanitize.sh [stride]      looks at every stride-th float in the scans of functions; about two minutes of CPU
set -eu
cd "$(dirname "$0")/.."
stride=${1:-1000003}
out=${TMPDIR:-/tmp}/bertgrad-sanitize # not below build/: .ci/symbols.sh looks at every object there
cxx=${CXX:-c++}
mkdir -p "$out"
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1

make -s -j2 -C test/native/check run STRIDE="$stride" OUT="$out" \
  FLAGS='-O1 -g1 -w -fsanitize=address,undefined -fno-sanitize-recover=all'
"$cxx" -std=c++17 -O1 -g1 -Wall -Wextra -fsanitize=thread -Inative test/native/pool/pool.cc native/pool.cc \
  -o "$out/pool" -lpthread
"$out/pool"
echo 'sanitizers: nothing to report'
