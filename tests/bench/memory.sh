#!/bin/bash
# The memory of its own (RssAnon) that syncd takes for 400,000 small files beside an index of
# 1,000,000 chunks, and whether that fits into a cgroup of 96 MiB; one JSON document.
#
#   tests/bench/memory.sh BUILD [--scale PERCENT] [--limit MIB] [--keep]
#
# RssAnon is read from /proc every few milliseconds; the highest value counts. The cgroup (of
# version 2 or 1, made for this run: that takes root) holds the daemon with its page cache.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=cgroup.sh
source "$(dirname "$0")/cgroup.sh"

build=$1 scale=100 limit_mib=96
shift
while (($# > 0)); do
    case $1 in
    --scale) scale=$2 && shift 2 ;;
    --limit) limit_mib=$2 && shift 2 ;;
    --keep) bench_keep=true && shift ;;
    *) echo "memory.sh: $1?" >&2 && exit 64 ;;
    esac
done
bench_begin "$build"

finish() {
    bench_end
    cgroup_end
}
trap finish EXIT

in_group() {
    [[ -z $cgroup ]] || echo $BASHPID >"$cgroup/cgroup.procs"
    exec "$@"
}

# --- what the daemon takes ---

rss_anon_kib() {
    local key value rest
    while read -r key value rest; do
        [[ $key == RssAnon: ]] && echo "$value" && return
    done <"/proc/$bench_pid/status"
}

# highest COMMAND...: the highest RssAnon while it runs, in KiB
highest() {
    local value most=0 job
    "$@" >"$work/out" 2>&1 &
    job=$!
    while kill -0 "$job" 2>/dev/null; do
        value=$(rss_anon_kib) || break
        ((value > most)) && most=$value
        read -rt 0.02 <> <(:) || true
    done
    wait "$job" || { cat "$work/out" >&2 && return 1; }
    echo "$most"
}

prepare() {
    mkdir "$work/seed" && echo seed >"$work/seed/file"
    bench_site "$work/state"
    bench_plan seed "$work/seed"
    bench_ctl backup run seed >/dev/null
    bench_stop
    "$fill_index" "$work/state/vault" $((10000 * scale)) >"$work/index.json"
    "$make_tree" "$work/tree" --small $((4000 * scale)) --medium 0 --large 0 --small-bytes 400 \
        >"$work/tree.json"
}

prepare
cgroup_make "quoin-bench-$$" "$limit_mib" || echo "only RssAnon is measured" >&2
bench_start "$work/state" in_group
bench_plan all "$work/tree"
ready=$(rss_anon_kib)
first=$(highest bench_ctl backup run all)
second=$(highest bench_ctl backup run all)
prune=$(highest bench_ctl backup prune)
verify=$(highest bench_ctl backup verify all)
restore=$(highest bench_ctl backup restore all --to "$work/restored")
diff -rq "$work/tree" "$work/restored$work/tree" >&2
jq -n --argjson index "$(cat "$work/index.json")" --argjson tree "$(cat "$work/tree.json")" \
    --argjson values "[$ready, $first, $second, $prune, $verify, $restore]" --arg kind "$cgroup_kind" \
    --argjson limit "$limit_mib" --argjson peak "$(cgroup_peak "$cgroup")" \
    '{what: "memory", index: $index, tree: $tree,
      rss_anon_kib: ([["ready", "first", "second", "prune", "verify", "restore"], $values] |
                     transpose | map({key: .[0], value: .[1]}) | from_entries),
      at_most_kib: 65536, is_met: ($values | max <= 65536),
      cgroup: {version: $kind, limit_mib: $limit, completed: ($kind != "none"), peak_bytes: $peak}}'
