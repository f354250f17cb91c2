#!/bin/bash
# More sites than are all connected to each other: two of them cannot be dialled, four go and come
# back. What one writes is soon at all that are there, everybody knows who that is, and in the end all
# are equal.
#
#   many.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly first=a
readonly open=(a b c d e f g h i j) hidden=(x y)
readonly all=("${open[@]}" "${hidden[@]}") away=(c e g i)
readonly there=(a b d f h j x y)
patience_s=60

# Nobody can dial it: nothing listens where it says that it can be reached.
join_hidden() {
    local name=$1
    await "$first invites $name" invite "$name" "$first"
    expect "$name has a state" ctl "$name" init --site "$name" --join "$(cat "$work/$name.code")" \
        --listen "$(site_address "$name")" --advertise 127.0.0.1:9
    site_start "$name" || fail "$name does not start"
    await "$name is a member" is_member "$name" "$first"
}

sees() {
    holds "$1" "[.sites[] | select(.state == \"here\" or .state == \"online\")] | length == $2" status
}

everybody_sees() {
    local name count=$1
    shift
    for name in "$@"; do
        await "$name sees $count sites" sees "$name" "$count"
    done
}

gets_around() {
    local key=$1 from=$2 name
    shift 2
    expect "$from writes $key" ctl "$from" record put people "$key" by="$from"
    for name in "$@"; do
        await "$name reads $key" reads "$name" people "$key" by "\"$from\""
    done
}

is_in_sync() {
    holds "$1" '.collections[0].in_sync' status
}

begin "$1" "$2" "${all[@]}"
found $first
for name in "${open[@]:1}"; do
    join "$name" $first
done
for name in "${hidden[@]}"; do
    join_hidden "$name"
done
everybody_sees ${#all[@]} "${all[@]}"
expect "a collection" ctl $first collection create people
for name in "${all[@]}"; do
    await "$name has it" has_collection "$name" people
done
gets_around first x "${all[@]}"

for name in "${away[@]}"; do
    site_kill "$name"
done
gets_around second y "${there[@]}"
everybody_sees ${#there[@]} "${there[@]}"

for name in "${away[@]}"; do
    site_start "$name" || fail "$name does not start"
done
for name in "${away[@]}"; do
    await "$name reads what it missed" reads "$name" people second by '"y"'
done
everybody_sees ${#all[@]} "${all[@]}"
for name in "${all[@]}"; do
    await "$name shows nobody behind" is_in_sync "$name"
done
expect "all are identical, also those that $first cannot dial" ctl $first verify --timeout 30
