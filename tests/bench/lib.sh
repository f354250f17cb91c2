# shellcheck shell=bash
# What the measurements with the real daemon share; to be sourced.
#
#   bench_begin BUILD            programs, a folder for everything ($work) that goes at the end
#   bench_site STATE [PREFIX...] makes a site, and starts its daemon, by a command in front of it
#   bench_start STATE [PREFIX...], bench_stop
#   bench_ctl ARGUMENT...        syncctl at the site
#   bench_plan NAME PATH         plans a backup that only starts when it is told to
#   median NUMBER...

# shellcheck source=../../tools/lib/sites.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib/sites.sh"

work='' bench_keep=false bench_state='' bench_pid=''
syncd='' syncctl='' make_tree='' fill_index=''

bench_program() { find "$1" -type f -name "$2" -perm -u+x | head -n 1; }

bench_begin() {
    syncd=$(bench_program "$1" syncd) syncctl=$(bench_program "$1" syncctl)
    make_tree=$(bench_program "$1" make_tree) fill_index=$(bench_program "$1" fill_index)
    [[ -x $syncd && -x $syncctl && -x $make_tree && -x $fill_index ]] ||
        { echo "$1 is no build with tests" >&2 && exit 1; }
    work=$(mktemp -d "${TMPDIR:-/tmp}/quoin-bench.XXXXXX")
    trap bench_end EXIT
}

bench_end() {
    bench_stop
    $bench_keep && echo "kept: $work" >&2 && return
    rm -rf "$work"
}

bench_ctl() { "$syncctl" --state "$bench_state" "$@"; }

bench_start() {
    bench_state=$1
    shift
    : >"$work/syncd.log" # the daemon before was ready, too
    "$@" "$syncd" --state "$bench_state" >"$work/syncd.log" 2>&1 &
    bench_pid=$!
    timeout 20 sh -c "until grep -q 'syncd: ready' '$work/syncd.log'; do sleep 0.02; done" ||
        { cat "$work/syncd.log" >&2 && return 1; }
}

bench_site() {
    local port
    port=$(sites_free_port)
    "$syncctl" --state "$1" --quiet init --site bench --group bench --listen "127.0.0.1:$port"
    bench_start "$@"
}

# A site that has just been made is not a member of its own group at once.
bench_plan() {
    local i
    for ((i = 0; i < 200; i++)); do
        bench_ctl --quiet backup create "$1" --path "$2" --schedule manual 2>"$work/err" && return
        sleep 0.05
    done
    cat "$work/err" >&2 && return 1
}

bench_stop() {
    [[ -n $bench_pid ]] || return 0
    kill "$bench_pid" 2>/dev/null || true
    wait "$bench_pid" 2>/dev/null || true
    bench_pid=''
}

median() {
    printf '%s\n' "$@" | sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}
