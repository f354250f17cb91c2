#!/bin/bash
# A site that lost everything gets back what its backups have, from one holder: its plans, its snapshots,
# records that nobody else had. Then again, with the daemon killed on the way and no holder there at first.
#
#   recover_back.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

readonly recover_max_s=120

# complete SITE...: every snapshot is complete at each of these holders
complete() {
    local holder
    for holder in "$@"; do
        holds one "length > 0 and all(.[].copies[] | select(.site == \"$holder\"); .complete)" \
            backup list house || return 1
    done
}

held_files() {
    (cd "$(site_state "$1")"/held/* && find . -type f -path './??/*' -printf '%f\n' | LC_ALL=C sort)
}

held_bytes() {
    (cd "$(site_state "$1")"/held/* && find . -type f -path './??/*' -printf '%s\n' |
        awk '{ sum += $1 } END { print sum + 0 }')
}

snapshots() {
    ctl one --json backup list house | jq -r '.[].id' | LC_ALL=C sort
}

plan() {
    ctl one --json backup plans |
        jq -S '.[] | select(.name == "house") | {name, paths, exclude, schedule, keep, copies, lock_days}'
}

lose_one() {
    site_kill one
    rm -rf "$(site_state one)"
}

recover_from() {
    ctl one recover --kit "$work/kit" --from "$(site_listen "$1")" --listen "$(site_listen one)" \
        --advertise "$(site_listen one)"
}

restores() {
    rm -rf "$work/back"
    ctl one backup restore house "$tree/first" --to "$work/back" && cmp "$tree/first" "$work/back$tree/first"
}

awaits_key() {
    holds one ".alerts[] | select(.code == \"recover-key\" and .object == \"$1\")" status
}

is_recovered() {
    [[ ! -e $(site_state one)/recovery.key ]] &&
        holds one '[.alerts[].code | select(startswith("recover"))] | length == 0' status
}

# Of a collection that only one has, and whose log was cut: the first record is in no log any more.
log_was_cut() {
    local count
    count=$(ctl one record list cut | wc -l)
    [[ $count == 3000 ]] && reads one cut resident-0 n '"0"' && reads one cut resident-2999 n '"2999"'
}

is_as_before() {
    await "the recovery ends" is_recovered
    expect "nothing of it is left over" test ! -e "$(site_state one)/recalled"
    equal "the plan is as it was" "$plan" "$(plan)"
    equal "so are the snapshots" "$snapshots" "$(snapshots)"
    expect "a record that nobody else had" reads one mine secret value '"kept"'
    expect "one that was changed" reads one mine changed value '"second"'
    refuse 2 'no such record' "one that was deleted stays away" ctl one record get mine deleted
    expect "so are those whose operations had left the log" log_was_cut
    expect "and the collection is complete" holds one \
        '.collections[] | select(.name == "cut") | .in_sync and (has("incomplete") | not)' status
}

begin "$1" "$2" one two three four
printf '[records]\nlog-operations = 1000\n' >"$work/quoin.conf"
found_group one two three four
site_stop one
site_start one --config "$work/quoin.conf" || fail "one does not start with a short log"
expect "a collection for all" ctl one collection create people
await "four has it" has_collection four people
expect "a collection of one site" ctl one collection create mine --members one
expect "a record" ctl one record put mine secret value=kept
expect "another" ctl one record put mine changed value=first
expect "changed" ctl one record put mine changed value=second
expect "a third" ctl one record put mine deleted value=gone
expect "deleted" ctl one record delete mine deleted
expect "one whose log is cut" ctl one collection create cut --members one
seq 0 2999 | awk '{ printf "{\"id\":\"resident-%d\",\"n\":\"%d\"}\n", $1, $1 }' >"$work/many.jsonl"
expect "with 3,000 records" ctl one --quiet record import cut "$work/many.jsonl" --key id
tree=$work/tree
mkdir "$tree"
head -c 20000000 /dev/urandom >"$tree/large"
head -c 300000 /dev/urandom >"$tree/first"
expect "a plan with two holders" ctl one backup create house --path "$tree" --exclude '*.tmp' \
    --schedule 'daily 02:30' --keep 'last 10' --copies two,three --lock 30d
expect "a run that waits for its copies" ctl one backup run house --wait
await "all is at both" complete two three
plan=$(plan)
snapshots=$(snapshots)
for holder in two three; do
    held_files "$holder" >"$work/held.$holder"
done
cp "$(site_state one)/recovery-kit.txt" "$work/kit"

# --- one holder is enough ---
lose_one
site_stop three
started=$EPOCHREALTIME
expect "an empty machine has a state" recover_from two
site_start one
await "the first file is restored" restores
ended=$EPOCHREALTIME
printf 'recovered: %.1f s from "syncctl recover" to the first file, with one of two holders\n' \
    "$(awk "BEGIN { print $ended - $started }")"
equal "within $recover_max_s s" 1 "$(awk "BEGIN { print ($ended - $started <= $recover_max_s) }")"
is_as_before
equal "no run was started by the recovery" 1 "$(snapshots | wc -l)"
expect "it writes where nobody else does" ctl one record put mine secret value=kept more=yes

# --- backups go on ---
before=$(held_bytes two)
expect "the next run" ctl one backup run house
equal "there are two snapshots" 2 "$(snapshots | wc -l)"
await "both are at two" complete two
after=$(held_bytes two)
printf 'incremental: %s bytes more at the holder, of %s\n' "$((after - before))" "$before"
equal "only what is new was sent" 1 "$((after - before < before / 10))"
site_start three
await "and at three" complete two three
for holder in two three; do
    expect "$holder was not told to expect nothing" holds "$holder" \
        '[.alerts[].code] | index("held-expect") | not' status
done
for holder in two three; do
    equal "$holder has what it locked" '' \
        "$(held_files "$holder" | LC_ALL=C comm -13 - "$work/held.$holder")"
done

# --- again, without a holder at first, and killed on the way ---
snapshots=$(snapshots)
lose_one
site_stop two
site_stop three
expect "a state again" recover_from four
site_start one
for holder in two three; do
    await "the operator sees that $holder is waited for" awaits_key "$holder"
done
await "records of all are there" has_collection one people
expect "and work" ctl one record put people durand name=Durand
refuse 2 'recovery' "a run waits for the key" ctl one backup run house
site_kill one
site_start two
site_start one
await "the key comes back" test -e "$(site_state one)/vault.key"
site_kill one
site_start one
await "the copy of the store comes back" test -e "$(site_state one)/recalled" -o \
    ! -e "$(site_state one)/recovery.key"
site_kill one
site_start one
is_as_before
expect "what was written meanwhile is there" reads one people durand name '"Durand"'
await "the first file is restored" restores
site_start three
await "four is in sync with all" is_identical four
