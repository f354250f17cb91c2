#!/bin/bash
# Three sites form a group by invitation; what one writes is at the others; nothing acknowledged is
# lost when daemons are killed.
#
#   three.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

everywhere() {
    local what=$1 name
    shift
    for name in pradines luzech cajarc; do
        await "$what: $name" "${@//NAME/$name}"
    done
}

is_gone() {
    ! has_record "$@"
}

has_no_conflict() {
    [[ $(ctl "$1" --json conflict list | jq -c .) == '[]' ]]
}

written_here_read_there() {
    expect "luzech writes" ctl luzech record put people durand name=Durand room=12
    everywhere "it is read" reads NAME people durand name '"Durand"'
    expect "cajarc deletes it" ctl cajarc record delete people durand
    everywhere "it is gone" is_gone NAME people durand
    expect "cajarc restores it" ctl cajarc record restore people durand
    everywhere "it is back" reads NAME people durand room '"12"'
}

# Two sites write the same field while they do not hear of each other.
conflict() {
    site_kill luzech
    site_kill cajarc
    expect "pradines writes" ctl pradines record put people durand room=14
    site_kill pradines
    site_start luzech
    expect "luzech writes" ctl luzech record put people durand room=15
    site_start pradines
    site_start cajarc
    everywhere "it is a conflict" holds NAME 'length == 1' conflict list
    expect "cajarc resolves it" ctl cajarc conflict resolve people durand room --value 16
    everywhere "it is resolved" reads NAME people durand room '"16"'
    everywhere "no conflict is left" has_no_conflict NAME
}

write_until_down() {
    local n
    for ((n = 0; n < 200; n++)); do
        ctl pradines record put people "k$n" n="$n" >/dev/null 2>&1 || return 0
        echo "$n" >"$work/acknowledged"
    done
}

has_written() {
    [[ $(cat "$work/acknowledged") -ge $1 ]]
}

killed_while_writing() {
    local n last
    echo 0 >"$work/acknowledged"
    write_until_down &
    helpers=($!)
    await "writes are acknowledged" has_written 20
    site_kill pradines
    wait "${helpers[0]}"
    helpers=()
    last=$(cat "$work/acknowledged")
    site_start pradines
    for ((n = 0; n <= last; n += 7)); do
        expect "k$n was acknowledged and is there" reads pradines people "k$n" n "\"$n\""
    done
    everywhere "the last one is there" reads NAME people "k$last" n "\"$last\""
}

list() {
    ctl "$1" --json record list people
}

begin "$1" "$2" pradines luzech cajarc
found_group pradines luzech cajarc
expect "a collection" ctl pradines collection create people
everywhere "they have it" has_collection NAME people
written_here_read_there
conflict
killed_while_writing
await "luzech finds all three identical" is_identical luzech
equal "luzech lists what pradines lists" "$(list pradines)" "$(list luzech)"
equal "cajarc lists what pradines lists" "$(list pradines)" "$(list cajarc)"
