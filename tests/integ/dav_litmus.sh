#!/bin/bash
# litmus 0.13 over TLS: all of its tests, and no warning. It skips one itself, of Expect over TLS;
# tests/unit/dav/test_put.c has that.
#
#   dav_litmus.sh SERVER
set -euo pipefail
# shellcheck source=dav_lib.sh
source "$(dirname "$0")/dav_lib.sh"
need litmus
dav_begin "$1"
cd "$work"
# litmus takes any certificate.
timeout 200 litmus --keep-going "$url/" anna secret </dev/null 2>&1 | tr '\r' '\n' >"$work/litmus" || true
bad=$(grep -E 'FAIL|WARNING' "$work/litmus" || true)
equal "what failed or warned" '' "$bad"
skipped=$(grep -c SKIPPED "$work/litmus" || true)
passed=$(sed -nE 's/.*of ([0-9]+) tests run: \1 passed, 0 failed.*/\1/p' "$work/litmus" |
    awk '{sum += $1} END {print sum + 0}')
equal "tests with the one that is skipped" 104 "$((passed + skipped))"
equal "skipped" 1 "$skipped"
echo "litmus: $passed passed, $skipped skipped by litmus"
