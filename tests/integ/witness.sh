#!/bin/bash
# The audit trail of a site against those who know it: two other sites keep its checkpoints, and a
# trail that was rewritten with the site's own key is found out.
#
#   witness.sh SYNCD SYNCCTL REWRITE_TRAIL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

rewrite=$3
patience_s=100 # a checkpoint that was not heard is told again after 15 s, then 30

# A checkpoint is made when the daemon starts, if one is due.
restart() {
    site_stop "$1"
    site_start "$1" || fail "$1 does not start"
}

# at_both NAME FILTER: the others know that of its trail.
at_both() {
    { ctl "$1" --json log verify || true; } |
        jq -e ".witnesses | length == 2 and all($2)" >/dev/null
}

# How many entries it has: the clock has some of its own.
last_of() {
    ctl "$1" --json log verify | jq .last
}

add_user() {
    expect "${2:-pradines} adds $1" ctl "${2:-pradines}" user add "$1" <<<"a long and winding road $1"
}

known_to_both() {
    await "luzech and cajarc know $1 entries of pradines" at_both pradines ".matches >= $1"
    expect "the trail is whole" ctl pradines log verify
    grep -q 'luzech: matches up to entry' <<<"$answer" || fail "luzech is not named: $answer"
    expect "nobody complains" holds pradines '.state == "ok"' status
}

# rewrite_trail HOW WHAT
forge() {
    site_stop pradines
    cp -a "$(site_state pradines)/store" "$work/store"
    expect "root at pradines rewrites the trail" "$rewrite" "$(site_state pradines)" "$@"
    site_start pradines || fail "pradines does not start"
    await "it is back" holds pradines '[.sites[] | select(.state == "online")] | length == 2' status
}

put_back() {
    site_stop pradines
    rm -rf "$(site_state pradines)/store"
    mv "$work/store" "$(site_state pradines)/store"
    site_start pradines || fail "pradines does not start"
    await "the true trail is whole" at_both pradines '.matches > 0 and .differs == 0'
}

renamed() {
    forge rename 'user:anne reader'
    refuse 2 '' "it is found" ctl pradines log verify
    expect "by both" at_both pradines '.differs > 0 and (.missing | not)'
    equal "and by nothing else" witness "$(ctl pradines --json log verify | jq -r .fault || true)"
}

cut_off() {
    forge cut $(($(last_of pradines) - 1))
    refuse 2 '' "it is found" ctl pradines log verify
    expect "by both" at_both pradines '.differs > 0 and .missing'
    await "the others say so by themselves" holds luzech \
        '.alerts | map(select(.code == "trail-contradicted")) | map(.object) == ["pradines"]' status
    await "here too" holds pradines \
        '.alerts | map(select(.code == "trail-differs")) | map(.object) == ["cajarc", "luzech"]' status
}

# What was rewritten has grown, so that nothing that is told goes back: only the comparison of the rows finds it, and
# the daemon makes it without being asked.
grown() {
    local last
    add_user rose cajarc
    last=$(last_of cajarc)
    restart cajarc
    await "the others know all entries of cajarc" at_both cajarc ".matches >= $last"
    site_stop cajarc
    expect "root at cajarc rewrites the trail" "$rewrite" "$(site_state cajarc)" grow 'user:rose reader'
    site_start cajarc || fail "cajarc does not start"
    await "they know the new one" at_both cajarc '.differs > 0 and .matches > .differs'
    expect "and complain of nothing" holds pradines '.alerts | map(select(.code == "trail-contradicted")) == []' status
    await "cajarc finds it by itself" holds cajarc \
        '.alerts | map(select(.code == "trail-differs")) | map(.object) == ["luzech", "pradines"]' status
}

# Without the others nobody knows better, and that is said.
alone() {
    site_stop luzech
    site_stop cajarc
    expect "the trail alone" ctl pradines log verify
    grep -q 'luzech: could not be asked' <<<"$answer" || fail "it is not said: $answer"
    site_start luzech
    site_start cajarc
}

begin "$1" "$2" pradines luzech cajarc
found_group pradines luzech cajarc
add_user anne
add_user jean
last=$(last_of pradines)
restart pradines
known_to_both "$last"
grown
alone
cut_off
put_back
renamed
