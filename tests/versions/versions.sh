#!/bin/bash
# The release before this one and this one in one group, both ways; a rolling upgrade; a state directory
# that goes from one to the other and back (docs/protocol.md, "Versions").
#
#   versions.sh SOURCE FOLDER SYNCD SYNCCTL     FOLDER: of build.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
old=$("$here/build.sh" "$1" "$2")
new_syncd=$3 new_syncctl=$4
old_syncd=$(find "$old" -name syncd -type f -perm -u+x -print -quit)
old_syncctl=$(find "$old" -name syncctl -type f -perm -u+x -print -quit)
# shellcheck source=../integ/lib.sh
source "$here/../integ/lib.sh"
# shellcheck disable=SC2034 # lib.sh reads them
declare -A site_syncd=() site_syncctl=()

is_old() {
    local name
    for name in "$@"; do
        site_syncd[$name]=$old_syncd site_syncctl[$name]=$old_syncctl
    done
}

is_new() {
    unset "site_syncd[$1]" "site_syncctl[$1]"
}

upgrade() {
    site_stop "$1"
    is_new "$1"
    site_start "$1" || fail "$1 does not start with what the old release left"
    ok "$1 is upgraded"
}

# everywhere COLLECTION KEY TEXT NAME...: all of them read that value.
everywhere() {
    local collection=$1 key=$2 value=$3 name
    shift 3
    for name in "$@"; do
        await "$name reads $key" reads "$name" "$collection" "$key" v "\"$value\""
    done
}

# Each site writes a record of its own and one that all of them write.
write_all() {
    local round=$1 name
    shift
    for name in "$@"; do
        expect "$name writes" ctl "$name" record put residents "$name-$round" "v=$round"
        expect "$name edits" ctl "$name" record put residents shared "$name=$round" v="$round"
        everywhere residents shared "$round" "$@"
    done
    for name in "$@"; do
        everywhere residents "$name-$round" "$round" "$@"
    done
}

identical() {
    local name
    for name in "$@"; do
        await "$name verifies" is_identical "$name"
    done
}

old_founds() {
    is_old a c
    found_group a b c
    expect "a creates a collection" ctl a collection create residents
    await "b has it" has_collection b residents
    await "c has it" has_collection c residents
    write_all 1 a b c
    identical a b c
}

# One after the other; the others work on meanwhile.
rolling_upgrade() {
    site_stop c
    expect "b writes while c is away" ctl b record put residents away v=2
    is_new c
    site_start c || fail "c does not start with what the old release left"
    everywhere residents away 2 a b c
    everywhere residents a-1 1 c
    write_all 3 a b c
    expect "b deletes" ctl b record delete residents b-1
    upgrade a
    write_all 4 a b c
    identical a b c
}

new_founds() {
    is_old o
    found_group n o
    expect "o creates a collection" ctl o collection create residents
    await "n has it" has_collection n residents
    write_all 1 n o
    identical n o
}

# An old release on a newer state either works or refuses it with a sentence, and damages nothing.
downgrade() {
    local before
    before=$(ctl n --json record list residents | jq -cS .)
    site_stop n
    is_old n
    if site_start n 2>"$work/downgrade"; then
        ok "the old release opens a newer state"
        equal "and shows the same records" "$before" "$(ctl n --json record list residents | jq -cS .)"
        write_all 5 n o
        site_stop n
    else
        grep -qi 'newer' "$work/downgrade" "$(site_log n)" ||
            fail "the old release does not say why: $(cat "$work/downgrade")"
        ok "the old release refuses a newer state, and says why"
    fi
    is_new n
    site_start n || fail "n does not start again"
    write_all 6 n o
    upgrade o
    write_all 7 n o
    identical n o
}

begin "$new_syncd" "$new_syncctl" a b c n o
old_founds
rolling_upgrade
new_founds
downgrade
