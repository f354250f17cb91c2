#!/bin/bash
# A full disk: what does not fit is refused with its cause, status says so, nothing acknowledged is
# lost, and with room again everything goes on without a restart.
#
#   full.sh SYNCD SYNCCTL
set -euo pipefail
# A file system of 4 MiB of our own, which needs namespaces.
if [[ ${QUOIN_TEST_MOUNTS:-} != mine ]]; then
    unshare --mount --map-root-user true 2>/dev/null || exit 77
    QUOIN_TEST_MOUNTS=mine exec unshare --mount --map-root-user bash "$0" "$@"
fi
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

records() {
    ctl one --json record list c | jq length
}

says_full() {
    local json
    json=$(ctl one --json status) || [[ $? == 2 ]] || return 1
    jq -e '.state == "critical" and (.alerts | map(.code) | index("disk-full"))' <<<"$json"
}

import() {
    ctl one record import c "$work/in.jsonl" --key id
}

begin "$1" "$2" one
mkdir -m 700 "$(site_state one)"
mount -t tmpfs -o size=4m,mode=700 tmpfs "$(site_state one)" || exit 77
trap 'sites_end; umount "$(site_state one)"; clean_up' EXIT
found one
expect "a collection" ctl one collection create c
for ((i = 0; i < 30000; i++)); do
    printf '{"id":"k%d","text":"some text that takes room %d"}\n' "$i" "$i"
done >"$work/in.jsonl"
refuse 2 'disk.*full' "the disk is full" import
expect "status says so, and that it is critical" says_full
ctl one record put c small text=x >/dev/null 2>&1 || true # it may still fit, or not
expect "still" says_full
kept=$(records)
((kept >= 1000)) || fail "only $kept records are there"
mount -o remount,size=64m "$(site_state one)"
expect "with room again, it goes on" import
equal "all are there" 30000 "$(ctl one --json record list c | jq 'map(select(.key != "small")) | length')"
expect "and all is well" holds one '.state == "ok"' status
