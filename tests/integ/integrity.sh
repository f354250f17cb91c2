#!/bin/bash
# Bits of stored records fall over at one of three sites: the daemon goes on, finds it, and takes the
# records back from the others.
#
#   integrity.sh SYNCD SYNCCTL FLIP
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
flip=$3

store_of() {
    echo "$(site_state "$1")/store"
}

is_whole() {
    holds "$1" '[.alerts[].code] | (index("damaged") or index("fingerprint")) | not' status
}

scrubbed() {
    ctl "$1" verify people --scrub --timeout 20
}

# Its exit status is not 0 then.
has_alert() {
    local json
    json=$(ctl "$1" --json status) || true
    jq -e ".alerts[] | select(.code == \"$2\")" <<<"$json" >/dev/null
}

begin "$1" "$2" pradines luzech cajarc
found_group pradines luzech cajarc
expect "a collection" ctl pradines collection create people
await "it is at luzech" has_collection luzech people
await "it is at cajarc" has_collection cajarc people
for key in anne bert cloe; do
    expect "a record" ctl pradines record put people "$key" name="$key-the-first" room=12
done
await "they are at luzech" has_record luzech people cloe
await "they are at cajarc" has_record cajarc people cloe
expect "all is identical" scrubbed luzech

# A value that is no longer what was written: a scrub finds it.
expect "a bit falls over" "$flip" "$(store_of luzech)" rec anne-the-first
ctl luzech verify people --scrub --timeout 20 >"$work/verified" || true
await "it is repaired" reads luzech people anne name '"anne-the-first"'
await "nothing is left" is_whole luzech
expect "status says so" holds luzech '.alerts[] | select(.code == "repaired")' status
expect "and what it was" holds luzech \
    '[.incidents[] | select(.key == "anne") | .what] | index("damaged") and index("repaired")' \
    verify people
expect "people read it" ctl luzech verify people
grep -q 'repaired with the copy' <<<"$answer" || fail "verify does not say it: $answer"
expect "all is identical" scrubbed luzech

# A row that cannot be read at all: others can, a write on it is refused, and nothing stops.
site_stop pradines
site_stop cajarc
expect "a row becomes unreadable" "$flip" "$(store_of luzech)" rec bert-the-first 28
expect "others are listed" holds luzech '[.[].key] | index("anne") and index("cloe")' \
    record list people
refuse 2 'damaged' "it is not written on" ctl luzech record put people bert room=13
expect "others are" ctl luzech record put people cloe room=13
expect "status says that it is damaged" has_alert luzech damaged
refuse 2 'damaged' "it is not shown" ctl luzech record get people bert

# What others write on it meanwhile is in it when it comes back; also over a restart.
site_stop luzech
site_start pradines
expect "pradines writes on it" ctl pradines record put people bert room=14
site_start luzech || fail "luzech does not start with a damaged record"
site_start cajarc
await "it is back, with what pradines wrote" reads luzech people bert room '"14"'
await "and what it was" reads luzech people bert name '"bert-the-first"'
await "nothing is left" is_whole luzech

# Sums, order of the log and clock.
for table in fp order cc; do
    expect "a bit of table $table falls over" "$flip" "$(store_of cajarc)" $table
    ctl cajarc verify people --scrub --timeout 20 >/dev/null || true
    await "it is put right" is_whole cajarc
    expect "writing goes on" ctl cajarc record put people anne "$table=1"
    await "and others read it" reads luzech people anne $table '"1"'
done
for name in pradines luzech cajarc; do
    await "all is identical: $name" scrubbed $name
done

patience_s=90 # a site asks the others again within a minute
# One record is damaged at all sites that are there, and whole at one that is away. Nobody waits for it for ever:
# somebody says so, and what is left of it is joined; the other one's copy agrees when it is back.
expect "a fourth" ctl pradines record put people denis name=denis-the-first room=12
await "it is at luzech" reads luzech people denis room '"12"'
await "it is at cajarc" reads cajarc people denis room '"12"'
site_stop cajarc
expect "a bit falls over at pradines" "$flip" "$(store_of pradines)" rec denis-the-first
expect "its row becomes unreadable at luzech" "$flip" "$(store_of luzech)" rec denis-the-first 28
for name in pradines luzech; do
    ctl $name verify people --scrub --timeout 20 >/dev/null || true
done
await "pradines says for whom it waits" has_alert pradines damaged-waits
refuse 2 'damaged' "it is not shown meanwhile" ctl luzech record get people denis
expect "it is given up" ctl pradines collection give-up people
for name in pradines luzech; do
    await "what is left of it is at $name" reads $name people denis name '"denis-the-first"'
    await "all of it" reads $name people denis room '"12"'
done
site_start cajarc
for name in pradines luzech cajarc; do
    await "all is identical: $name" scrubbed $name
    expect "as it was: $name" reads $name people denis name '"denis-the-first"'
    await "nothing is left: $name" is_whole $name
done
