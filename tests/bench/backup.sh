#!/bin/bash
# Backup, second backup, restore and verification of one seeded tree, by Quoin, restic and borg, one
# after the other on the same files. One line of JSON for each figure.
#
#   tests/bench/backup.sh BUILD [--rounds N] [--small N] [--medium N] [--large N] [--keep]
#
# Each program ends with the disk synced (syncfs) inside of its time. The page cache is warm.
set -euo pipefail
# shellcheck source=../../tools/lib/sites.sh
source "$(dirname "$0")/../../tools/lib/sites.sh"
build=$1 rounds=3 keep=false
shift
declare -a tree_options=()
while (($# > 0)); do
    case $1 in
    --rounds) rounds=$2 && shift 2 ;;
    --keep) keep=true && shift ;;
    *) tree_options+=("$1" "$2") && shift 2 ;;
    esac
done
bin() { find "$build" -type f -name "$1" -perm -u+x | head -n 1; }
syncd=$(bin syncd) syncctl=$(bin syncctl) make_tree=$(bin make_tree)
work=$(mktemp -d)
declare -a daemons=()
finish() {
    local pid
    for pid in "${daemons[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    $keep || rm -rf "$work"
}
trap finish EXIT
export RESTIC_PASSWORD=bench BORG_PASSPHRASE=bench BORG_BASE_DIR=$work/borg-base
export RESTIC_CACHE_DIR=$work/restic-cache BORG_RELOCATED_REPO_ACCESS_IS_OK=yes

now() { date +%s%N; }
# timed NAME WHAT COMMAND...: seconds, the disk synced
timed() {
    local name=$1 what=$2 start seconds
    shift 2
    start=$(now)
    "$@" >"$work/out" 2>"$work/err" || { cat "$work/out" "$work/err" >&2 && return 1; }
    sync -f "$work"
    seconds=$(awk -v n=$(($(now) - start)) 'BEGIN {printf "%.3f", n / 1e9}')
    echo "{\"program\": \"$name\", \"what\": \"$what\", \"seconds\": $seconds}"
}
size() { echo "{\"program\": \"$1\", \"what\": \"store\", \"bytes\": $(du -sb "$2" | cut -f1)}"; }

same() { # the restored tree is the saved one
    diff -r "$work/tree" "$1" >/dev/null || { echo "$1 differs from the tree" >&2 && return 1; }
}

quoin() {
    local state=$work/quoin-$1 pid port
    port=$(sites_free_port)
    "$syncctl" --state "$state" --quiet init --site bench --group bench --listen "127.0.0.1:$port"
    "$syncd" --state "$state" >"$work/syncd.log" 2>&1 &
    pid=$! && daemons+=("$pid")
    timeout 10 sh -c "until grep -q 'syncd: ready' '$work/syncd.log'; do sleep 0.05; done"
    "$syncctl" --state "$state" backup create all --path "$work/tree" --schedule manual
    timed quoin first "$syncctl" --state "$state" backup run all
    size quoin "$state/vault"
    timed quoin second "$syncctl" --state "$state" backup run all
    timed quoin restore "$syncctl" --state "$state" backup restore all --to "$work/restored"
    same "$work/restored$work/tree" && rm -rf "$work/restored"
    timed quoin verify "$syncctl" --state "$state" backup verify all --read-data
    kill "$pid"
    wait "$pid" || true
    daemons=()
    rm -rf "$state"
}

restic_() {
    local repo=$work/restic-$1
    restic -q -r "$repo" init --repository-version 2
    timed restic first restic -q -r "$repo" backup "$work/tree"
    size restic "$repo"
    timed restic second restic -q -r "$repo" backup "$work/tree"
    timed restic restore restic -q -r "$repo" restore latest --target "$work/restored"
    same "$work/restored$work/tree" && rm -rf "$work/restored"
    timed restic verify restic -q -r "$repo" check --read-data
    rm -rf "$repo" "$work/restic-cache"
}

borg_() {
    local repo=$work/borg-$1
    borg init -e repokey "$repo" 2>/dev/null
    timed borg first borg create --compression zstd,3 "$repo::one" "$work/tree"
    size borg "$repo"
    timed borg second borg create --compression zstd,3 "$repo::two" "$work/tree"
    mkdir "$work/restored"
    (cd "$work/restored" && timed borg restore borg extract "$repo::two")
    same "$work/restored$work/tree" && rm -rf "$work/restored"
    timed borg verify borg check --verify-data "$repo"
    rm -rf "$repo" "$work/borg-base"
}

echo "{\"restic\": \"$(restic version)\", \"borg\": \"$(borg --version)\", \"cores\": $(nproc)}"
"$make_tree" "$work/tree" "${tree_options[@]}"
for ((round = 1; round <= rounds; round++)); do
    quoin "$round"
    restic_ "$round"
    borg_ "$round"
done
