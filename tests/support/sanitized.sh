#!/bin/bash
# Runs a test of a sanitizer build and fails if AddressSanitizer found something in it or any process
# that it started: Criterion reports a test before its process ends, which is when leaks are found,
# and a daemon's complaint would be lost in its log.
#
#   sanitized.sh COMMAND [ARGUMENT...]
set -euo pipefail
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
# UndefinedBehaviorSanitizer beside it knows no log_path: it says it on standard error, and aborts.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:log_path=$reports/report

status=0
"$@" || status=$?
# A refused allocation is only a warning: some tests ask for too much.
if grep -qs 'ERROR: ' "$reports"/report*; then
    cat "$reports"/report* >&2
    [[ $status != 0 ]] || status=1
fi
exit $status
