#!/bin/bash
# clang-format decides layout. Its versions differ in detail, so exactly one of them does.
#
#   format.sh SOURCE
set -euo pipefail
cd "$1"
if ! command -v clang-format-14 >/dev/null; then
    echo "clang-format-14 is not here (Debian 12 has it): skipped"
    exit 77
fi
find daemon proto tools tests -name '*.[ch]' -print0 | xargs -0 -r clang-format-14 --dry-run -Werror
