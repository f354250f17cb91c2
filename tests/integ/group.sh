#!/bin/bash
# Three sites form a group by invitation; what one writes is at the others; nothing acknowledged is
# lost when daemons are killed.
#
#   group.sh SYNCD SYNCCTL
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$0")/lib.sh"

form_group pradines luzech cajarc

ctl pradines collection create people >/dev/null
for name in luzech cajarc; do
    eventually 10 has_collection "$name" people
done

# A write is elsewhere, with its types.
ctl luzech record put people durand name=Durand room=12
eventually 10 has_field pradines people durand room 12
eventually 10 has_field cajarc people durand name Durand

# Deleted here, gone there, and back.
ctl cajarc record delete people durand
is_gone() { ! ctl "$1" record get people durand; }
eventually 10 is_gone luzech
ctl cajarc record restore people durand
eventually 10 has_field luzech people durand room 12

# Two sites write the same field while they do not hear of each other.
site_end luzech KILL
site_end cajarc KILL
ctl pradines record put people durand room=14
site_end pradines KILL
site_up luzech
ctl luzech record put people durand room=15
site_up pradines
site_up cajarc
has_conflict() { [[ $(ctl "$1" conflict list | wc -l) -ge 1 ]]; }
for name in pradines luzech cajarc; do
    eventually 20 has_conflict "$name"
done
ctl cajarc conflict resolve people durand room --value 16
has_no_conflict() { [[ $(ctl "$1" conflict list --json | tr -d ' \n') == '[]' ]]; }
for name in pradines luzech cajarc; do
    eventually 10 has_field "$name" people durand room 16
    eventually 10 has_no_conflict "$name"
done

# Killed in the middle of writing: what was acknowledged is there.
acknowledged=0
(
    for ((i = 0; i < 200; i++)); do
        ctl pradines record put people "k$i" n="$i" 2>/dev/null || exit 0
        echo "$i" >"$work/acknowledged"
    done
) &
writer=$!
has_written() { [[ $(cat "$work/acknowledged") -ge 20 ]]; }
eventually 30 has_written
site_end pradines KILL
wait "$writer"
acknowledged=$(cat "$work/acknowledged")
site_up pradines
for ((i = 0; i <= acknowledged; i += 7)); do
    check "k$i was acknowledged and is lost" has_field pradines people "k$i" n "$i"
done
check "k$acknowledged was acknowledged and is lost" \
    has_field pradines people "k$acknowledged" n "$acknowledged"
eventually 20 has_field cajarc people "k$acknowledged" n "$acknowledged"

# All three hold the same, and list it with the same bytes.
check "verify" ctl luzech verify people
for name in pradines luzech cajarc; do
    ctl "$name" record list people --json >"$work/$name.list"
done
check "lists differ" cmp "$work/pradines.list" "$work/luzech.list"
check "lists differ" cmp "$work/pradines.list" "$work/cajarc.list"
echo "$acknowledged writes were acknowledged before the kill"
