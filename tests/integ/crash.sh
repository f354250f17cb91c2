#!/bin/bash
# Daemons that are killed, started twice, or find damaged files.
#
#   crash.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# Puts k1, k2, ... until the daemon is gone; each key that was acknowledged stands in a file.
write_until_down() {
    local round=$1 acknowledged=$2 n
    for ((n = 1; n <= 2000; n++)); do
        ctl one record put c "r$round-k$n" "round=$round" >/dev/null 2>&1 || return 0
        echo "r$round-k$n" >>"$acknowledged"
    done
}

lines_in() {
    wc -l <"$1"
}

has_lines() {
    [[ $(lines_in "$1") -ge $2 ]]
}

# Kills one while two writers are at it, at another moment each time.
kill_while_writing() {
    local round=$1 writers=() pid
    : >"$work/acked.$round.a"
    : >"$work/acked.$round.b"
    write_until_down "${round}a" "$work/acked.$round.a" &
    writers+=($!)
    write_until_down "${round}b" "$work/acked.$round.b" &
    writers+=($!)
    helpers=("${writers[@]}")
    await "round $round: writes are acknowledged" has_lines "$work/acked.$round.a" $((1 + round % 4))
    site_kill one
    for pid in "${writers[@]}"; do
        wait "$pid" || true
    done
    helpers=()
    [[ -S $(site_state one)/control.sock ]] || fail "kill -9 took the socket away"
    site_start one || fail "round $round: one does not start again"
}

# all_acknowledged NAME: every key of the files is there.
all_acknowledged() {
    local missing
    ctl "$1" --json record list c | jq -r '.[].key' | LC_ALL=C sort >"$work/there"
    missing=$(cat "$work"/acked.* | LC_ALL=C sort | LC_ALL=C comm -23 - "$work/there")
    [[ -z $missing ]] && return 0
    echo "missing: $missing"
    return 1
}

killed_again_and_again() {
    local round
    for ((round = 1; round <= 15; round++)); do
        kill_while_writing "$round"
        all_acknowledged one || fail "round $round: an acknowledged put is lost"
    done
    ok "one has every acknowledged put"
    await "two has them, too" all_acknowledged two
    await "one is identical" is_identical one
    await "two is identical" is_identical two
}

second_daemon() {
    local status=0 begun=$SECONDS
    timeout 15 "$sites_syncd" --state "$(site_state one)" >"$work/second" 2>&1 </dev/null || status=$?
    [[ $status != 0 && $status != 124 ]] || fail "a second daemon: exit status $status"
    ((SECONDS - begun <= 10)) || fail "a second daemon ended only after $((SECONDS - begun)) s"
    [[ -s $work/second ]] || fail "a second daemon ends without a word"
    ! grep -q ready "$work/second" || fail "a second daemon says that it is ready"
    expect "the first one goes on" ctl one record put c still here=yes
}

stops() {
    local pid=${site_pid[one]} begun
    begun=$(date +%s%3N)
    kill -TERM "$pid"
    await "SIGTERM ends it" is_down "$pid"
    unset 'site_pid[one]'
    (($(date +%s%3N) - begun <= 5000)) || fail "it took $(($(date +%s%3N) - begun)) ms"
    [[ ! -e $(site_state one)/control.sock ]] || fail "the socket is left behind"
    ok "within 5 s, and the socket is gone"
    refuse 69 'cannot be reached' "syncctl says so" ctl one status
}

# refused_start NAME PATTERN: the daemon ends by itself with an error that says what is wrong.
refused_start() {
    local name=$1 pattern=$2 what=$3 status=0
    timeout 15 "$sites_syncd" --state "$(site_state "$name")" >"$work/out" 2>&1 </dev/null || status=$?
    ((status != 0 && status < 124)) ||
        fail "$what: exit status $status: $(head -c 2000 "$work/out")"
    grep -qiE -- "$pattern" "$work/out" || fail "$what: no '$pattern' in: $(head -c 2000 "$work/out")"
    ok "$what"
}

damaged() {
    local state store
    state=$(site_state one)
    store=$state/store
    cp -a "$state" "$work/whole"
    local size
    for size in 0 1 40; do
        head -c "$size" "$work/whole/site.quoin" >"$state/site.quoin"
        refused_start one site.quoin "site.quoin of $size bytes is refused"
    done
    head -c 300 /dev/urandom >"$state/site.quoin"
    refused_start one site.quoin "site.quoin of noise is refused"
    rm "$state/site.quoin"
    refused_start one 'init|site.quoin' "without site.quoin it is no site"
    cp -a "$work/whole/site.quoin" "$state/"
    head -c 31 "$work/whole/identity.key" >"$state/identity.key"
    refused_start one identity.key "half a key is refused"
    head -c 32 /dev/urandom >"$state/identity.key"
    refused_start one 'identity.key' "another key is refused"
    cp -a "$work/whole/identity.key" "$state/"

    size=$(stat -c %s "$work/whole/store/data.mdb")
    head -c $((size / 2 - size / 2 % 4096)) "$work/whole/store/data.mdb" >"$store/data.mdb"
    head -c 5000 "$work/whole/store/data.mdb" >"$store/data.mdb"
    refused_start one store "half a store is refused"
    refused_start one store "a store of one page is refused"
    head -c 65536 /dev/urandom >"$store/data.mdb"
    refused_start one store "a store of noise is refused"
    cp -a "$work/whole/store/data.mdb" "$store/"
    chmod 0 "$store/data.mdb"
    chmod 0600 "$store/data.mdb"
    site_start one || fail "the whole state does not start any more"
    expect "whole again, it has everything" all_acknowledged one
    refused_start nobody 'init' "a state directory that is not there"
}

begin "$1" "$2" one two nobody
found_group one two
expect "a collection" ctl one collection create c
await "two has it" has_collection two c
killed_again_and_again
second_daemon
stops
damaged
