#!/bin/bash
# A site alone: what it answers and how fast, and a state directory that was copied back.
#
#   offline.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# The fastest of ten: the machine may be busy with other tests.
status_ms() {
    local begun took best=1000000 n
    for ((n = 0; n < 10; n++)); do
        begun=$(date +%s%N)
        ctl one status >/dev/null || [[ $? == 1 ]] || fail "status fails"
        took=$((($(date +%s%N) - begun) / 1000000))
        ((took >= best)) || best=$took
    done
    echo "$best"
}

exit_status() {
    local status=0
    "$@" >/dev/null 2>&1 || status=$?
    echo "$status"
}

is_exit() {
    [[ $(exit_status "${@:2}") == "$1" ]]
}

others_down() {
    local took most=200
    ! grep -q __asan_init "$sites_syncd" || most=1000 # it is no measure then
    await "all is well: exit 0" is_exit 0 ctl one status
    await "and -x says so" ctl one status -x
    grep -q 'all sites are healthy' < <(ctl one status -x) || fail "status -x: $(ctl one status -x)"
    site_kill two
    site_kill three
    await "two is offline" holds one '.sites[] | select(.name == "two") | .state == "offline"' status
    await "three is offline" holds one '.sites[] | select(.name == "three") | .state == "offline"' status
    equal "status ends with 1" 1 "$(exit_status ctl one status)"
    equal "so does -x" 1 "$(exit_status ctl one status -x)"
    expect "its state is attention" holds one '.state == "attention"' status
    expect "there is an alert for each" holds one \
        '[.alerts[] | select(.code == "site-offline") | .object] | sort == ["three","two"]' status
    took=$(status_ms)
    ((took <= most)) || fail "status took $took ms"
    ok "status answers within $most ms ($took ms)"
    expect "writes go on" ctl one record put c alone a=b
    equal "verify says who is missing" 1 "$(exit_status ctl one verify --timeout 1)"
    equal "no daemon: 69" 69 "$(exit_status ctl two status)"
    equal "wrong usage: 64" 64 "$(exit_status ctl one record frobnicate)"
    equal "no such record: 2" 2 "$(exit_status ctl one record get c nothing)"
    joining
    site_start two
    site_start three
    await "all is well again" is_exit 0 ctl one status
    await "two has what one wrote" has_record two c alone
}

# four has a code, but nobody that it can reach: it answers all the same.
joining() {
    local code
    code=$(ctl one site invite four 2>/dev/null)
    expect "four has a code" init_with four "$code"
    site_stop one
    site_start four || fail "four does not start"
    expect "four says that it is joining" holds four \
        '.state == "attention" and ([.alerts[].code] | index("joining"))' status
    refuse 2 'not joined' "and cannot write yet" ctl four record put c k a=b
    site_stop four
    site_start one || fail "one does not start"
    expect "the invitation is taken back" ctl one site revoke four
}

put_some() {
    local name=$1 by=$2 n
    for ((n = 1; n <= 12; n++)); do
        ctl "$name" record put c "$by-$n" "by=$by" || fail "$name cannot write"
    done
}

has_all() {
    local name=$1 by
    shift
    for by in "$@"; do
        holds "$name" "[.[] | select(.fields.by == \"$by\")] | length == 12" \
            record list c --prefix "$by-" || return 1
    done
}

# What one wrote and three passes on to two: one does not lack it.
own_writes() {
    local name
    for name in one two three; do
        await "$name is identical" is_identical "$name"
    done
    site_stop two
    expect "one writes while two is down" ctl one record put c own v=1
    await "three has it" reads three c own v '"1"'
    site_stop one
    site_start two
    await "two has it from three" reads two c own v '"1"'
    expect "two writes" ctl two record put c mine v=1
    expect "one lacks that write only" holds two \
        '.collections[] | select(.name == "c") | .behind.one == 1' status
    site_start one
    await "and soon nothing" holds two '.collections[] | select(.name == "c") | .in_sync' status
}

# two's directory is copied, goes on, and is copied back: its counters lie in the past, and it
# writes before anybody can tell it.
copied_back() {
    local name
    put_some two before
    await "one has them" has_all one before
    site_stop two
    cp -a "$(site_state two)" "$work/image"
    site_start two
    put_some two after
    await "one has what followed" has_all one after
    site_kill two
    rm -rf "$(site_state two)"
    cp -a "$work/image" "$(site_state two)"
    for name in one three; do
        site_stop "$name"
    done
    site_start two
    expect "two does not know what followed" not_there two after-1
    put_some two again
    site_kill two
    site_start two
    put_some two more
    for name in one three; do
        site_start "$name"
    done
    for name in one two three; do
        await "$name has everything" has_all "$name" before after again more
    done
    for name in one two three; do
        await "$name is identical" is_identical "$name"
        expect "$name has no incident" holds "$name" \
            '[.alerts[] | select(.severity == "critical")] | length == 0' status
        expect "$name has no conflict" holds "$name" 'length == 0' conflict list
        ctl "$name" --json record list c >"$work/list.$name"
    done
    cmp "$work/list.one" "$work/list.two"
    cmp "$work/list.one" "$work/list.three"
    ok "record list has the same bytes everywhere"
}

# The old image runs on while its newer self has been heard, and writes the same keys.
copied_back_in_place() {
    site_stop two
    cp -a "$(site_state two)" "$work/image2"
    site_start two
    expect "two writes" ctl two record put c same v=first
    await "one has it" reads one c same v '"first"'
    site_kill two
    rsync_back
    site_start two
    expect "its old self writes the same at once" ctl two record put c same v=second
    local name
    for name in one two three; do
        await "$name has both values, or the later one" holds "$name" \
            '([.conflicts.v[]?.value] | sort) == ["first","second"] or .fields.v == "second"' \
            record get c same
        await "$name is identical" is_identical "$name"
    done
}

# Into the same files, as a restore does that keeps inodes.
rsync_back() {
    local file
    for file in "$work"/image2/store/*; do
        cat "$file" >"$(site_state two)/store/${file##*/}"
    done
}

not_there() {
    ! ctl "$1" record get c "$2" >/dev/null 2>&1
}

begin "$1" "$2" one two three four
found_group one two three
expect "a collection" ctl one collection create c
for name in two three; do
    await "$name has it" has_collection "$name" c
done
ctl one kit confirm >/dev/null
others_down
own_writes
copied_back
copied_back_in_place
