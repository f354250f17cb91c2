# shellcheck shell=bash
# Real daemons in temporary folders on 127.0.0.1; to be sourced, with the programs as arguments:
#
#   . lib.sh SYNCD SYNCCTL
#
#   site_init NAME OPTION...      makes a site's folder (the first with --group, others with --join)
#   site_up NAME · site_end NAME SIGNAL     starts and waits for "ready"; ends and waits for the end
#   ctl NAME ARGUMENT...          syncctl at a site
#   eventually SECONDS COMMAND... polls until it succeeds, or fails the test
#   check TEXT COMMAND...         fails the test with that text unless the command succeeds
#   refuse TEXT COMMAND...        the other way round
#
# Nothing sleeps blindly: every wait has a condition and a deadline. What was started is ended by
# its pid, whatever happens.
set -euo pipefail
SYNCD=$1 SYNCCTL=$2
export LC_ALL=C.UTF-8
unset QUOIN_STATE NOTIFY_SOCKET WATCHDOG_USEC JOURNAL_STREAM RUNTIME_DIRECTORY

work=$(mktemp -d "${TMPDIR:-/tmp}/quoin-integ-XXXXXX")
export XDG_RUNTIME_DIR=$work
declare -A pid=() port=()

clean_up() {
    local code=$? name
    for name in "${!pid[@]}"; do
        kill -KILL "${pid[$name]}" 2>/dev/null || true
    done
    if [[ $code != 0 && $code != 77 ]]; then
        for name in "$work"/*.log; do
            [[ -e $name ]] && sed "s|^|$(basename "$name"): |" "$name" | tail -n 25 >&2
        done
    fi
    rm -rf "$work"
    # The runtime folders of these sites: named after the hash of their paths, so ours alone.
    local folder
    for folder in "${runtime[@]:-}"; do
        [[ -n $folder ]] && rm -rf "$folder"
    done
    exit "$code"
}
trap clean_up EXIT
declare -a runtime=()

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

check() {
    local text=$1
    shift
    "$@" || fail "$text"
}

refuse() {
    local text=$1
    shift
    if "$@"; then fail "$text"; fi
}

eventually() {
    local seconds=$1 until=$((SECONDS + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        ((SECONDS <= until)) || fail "not so within $seconds s: $*"
        sleep 0.05
    done
}

state() { echo "$work/$1"; }

free_port() {
    local candidate
    while true; do
        candidate=$((20000 + RANDOM % 12000))
        [[ " ${port[*]:-} " == *" $candidate "* ]] && continue
        (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
    done
    echo "$candidate"
}

site_init() {
    local name=$1 hash
    shift
    port[$name]=$(free_port)
    "$SYNCCTL" init --state "$(state "$name")" --site "$name" \
        --listen "127.0.0.1:${port[$name]}" "$@" >/dev/null 2>"$work/$name.init.log"
    hash=$(printf %s "$(realpath "$(state "$name")")" | sha256sum)
    runtime+=("/run/quoin-${hash:0:16}")
}

# Runs a daemon without waiting for it.
site_spawn() {
    local name=$1
    shift
    : >"$work/$name.out" # not that of the run before
    "$SYNCD" --state "$(state "$name")" "$@" >"$work/$name.out" 2>>"$work/$name.log" </dev/null &
    pid[$name]=$!
}

is_ready() { grep -qx 'syncd: ready' "$work/$1.out"; }
is_ready_or_gone() { is_ready "$1" || ! is_running "$1"; }
is_running() { kill -0 "${pid[$1]}" 2>/dev/null; }

site_up() {
    site_spawn "$@"
    eventually 15 is_ready_or_gone "$1"
    check "$1 is not ready" is_ready "$1"
}

# Sets `exit_code` and `took_ms`.
# shellcheck disable=SC2034 # the tests read them
site_end() {
    local name=$1 signal=$2 start=${EPOCHREALTIME/./}
    kill "-$signal" "${pid[$name]}"
    exit_code=0
    wait "${pid[$name]}" 2>/dev/null || exit_code=$?
    unset "pid[$name]"
    took_ms=$(((${EPOCHREALTIME/./} - start) / 1000))
}

ctl() {
    local name=$1
    shift
    "$SYNCCTL" --state "$(state "$name")" "$@"
}

has_field() { # NAME COLLECTION KEY FIELD VALUE
    ctl "$1" record get "$2" "$3" --json | grep -q "\"$4\": *\"$5\""
}

# A group of the named sites; the first one founds it.
form_group() {
    local first=$1 name code
    shift
    site_init "$first" --group lot
    site_up "$first"
    for name in "$@"; do
        code=$(ctl "$first" site invite "$name")
        site_init "$name" --join "$code"
        site_up "$name"
    done
    for name in "$first" "$@"; do
        eventually 20 sites_are_online "$name" $(($# + 1))
    done
}

sites_are_online() { # NAME COUNT
    [[ $(ctl "$1" status --json | grep -oE '"state": *"(here|online)"' | wc -l) == "$2" ]]
}

has_collection() { ctl "$1" collection show "$2"; }
