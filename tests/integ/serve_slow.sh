#!/bin/bash
# A thousand clients that send a byte now and then, from many addresses, while people work.
#
#   serve_slow.sh SYNCD SYNCCTL SLOW_CLIENTS SLOW_BODIES
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

begin "$1" "$2" one
syncd=$1 slow_clients=$3 slow_bodies=$4
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

anon_of() {
    awk '/^RssAnon/ { print $2 }' "/proc/${site_pid[one]}/status"
}

is_at_most() {
    (($(anon_of) <= $1))
}

# crowd KIND...: a thousand that begin TLS and do not go on.
crowd() {
    local before after
    before=$(anon_of)
    "$slow_clients" "$port" 1000 "$@" >"$work/slow.log" 2>&1 &
    helpers+=($!)
    await "as many are let in as may shake" are_there 250
    expect "people work all the same" work_on
    expect "also those of the control socket" holds one '.site == "one"' status
    await "the slow ones are there again" are_there 250
    expect "and again" work_on
    after=$(anon_of)
    printf 'ok: RssAnon %s KiB (before: %s) with %s\n' "$after" "$before" "$(tail -n 1 "$work/slow.log")"
    is_sanitized "$syncd" || ((after - before < 16 * 1024)) || fail "too much: $((after - before)) KiB"
    kill -0 "${helpers[0]}" || fail "the slow clients have ended: $(tail -n 3 "$work/slow.log")"
    kill "${helpers[0]}"
    wait "${helpers[0]}" || true
    helpers=()
    is_sanitized "$syncd" || await "their memory is given back" is_at_most $((before + 4 * 1024))
}

crowd
crowd whole

# A thousand uploads of twenty people that go on for ever, at a fresh daemon.
site_stop one
site_start one --config "$work/conf" || fail "it does not start"
await "it listens again" listens
mkdir "$work/slow"
expect "a folder" ctl one folder create slow --path "$work/slow"
devices=()
for ((i = 0; i < 20; i++)); do
    ctl one user add "p$i" --role editor <<<'a rather long password' >"$work/out" || fail "no p$i: $(cat "$work/out")"
    ctl one user grant "p$i" --folder slow --right write >"$work/out" || fail "p$i: $(cat "$work/out")"
    devices+=("$(ctl one --json user app-password "p$i" --label test | jq -r .password)")
done
before=$(awk '/^RssAnon/ { print $2 }' "/proc/${site_pid[one]}/status")
"$slow_bodies" "$port" 950 "${devices[@]}" >"$work/bodies.log" 2>&1 &
helpers+=($!)
patience_s=100
has_bodies() { grep -q '^9[0-9][0-9] slow bodies' "$work/bodies.log"; }
await "nearly a thousand uploads are on their way" has_bodies
expect "people work all the same" work_on
anon=$(awk '/^RssAnon/ { print $2 }' "/proc/${site_pid[one]}/status")
printf 'ok: RssAnon %s KiB (before: %s) with %s\n' "$anon" "$before" "$(tail -n 1 "$work/bodies.log")"
is_sanitized "$1" || ((anon < 48 * 1024)) || fail "too much: $anon KiB"
kill -0 "${helpers[0]}" || fail "the slow uploads have ended: $(tail -n 3 "$work/bodies.log")"
kill "${helpers[0]}"
