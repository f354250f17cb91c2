# shellcheck shell=bash
# Real sites on the loopback address of one machine, whose lines can be cut; to be sourced.
#
#   sites_begin FOLDER SYNCD SYNCCTL NAME...   where their state goes, which programs, which sites
#   site_listen NAME · site_address NAME       where it listens; where the others reach it
#   site_ctl NAME ARGUMENT...                  syncctl at a site
#   site_start NAME · site_stop NAME · site_kill NAME
#   sites_cut · sites_heal                     takes all lines between the sites away, gives them back
#   sites_end                                  stops everything that was started, by pid
#
# What a site advertises is the port of a relay (socat) that passes everything on to where the site
# really listens. A cut ends the relays with all connections through them: the daemons run on, and no
# site reaches another.

declare -A site_pid=() site_port=() relay_port=() relay_pid=()
sites_folder='' sites_syncd='' sites_syncctl=''

sites_begin() {
    sites_folder=$1 sites_syncd=$2 sites_syncctl=$3
    shift 3
    local name
    for name in "$@"; do
        site_port[$name]=$(sites_free_port)
        relay_port[$name]=$(sites_free_port)
    done
    sites_heal
}

# --- the lines ---

# A port of 127.0.0.1 that nobody listens on and that was not given out before.
sites_free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 10000))
        [[ " ${site_port[*]} ${relay_port[*]} " == *" $port "* ]] && continue
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

site_listen() {
    echo "127.0.0.1:${site_port[$1]}"
}

site_address() {
    echo "127.0.0.1:${relay_port[$1]}"
}

# A session of its own, so that its pid names it and every connection that it forked.
sites_heal() {
    local name
    for name in "${!site_port[@]}"; do
        [[ -z ${relay_pid[$name]:-} ]] || continue
        setsid socat "TCP-LISTEN:${relay_port[$name]},bind=127.0.0.1,fork,reuseaddr" \
            "TCP:127.0.0.1:${site_port[$name]}" >/dev/null 2>&1 </dev/null &
        relay_pid[$name]=$!
        disown "$!"
    done
}

sites_cut() {
    local name
    for name in "${!relay_pid[@]}"; do
        kill -TERM -- "-${relay_pid[$name]}" 2>/dev/null || true
        unset "relay_pid[$name]"
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
    "$sites_syncctl" --state "$(site_state "$name")" "$@"
}

site_start() {
    local name=$1 log
    log=$(site_log "$name")
    : >"$log.start"
    # setsid: what ends the terminal does not end the daemon
    setsid "$sites_syncd" --state "$(site_state "$name")" >"$log.start" 2>>"$log" </dev/null &
    site_pid[$name]=$!
    disown "$!" # or the shell would comment on how it ended
    local tries
    for ((tries = 0; tries < 150; tries++)); do
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
    sites_cut
}

# What to type to end what sites_end was not called for.
sites_print_end() {
    echo "kill ${site_pid[*]}"
    local name
    for name in "${!relay_pid[@]}"; do
        echo "kill -- -${relay_pid[$name]}"
    done
}
