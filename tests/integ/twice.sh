#!/bin/bash
# A state folder is copied, and both copies are at work at once, in different places. Nothing is lost, and
# everybody is told: the other sites, and both copies of the one that runs twice.
#
#   twice.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2034 # of lib.sh
patience_s=120

count_written() {
    cat "$work/written" 2>/dev/null || echo 0
}

# Each as a person would: one record after the other.
both_write() {
    local written
    written=$(($(count_written) + 1))
    ctl pradines record put people "here$written" by="pradines" >/dev/null || fail "pradines does not write"
    ctl copy record put people "there$written" by="copy" >/dev/null || fail "the copy does not write"
    echo "$written" >"$work/written" # not a variable: await runs it in a shell of its own
}

is_told() { # SITE SEVERITY
    local json
    both_write
    json=$(ctl "$1" --json status) || true # 2 where it is critical
    jq -e ".alerts[] | select(.code == \"cloned\" and .object == \"pradines\" and .severity == \"$2\")" <<<"$json"
}

# The alert stays for an hour.
has_all() {
    local json
    json=$(ctl "$1" --json status) || true
    jq -e ".collections[] | select(.name == \"people\") | .records == $2" <<<"$json"
}

shows_remedy() {
    local shown
    shown=$(ctl luzech status) || true
    grep -q 'Find the copy of its state directory and stop the daemon that runs on it' \
        <<<"$(tr -s ' \n' '  ' <<<"$shown")"
}

begin "$1" "$2" pradines luzech cajarc copy
found_group pradines luzech cajarc
expect "a collection" ctl pradines collection create people
await "it is at luzech" has_collection luzech people
await "it is at cajarc" has_collection cajarc people

site_stop pradines
cp -a "$(site_state pradines)" "$(site_state copy)"
# As a person would do on another machine, too.
printf '[site]\nlisten = %s\nadvertise = %s\n' "$(site_address copy)" "$(site_address copy)" >"$work/copy.conf"
site_start pradines || fail "pradines does not start"
site_start copy --config "$work/copy.conf" || fail "the copy does not start"

await "luzech says that pradines runs twice" is_told luzech attention
await "cajarc says so" is_told cajarc attention
await "pradines is told" is_told pradines critical
await "the copy is told" is_told copy critical
expect "what to do" shows_remedy

# As the remedy says.
site_stop copy
for name in pradines luzech cajarc; do
    await "nothing is lost: $name" has_all "$name" $((2 * $(count_written)))
done
for name in pradines luzech cajarc; do
    await "all is identical: $name" is_identical "$name"
done
