#!/bin/bash
# How a daemon starts, ends and refuses to start.
#
#   life.sh SYNCD SYNCCTL POKE
# shellcheck source=tests/integ/daemons.sh
. "$(dirname "$0")/daemons.sh"
poke=$3
answers() { ctl "$1" status >/dev/null; }

# Runs a command that must end by itself; sets `exit_code`, its messages are in $work/said.
run_to_end() {
    exit_code=0
    timeout 10 "$@" >"$work/said" 2>&1 || exit_code=$?
}
said() { grep -q -- "$1" "$work/said"; }

# Words.
run_to_end "$SYNCD" --version
check "--version" test "$exit_code" = 0
run_to_end "$SYNCD" --help
check "--help" said '--state DIR'
run_to_end "$SYNCD" --nonsense
check "wrong usage is 64" test "$exit_code" = 64

# Not initialised: the message has the remedy.
mkdir -m 700 "$work/empty"
run_to_end "$SYNCD" --state "$work/empty"
check "an empty folder is 78, not $exit_code" test "$exit_code" = 78
check "the remedy is missing" said 'syncctl init'

site_init a --group lot
dir=$(state a)

# A mistake in the configuration, with file and line.
printf '[log]\nlevel = loud\n' >"$work/conf"
run_to_end "$SYNCD" --state "$dir" --config "$work/conf"
check "a mistake is 78, not $exit_code" test "$exit_code" = 78
check "file and line are missing" said "$work/conf:2:"

# One line, and who may come in.
site_up a
check "standard output is one line" test "$(cat "$work/a.out")" = 'syncd: ready'
check "mode of the socket" test "$(stat -c %a "$dir/control.sock")" = 660
check "mode of the folder" test "$(stat -c %a "$dir")" = 700
check "status" answers a

# Nothing happens for a while: the time of its last contact with itself is now all the same.
sleep 2.5
seconds_ago() { ctl a status --json | jq -r '.sites[0].last_contact | sub("\\..*"; "Z") | now - fromdate | floor'; }
check "its own last contact is $(seconds_ago) s ago" test "$(seconds_ago)" -lt 2

# A second one ends, the first goes on.
run_to_end "$SYNCD" --state "$dir"
check "a second daemon is 2, not $exit_code" test "$exit_code" = 2
check "the folder is not named" said "$dir"
check "the first one answers" answers a

# A port that another site uses.
site_init taken --group other
port[taken]=${port[a]}
printf '[site]\nlisten = 127.0.0.1:%s\n' "${port[a]}" >"$work/conf"
run_to_end "$SYNCD" --state "$(state taken)" --config "$work/conf"
check "a port that is taken is 2, not $exit_code" test "$exit_code" = 2
check "the address is not named" said "127.0.0.1:${port[a]}"
check "the remedy is missing" said "$work/conf"

# SIGTERM, also with a client in the middle of a request.
"$poke" control "$dir/control.sock" hold &
holder=$!
ctl a collection create things 2>/dev/null
ctl a record put things one n=1
site_end a TERM
kill "$holder" 2>/dev/null || true
check "SIGTERM ends with 0, not $exit_code" test "$exit_code" = 0
check "SIGTERM took $took_ms ms" test "$took_ms" -lt 5000
check "the socket stays" test ! -e "$dir/control.sock"

# kill -9 leaves the socket; it is replaced.
site_up a
site_end a KILL
check "the socket is gone already" test -S "$dir/control.sock"
site_up a
check "after kill -9" has_field a things one n 1

# An open folder is closed again.
site_end a TERM
chmod 755 "$dir"
site_up a
check "the folder stays open" test "$(stat -c %a "$dir")" = 700
site_end a TERM

# The service manager is told; a reload with a mistake keeps what runs.
"$poke" notify "$work/notify.sock" 60 >"$work/told" &
manager=$!
eventually 10 test -S "$work/notify.sock"
told() { grep -q "^$1" "$work/told"; }
printf '[log]\nlevel = info\n' >"$work/conf"
NOTIFY_SOCKET=$work/notify.sock WATCHDOG_USEC=400000 site_up a --config "$work/conf"
eventually 10 told READY=1
eventually 10 told 'STATUS='
beats() { [[ $(grep -c '^WATCHDOG=1' "$work/told") -ge 3 ]]; }
eventually 10 beats
printf '[log]\nlevel = loud\n' >"$work/conf"
kill -HUP "${pid[a]}"
eventually 10 grep -q 'the running configuration stays' "$work/a.log"
check "after a bad reload" answers a
printf '[log]\nlevel = debug\n' >"$work/conf"
kill -HUP "${pid[a]}"
eventually 10 grep -q 'was read again' "$work/a.log"
check "RELOADING" told RELOADING=1
site_end a TERM
eventually 10 told STOPPING=1
kill "$manager"

# A joining site answers while its group cannot be reached, and joins when it can.
site_up a
code=$(ctl a site invite b 2>/dev/null)
site_end a TERM
site_init b --join "$code"
site_up b
joining() { { ctl b status --json || true; } | grep -q '"joining"'; } # exit 1: attention
check "status does not say joining" joining
run_to_end ctl b record get things one
refuse "a read while joining" test "$exit_code" = 0
site_up a
eventually 30 has_field b things one n 1
