#!/bin/bash
# The countable habits: files of at most 800 lines, functions of at most 70, nothing left to do in a
# comment, no way round the include path, no buffer released that was not made, a README of at most 60 lines in each room.
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

# refuse LINES: each line is a fault.
refuse() {
    local line
    while IFS= read -r line; do
        [[ -z $line ]] || fail "$line"
    done <<<"$1"
}

# A function begins and ends with a brace in the first column.
too_long() {
    awk -v file_max="$max_file" -v function_max="$max_function" '
        FNR == 1 { start = 0 }
        FNR == file_max + 1 { print FILENAME ": more than " file_max " lines" }
        /^\{/ { start = FNR }
        /^\}/ && start {
            lines = FNR - start - 1
            if (lines > function_max)
                print FILENAME ":" start ": a function of " lines " lines, at most " function_max
            start = 0
        }' "$@"
}

# A buffer that is released at the end of its scope is made, or zeroed, before the first way out.
released_unmade() {
    awk '
        /^\}/ { delete unmade }
        {
            for (name in unmade) {
                if ($0 ~ ("&" name "[^a-z0-9_]") || $0 ~ ("[^a-z0-9_]" name " = "))
                    delete unmade[name]
                else if ($0 ~ /(^|[^a-z_])return[ ;]|QN_TRY\(/) {
                    print FILENAME ":" FNR ": a way out before the buffer " name " is made"
                    delete unmade[name]
                }
            }
        }
        /QN_AUTO_BUF struct qn_buf/ {
            line = $0
            sub(/.*struct qn_buf /, "", line)
            sub(/;.*/, "", line)
            count = split(line, names, /, */)
            for (i = 1; i <= count; i++)
                if (names[i] ~ /^[a-z0-9_]+$/)
                    unmade[names[i]]
        }' "$@"
}

left_to_do() {
    grep -nHE "\\b(TO""DO|FIX""ME|XX""X)\\b" "$@" || true
}

round_the_include_path() {
    grep -nHE '^#include "(\.\./|/)' "$@" || true
}

check_readme() {
    local folder=$1 lines
    [[ -f $folder/README.md ]] || { fail "$folder: no README.md"; return 0; }
    lines=$(wc -l <"$folder/README.md")
    ((lines <= max_readme)) || fail "$folder/README.md: $lines lines, at most $max_readme"
}

mapfile -d '' -t sources < <(find daemon proto tools tests -name '*.[ch]' -print0)
mapfile -d '' -t texts < <(find daemon proto tools tests packaging -type f \
    -not -path '*/corpus/*' -not -name '*.po' -print0)
[[ ${#sources[@]} -gt 0 ]] || { echo "no sources in $PWD" >&2; exit 2; }
refuse "$(too_long "${sources[@]}")"
refuse "$(released_unmade "${sources[@]}")"
refuse "$(round_the_include_path "${sources[@]}")"
refuse "$(left_to_do "${texts[@]}")"
if [[ -n $rooms ]]; then
    while IFS='|' read -r _ _ _ folder _; do
        check_readme "$folder"
    done <"$rooms"
fi
echo "${#sources[@]} sources, $failures faults"
[[ $failures == 0 ]]
