#!/bin/bash
# A pure room reaches for nothing outside: every symbol that its archive leaves undefined is defined
# by a room that it declares as a dependency, or stands in the allow-list.
#
#   pure_symbols.sh ALLOWED ROOMS      ROOMS is the table that qn_write_rooms() makes
set -euo pipefail
allowed=$1 rooms=$2
declare -A archive_of depends_of
declare -a pure=()

while IFS='|' read -r room _ is_pure _ archive _ depends; do
    archive_of[$room]=$archive
    depends_of[$room]=${depends//,/ }
    [[ $is_pure == 1 ]] && pure+=("$room")
done <"$rooms"

# The archives of a room and of everything below it.
closure() {
    local below
    echo "${archive_of[$1]}"
    for below in ${depends_of[$1]}; do
        closure "$below"
    done
}

defined_by() {
    nm --defined-only --extern-only --format=posix "$@" 2>/dev/null | awk 'NF > 1 {print $1}' | sort -u
}

undefined_in() {
    nm --undefined-only --format=posix "$1" 2>/dev/null | awk 'NF > 1 {print $1}' | sort -u
}

declare -a rules=()
mapfile -t rules < <(grep -v '^#' "$allowed" | grep .)

is_allowed() {
    local room=$1 symbol=$2 rule who pattern
    for rule in "${rules[@]}"; do
        who=${rule%% *} pattern=${rule##* }
        # shellcheck disable=SC2053 # the right side is a pattern
        [[ ($who == '*' || $who == "$room") && $symbol == $pattern ]] && return 0
    done
    return 1
}

failures=0
for room in "${pure[@]}"; do
    mapfile -t archives < <(closure "$room" | sort -u)
    for archive in "${archives[@]}"; do
        [[ -s $archive ]] || { echo "$room: no archive $archive" >&2; exit 2; }
    done
    while read -r symbol; do
        if ! is_allowed "$room" "$symbol"; then
            echo "$room is pure and may not use $symbol" >&2
            failures=$((failures + 1))
        fi
    done < <(comm -23 <(undefined_in "${archive_of[$room]}") <(defined_by "${archives[@]}"))
done
[[ ${#pure[@]} -gt 0 ]] || { echo "no pure room at all: a mistake in $rooms" >&2; exit 2; }
echo "${#pure[@]} pure rooms, $failures symbols refused"
[[ $failures == 0 ]]
