#!/bin/bash
# Every manual page is free of what mandoc warns about.
#
#   manual.sh SOURCE
set -euo pipefail
cd "$1"
if ! command -v mandoc >/dev/null; then
    echo "mandoc is not here: skipped"
    exit 77
fi
pages=(docs/man/*.[1-9])
echo "${#pages[@]} pages"
# References to pages of other packages, which may not be installed, are only style.
mandoc -T lint -W warning "${pages[@]}"
