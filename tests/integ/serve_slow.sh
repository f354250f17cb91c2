#!/bin/bash
# A thousand clients that send a byte now and then, from many addresses, while people work.
#
#   serve_slow.sh SYNCD SYNCCTL SLOW_CLIENTS
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

begin "$1" "$2" one
slow_clients=$3
port=$(sites_free_port)
ca=$work/ca.pem
ulimit -n "$(ulimit -H -n)"

listens() {
    holds one '.listeners | map(select(.error == "")) | length == 1' serve status
}

are_there() {
    holds one ".connections >= $1" serve status
}

# Requests that begin while all places are taken; each is a connection of its own.
work_on() {
    for _ in {1..50}; do
        curl --silent --show-error --fail --max-time 5 --interface 127.0.0.2 --cacert "$ca" \
            --output /dev/null "https://127.0.0.1:$port/" || return 1
    done
}

printf '%s\n' '[serve]' "listen = 127.0.0.1:$port" >"$work/conf"
expect "a site is made" init_first one
site_start one --config "$work/conf" || fail "it does not start"
await "it listens" listens
ctl one serve authority >"$ca"

"$slow_clients" "$port" 1000 >"$work/slow.log" 2>&1 &
helpers+=($!)
await "nearly all places are taken" are_there 900
expect "people work all the same" work_on
expect "also those of the control socket" holds one '.site == "one"' status
await "the slow ones are there again" are_there 900
expect "and again" work_on
anon=$(awk '/^RssAnon/ { print $2 }' "/proc/${site_pid[one]}/status")
printf 'ok: RssAnon %s KiB with %s\n' "$anon" "$(tail -n 1 "$work/slow.log")"
kill -0 "${helpers[0]}" || fail "the slow clients have ended: $(tail -n 3 "$work/slow.log")"
kill "${helpers[0]}"
