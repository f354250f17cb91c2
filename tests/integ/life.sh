#!/bin/bash
# How a daemon starts, ends, refuses to start, and talks to the service manager.
#
#   life.sh SYNCD SYNCCTL HOSTILE NOTIFY      the programs of hostile.c and notify.c
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
hostile=$3 notify=$4

# ends_with STATUS PATTERN WHAT ARGUMENT...: syncd ends by itself, and says that.
ends_with() {
    local wanted=$1 pattern=$2 what=$3 status=0
    shift 3
    timeout 10 "$sites_syncd" "$@" >"$work/said" 2>&1 </dev/null || status=$?
    equal "$what: exit status" "$wanted" "$status"
    grep -q -- "$pattern" "$work/said" || fail "$what: no '$pattern' in: $(cat "$work/said")"
}

words() {
    ends_with 0 syncd --version --version
    ends_with 0 '--state DIR' --help --help
    ends_with 64 . "wrong usage" --nonsense
}

mistakes() {
    mkdir -m 700 "$work/empty"
    ends_with 78 'syncctl init' "an empty folder" --state "$work/empty"
    printf '[log]\nlevel = loud\n' >"$work/conf"
    ends_with 78 "$work/conf:2:" "a mistake, with file and line" --state "$(site_state a)" \
        --config "$work/conf"
    # What the system will never allow is a mistake too, not something to be tried again.
    printf '[control]\ngroup = no-such-group\n' >"$work/conf"
    ends_with 78 no-such-group "an impossible group" --state "$(site_state a)" --config "$work/conf"
}

doors() {
    local state
    state=$(site_state a)
    equal "standard output is one line" 'syncd: ready' "$(cat "$(site_log a).start")"
    equal "the mode of the socket" 660 "$(stat -c %a "$state/control.sock")"
    equal "the mode of the folder" 700 "$(stat -c %a "$state")"
    ends_with 2 "$state" "a second daemon" --state "$state"
    expect "the first one answers" ctl a status
}

seconds_ago() {
    ctl a status --json |
        jq -r '.sites[0].last_contact | sub("\\..*"; "Z") | now - fromdate | floor'
}

# Nothing happens for a while: the time of its last contact with itself is now all the same.
quiet() {
    sleep 2.5
    expect "its own last contact is now" test "$(seconds_ago)" -lt 2
}

port_taken() {
    local taken
    expect "another site has a state" init_first taken
    taken=$(site_listen a)
    printf '[site]\nlisten = %s\n' "$taken" >"$work/conf"
    ends_with 2 "$taken" "a port that is taken" --state "$(site_state taken)" --config "$work/conf"
    expect "the remedy is there" grep -q "$work/conf" "$work/said"
}

# What ends well ends with 0, also with a client in the middle of a request.
terminated() {
    local state status=0
    state=$(site_state a)
    site_stop a
    "$sites_syncd" --state "$state" >"$work/out" 2>&1 </dev/null &
    helpers=($!)
    await "it is ready" grep -q 'syncd: ready' "$work/out"
    "$hostile" hold "$state/control.sock" 1 3 >"$work/held" &
    helpers+=($!)
    await "half a request is there" grep -q held "$work/held"
    kill -TERM "${helpers[0]}"
    wait "${helpers[0]}" || status=$?
    equal "SIGTERM ends it with 0" 0 "$status"
    kill "${helpers[1]}" 2>/dev/null || true
    helpers=()
    expect "the socket is gone" test ! -e "$state/control.sock"
    site_start a
}

killed() {
    site_kill a
    expect "kill -9 leaves the socket" test -S "$(site_state a)/control.sock"
    site_start a || fail "it is not replaced"
    expect "it is replaced, and answers" ctl a status
}

opened_to_others() {
    site_stop a
    chmod 755 "$(site_state a)"
    site_start a
    equal "an open folder is closed again" 700 "$(stat -c %a "$(site_state a)")"
}

was_told() {
    [[ $(grep -c "^$1" "$work/told") -ge $2 ]]
}

reload_with() {
    printf '[log]\nlevel = %s\n' "$1" >"$work/conf"
    kill -HUP "${site_pid[a]}"
    await "a reload with level = $1: $2" grep -q "$2" "$(site_log a)"
}

# A reload with a mistake keeps what runs.
managed() {
    site_stop a
    "$notify" "$work/notify.sock" 60 >"$work/told" &
    helpers=($!)
    await "the manager listens" test -S "$work/notify.sock"
    printf '[log]\nlevel = info\n' >"$work/conf"
    NOTIFY_SOCKET=$work/notify.sock WATCHDOG_USEC=400000 site_start a --config "$work/conf"
    await "it is told: ready" was_told READY=1 1
    await "it is told: the status" was_told STATUS= 1
    await "the watchdog is fed" was_told WATCHDOG=1 3
    reload_with loud 'the running configuration stays'
    expect "it runs on" ctl a status
    reload_with debug 'was read again'
    await "it is told: reloading" was_told RELOADING=1 2
    site_stop a
    await "it is told: stopping" was_told STOPPING=1 1
    kill "${helpers[0]}"
    helpers=()
    site_start a
}

# A joining site answers while its group cannot be reached, and joins when it can.
joining() {
    local code
    code=$(ctl a site invite b)
    site_stop a
    expect "b has a state" init_with b "$code"
    site_start b
    await "b says that it joins" holds b '.alerts[] | select(.code == "joining")' status
    refuse 2 'not joined' "b cannot be read yet" ctl b record get things one
    site_start a
    await "b is a member" is_member b a
}

begin "$1" "$2" a b taken
words
expect "a has a state" init_first a
mistakes
site_start a
doors
quiet
port_taken
terminated
killed
opened_to_others
managed
joining
