#!/bin/bash
# Many sites: real daemons on loopback; one JSON document.
#
#   tests/bench/many.sh BUILD [--sites N] [--live-sites N] [--writes N] [--puts N] [--idle S] [--only STEP,...]
#
# The steps, in this order:
# links     how many connections there are, a minute and a half after the last site joined
# status    how long `syncctl status` takes at one of them, in ms: of 20 times the middle one
# idle      bytes of a connection on which nothing happens, by day: those of TCP and TLS in both
#           directions, and 52 for each packet; of the connections of one site, in S seconds (300)
# away      N writes (1,000) at three sites while 30 % are away; then those come back one after the other: seconds
#           from the start of the last one until the clocks of all are equal, and whether `verify` finds
#           all fingerprints equal
# live      another group, of 20 sites, each behind a line of 2 Mbit/s and 60 ms of round trip: ms from
#           the request to put a record until the last site was asked and showed it (spread.py); of
#           that the put itself, until it is durable, and one round of questions to all of them
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=lib.sh
source "$here/lib.sh"
# shellcheck source=../support/line.sh
source "$here/../support/line.sh"

build=$1 steps=links,status,idle,away,live
sites=40 live_sites=20 writes=1000 puts=50 idle_s=300
shift
while (($# > 0)); do
    case $1 in
    --sites) sites=$2 ;;
    --live-sites) live_sites=$2 ;;
    --writes) writes=$2 ;;
    --puts) puts=$2 ;;
    --idle) idle_s=$2 ;;
    --only) steps=$2 ;;
    *) echo "many.sh: $1?" >&2 && exit 64 ;;
    esac
    shift 2
done
readonly rate=250000 delay_ms=30 wait_max=300

bench_begin "$build"
relay=$(bench_program "$build" relay) line_folder=$work
end() {
    sites_end
    lines_end
    bench_end
}
trap end EXIT

# A relay only where a line is measured.
sites_heal() { :; }
sites_cut() { :; }
site_cut() { :; }

note() { # WHAT JSON
    jq -nc --arg what "$1" --argjson value "$2" '{($what): $value}' >>"$work/notes"
    echo "$1 $2" >&2
}

until_ok() { # COMMAND...
    local deadline=$((SECONDS + wait_max))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || { echo "not in time: $*" >&2 && return 1; }
        sleep 0.05
    done
}

wants() { [[ ,$steps, == *,$1,* ]]; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
asks() { # NAME FILTER: of its status
    local json
    json=$(site_ctl "$1" --json status) || [[ $? == 1 ]] || return 1
    jq -e "$2" <<<"$json" >/dev/null
}
sees() { asks "$1" "[.sites[] | select(.state == \"here\" or .state == \"online\")] | length == $2"; }
has_collection() { asks "$1" '.collections | length == 1'; }
is_in_sync() { asks "$1" '.collections[0].in_sync'; }

init() { # NAME ADDRESS ARGUMENT...
    local name=$1 address=$2
    shift 2
    site_ctl "$name" --quiet init --site "$name" --listen "$(site_listen "$name")" \
        --advertise "$address" "$@"
}

invite() { site_ctl "$1" site invite "$2" >"$work/$2.code"; }

address_of() { # NAME USES_LINES
    if $2; then
        site_address "$1"
    else
        site_listen "$1"
    fi
}

begin_group() { # FOLDER USES_LINES NAME...
    local folder=$1 uses_lines=$2 first=$3 name
    shift 2
    mkdir "$work/$folder"
    site_port=() site_relay_port=() site_pid=()
    sites_begin "$work/$folder" "$syncd" "$syncctl" "$@"
    for name in "$@"; do
        ! $uses_lines || line_start "$name" "${site_relay_port[$name]}" "${site_port[$name]}" \
            "rate $rate" "delay $delay_ms"
    done
    init "$first" "$(address_of "$first" "$uses_lines")" --group many
    site_start "$first"
    shift
    for name in "$@"; do
        until_ok invite "$first" "$name"
        init "$name" "$(address_of "$name" "$uses_lines")" --join "$(cat "$work/$name.code")"
        site_start "$name"
    done
    for name in "$first" "$@"; do
        until_ok sees "$name" $(($# + 1))
    done
    site_ctl "$first" --quiet collection create people
    for name in "$@"; do
        until_ok has_collection "$name"
    done
}

# [connections, bytes and packets of them] of a daemon; a connection to its own port is one, too.
sockets() {
    ss -Htnpi state established | awk -v pid="pid=$1," '
        index($0, pid) { mine = 1; count++; next }
        /^[^[:space:]]/ { mine = 0 }
        mine {
            for (i = 1; i <= NF; i++) {
                split($i, part, ":")
                if (part[1] == "bytes_sent" || part[1] == "bytes_received") bytes += part[2]
                if (part[1] == "segs_out" || part[1] == "segs_in") packets += part[2]
            }
        }
        END { printf "[%d, %d, %d]\n", count, bytes, packets }'
}

figure_links() {
    local name all='[]' count
    sleep 90
    for name in "${names[@]}"; do
        count=$(sockets "${site_pid[$name]}" | jq '.[0]')
        all=$(jq -c ". + [$count]" <<<"$all")
    done
    note links "$(jq -c '{wanted: 4, all: (add / 2), most: max, middle: (sort | .[length / 2 | floor])}' <<<"$all")"
}

figure_status() {
    local start times=() i
    for ((i = 0; i < 20; i++)); do
        start=$(now_ms)
        site_ctl "${names[1]}" --json status >/dev/null || [[ $? == 1 ]]
        times+=($(($(now_ms) - start)))
    done
    note status_ms "{\"wanted\": 200, \"is\": $(median "${times[@]}")}"
}

# Those that neither end needs are gone by then: one that ended in between would take its bytes along.
figure_idle() {
    sleep 100
    local before after pid=${site_pid[${names[2]}]}
    before=$(sockets "$pid")
    sleep "$idle_s"
    after=$(sockets "$pid")
    note idle_bytes_a_day "$(jq -nc --argjson a "$before" --argjson b "$after" --argjson s "$idle_s" \
        '{wanted: 1000000, is: ((($b[1] - $a[1]) + 52 * ($b[2] - $a[2])) / $b[0] * 86400 / $s | floor),
          connections: $b[0]}')"
}

figure_away() {
    local away=() there=() name i start
    for ((i = 0; i < ${#names[@]}; i++)); do
        if ((i % 10 >= 7)); then away+=("${names[i]}"); else there+=("${names[i]}"); fi
    done
    for name in "${away[@]}"; do site_kill "$name"; done
    for ((i = 0; i < 3; i++)); do
        local from=$((i * writes / 3)) to=$(((i + 1) * writes / 3))
        (for ((n = from; n < to; n++)); do
            site_ctl "${there[i + 1]}" --quiet record put people "k$n" n="$n"
        done) &
    done
    wait
    for name in "${away[@]}"; do site_start "$name"; done
    start=$(now_ms)
    until_ok is_in_sync "${away[-1]}"
    for name in "${names[@]}"; do until_ok is_in_sync "$name"; done
    local took=$(($(now_ms) - start)) identical=false
    ! site_ctl "${names[0]}" verify --timeout 60 >/dev/null || identical=true
    note away "{\"writes\": $writes, \"away\": ${#away[@]}, \"wanted_ms\": 15000, \"equal_after_ms\": $took, \"identical\": $identical}"
}

# Each at another site in turn.
figure_live() {
    local name folders=() all
    for name in "${names[@]}"; do folders+=("$(site_state "$name")"); done
    sleep 75 # connections that are not needed are gone by then
    all=$(python3 "$here/spread.py" people "$puts" "${folders[@]}")
    note live_ms "$(jq -c '.ask_ms as $ask | .put_ms as $put | .ms | sort |
        {wanted: {p50: 150, p99: 600}, p50: .[length / 2 | floor], p99: .[length * 99 / 100 | floor], put_ms: $put,
         ask_ms: $ask}' <<<"$all")"
}

names=()
if wants links || wants status || wants idle || wants away; then
    for ((i = 1; i <= sites; i++)); do names+=("s$i"); done
    begin_group many false "${names[@]}"
    for step in links status idle away; do
        ! wants $step || figure_$step
    done
    sites_end
fi
if wants live; then
    names=()
    for ((i = 1; i <= live_sites; i++)); do names+=("s$i"); done
    begin_group live true "${names[@]}"
    figure_live
fi
jq -s --argjson sites "$sites" --arg version "$("$syncd" --version)" \
    'add + {sites: $sites, version: $version}' "$work/notes"
