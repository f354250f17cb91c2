#!/bin/bash
# A site leaves. Both sides report what they hold, signed, with the totals that are on the disks; who left
# hears nothing more, keeps its own data in plain files, and comes back by a new invitation only.
#
#   leave.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

is_complete() {
    holds "$1" 'length > 0 and all(.[].copies[]; .complete)' backup list "$2"
}

# backed_up SITE HOLDER PLAN: 3 MB that nobody has yet, with a copy there.
backed_up() {
    mkdir "$work/$1-tree"
    head -c 3000000 /dev/urandom >"$work/$1-tree/large"
    expect "$1 plans copies at $2" ctl "$1" backup create "$3" --path "$work/$1-tree" --copies "$2" \
        --lock 30d --schedule manual
    expect "$1 backs up" ctl "$1" backup run "$3" --wait
    await "the copy at $2 is complete" is_complete "$1" "$3"
}

# row SITE OF OWNER HOLDER: of the report on OF, as SITE shows it.
row() {
    ctl "$1" --json site report "$2" | jq -c ".[] | select(.owner == \"$3\" and .holder == \"$4\")"
}

has_state() {
    [[ $(row "$1" "$2" "$3" "$4" | jq -r .state) == "$5" ]]
}

held_files() {
    find "$(site_state "$1")/held" -type f -regex ".*/[0-9a-f]*/[0-9a-f][0-9a-f]/[0-9a-f]*" -printf '%s\n'
}

stored_bytes() {
    ctl "$1" --json backup holder list | jq ".[] | select(.owner == \"$2\") | .stored_bytes"
}

stores() {
    (($(stored_bytes "$1" "$2") >= 3000000))
}

knows() {
    grep -rqaF -- "$2" "$(site_state "$1")"
}

# totals SITE HOLDER OWNER BYTES: the report is what lies on the holder's disk.
totals() {
    local shown count sum
    shown=$(row "$1" "$2" "$3" "$2")
    count=$(held_files "$2" | wc -l)
    sum=$(held_files "$2" | awk '{ sum += $1 } END { print sum + 0 }')
    equal "$1 shows as many packs of $3 as $2 has" "$count" "$(jq .packs <<<"$shown")"
    equal "and as many bytes" "$4" "$(jq .bytes <<<"$shown")"
    (($(jq .bytes <<<"$shown") >= sum && sum >= 3000000)) || fail "$sum bytes of files, but $shown"
    equal "one snapshot, nothing damaged, nothing destroyed" '[1,0,0,0]' \
        "$(jq -c '[.snapshots, .bad_packs, .destroyed_packs, .destroyed_bytes]' <<<"$shown")"
    expect "locked for a month" jq -e \
        '.locked_until > (now + 29 * 86400 | todate) and .locked_until < (now + 31 * 86400 | todate)' \
        <<<"$shown"
}

is_noted() {
    [[ $(row "$1" owner owner leaver | jq -r .agreement) == 'GHT 12' ]]
}

ends_soon() {
    holds "$1" "any(.alerts[]; .code == \"agreement-ends\" and .object == \"$2\" and (.text | test(\": 3[01]$\")))" status
}

no_more() {
    holds "$1" 'all(.alerts[]; .code != "agreement-ends" and .code != "place-asked" and .code != "place-waiting")' status
}

quota() {
    ctl leaver --json backup holder list | jq '.[] | select(.owner == "owner") | .quota_bytes'
}

# What is on paper is noted, ends soon, and is renewed; the holder goes on as it did.
on_paper() {
    local before
    before=$(quota)
    refuse 64 'reference' "without a reference" ctl owner backup agreement leaver --until 2027-03-31
    refuse 64 'date' "on a day that is none" ctl owner backup agreement leaver --reference x --until soon
    refuse 2 'asked|place|no' "with who holds nothing" ctl owner backup agreement other --reference x
    expect "what is on paper" ctl owner backup agreement leaver --reference 'GHT 12' \
        --until "$(date --date '30 days' +%Y-%m-%d)"
    for name in owner leaver other; do
        await "$name knows" is_noted "$name"
    done
    await "the owner is reminded" ends_soon owner leaver
    await "and the holder" ends_soon leaver owner
    expect "it is renewed" ctl owner backup agreement leaver --reference 'GHT 12' \
        --until "$(date --date '400 days' +%Y-%m-%d)"
    for name in owner leaver; do
        await "$name is reminded no more" no_more "$name"
    done
    equal "the room that was given stays" "$before" "$(quota)"
}

agreed() {
    found_group owner leaver other
    expect "a collection" ctl owner collection create residents
    expect "a record" ctl owner record put residents before name=Avant
    await "all have it" has_record leaver residents before
    backed_up owner leaver house
    backed_up leaver other own
    on_paper
    equal "two agreements stand" '["agreed","agreed"]' \
        "$(ctl other --json site report leaver | jq -c 'map(.state)')"
    equal "of which nothing is reported" '[null,null,null]' \
        "$(row other leaver owner leaver | jq -c '[.packs, .bytes, .reported_at]')"
}

leaves() {
    local at_leaver at_other
    await "leaver shows what it stores" stores leaver owner
    await "other too" stores other leaver
    at_leaver=$(stored_bytes leaver owner)
    at_other=$(stored_bytes other leaver)
    expect "the site leaves" ctl leaver site withdraw leaver
    [[ $answer == *'record export'* && $answer == *'site report'* ]] || fail "no next steps: $answer"
    for name in owner other leaver; do
        await "$name shows what it holds" has_state "$name" leaver owner leaver held
        totals "$name" leaver owner "$at_leaver"
    done
    for name in owner other; do
        await "$name shows what is held for it" has_state "$name" leaver leaver other held
        totals "$name" other leaver "$at_other"
    done
    ctl owner site report leaver 2>&1 | tee "$work/shown" >/dev/null
    expect "with what it proves" grep -q 'cannot be proven' "$work/shown"
    refuse 2 'no such|unknown|not' "of a site that never was" ctl owner site report nobody
}

hears_nothing() {
    expect "the owner writes" ctl owner record put residents after-the-end name=Apres-le-depart
    await "the other has it" has_record other residents after-the-end
    site_stop leaver
    site_start leaver
    expect "once more" ctl owner record put residents after-the-restart name=Apres-le-depart
    await "the other has it" has_record other residents after-the-restart
    ! knows leaver after-the || fail "a site that left hears on"
    ! knows leaver Apres-le-depart || fail "a site that left hears on"
    knows leaver Avant || fail "a test that would find it"
    ok "who left hears nothing, also after a restart"
    has_state leaver leaver owner leaver held || fail "a restart forgets the report"
    totals leaver leaver owner "$(row owner leaver owner leaver | jq .bytes)"
}

keeps_its_own() {
    expect "its records in plain text" ctl leaver record export residents --format jsonl
    [[ $answer == *Avant* ]] || fail "not in the export: $answer"
    expect "its backup in plain files" ctl leaver backup restore own --to "$work/back"
    cmp "$work/leaver-tree/large" "$work/back$work/leaver-tree/large"
    ok "as they were"
}

# To come again with what it came with is refused; a new invitation is another membership.
comes_back() {
    expect "its place is made anew" init_with again "$(cat "$work/leaver.code")"
    site_start again
    await "the old invitation is used" holds again \
        '.alerts[] | select(.code == "join-refused") | .object == "invitation-used"' status
    site_stop again
    rm -rf "$(site_state again)"
    join again owner
    await "with a new one it is a member" has_record again residents after-the-end
    equal "and what was reported stays" held "$(row owner leaver owner leaver | jq -r .state)"
}

begin "$1" "$2" owner leaver other again
agreed
leaves
hears_nothing
keeps_its_own
comes_back
