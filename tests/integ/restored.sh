#!/bin/bash
# A state folder is copied back after a while, and its site writes before it meets anybody: nothing
# is lost, no write takes the place of another, and nobody has to do anything.
#
#   restored.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# write NAME PREFIX COUNT: acknowledged one by one.
write() {
    local name=$1 prefix=$2 count=$3 n
    for ((n = 1; n <= count; n++)); do
        ctl "$name" record put people "$prefix$n" by="$prefix" shared="$prefix$n" >/dev/null ||
            fail "$name does not write"
    done
    ok "$name writes $count records"
}

has_count() {
    holds "$1" ".collections[] | select(.name == \"people\") | .records == $2" status
}

listed() {
    ctl "$1" --json record list people | jq -cS '[.[] | {key, fields}]'
}

begin "$1" "$2" pradines luzech cajarc
found_group pradines luzech cajarc
expect "a collection" ctl pradines collection create people
await "it is at luzech" has_collection luzech people
await "it is at cajarc" has_collection cajarc people
write pradines old 20
await "luzech has them" has_count luzech 20

site_stop pradines
cp -a "$(site_state pradines)" "$work/copy"
site_start pradines
write pradines between 30
await "luzech has them" has_count luzech 50
await "cajarc has them" has_count cajarc 50
site_stop luzech
site_stop cajarc

# The copy comes back. Nobody is there to say that it is one.
site_stop pradines
rm -rf "$(site_state pradines)"
cp -a "$work/copy" "$(site_state pradines)"
site_start pradines || fail "pradines does not start from its copy"
await "it is as it was" has_count pradines 20
write pradines after 50
await "they are there" has_count pradines 70

site_start luzech
site_start cajarc
for name in pradines luzech cajarc; do
    await "nothing is lost: $name" has_count "$name" 100
done
for name in pradines luzech cajarc; do
    await "all is identical: $name" is_identical "$name"
    await "nothing is left to do: $name" holds "$name" '.alerts == [] or
        ([.alerts[].code] | unique == ["kit-unconfirmed"])' status
done
wanted=$(listed pradines)
equal "100 records are shown" 100 "$(jq length <<<"$wanted")"
equal "luzech shows the same" "$wanted" "$(listed luzech)"
equal "cajarc shows the same" "$wanted" "$(listed cajarc)"
equal "each write is what it was" 100 "$(jq '[.[] | select(.fields.shared == .key)] | length' \
    <<<"$wanted")"
