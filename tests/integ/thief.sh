#!/bin/bash
# A thief has a site's machine with all its keys, but not its kit. He forgets every snapshot, ends the
# agreement, withdraws the site from its group and wipes the machine. With the printed kit and a holder the
# site is back, with its files; a site that holds nothing of it does not let it in.
#
#   thief.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

is_complete() {
    holds owner 'length > 0 and all(.[].copies[]; .complete)' backup list house
}

knows_withdrawal() {
    holds "$1" '.sites[] | select(.name == "owner") | .state == "withdrawn"' status ||
        ! ctl "$1" --json status | jq -e '.sites[] | select(.name == "owner")' >/dev/null
}

recover_from() {
    ctl owner recover --kit "$work/kit" --from "$(site_listen "$1")" --listen "$(site_listen owner)" \
        --advertise "$(site_listen owner)"
}

is_refused() {
    holds owner '.alerts[] | select(.code == "recover-refused")' status
}

restores() {
    rm -rf "$work/back"
    ctl owner backup restore house --to "$work/back" && diff -r "$tree" "$work/back$tree"
}

begin "$1" "$2" holder owner other
found_group holder owner other
tree=$work/tree
mkdir "$tree"
head -c 3000000 /dev/urandom >"$tree/large"
echo "what must not be lost" >"$tree/small"
expect "a plan with a lock" ctl owner backup create house --path "$tree" --copies holder --lock 30d \
    --schedule manual
expect "a run" ctl owner backup run house --wait
await "the copy is complete" is_complete
snapshot=$(ctl owner --json backup list house | jq -r '.[0].id')
cp "$(site_state owner)/recovery-kit.txt" "$work/kit"

expect "the thief deletes the plan" ctl owner backup delete house
expect "and withdraws the site" ctl owner site withdraw owner
await "the holder knows" knows_withdrawal holder
await "so does the other site" knows_withdrawal other
site_kill owner
rm -rf "$(site_state owner)"

expect "with the kit, at a site that holds nothing" recover_from other
site_start owner
await "it is refused" is_refused
site_stop owner
rm -rf "$(site_state owner)"
expect "with the kit, at the holder" recover_from holder
site_start owner
await "every file is back" restores
await "of the snapshot that he forgot" holds owner ".[0].id == \"$snapshot\"" backup list house
expect "the site is a member again" holds holder \
    '.sites[] | select(.name == "owner") | .state != "withdrawn"' status
await "for the others too" holds other '.sites[] | select(.name == "owner") | .state == "online"' status
