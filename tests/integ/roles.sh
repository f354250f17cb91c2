#!/bin/bash
# Roles at the control socket: several users of the machine ask a real daemon. (Users and groups that
# every Debian has; nothing is added to the machine.)
#
#   roles.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
if [[ $EUID != 0 ]]; then
    echo "only root can be other users: skipped"
    exit 77
fi

viewer=games operator=news admin=backup stranger=mail
# shellcheck disable=SC2034 # lib.sh reads it
patience_s=60

# as USER ARGUMENT...: syncctl as that user, without other groups than its own
as() {
    local user=$1
    shift
    in_groups "$user" "$user" "$@"
}

# in_groups USER GROUPS ARGUMENT...
in_groups() {
    local user=$1 groups=$2
    shift 2
    (cd / && HOME=/ setpriv --reuid="$user" --regid="$user" --groups="$groups" \
        "$work/syncctl" --state "$(site_state one)" "$@")
}

# configure LINE...: of [control]
configure() {
    printf '%s\n' '[control]' "$@" >"$work/conf"
    expect "the configuration is right" ctl one config check "$work/conf"
}

reload() {
    configure "$@"
    kill -HUP "${site_pid[one]}"
}

without_roles() {
    refuse 69 'may not talk' "without roles only root gets in" as $operator status
    printf '[control]\nviewers = a,,b\n' >"$work/bad"
    refuse 2 'groups, or users' "no list" ctl one config check "$work/bad"
    printf '[control]\nadmins = user:\n' >"$work/bad"
    refuse 2 'groups, or users' "no user" ctl one config check "$work/bad"
}

open_to_members_only() {
    equal "the socket's mode" 660 "$(stat -c %a "$(site_state one)/control.sock")"
    equal "the folder can be entered, not listed" 710 "$(stat -c %a "$(site_state one)")"
    refuse 2 'denied' "a member lists nothing" \
        bash -c "setpriv --reuid=$operator --regid=$operator --clear-groups ls '$(site_state one)' || exit 2"
    refuse 2 'denied' "nor reads the key" \
        bash -c "setpriv --reuid=$operator --regid=$operator --clear-groups cat '$(site_state one)/identity.key' || exit 2"
    refuse 69 'may not talk' "a stranger stays outside" as $stranger status
}

viewers() {
    expect "a viewer sees the state" as $viewer status
    expect "and lists" as $viewer site list
    expect "of plans too" as $viewer backup list
    refuse 2 'role of this user' "no record" as $viewer record get meals monday
    refuse 2 'role of this user' "no list of them" as $viewer record list meals
    refuse 2 'role of this user' "no search" as $viewer search soup
    refuse 2 'role of this user' "no trail" as $viewer log
    refuse 2 'role of this user' "no write" as $viewer record put meals monday dish=fish
    expect "a member of the group by another user" in_groups $stranger $viewer status
    refuse 2 'role of this user' "with the same role" in_groups $stranger $viewer record get meals monday
}

operators() {
    expect "an operator writes" as $operator record put meals tuesday dish=rice
    expect "under the own name" eval "[[ \$(ctl one record history meals tuesday) == *$operator* ]]"
    expect "and reads" as $operator record get meals monday
    expect "runs a backup" as $operator backup run house
    refuse 2 'role of this user' "plans none: a path is read with the daemon's eyes" \
        as $operator backup create mine --path "$work/tree/closed"
    refuse 2 'role of this user' "offers no directory" as $operator folder create mine --path "$work/tree"
    refuse 2 'role of this user' "gives no space back" as $operator backup prune
    refuse 2 'role of this user' "erases nothing" as $operator record erase meals tuesday
    refuse 2 'role of this user' "invites nobody" as $operator site invite two
    refuse 2 'role of this user' "reads no trail" as $operator log
    expect "makes a password of a device" as $operator user app-password anne --label phone
    refuse 2 'role of this user' "no account" eval "as $operator user add bob <<<'kq7Bw2xN9z'"
}

make_tree() {
    mkdir -p "$work/tree/closed" "$work/tree/open"
    chmod 0755 "$work/tree" "$work/tree/open"
    for name in open/all open/root open/own open/group closed/all; do
        echo "$name" >"$work/tree/$name"
    done
    chmod 0644 "$work/tree/open/all" "$work/tree/closed/all"
    chmod 0600 "$work/tree/open/root" "$work/tree/open/own"
    chown $operator "$work/tree/open/own"
    chmod 0640 "$work/tree/open/group"
    chgrp $operator "$work/tree/open/group"
    chmod 0700 "$work/tree/closed"
}

contents() {
    (cd "$1" && find . -type f -printf '%P\n' | LC_ALL=C sort | paste -sd' ')
}

restores() {
    mkdir "$work/out" "$work/out/operator" "$work/out/admin"
    chmod 0711 "$work/out"
    chown $operator "$work/out/operator"
    chown $admin "$work/out/admin"
    refuse 1 'could not read it' "an operator restores what that user could read" \
        as $operator backup restore house --to "$work/out/operator"
    equal "and no more" "open/all open/group open/own" "$(contents "$work/out/operator$work/tree")"
    refuse 2 'role of this user' "also by its path" \
        as $operator backup restore house --to "$work/out/operator" "$work/tree/closed/all"
    expect "what is open by its path" \
        as $operator backup restore house --to "$work/out/operator" --overwrite "$work/tree/open/all"
    refuse 2 'role of this user' "not the store" as $operator backup restore house --store --to "$work/out/operator"
    refuse 2 'role of this user' "nor what is in it" as $operator backup ls house --store
    expect "an admin restores all" as $admin backup restore house --to "$work/out/admin"
    equal "of it" "closed/all open/all open/group open/own open/root" "$(contents "$work/out/admin$work/tree")"
}

notes() {
    expect "the trail knows who was refused what" holds one \
        "any(.[]; .action == \"refused\" and .actor == \"$viewer\" and .object == \"command:record.get\" and .device == \"control\" and .result == \"not-allowed-here\")" log
    expect "and that an operator made a password" holds one \
        "any(.[]; .action == \"user.app-add\" and .actor == \"$operator\")" log
    expect "and who read a record" holds one \
        "any(.[]; .action == \"read\" and .actor == \"$operator\" and .object == \"collection:meals/monday\")" log
    expect "and who restored" holds one \
        "any(.[]; .action == \"restore\" and .actor == \"$operator\" and .object == \"backup:house\")" log
    expect "and who planned" holds one \
        "any(.[]; .action == \"backup.create\" and .actor == \"$admin\" and .object == \"backup:house\" and .result == \"ok\")" log
    expect "the journal too" grep -q 'not-allowed-here' "$(site_log one)"
    expect "the trail is whole" ctl one log verify
}

may() {
    as "$@" >/dev/null 2>&1
}

may_not() {
    ! may "$@"
}

reloads() {
    reload "viewers = $operator" "admins = user:$admin"
    await "what was taken away is gone at once" may_not $operator record get meals monday
    expect "the rest is left" as $operator status
    await "and who is named no more stays outside" may_not $viewer status
    reload "operators = nobody-has-this-name, user:$viewer"
    await "a user alone" may $viewer record get meals monday
    expect "a group that is not there is told of" grep -q 'no group nobody-has-this-name' "$(site_log one)"
    reload
    await "without roles all is as before" may_not $viewer status
    expect "for root too" ctl one record get meals monday
}

# Who may only look takes half of the places at most.
crowd() {
    python3 -c 'import os, socket, sys, time
ready = open(sys.argv[4], "w")
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[3]))
held = [socket.socket(socket.AF_UNIX) for _ in range(40)]
for one in held: one.connect(sys.argv[1])
print("there", file=ready, flush=True)
time.sleep(1000)' "$(site_state one)/control.sock" "$(id -g $viewer)" "$(id -u $viewer)" "$work/crowd" &
    helpers+=($!)
    await "a crowd of viewers" test -s "$work/crowd"
    await "it keeps others of them out" may_not $viewer status
    expect "and no admin" ctl one status
    kill "${helpers[@]}"
    helpers=()
    await "when they are gone there is room" may $viewer status
}

# As the service does: nothing is needed but the files to be its own.
unprivileged() {
    site_stop one
    cp "$sites_syncd" "$work/syncd"
    printf '#!/bin/sh\nexec setpriv --reuid=%s --regid=%s --clear-groups %s "$@"\n' $admin $admin "$work/syncd" >"$work/start"
    chmod 0755 "$work/syncd" "$work/start"
    chown -R $admin:$admin "$(site_state one)"
    rm -rf "$(runtime_folder one)"
    configure "viewers = $viewer"
    # shellcheck disable=SC2034 # lib.sh reads it
    site_syncd[one]=$work/start
    site_start one --config "$work/conf" || fail "it does not start without privileges"
    expect "a viewer gets in" as $viewer status
    refuse 2 'role of this user' "and no further" as $viewer record get meals monday
    refuse 69 'may not talk' "a stranger stays outside" as $stranger status
    expect "its own user is an admin" as $admin log verify
}

begin "$1" "$2" one
chmod 0711 "$work"
cp "$2" "$work/syncctl"
chmod 0755 "$work/syncctl"
make_tree
found one
without_roles
configure "viewers = $viewer" "operators = $operator" "admins = user:$admin"
site_stop one
site_start one --config "$work/conf" || fail "it does not start"
expect "a collection" ctl one collection create meals
expect "a record" ctl one record put meals monday dish=soup
expect "an account" eval "ctl one user add anne <<<'kq7Bw2xN9z'"
expect "an admin plans a backup" as $admin backup create house --path "$work/tree"
open_to_members_only
viewers
operators
restores
notes
crowd
reloads
unprivileged
