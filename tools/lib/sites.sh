# shellcheck shell=bash
# Real sites on one machine, whose lines can be cut; to be sourced.
#
#   sites_begin FOLDER SYNCD SYNCCTL NAME...   where their state goes, which programs, which sites
#   site_address NAME                          ADDRESS:PORT of a site
#   site_ctl NAME ARGUMENT...                  syncctl at a site
#   site_start NAME · site_stop NAME · site_kill NAME
#   site_cut NAME · site_heal NAME             takes its line away, and gives it back
#   sites_end                                  stops everything that was started, by pid
#
# As root each site gets a network namespace of its own, and its line is a virtual cable to a bridge
# in one more namespace: pulling it is what a failing line looks like, packets vanish and nobody is
# told. Otherwise the sites share 127.0.0.1, and site_cut is not possible (sites_can_cut).

declare -A site_pid=() site_port=() site_number=()
sites_folder='' sites_syncd='' sites_syncctl='' sites_prefix=''
sites_have_namespaces=false

sites_can_cut() {
    $sites_have_namespaces
}

sites_begin() {
    sites_folder=$1 sites_syncd=$2 sites_syncctl=$3
    shift 3
    local name number=0
    sites_prefix=qn$$
    if sites_make_hub; then
        sites_have_namespaces=true
    fi
    for name in "$@"; do
        number=$((number + 1))
        site_number[$name]=$number
        if $sites_have_namespaces; then
            site_port[$name]=7117
            site_make_line "$name"
        else
            site_port[$name]=$(sites_free_port)
        fi
    done
}

# --- the network ---

sites_make_hub() {
    [[ $EUID == 0 ]] && command -v ip >/dev/null || return 1
    ip netns add "$sites_prefix-hub" 2>/dev/null || return 1
    if ! ip -n "$sites_prefix-hub" link add hub type bridge 2>/dev/null; then
        ip netns delete "$sites_prefix-hub"
        return 1
    fi
    ip -n "$sites_prefix-hub" link set hub up
}

site_make_line() {
    local space=$sites_prefix-$1 hub=$sites_prefix-hub line=line${site_number[$1]}
    ip netns add "$space"
    ip -n "$hub" link add "$line" type veth peer name eth0 netns "$space"
    ip -n "$hub" link set "$line" master hub up
    ip -n "$space" address add "$(site_host "$1")/24" dev eth0
    ip -n "$space" link set lo up
    ip -n "$space" link set eth0 up
}

# A port of 127.0.0.1 that nobody listens on and that was not given out before.
sites_free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 10000))
        [[ " ${site_port[*]} " == *" $port "* ]] && continue
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

site_host() {
    if $sites_have_namespaces; then
        echo "10.77.0.$((10 + site_number[$1]))"
    else
        echo 127.0.0.1
    fi
}

site_address() {
    echo "$(site_host "$1"):${site_port[$1]}"
}

site_cut() {
    ip -n "$sites_prefix-hub" link set "line${site_number[$1]}" down
}

site_heal() {
    ip -n "$sites_prefix-hub" link set "line${site_number[$1]}" up
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
    local name=$1 log prefix=(setsid) # what ends the terminal does not end the daemon
    log=$(site_log "$name")
    if $sites_have_namespaces; then
        prefix+=(ip netns exec "$sites_prefix-$name")
    fi
    : >"$log.start"
    "${prefix[@]}" "$sites_syncd" --state "$(site_state "$name")" >"$log.start" 2>>"$log" </dev/null &
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
    $sites_have_namespaces || return 0
    for name in "${!site_number[@]}"; do
        ip netns delete "$sites_prefix-$name" 2>/dev/null || true
    done
    ip netns delete "$sites_prefix-hub" 2>/dev/null || true
}

# What to type to end what sites_end was not called for.
sites_print_end() {
    local name
    echo "kill ${site_pid[*]}"
    $sites_have_namespaces || return 0
    for name in "${!site_number[@]}" hub; do
        echo "ip netns delete $sites_prefix-$name"
    done
}
