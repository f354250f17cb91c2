#!/bin/bash
# Every backup carries what the site itself knows: hidden among files, free while nothing changes,
# without a key in it; and a site whose store is lost gets it back and goes on.
#
#   store.sh SYNCD SYNCCTL STORE_BACK
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
store_back=$3

# summary FIELD: of one more run
summary() {
    ctl one --json backup run house | jq "select(.event == \"summary\") | .$1"
}

hex() {
    od -An -v -tx1 | tr -d ' \n'
}

# has_bytes_of FILE FOLDER: the files in the folder hold the bytes of that one
has_bytes_of() {
    grep -qF "$(hex <"$1")" <<<"$(find "$2" -type f -exec cat {} + | hex)"
}

lost_key() {
    ! has_bytes_of "$@"
}

begin "$1" "$2" one two
found_group one two
expect "a collection" ctl one collection create rooms
await "two has it" has_collection two rooms
for ((i = 0; i < 200; i++)); do
    printf '{"number":"%s","name":"room of many words %s"}\n' "$i" "$((i * i))"
done >"$work/rooms.jsonl"
expect "records" ctl one record import rooms "$work/rooms.jsonl" --key number
tree=$work/tree
mkdir "$tree"
echo text >"$tree/file"
expect "a plan" ctl one backup create house --path "$tree"
expect "a run" ctl one backup run house

# --- hidden, unless asked for; on its own ---
equal "ls shows files" "${tree#/}/file" "$(ctl one --json backup ls house "$tree" | jq -r '.[].path')"
equal "and nothing else" 0 "$(ctl one --json backup ls house --recursive | jq '[.[] | select(.path | startswith("rec"))] | length')"
equal "ls --store shows the store" 1 \
    "$(ctl one --json backup ls house --recursive --store | jq '[.[] | select(.path == "version/schema")] | length')"
expect "files come back" ctl one backup restore house --to "$work/files"
equal "without the store" 1 "$(find "$work/files" -type f | wc -l)"
expect "the store comes back" ctl one backup restore house --store --to "$work/rows"
equal "with records" 1 "$(($(grep -rl 'room of many words 39601' "$work/rows/rec" | wc -l) > 0))"
equal "with the ledger" 1 "$(($(find "$work/rows/ledger" -type f | wc -l) > 0))"
printf 'room of many words 39601' >"$work/known"
expect "bytes are found in it" has_bytes_of "$work/known" "$work/rows"
expect "without the key of the site" lost_key "$(site_state one)/identity.key" "$work/rows"
tail -c 32 "$(site_state one)/vault.key" >"$work/master"
expect "without that of the vault" lost_key "$work/master" "$work/rows"

# --- while nothing changes it costs nothing ---
# What the trail has of this reading comes a moment behind the answers.
costs_nothing() {
    (($(summary bytes_new) < 1000))
}
await "a run stores the folders that others write in, no more" costs_nothing
expect "the store again" ctl one backup restore house --store --to "$work/again"
equal "is the same, but for the trail" '' "$(diff -rq --exclude "$(printf audit/ | hex)*" "$work/rows" "$work/again" 2>&1)"
expect "one change" ctl one record put rooms 17 name=changed
changed=$(summary bytes_new)
equal "costs little" 1 "$((changed > 0 && changed < 100000))"

# --- the store is lost ---
expect "written after the backup" ctl one record put rooms 5 name='after the backup'
await "two knows it" reads two rooms 5 name '"after the backup"'
site_stop one
rm -r "$(site_state one)/store"
expect "the store is put back" "$store_back" "$(site_state one)" "$(site_state one)/store"
refuse 2 "" "not over another" "$store_back" "$(site_state one)" "$(site_state one)/store"
site_start one || fail "one does not start with it"
expect "what was saved is there" reads one rooms 17 name '"changed"'
await "the later comes from the others" reads one rooms 5 name '"after the backup"'
expect "one writes again" ctl one record put rooms 6 name='once more'
await "two reads it" reads two rooms 6 name '"once more"'
await "both are equal" is_identical one
expect "the plan is there" ctl one backup run house
