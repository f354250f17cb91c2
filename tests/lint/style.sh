#!/bin/bash
# The countable habits: files of at most 800 lines, functions of at most 70, nothing left to do in a
# comment, no way round the include path, a README of at most 60 lines in each room.
#
#   style.sh SOURCE [ROOMS]      ROOMS is the table that qn_write_rooms() makes
set -euo pipefail
cd "$1"
rooms=${2:-}
failures=0
max_file=800 max_function=70 max_readme=60

fail() {
    echo "$*" >&2
    failures=$((failures + 1))
}

check_length() {
    local lines
    lines=$(wc -l <"$1")
    ((lines <= max_file)) || fail "$1: $lines lines, at most $max_file"
}

# A function begins and ends with a brace in the first column.
check_functions() {
    local found
    found=$(awk -v file="$1" -v max="$max_function" '
        /^\{/ { start = NR }
        /^\}/ && start { if (NR - start - 1 > max) print file ":" start ": a function of " NR - start - 1 " lines, at most " max; start = 0 }
    ' "$1")
    [[ -z $found ]] || fail "$found"
}

check_words() {
    local found
    found=$(grep -nHE "\\b(TO""DO|FIX""ME|XX""X)\\b" "$1" || true)
    [[ -z $found ]] || fail "$found"
}

check_includes() {
    local found
    found=$(grep -nHE '^#include "(\.\./|/)' "$1" || true)
    [[ -z $found ]] || fail "$found: goes round the include path"
}

check_readme() {
    local folder=$1 lines
    [[ -f $folder/README.md ]] || { fail "$folder: no README.md"; return 0; }
    lines=$(wc -l <"$folder/README.md")
    ((lines <= max_readme)) || fail "$folder/README.md: $lines lines, at most $max_readme"
}

mapfile -d '' -t sources < <(find daemon proto tools tests -name '*.[ch]' -print0)
for file in "${sources[@]}"; do
    check_length "$file"
    check_functions "$file"
    check_includes "$file"
done
mapfile -d '' -t texts < <(find daemon proto tools tests packaging -type f \
    -not -path '*/corpus/*' -not -name '*.po' -print0)
for file in "${texts[@]}"; do
    check_words "$file"
done
if [[ -n $rooms ]]; then
    while IFS='|' read -r _ _ _ folder _; do
        check_readme "$folder"
    done <"$rooms"
fi
echo "${#sources[@]} sources, $failures faults"
[[ ${#sources[@]} -gt 0 && $failures == 0 ]]
