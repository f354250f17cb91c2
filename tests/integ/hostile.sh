#!/bin/bash
# Strangers at the peer port and nonsense on the control socket: the daemon stays up, answers others
# meanwhile, and does not grow.
#
#   hostile.sh SYNCD SYNCCTL HOSTILE      HOSTILE is the program of hostile.c
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
hostile=$3
puts=0

# still_well WHAT: it is the same process, it answers, and a write reaches the others.
still_well() {
    ! is_down "${site_pid[one]}" || fail "$1: the daemon is gone"
    puts=$((puts + 1))
    expect "$1: one writes" ctl one record put c heartbeat "n=$puts"
    await "$1: two reads it" reads two c heartbeat n "\"$puts\""
}

# While nobody can ask one: it is the same process, and its sites still talk.
still_well_elsewhere() {
    ! is_down "${site_pid[one]}" || fail "$1: the daemon is gone"
    expect "$1: two sees one" holds two '.sites[] | select(.name == "one" and .state == "online")' status
}

# client ARGUMENT...: openssl s_client at the peer port; what it says is in $work/tls.
client() {
    timeout 10 openssl s_client -connect "$(site_address one)" "$@" >"$work/tls" 2>&1 </dev/null || true
}

# A TLS 1.3 client ends its handshake before its key is judged: refused is who gets no welcome, which
# would be four zero bytes.
got_no_welcome() {
    local what=$1
    shift
    timeout 3 openssl s_client -quiet -connect "$(site_address one)" "$@" </dev/zero \
        2>/dev/null | head -c 4 >"$work/welcome" || true
    equal "$what gets no welcome" 0 "$(stat -c %s "$work/welcome")"
}

strangers() {
    openssl req -x509 -newkey ed25519 -nodes -keyout "$work/key" -out "$work/certificate" -days 9 \
        -subj /CN=stranger >/dev/null 2>&1
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/rsa" -out "$work/rsa.pem" -days 9 \
        -subj /CN=stranger >/dev/null 2>&1
    local mine=(-cert "$work/certificate" -key "$work/key")
    got_no_welcome "an unknown key" -alpn quoin/1 "${mine[@]}"
    got_no_welcome "no key" -alpn quoin/1
    got_no_welcome "a key of another kind" -alpn quoin/1 -cert "$work/rsa.pem" -key "$work/rsa"
    got_no_welcome "no ALPN" "${mine[@]}"
    got_no_welcome "another ALPN" -alpn http/1.1 "${mine[@]}"
    client -tls1_2 -alpn quoin/1 "${mine[@]}"
    grep -qi 'alert\|no peer certificate' "$work/tls" || fail "TLS 1.2: $(head -c 1000 "$work/tls")"
    ! grep -q 'Protocol *: TLSv1.2' "$work/tls" || ! grep -q 'BEGIN CERT' "$work/tls" ||
        fail "TLS 1.2 is spoken"
    ok "TLS 1.2 is refused"
    still_well "after strangers"
}

# Guests are let in until two's invitation would have expired; their frames are read before they are
# known.
guests() {
    local n frame
    for frame in '\xff\xff\xff\xff' '\x00\x00\x00\x00' '\x00\x00\x10\x01' '\x00\x00\x00\x01\xc1' \
        '\x00\x00\x00\x05\xdd\xff\xff\xff\xff' '\x00\x00\x00\x02\x91\x0c'; do
        for ((n = 0; n < 2; n++)); do
            { printf '%b' "$frame" && head -c 9000 /dev/zero; } |
                timeout 4 openssl s_client -quiet -alpn quoin-guest/1 -cert "$work/certificate" \
                    -key "$work/key" -connect "$(site_address one)" >/dev/null 2>&1 || true
        done
    done
    still_well "after guests that talk nonsense"
}

noise_at_the_port() {
    "$hostile" noise "${site_port[one]}" 300 1
    "$hostile" lengths "${site_port[one]}" 100 2
    still_well "after noise at the peer port"
}

is_holding() {
    grep -q held "$work/held.$1"
}

# hold NUMBER ARGUMENT...: a program that keeps its connections until let_go.
hold() {
    local number=$1
    shift
    : >"$work/held.$number"
    "$hostile" "$@" >"$work/held.$number" &
    helpers+=($!)
    await "they are open: $*" is_holding "$number"
}

let_go() {
    local pid
    for pid in "${helpers[@]}"; do
        kill "$pid"
        wait "$pid" 2>/dev/null || true
    done
    helpers=()
}

half_open() {
    hold 1 hold "${site_port[one]}" 300 0
    hold 2 hold "${site_port[one]}" 300 900
    still_well "beside 600 half-open connections"
    site_stop two
    site_start two
    await "a member gets in beside them" reads two c heartbeat n "\"$puts\""
    still_well "afterwards"
    let_go
}

noise_at_the_socket() {
    local socket
    socket=$(site_state one)/control.sock
    "$hostile" noise "$socket" 300 3
    "$hostile" lengths "$socket" 100 4
    still_well "after noise at the control socket"
    hold 3 hold "$socket" 60 3
    still_well "beside 60 that sent half a frame"
    let_go
    hold 4 hold "$socket" 80 3
    still_well_elsewhere "beside more clients than there is room for"
    let_go
    still_well "after more clients than there is room for"
    hold 5 unread "$socket" 20000
    still_well "beside one that does not read its answers"
    let_go
}

odd_requests() {
    "$hostile" requests "$(site_state one)/control.sock" "$1" "$2"
}

# The first round of everything fills caches and pools; what the second adds would go on.
does_not_grow() {
    local before after
    if grep -q __asan_init "$sites_syncd"; then
        ok "a sanitizer build keeps what was freed: its memory is not measured"
        return
    fi
    before=$(memory "${site_pid[one]}")
    odd_requests 11 25
    "$hostile" noise "${site_port[one]}" 300 12
    "$hostile" lengths "$(site_state one)/control.sock" 200 13
    hold 6 hold "${site_port[one]}" 300 900
    let_go
    hold 7 unread "$(site_state one)/control.sock" 20000
    let_go
    still_well "after all of it again"
    after=$(memory "${site_pid[one]}")
    ((after - before < 8192)) || fail "the daemon grew from $before kB to $after kB"
    ok "its memory went from $before kB to $after kB"
}

begin "$1" "$2" one two
found_group one two
expect "a collection" ctl one collection create c
await "two has it" has_collection two c
strangers
guests
noise_at_the_port
half_open
noise_at_the_socket
odd_requests 10 25
still_well "after odd requests"
does_not_grow
await "the sites are identical" is_identical two
