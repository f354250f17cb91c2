#!/bin/bash
# Late and new sites: logs that reach back to nobody, a pass that is cut, a source that is killed in
# the middle of one, a fourth site that joins; written at all the while. In the end all are
# identical and nothing is lost.
#
#   late.sh SYNCD SYNCCTL RECORDS
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

records=${3:-4000}
# shellcheck disable=SC2034 # of lib.sh
patience_s=90

# Whoever is away for more than 1,000 operations is late.
start() {
    site_start "$1" --config "$work/quoin.conf" || fail "$1 does not start"
}

write_records() { # SITE FROM TO
    seq "$2" "$3" |
        jq -c '{key: "r\(.)", name: "n\(. * 7919 % 10007)", room: ., note: "a note of \(.) words"}' |
        ctl "$1" record import people - --key key
}

is_late() {
    holds "$1" '.collections[] | select(.name == "people") | .incomplete' status
}

# So many records, and nothing is missing.
has_all() {
    holds "$1" ".collections[] | select(.name == \"people\")
        | .records == $2 and (.incomplete | not) and .in_sync" status
}

all_are_identical() {
    ctl pradines verify --timeout 30
}

# luzech is away, and comes back to logs that forgot what it lacks.
comes_back() {
    site_stop luzech
    expect "pradines writes most" write_records pradines 1 "$records"
    await "cajarc has them" has_all_here cajarc "$records"
    start luzech
    await "luzech is late" was_late luzech
}

has_all_here() {
    holds "$1" ".collections[] | select(.name == \"people\") | .records == $2" status
}

was_late() {
    grep -q '\[late\]' "$(site_log "$1")"
}

# Killed over and over while it is late: it goes on where it stood, and what it wrote itself stays.
cut_often() {
    local i
    for ((i = 0; i < 4; i++)); do
        ctl luzech record put people "own$i" n="$i" >/dev/null
        echo "own$i" >>"$work/own"
        site_kill luzech
        start luzech
    done
    ok "luzech was killed 4 times, and wrote before each"
}

source_dies() {
    site_kill pradines
    expect "cajarc writes meanwhile" ctl cajarc record put people meanwhile n=1
    start pradines
}

nothing_is_lost() {
    local key name
    for name in pradines luzech cajarc "$@"; do
        await "$name has all" has_all "$name" $((records + $(wc -l <"$work/own") + 1))
    done
    while read -r key; do
        expect "what luzech wrote while it was late is everywhere: $key" has_record cajarc people "$key"
    done <"$work/own"
    await "all are identical" all_are_identical
}

begin "$1" "$2" pradines luzech cajarc figeac
found_group pradines luzech cajarc
printf '[records]\nlog-operations = 1000\n' >"$work/quoin.conf"
expect "a collection" ctl pradines collection create people
for name in luzech cajarc; do
    await "$name has it" has_collection "$name" people
done
for name in pradines luzech cajarc; do
    site_stop "$name"
    start "$name"
done
comes_back
cut_often
source_dies
nothing_is_lost
join figeac pradines
await "the new site is late, too" was_late figeac
nothing_is_lost figeac
