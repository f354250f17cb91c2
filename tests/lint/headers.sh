#!/bin/bash
# Every header compiles alone, with no more in the include path than its room may see.
#
#   headers.sh ROOMS      ROOMS is the table that qn_write_rooms() makes
set -euo pipefail
rooms=$1
failures=0 count=0

while IFS='|' read -r room _ _ folder _ includes _; do
    declare -a flags=()
    IFS=: read -ra paths <<<"$includes"
    for path in "${paths[@]}"; do
        flags+=("-I$path")
    done
    for header in "$folder"/*.h; do
        [[ -e $header ]] || continue
        count=$((count + 1))
        # Twice, so that a missing guard shows too.
        if ! printf '#include "%s"\n' "$room/${header##*/}" "$room/${header##*/}" |
            "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only "${flags[@]}" -x c -; then
            echo "$header does not compile alone" >&2
            failures=$((failures + 1))
        fi
    done
done <"$rooms"
echo "$count headers, $failures do not compile alone"
[[ $count -gt 0 && $failures == 0 ]]
