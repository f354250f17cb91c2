#!/bin/bash
# Who is no member of a collection has nothing of it: nothing on its disk, nothing in an answer. A grant
# brings all of it, a withdrawal ends what comes.
#
#   membership.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# knows NAME WORD: it stands somewhere in the site's state.
knows() {
    grep -rqaF -- "$2" "$(site_state "$1")"
}

# All that was sent to a site before this has arrived: a shared collection is a line behind it.
settle() {
    local marker=marker-$RANDOM$RANDOM name
    for name in one two; do
        expect "$name writes a marker" ctl "$name" record put public "$name-$marker" x=1
        await "three has it" has_record three public "$name-$marker"
    done
}

outside() {
    expect "a collection of one and two" ctl one collection create residents-of-one --members two
    expect "and one of all" ctl one collection create public
    await "two has it" has_collection two residents-of-one
    await "three has the other" has_collection three public
    expect "one writes" ctl one record put residents-of-one secret-key-1 secret-field=secret-value-1
    expect "two writes" ctl two record put residents-of-one secret-key-2 secret-field=secret-value-2
    await "one has it" has_record one residents-of-one secret-key-2
    settle
    for word in residents-of-one secret-key secret-field secret-value; do
        knows one "$word" || fail "a test that would find $word"
        ! knows three "$word" || fail "three knows $word"
    done
    ok "three has no name, key, field or value on its disk"
    expect "nor in its status" holds three '[.. | strings] | all(test("residents|secret") | not)' status
    expect "nor a count" holds three '.collections | length == 1' status
    refuse 2 'residents-of-one|no such|unknown' "asking by name tells nothing" \
        ctl three record get residents-of-one secret-key-1
    refuse 2 '' "nor looking at it" ctl three collection show residents-of-one
}

inside() {
    expect "one grants" ctl one collection grant residents-of-one three
    await "three has what one wrote" has_record three residents-of-one secret-key-1
    await "and two" has_record three residents-of-one secret-key-2
    await "three verifies" is_identical three
    expect "three writes" ctl three record put residents-of-one secret-key-3 secret-field=3
    await "two has it" has_record two residents-of-one secret-key-3
}

outside_again() {
    local name
    expect "one takes it back" ctl one collection ungrant residents-of-one three
    await "three does not show it" holds three '.collections | length == 1' status
    await "two knows" holds two \
        '.collections[] | select(.name == "residents-of-one") | .members | index("three") == null' status
    for name in one two; do
        expect "$name writes on" ctl "$name" record put residents-of-one "later-key-$name" x=later-value
    done
    settle
    ! knows three later-key || fail "three hears of what is written now"
    ! knows three later-value || fail "three hears of what is written now"
    ok "three hears nothing of it"
    refuse 2 '' "nor writes" ctl three record put residents-of-one late x=1
    site_stop three
    expect "one writes while three is away" ctl one record put residents-of-one later-key-4 x=1
    site_start three
    settle
    ! knows three later-key || fail "three was told when it came back"
    ok "nor when it comes back"
}

withdrawn() {
    expect "three withdraws" ctl three site withdraw three
    await "one lists two sites" holds one '.sites | length == 2' status
    await "two lists two sites" holds two '.sites | length == 2' status
    expect "one writes" ctl one record put public after-the-end x=1
    await "two has it" has_record two public after-the-end
    ! knows three after-the-end || fail "a site that left hears on"
    ok "a site that left hears nothing"
}

begin "$1" "$2" one two three
found_group one two three
outside
inside
outside_again
withdrawn
