# shellcheck shell=bash
# Real sites on 127.0.0.1, whose lines can be cut; to be sourced.
#
#   sites_begin FOLDER SYNCD SYNCCTL NAME...   where their state goes, which programs, which sites
#   site_listen NAME                           ADDRESS:PORT where the site listens
#   site_address NAME                          ADDRESS:PORT where the others reach it
#   site_ctl NAME ARGUMENT...                  syncctl at a site
#   site_start NAME [ARGUMENT...]              starts syncd, with more arguments, until it is ready
#   site_stop NAME · site_kill NAME
#   sites_cut · sites_heal                     takes all lines between the sites away, and back
#   sites_end                                  ends everything that was started, by pid
#
# No site can reach another one directly: each tells the others the port of a relay (socat), which
# passes everything on to the port where it listens. A relay and the processes of its connections are
# one process group. Cutting the lines ends these groups: open connections break, new ones are refused,
# and every site runs on.

declare -A site_syncd=() site_syncctl=() # of sites that run other programs than the rest
declare -A site_pid=() site_port=() site_relay_port=() site_relay=()
sites_folder='' sites_syncd='' sites_syncctl=''

sites_begin() {
    sites_folder=$1 sites_syncd=$2 sites_syncctl=$3
    shift 3
    local name
    for name in "$@"; do
        site_port[$name]=$(sites_free_port)
        site_relay_port[$name]=$(sites_free_port)
    done
    sites_heal
}

# --- the lines ---

# Without connecting, which would be a stranger's connection to a site.
sites_is_listening() {
    local hex
    printf -v hex '%04X' "$1"
    grep -Eq "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# A port that nobody listens on and that was not given out before.
sites_free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 10000))
        [[ " ${site_port[*]} ${site_relay_port[*]} " == *" $port "* ]] && continue
        sites_is_listening "$port" || break
    done
    echo "$port"
}

site_listen() {
    echo "127.0.0.1:${site_port[$1]}"
}

site_address() {
    echo "127.0.0.1:${site_relay_port[$1]}"
}

site_heal() {
    local name=$1 tries log
    log=$sites_folder/$name.relay.log
    setsid socat "TCP-LISTEN:${site_relay_port[$name]},fork,reuseaddr,bind=127.0.0.1" \
        "TCP:$(site_listen "$name")" >>"$log" 2>&1 </dev/null &
    site_relay[$name]=$!
    disown "$!"
    for ((tries = 0; tries < 100; tries++)); do
        sites_is_listening "${site_relay_port[$name]}" && return 0
        kill -0 "${site_relay[$name]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "the relay of $name does not listen; its log ends with:" >&2
    tail -n 20 "$log" >&2
    return 1
}

# Ends the relay and its connections, and waits until the whole process group is gone.
site_cut() {
    local name=$1 group=${site_relay[$1]:-} tries
    [[ -n $group ]] || return 0
    unset "site_relay[$name]"
    for ((tries = 0; tries < 100; tries++)); do
        kill -TERM -- "-$group" 2>/dev/null || return 0
        sleep 0.1
    done
    echo "the relay of $name (process group $group) did not end within 10 s" >&2
    kill -KILL -- "-$group" 2>/dev/null || true
    return 1
}

sites_heal() {
    local name
    for name in "${!site_port[@]}"; do
        site_heal "$name" || return 1
    done
}

sites_cut() {
    local name
    for name in "${!site_port[@]}"; do
        site_cut "$name" || return 1
    done
}

# --- the programs ---

site_state() {
    echo "$sites_folder/$1"
}

site_log() {
    echo "$sites_folder/$1.log"
}

site_ctl() {
    local name=$1
    shift
    "${site_syncctl[$name]:-$sites_syncctl}" --state "$(site_state "$name")" "$@"
}

site_start() {
    local name=$1 log
    shift
    log=$(site_log "$name")
    : >"$log.start"
    # setsid: what ends the terminal does not end the daemon
    setsid "${site_syncd[$name]:-$sites_syncd}" --state "$(site_state "$name")" "$@" >"$log.start" 2>>"$log" </dev/null &
    site_pid[$name]=$!
    disown "$!" # or the shell would comment on how it ended
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        grep -qx 'syncd: ready' "$log.start" && return 0
        kill -0 "${site_pid[$name]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "syncd of $name is not ready; its log ends with:" >&2
    tail -n 20 "$log" "$log.start" >&2
    return 1
}

# Ends the daemon of a site with a signal and waits for its end, at most 10 s.
site_end() {
    local name=$1 signal=$2 pid=${site_pid[$1]:-} tries
    [[ -n $pid ]] || return 0
    unset "site_pid[$name]"
    kill "-$signal" "$pid" 2>/dev/null || true
    for ((tries = 0; tries < 100; tries++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    if kill -0 "$pid" 2>/dev/null; then
        echo "syncd of $name (pid $pid) did not end on SIG$signal within 10 s" >&2
        kill -KILL "$pid" 2>/dev/null || true
        return 1
    fi
}

site_stop() {
    site_end "$1" TERM
}

site_kill() {
    site_end "$1" KILL
}

sites_end() {
    local name
    for name in "${!site_pid[@]}"; do
        site_end "$name" TERM || true
    done
    for name in "${!site_relay[@]}"; do
        site_cut "$name" || true
    done
}

# What to type to end what sites_end was not called for.
sites_print_end() {
    echo "kill ${site_pid[*]}"
    echo "kill -- ${site_relay[*]/#/-}   # the relays and their connections"
}
