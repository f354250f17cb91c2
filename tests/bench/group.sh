# shellcheck shell=bash
# The sites of records.sh; to be sourced after lib.sh and line.sh.
#
#   group_make NAME...            sites in one group, all up; the first is reached by the others over
#                                 a line (line.sh) with its name, and cannot dial them
#   group_stop_all NAME... · group_end
#   ctl SITE ARGUMENT...          syncctl at a site
#   watch_start NAME · watch_end NAME · watch_most NAME     the highest RssAnon of its daemon, KiB
#   written_by NAME             bytes that its daemon had the disk write
#   until_ok SECONDS COMMAND... · now · seconds FROM TO · settle LINE

declare -A watch_pid=()
group_syncd='' # in its place

now() { date +%s%N; }
seconds() { awk -v n=$(($2 - $1)) 'BEGIN {printf "%.3f", n / 1e9}'; }

until_ok() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || { echo "not in time: $*" >&2 && return 1; }
        sleep 0.05
    done
}

ctl() {
    local name=$1
    shift
    timeout 3600 "$syncctl" --state "$(site_state "$name")" "$@"
}

# Its exit status says whether all is well, which is not asked here.
status_of() { ctl "$1" --json status || true; }

is_alone() { status_of "$1" | jq -e --arg me "$1" 'all(.sites[]; .name == $me or .state != "online")'; }
is_linked() { ! is_alone "$1"; }

has_peers() { # SITE COUNT: so many are online
    status_of "$1" | jq -e --arg me "$1" --argjson count "$2" \
        '[.sites[] | select(.name != $me and .state == "online")] | length == $count'
}

# Of those that are up, all have what the first has of "notes".
has_told_all() { # SITE
    status_of "$1" | jq -e '[.sites[] | select(.state == "online") | .name] as $up |
        .collections[] | select(.name == "notes") | [.behind | to_entries[] | select(.value > 0) | .key] |
        all(. as $name | $up | index([$name]) == null)'
}

# Nothing while it is being brought up by pages.
records_of() { status_of "$1" | jq '.collections[] | select(.name == "people" and .incomplete != true) | .records'; }
has_all() { [[ $(records_of "$1") == "$2" ]]; }
has_as_many() { has_all "$2" "$(records_of "$1")"; }
# By what the first knows of the second, which is linked and lacks nothing.
has_told() {
    is_linked "$2" && is_linked "$1" &&
        status_of "$1" | jq -e --arg other "$2" 'all(.collections[]; .behind[$other] == null or .behind[$other] == 0)'
}

# Nothing has moved for a second.
settle() {
    local before='' bytes deadline=$((SECONDS + 90))
    bytes=$(line_bytes "$1")
    while [[ $bytes != "$before" ]]; do
        ((SECONDS < deadline)) || { echo "not in time: a quiet line" >&2 && return 1; }
        before=$bytes
        sleep 1
        bytes=$(line_bytes "$1")
    done
}

group_ports() { # NAME
    site_port[$1]=$(sites_free_port)
    site_relay_port[$1]=$(sites_free_port)
}

group_make() {
    local name first=$1
    sites_folder=$work sites_syncd=${group_syncd:-$syncd} sites_syncctl=$syncctl
    group_ports "$first"
    line_start "$first" "${site_relay_port[$first]}" "${site_port[$first]}"
    ctl "$first" --quiet init --site "$first" --group lot --listen "$(site_listen "$first")" \
        --advertise "$(site_address "$first")"
    site_start "$first"
    shift
    for name in "$@"; do
        group_add "$first" "$name"
    done
}

group_add() { # FIRST NAME
    local code
    group_ports "$2"
    until_ok 20 ctl "$1" site invite "$2"
    code=$(ctl "$1" site invite "$2" 2>/dev/null)
    ctl "$2" --quiet init --site "$2" --join "$code" --listen "$(site_listen "$2")" --advertise 127.0.0.1:1
    site_start "$2"
    until_ok 30 is_linked "$2"
}

group_stop_all() {
    local name
    for name in "$@"; do
        site_stop "$name"
    done
}

watch_loop() { # PID FILE
    local value most=0
    while value=$(awk '/^RssAnon/ { print $2 }' "/proc/$1/status"); do
        ((value > most)) && most=$value
        echo "$most" >"$2.new" && mv "$2.new" "$2"
        sleep 0.2
    done 2>/dev/null
}

watch_start() {
    echo 0 >"$work/$1.rss"
    watch_loop "${site_pid[$1]}" "$work/$1.rss" &
    watch_pid[$1]=$!
}

watch_end() {
    kill "${watch_pid[$1]}" 2>/dev/null || true
    wait "${watch_pid[$1]}" 2>/dev/null || true
}

watch_most() { cat "$work/$1.rss"; }

written_by() { awk '$1 == "write_bytes:" { print $2 }' "/proc/${site_pid[$1]}/io"; }

group_end() {
    local pid
    for pid in "${watch_pid[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    sites_end
    lines_end
}
