#!/bin/bash
# Agreements on where copies lie: by themselves up to a tenth of the disk, by a person if the legal
# entities differ, with a quota; and what people see of them.
#
#   places.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# place HOLDER OWNER MEMBER: one fact of what a holder has agreed with an owner
place() {
    ctl "$1" --json backup holder list | jq -r ".[] | select(.owner == \"$2\") | .$3"
}

has_place() {
    [[ $(place "$1" "$2" state) == "$3" ]]
}

has_alert() {
    holds "$1" ".alerts | any(.code == \"$2\" and .object == \"$3\")" status
}

has_no_alert() {
    ! has_alert "$@" >/dev/null
}

begin "$1" "$2" one two three
found_group one two three
tree=$work/tree
mkdir "$tree"
head -c 2000000 /dev/urandom >"$tree/file"
disk=$(($(stat -f -c '%b * %S' "$(site_state two)")))

# --- by itself, up to a tenth of the disk ---
refuse 2 'no such site' "a holder that is no site" \
    ctl one backup create house --path "$tree" --copies four
refuse 2 'own vault' "itself as a holder" ctl one backup create house --path "$tree" --copies one
refuse 2 'at most ten years' "a lock without end" \
    ctl one backup create house --path "$tree" --copies two --lock 40y
refuse 64 'takes a time' "a lock that is no time" \
    ctl one backup create house --path "$tree" --copies two --lock long
expect "a plan with copies" \
    ctl one backup create house --path "$tree" --copies two --lock 14d --schedule 'daily 02:00'
await "two accepts by itself" has_place two one accepted
equal "for a tenth of its disk" 1 "$(($(place two one quota_bytes) <= disk / 10 + 1))"
equal "and as long as asked" 14 "$(place two one lock_days)"
equal "the plan says so" '{"copies":["two"],"lock_days":14}' \
    "$(ctl one --json backup plans | jq -c '.[0] | {copies, lock_days}')"

# --- a person where the legal entities differ ---
expect "one has an entity" ctl one site set --legal-entity 'EHPAD Pradines'
expect "three has another" ctl three site set --legal-entity 'EHPAD Luzech'
await "three knows it" holds three '.[] | select(.name == "one") | .legal_entity == "EHPAD Pradines"' site list
await "one knows it" holds one '.[] | select(.name == "three") | .legal_entity == "EHPAD Luzech"' site list
expect "one asks three too" ctl one backup change house --copies two,three
await "three is asked" has_place three one proposed
await "one says that it waits" has_alert one place-waiting three
await "three says that it is asked" has_alert three place-asked one
equal "and what to do" 1 \
    "$(ctl one status | grep -c 'syncctl backup holder accept' || true)"
refuse 2 'not asked' "nobody else asked" ctl three backup holder accept two
refuse 2 'no size' "a quota that is none" ctl three backup holder quota one much
refuse 64 'holder accept OWNER' "half a command" ctl three backup holder accept
expect "three accepts" ctl three backup holder accept one
await "one sees it" has_no_alert one place-waiting three
equal "three has it" accepted "$(place three one state)"
expect "three gives more" ctl three backup holder quota one 1.5GB
equal "really" $((3 * 1024 ** 3 / 2)) "$(place three one quota_bytes)"
expect "accepting again is harmless" ctl three backup holder accept one
equal "the quota stays" $((3 * 1024 ** 3 / 2)) "$(place three one quota_bytes)"

# --- what people see ---
expect "a run" ctl one backup run house
equal "a run's summary has its snapshot" "$(ctl one --json backup list | jq -r '.[0].id')" \
    "$(ctl one --json backup list house | jq -r '.[-1].id')"
equal "status lists the copies" '["three","two"]' \
    "$(ctl one --json status | jq -c '.backups[0].copies | map(.site) | sort')"
equal "in the list too" '["three","two"]' \
    "$(ctl one --json backup list | jq -c '.[0].copies | map(.site) | sort')"
equal "with the keys of the manual" '["complete","missing_bytes","site","verified_at"]' \
    "$(ctl one --json status | jq -c '.backups[0].copies[0] | keys')"
equal "true sizes" 1 "$(ctl one --json status | jq '.backups[0] |
    if .stored_bytes > 1900000 and .stored_bytes < 2500000 and .size_bytes >= 2000000 then 1 else 0 end')"
sites=$({ ctl one --json backup verify house || true; } | jq -c 'select(.event == "summary") | .copies | map(.site) | sort')
equal "verify names the holders" '["three","two"]' "$sites"

# --- forget tells how many ---
expect "keep one" ctl one backup change house --keep 'last 1'
printf 'more\n' >"$tree/more"
ctl one backup run house >/dev/null
is_one() {
    [[ $(ctl one --json backup list house | jq length) == 1 ]]
}
await "the keep rule holds" is_one
equal "nothing is left to forget" '{"event":"summary","forgotten":0}' \
    "$(ctl one --json backup forget house | tail -n 1)"

# --- the end ---
expect "no copies any more" ctl one backup change house --copies ''
equal "none" '[]' "$(ctl one --json backup plans | jq -c '.[0].copies')"
expect "three takes nothing new" ctl three backup holder quota one 0
await "it has ended" has_place three one ended
