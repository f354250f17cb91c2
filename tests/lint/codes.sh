#!/bin/bash
# There is a sentence for each code of errors and of alerts that docs/control.md and docs/api.md name.
#
#   codes.sh SOURCE
set -euo pipefail
cd "$1"
failures=0 count=0

# section NUMBER [FILE]: its text
section() {
    awk -v begin="## $1. " 'index($0, "## ") == 1 { inside = index($0, begin) == 1; next } inside' \
        "${2:-docs/control.md}"
}

# expect FILE...: each code from standard input has a row in one of those tables
expect() {
    local code
    while read -r code; do
        [[ -n $code ]] || continue
        count=$((count + 1))
        grep -qE "\{\"$code\",( |\$)" "$@" && continue
        echo "$* has no sentence for $code" >&2
        failures=$((failures + 1))
    done
}

# The first column of the table; a row may name several.
expect daemon/words/alert_words.c < <(section 4 | awk -F'|' '/^\| `/ { print $2 }' |
    tr -cs 'a-z-' '\n' | grep .)
expect daemon/words/error_words.c < <(section 5 | awk '/`$/ || /`\.$/ { print; exit } { print }' |
    tr -s '`. \n' '\n' | grep -E '^[a-z-]+$')
# shellcheck disable=SC2016 # the backquotes are those of the text
# What stands between backquotes behind "Codes besides".
expect daemon/words/web_words.c daemon/words/error_words.c < <(section 2 docs/api.md |
    sed -n '/^Codes besides/,/`\./p' | tr '\n' ' ' | sed 's/^[^`]*`\([^`]*\)`.*/\1/' | tr -s ' ' '\n' && echo)
echo "$count codes, $failures without a sentence"
[[ $count -gt 40 && $failures == 0 ]]
