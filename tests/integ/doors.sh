#!/bin/bash
# Hostile bytes at every door harm nobody: the daemons run on, and the sites stay in sync.
#
#   doors.sh SYNCD SYNCCTL POKE
# shellcheck source=tests/integ/daemons.sh
. "$(dirname "$0")/daemons.sh"
poke=$3

form_group a b 2>/dev/null
ctl a collection create things 2>/dev/null
eventually 10 has_collection b things
written=0

# Both daemons are those that were started, and a write gets through.
unharmed() {
    check "$1: daemon a ended" is_running a
    check "$1: daemon b ended" is_running b
    written=$((written + 1))
    check "$1: write" ctl a record put things last n="$written"
    eventually 20 has_field b things last n "$written"
}
unharmed "before"

for name in zero huge random garbage half unknown args; do
    check "control: $name" "$poke" control "$(state a)/control.sock" "$name"
    unharmed "control: $name"
done

# One that asks and does not read: nothing grows with it.
memory_kib() { grep -oP '^VmRSS:\s*\K\d+' "/proc/${pid[a]}/status"; }
most_kib=32768
if grep -q __asan_init "$SYNCD"; then
    most_kib=409600 # a sanitiser keeps what was freed for a while; all answers would be 1 GiB
fi
before=$(memory_kib)
check "control: deaf" "$poke" control "$(state a)/control.sock" deaf
after=$(memory_kib)
check "a deaf client took $((after - before)) KiB" test $((after - before)) -lt "$most_kib"
unharmed "control: deaf"

# More clients than there is room for.
holders=()
for ((i = 0; i < 80; i++)); do
    "$poke" control "$(state a)/control.sock" hold &
    holders+=($!)
done
answers() { ctl b status --json; }
eventually 10 answers
kill "${holders[@]}" 2>/dev/null || true
wait "${holders[@]}" 2>/dev/null || true
eventually 10 ctl a status --json
unharmed "control: many"

for name in random huge half stranger; do
    check "peer: $name" "$poke" peer 127.0.0.1 "${port[a]}" "$name"
    unharmed "peer: $name"
done
for ((i = 0; i < 100; i++)); do
    "$poke" peer 127.0.0.1 "${port[a]}" half
    "$poke" peer 127.0.0.1 "${port[a]}" stranger
done
unharmed "peer: many"
