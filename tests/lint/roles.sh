#!/bin/bash
# Each command has a role: what docs/control.md describes, what the tables of the code answer, and what
# the table of roles has are the same commands, and section 7 says the same roles.
#
#   roles.sh SOURCE
set -euo pipefail
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# section NUMBER: its text
section() {
    awk -v begin="## $1. " 'index($0, "## ") == 1 { inside = index($0, begin) == 1; next } inside' docs/control.md
}

sed -n 's/^    {"\([a-z.-]*\)", \(VIEWER\|OPERATOR\|ADMIN\), .*},$/\1 \2/p' daemon/app/command_ranks.c |
    tr '[:upper:]' '[:lower:]' | sort >"$work/ranks"
cut -d' ' -f1 "$work/ranks" >"$work/table"

# shellcheck disable=SC2016 # the backquotes are those of the text
# The first column of the tables; a row may name several.
section 2 | awk -F'|' '/^\| `/ { print $2 }' | grep -oE '`[a-z]+([.][a-z-]+)?`' | tr -d '`' | sort >"$work/documented"

{
    sed -nE 's/^    \{"([a-z]+[.][a-z-]+|verify)", .*/\1/p' daemon/core/request.c daemon/app/stream_view.c \
        daemon/app/backup_view.c daemon/app/folder_orders.c daemon/app/people_orders.c
    grep -hoE 'qn_span_eq_str\((event->)?command, "[a-z.-]+"\)' daemon/app/control_request.c daemon/core/request.c \
        daemon/app/search_command.c | sed 's/.*"\(.*\)".*/\1/'
} | sort -u >"$work/answered"

# shellcheck disable=SC2016 # likewise
section 7 | sed -n 's/^| \(viewer\|operator\|admin\) | `/\1 `/p' | while read -r role commands; do
    tr -d '`,|' <<<"$commands" | xargs -n 1 | sed "s/\$/ $role/"
done | sort >"$work/said"

# same WHAT FILE FILE
same() {
    diff "$2" "$3" >"$work/diff" && return
    echo "$1:" >&2
    cat "$work/diff" >&2
    failures=$((failures + 1))
}

same "commands with a role (<) and in docs/control.md, section 2 (>)" "$work/table" "$work/documented"
same "commands with a role (<) and that something answers (>)" "$work/table" "$work/answered"
same "roles in the table (<) and in docs/control.md, section 7 (>)" "$work/ranks" "$work/said"
count=$(wc -l <"$work/table")
echo "$count commands"
[[ $count -gt 60 && $failures == 0 ]]
