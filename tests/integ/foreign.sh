#!/bin/bash
# A member site asks the holder of another's backups for 10^5 ids of packs, lists, records: what exists and is another's must
# not differ by a byte from what never was (no hash oracle), and the journal says so in a few lines.
#
#   foreign.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

questions=100000

is_complete() {
    holds "$1" 'length > 0 and all(.[].copies[]; .complete)' backup list house
}

# backed_up SITE: some files, with a copy at the holder.
backed_up() {
    local i
    mkdir "$work/$1-tree"
    for ((i = 0; i < 5; i++)); do head -c 3000000 /dev/urandom >"$work/$1-tree/$i"; done
    expect "$1 plans copies at the holder" ctl "$1" backup create house --path "$work/$1-tree" \
        --copies holder --lock 1d --schedule manual
    await "the holder lends it room" ctl holder backup holder quota "$1" 100M
    expect "$1 backs up" ctl "$1" backup run house --wait
    await "its copy is complete" is_complete "$1"
}

# The packs of the owner at the holder, those of the holder's own vault, and snapshots.
names_there() {
    find "$(site_state holder)/held/$owner_id" "$(site_state holder)/vault" -type f -printf '%f\n' |
        grep -xE '[0-9a-f]{64}'
}

begin "$1" "$2" holder owner curious
! is_sanitized "$1" || questions=20000
found_group holder owner curious
expect "a collection of all" ctl holder collection create shared
expect "and one of two" ctl holder collection create residents --members owner
await "the owner has it" has_collection owner residents
for key in secret-1 secret-2 secret-3; do
    expect "with a record" ctl owner record put residents "$key" name=secret-value
done
expect "a record of all" ctl holder record put shared x y=1
await "the third has it" has_record curious shared x
backed_up curious
curious_ids=$(find "$(site_state holder)/held" -mindepth 1 -maxdepth 1 -type d -printf '%f\n')
backed_up owner
owner_id=$(find "$(site_state holder)/held" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' |
    grep -vxF "$curious_ids")
mkdir "$work/own"
head -c 3000000 /dev/urandom >"$work/own/file"
expect "the holder has a vault of its own" ctl holder backup create own --path "$work/own" --schedule manual
expect "with something in it" ctl holder backup run own
names_there >"$work/there"
count=$(wc -l <"$work/there")
((count >= 8)) || fail "only $count packs"
for ((i = 0; i < count; i++)); do head -c 32 /dev/urandom | basenc --base16 -w0 | tr A-F a-f; echo; done >"$work/nowhere"
site_stop curious

"$(dirname "$0")/foreign.py" "$(site_listen holder)" "$(site_state curious)/identity.key" "$questions" \
    "$work/there" "$work/nowhere" secret-1,secret-2,secret-3 || fail 'it learns something'
ok "$questions questions tell nothing"
await "the holder's journal says so" grep -q 'asked-foreign' "$work/holder.log"
lines=$(grep -c 'asked-foreign' "$work/holder.log")
((lines <= 30)) || fail "$lines lines in the journal"
ok "in $lines lines"
! grep -q 'secret' "$work/holder.log" || fail "the journal has keys of records"
expect "the holder serves on" ctl holder record put shared after y=2
await "and the owner has it" has_record owner shared after
