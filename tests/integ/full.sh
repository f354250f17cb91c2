#!/bin/bash
# A full disk: what does not fit is refused with its cause, status says so, nothing acknowledged is
# lost, and with room again everything goes on without a restart. The same of a folder that people
# put files into (requirement W13).
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
# shellcheck source=web_lib.sh
source "$(dirname "$0")/web_lib.sh"

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
mkdir "$work/small"
mount -t tmpfs -o size=2m tmpfs "$work/small"
trap 'sites_end; umount "$(site_state one)" "$work/small"; clean_up' EXIT
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

# --- a folder whose disk is full ---

# free: what a client is told that there is room for.
free() {
    ask one PROPFIND /dav/small/ --header 'Depth: 0' --data \
        '<propfind xmlns="DAV:"><prop><quota-available-bytes/><quota-used-bytes/></prop></propfind>' >/dev/null
    sed -nE 's/.*<D:quota-available-bytes>([0-9]+)<.*/\1/p' "$work/content"
}

expect "a folder" ctl one folder create small --path "$work/small"
person=anne
person_add one anne
expect "who may write" ctl one user grant anne --folder small --right write
serves one
head -c 1500000 /dev/urandom >"$work/fits"
head -c 3000000 /dev/urandom >"$work/large"
await "what fits" answers "PUT" 201 one PUT /dav/small/a --data-binary "@$work/fits"
room=$(free)
((room > 0 && room < 700000)) || fail "there is room for '$room' bytes"
ok "a client is told how much room is left"
answers "with its length" 507 one PUT /dav/small/a --data-binary "@$work/large"
answers "in chunks, so that it is known on the way only" 507 one PUT /dav/small/a --header 'Transfer-Encoding: chunked' \
    --data-binary "@$work/large"
answers "a new one" 507 one PUT /dav/small/b --header 'Transfer-Encoding: chunked' --data-binary "@$work/large"
answers "a copy" 507 one COPY /dav/small/a --header 'Destination: /dav/small/c'
equal "what was there stays, and nothing comes beside it" "a" "$(find "$work/small" -type f ! -name .quoin-folder -printf '%f\n')"
cmp -s "$work/fits" "$work/small/a" || fail "its content is another one"
mount -o remount,size=16m "$work/small"
answers "with room again" 204 one PUT /dav/small/a --data-binary "@$work/large"
answers "a copy" 201 one COPY /dav/small/a --header 'Destination: /dav/small/c'
