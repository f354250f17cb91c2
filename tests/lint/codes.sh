#!/bin/bash
# syncctl has a sentence for each code of errors and of alerts that docs/control.md names.
#
#   codes.sh SOURCE
set -euo pipefail
cd "$1"
failures=0 count=0

# section NUMBER: its text
section() {
    awk -v begin="## $1. " 'index($0, "## ") == 1 { inside = index($0, begin) == 1; next } inside' \
        docs/control.md
}

# expect FILE: each code from standard input has a row in that table
expect() {
    local code
    while read -r code; do
        count=$((count + 1))
        grep -qF "{\"$code\", " "$1" && continue
        echo "$1 has no sentence for $code" >&2
        failures=$((failures + 1))
    done
}

# The first column of the table; a row may name several.
expect daemon/app/alert_words.c < <(section 4 | awk -F'|' '/^\| `/ { print $2 }' |
    tr -cs 'a-z-' '\n' | grep .)
expect tools/syncctl/errors.c < <(section 5 | awk '/`$/ || /`\.$/ { print; exit } { print }' |
    tr -s '`. \n' '\n' | grep -E '^[a-z-]+$')
echo "$count codes, $failures without a sentence"
[[ $count -gt 40 && $failures == 0 ]]
