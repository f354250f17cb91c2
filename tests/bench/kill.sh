#!/bin/bash
# kill -9 at random moments of a backup, an upload and a prune (of syncd; of the holder's, too) and of a
# restore (of syncctl), again and again; one JSON document.
#
#   tests/bench/kill.sh BUILD [--rounds N] [--seed N] [--keep]
#
# After each kill the daemon is started again and asked for the backups it has: that is measured from
# its start, and must take a second at most. No snapshot may be gone, and all that is stored must be
# whole. A restore that was killed is told to go on, and compared with the tree. In the end the holder
# has every pack. Nothing is ever unlocked by hand.
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
tree=$work/tree opened_ms_max=0 holder_pid=''
trap 'kill -9 $holder_pid 2>/dev/null || true; bench_end' EXIT
kinds=(backup upload prune restore)
declare -A killed=([backup]=0 [upload]=0 [prune]=0 [restore]=0)
declare -A ended=([backup]=0 [upload]=0 [prune]=0 [restore]=0)
declare -A took_us=([backup]=100000 [upload]=300000 [prune]=50000 [restore]=100000)

fail() { echo "kill.sh: $*" >&2 && exit 1; }

change() {
    local i
    for ((i = 0; i < 5; i++)); do
        head -c $((RANDOM * 8)) /dev/urandom >"$tree/small-000/new $((RANDOM % 50)).dat"
    done
}

# The latest ones: KEPT are kept, and a round makes two at most.
kept=20
snapshots() {
    bench_ctl backup list all --json |
        jq -r --argjson count "$1" 'sort_by(.time) | .[-$count:] | .[].id' | sort
}

now_us() { echo "${EPOCHREALTIME//[.,]/}"; }

# A moment at which most runs are still under way: within the time that they took lately.
a_moment() {
    local us=$((RANDOM * ${took_us[$1]} / 32768))
    sleep "$((us / 1000000)).$(printf '%06d' $((us % 1000000)))"
}

# kill_it KIND JOB VICTIM: kills the victim if the job has not ended yet. How long runs take is learned
# from those that were over (shorter) and those that were not (longer).
kill_it() {
    local kind=$1 job=$2 victim=$3
    if kill -0 "$job" 2>/dev/null; then
        kill -9 "$victim"
        killed[$kind]=$((${killed[$kind]} + 1))
        took_us[$kind]=$((${took_us[$kind]} * 41 / 40))
    else
        ended[$kind]=$((${ended[$kind]} + 1))
        took_us[$kind]=$((${took_us[$kind]} * 9 / 10))
    fi
    wait "$job" 2>/dev/null || true
}

start_holder() {
    local i
    : >"$work/holder.log"
    "$syncd" --state "$work/holder" >"$work/holder.log" 2>&1 &
    holder_pid=$!
    for ((i = 0; i < 1000; i++)); do
        grep -q 'syncd: ready' "$work/holder.log" && return 0
        sleep 0.02
    done
    cat "$work/holder.log" >&2 && fail "the holder does not start"
}

make_holder() {
    local code port tries=0
    port=$(sites_free_port)
    until code=$(bench_ctl site invite holder 2>"$work/err"); do # not a member of its own group yet
        ((++tries < 200)) || fail "$(cat "$work/err")"
        sleep 0.05
    done
    "$syncctl" --state "$work/holder" --quiet init --site holder --join "$code" \
        --listen "127.0.0.1:$port" --advertise "127.0.0.1:$port"
    start_holder
    until bench_ctl --quiet backup create all --path "$tree" --schedule manual --copies holder \
        --keep "last $kept" 2>"$work/err"; do
        ((++tries < 200)) || fail "$(cat "$work/err")"
        sleep 0.05
    done
}

start_again() {
    local begun ms
    kill -9 "$bench_pid" 2>/dev/null || true
    wait "$bench_pid" 2>/dev/null || true
    begun=$(now_us)
    bench_start "$work/state"
    snapshots "$kept" >"$work/after"
    ms=$((($(now_us) - begun) / 1000))
    ((ms > opened_ms_max)) && opened_ms_max=$ms
    return 0
}

in_background() {
    "$syncctl" --state "$work/state" --quiet --timeout 60 "$@" >"$work/out" 2>&1 &
    job=$!
}

in_daemon() { # KIND COMMAND...: the daemon is killed while it does that
    local kind=$1
    shift
    in_background "$@"
    a_moment "$kind"
    kill_it "$kind" "$job" "$bench_pid"
    start_again
}

# Whoever sends, or whoever keeps: one of them is killed.
upload() {
    in_background backup run all --wait
    a_moment upload
    if ((RANDOM % 2 == 0)); then
        kill_it upload "$job" "$bench_pid"
        start_again
        return
    fi
    if kill -0 "$job" 2>/dev/null; then
        kill -9 "$holder_pid"
        wait "$holder_pid" 2>/dev/null || true
        start_holder
        killed[upload]=$((killed[upload] + 1))
        wait "$job" || fail "a run that waits for its copies does not go on: $(cat "$work/out")"
    else
        ended[upload]=$((ended[upload] + 1))
        took_us[upload]=$((took_us[upload] * 9 / 10))
        wait "$job" || fail "$(cat "$work/out")"
    fi
    snapshots "$kept" >"$work/after"
}

restore() {
    rm -rf "$work/restored"
    bench_ctl --quiet backup run all
    in_background backup restore all --to "$work/restored"
    a_moment restore
    kill_it restore "$job" "$job"
    bench_ctl --quiet backup restore all --to "$work/restored" || fail "a restore does not go on"
    diff -r "$tree" "$work/restored$tree" >&2 || fail "what was restored differs"
    snapshots "$kept" >"$work/after"
}

check_whole() {
    local round=$1
    bench_ctl --json backup verify all --read-data >"$work/out" 2>"$work/err" || true
    jq -es '.[-1] | .event == "summary" and
        .bad_packs + .bad_chunks + .missing_chunks + .repaired + .elsewhere == 0' "$work/out" \
        >/dev/null 2>&1 || { cat "$work/out" "$work/err" >&2 && fail "round $round: what is stored is damaged"; }
}

one_round() {
    snapshots $((kept - 5)) >"$work/before"
    change
    case ${kinds[RANDOM % 4]} in
    backup) in_daemon backup backup run all ;;
    upload) upload ;;
    prune) in_daemon prune backup prune ;;
    restore) restore ;;
    esac
    [[ -z $(comm -23 "$work/before" "$work/after") ]] || fail "round $1: a snapshot is gone"
    check_whole "$1"
}

packs_below() { find "$1" -type f -path '*/??/*' -printf '%f %s\n' | sort; }

# What the owner has in packs, the holder has: soon, since after the last run packs are made anew.
check_held() {
    local tries=0
    bench_ctl --quiet backup run all --wait
    until [[ -z $(comm -23 <(packs_below "$work/state/vault/packs") \
        <(packs_below "$work/holder/held")) ]]; do
        ((++tries < 400)) || fail "the holder lacks packs"
        sleep 0.05
    done
    find "$work/holder/held" -type f -path '*/??/*' -exec sha256sum {} + | sed 's,  .*/, ,' |
        awk '$1 != $2 { exit 1 }' || fail "a held pack is not what its name says"
}

numbers() { # ARRAY: its numbers, in the order of kinds, as JSON
    local -n of=$1
    printf '[%s, %s, %s, %s]' "${of[backup]}" "${of[upload]}" "${of[prune]}" "${of[restore]}"
}

"$make_tree" "$tree" --small 300 --medium 4 --large 0 >"$work/tree.json"
bench_site "$work/state"
make_holder
bench_ctl --quiet backup run all --wait
started=$(now_us)
for ((round = 1; round <= rounds; round++)); do
    one_round "$round"
    ((round % 100 != 0)) || echo "$round rounds, opened within $opened_ms_max ms" >&2
done
round_ms=$((($(now_us) - started) / 1000 / rounds))
check_held
jq -n --argjson rounds "$rounds" --argjson ms "$opened_ms_max" --argjson round_ms "$round_ms" \
    --argjson killed "$(numbers killed)" --argjson ended "$(numbers ended)" '
    def named: {backup: .[0], upload: .[1], prune: .[2], restore: .[3]};
    {what: "kill", rounds: $rounds, killed: ($killed | named), ended_before: ($ended | named),
     snapshots_lost: 0, round_ms: $round_ms, opened_ms_max: $ms, at_most_ms: 1000,
     is_met: ($ms <= 1000)}'
