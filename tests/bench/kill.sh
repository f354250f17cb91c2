#!/bin/bash
# kill -9 at random moments of a backup, a prune (of syncd) and a restore (of syncctl), again and
# again; one JSON document.
#
#   tests/bench/kill.sh BUILD [--rounds N] [--seed N] [--keep]
#
# After each kill the daemon is started again and asked for the backups it has: that is measured, and
# must take a second at most. No snapshot may be gone, and all that is stored must be whole. A restore
# that was killed is told to go on, and compared with the tree. Nothing is ever unlocked by hand.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

build=$1 rounds=100
RANDOM=1
shift
while (($# > 0)); do
    case $1 in
    --rounds) rounds=$2 && shift 2 ;;
    --seed) RANDOM=$2 && shift 2 ;;
    --keep) bench_keep=true && shift ;;
    *) echo "kill.sh: $1?" >&2 && exit 64 ;;
    esac
done
bench_begin "$build"
tree=$work/tree opened_ms_max=0
declare -A killed=([backup]=0 [prune]=0 [restore]=0) ended=([backup]=0 [prune]=0 [restore]=0)

fail() { echo "kill.sh: $*" >&2 && exit 1; }

change() {
    local i
    for ((i = 0; i < 5; i++)); do
        head -c $((RANDOM * 8)) /dev/urandom >"$tree/small-000/new $((RANDOM % 50)).dat"
    done
}

snapshots() { bench_ctl backup list all --json | jq -r '.[].id' | sort; }

# The moment is drawn so that most runs are still under way.
a_moment() { sleep "0.$(printf '%03d' $((RANDOM % $1)))"; }

# kill_it WHAT JOB VICTIM: kills the victim if the job has not ended yet
kill_it() {
    local what=$1 job=$2 victim=$3
    if kill -0 "$job" 2>/dev/null; then
        kill -9 "$victim"
        killed[$what]=$((${killed[$what]} + 1))
    else
        ended[$what]=$((${ended[$what]} + 1))
    fi
    wait "$job" 2>/dev/null || true
}

start_again() {
    local begun ms
    kill -9 "$bench_pid" 2>/dev/null || true
    wait "$bench_pid" 2>/dev/null || true
    bench_start "$work/state"
    begun=$(date +%s%3N)
    snapshots >"$work/after"
    ms=$(($(date +%s%3N) - begun))
    ((ms > opened_ms_max)) && opened_ms_max=$ms
    return 0
}

in_daemon() { # WHAT MS COMMAND...: the daemon is killed while it does that
    local what=$1 ms=$2 job
    shift 2
    "$syncctl" --state "$work/state" --quiet "$@" >"$work/out" 2>&1 &
    job=$!
    a_moment "$ms"
    kill_it "$what" "$job" "$bench_pid"
    start_again
}

restore() {
    local job
    rm -rf "$work/restored"
    bench_ctl --quiet backup run all
    "$syncctl" --state "$work/state" --quiet backup restore all --to "$work/restored" \
        >"$work/out" 2>&1 &
    job=$!
    a_moment 150
    kill_it restore "$job" "$job"
    bench_ctl --quiet backup restore all --to "$work/restored" || fail "a restore does not go on"
    diff -r "$tree" "$work/restored$tree" >&2 || fail "what was restored differs"
    start_again
}

one_round() {
    snapshots >"$work/before"
    change
    case $((RANDOM % 3)) in
    0) in_daemon backup 400 backup run all ;;
    1) in_daemon prune 30 backup prune ;;
    2) restore ;;
    esac
    [[ -z $(comm -23 "$work/before" "$work/after") ]] || fail "a snapshot is gone"
    bench_ctl --quiet backup verify all --read-data >"$work/out" 2>&1 ||
        { cat "$work/out" >&2 && fail "round $1: what is stored is damaged"; }
}

"$make_tree" "$tree" --small 300 --medium 10 --large 0 >"$work/tree.json"
bench_site "$work/state"
bench_plan all "$tree"
bench_ctl --quiet backup run all
for ((round = 1; round <= rounds; round++)); do
    one_round "$round"
done
jq -n --argjson rounds "$rounds" --argjson ms "$opened_ms_max" \
    --argjson killed "[${killed[backup]}, ${killed[prune]}, ${killed[restore]}]" \
    --argjson ended "[${ended[backup]}, ${ended[prune]}, ${ended[restore]}]" '
    def named: {backup: .[0], prune: .[1], restore: .[2]};
    {what: "kill", rounds: $rounds, killed: ($killed | named), ended_before: ($ended | named),
     snapshots_lost: 0, opened_ms_max: $ms, at_most_ms: 1000, is_met: ($ms <= 1000)}'
