#!/bin/bash
# Backups by Quoin, restic and borg of the same seeded trees, in the same run; one JSON document.
#
#   tests/bench/backup.sh BUILD [--rounds N] [--scale PERCENT] [--memory] [--keep]
#
# first     first backup of 1 GiB: 20,000 small files, 200 medium ones, 2 of 150 MiB
# second    another one of the same, with nothing changed
# rescan    the same of 100,000 small files (Quoin and restic)
# restore   everything into an empty folder; it is compared with the tree
# verify    everything that is stored is read, opened and checked
# store     bytes of the folder that holds the backup after the first one
# memory    with --memory: see memory.sh
#
# In each round every program takes its turn, another one first each time. Before each measurement
# the tree (for restore and verify: the store) is read once, so that the page cache has it, and
# what is dirty is written. A time ends after a syncfs. Times are in seconds, the median is what
# counts; ratio is the fastest other program's median by Quoin's. The same of CPU times, which a
# busy machine spoils less, is there too (cpu_ratio).
#
# Compression: zstd level 3 with Quoin and borg; restic's "auto", which is its default and about that.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

build=$1 rounds=3 scale=100 memory=false restores=0
shift
while (($# > 0)); do
    case $1 in
    --rounds) rounds=$2 && shift 2 ;;
    --scale) scale=$2 && shift 2 ;;
    --memory) memory=true && shift ;;
    --keep) bench_keep=true && shift ;;
    *) echo "backup.sh: $1?" >&2 && exit 64 ;;
    esac
done
bench_begin "$build"
export RESTIC_PASSWORD=bench BORG_PASSPHRASE=bench BORG_BASE_DIR=$work/borg-base
export RESTIC_CACHE_DIR=$work/restic-cache
export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_RELOCATED_REPO_ACCESS_IS_OK=yes
tree=$work/mixed restored=$work/restored.0

warm() { find "$1" -type f -exec cat {} + >/dev/null; }

note() { # PROGRAM WHAT NUMBER [CPU]
    echo "{\"program\": \"$1\", \"what\": \"$2\", \"value\": $3, \"cpu\": ${4:-null}}" >>"$work/notes"
    echo "$*" >&2
}

# Sets cpu: CPU time so far in seconds, of programs that have ended and of the daemon. In this shell:
# another one has not waited for them.
count_cpu() {
    local ticks=0
    [[ -z $bench_pid ]] || ticks=$(awk '{print $14 + $15}' "/proc/$bench_pid/stat")
    times >"$work/times"
    cpu=$(tr 'ms' '  ' <"$work/times" | awk -v ticks="$ticks" -v hz="$(getconf CLK_TCK)" \
        'NR == 2 {printf "%.2f", $1 * 60 + $2 + $3 * 60 + $4 + ticks / hz}')
}

# timed PROGRAM WHAT READ COMMAND...: seconds until the disk has everything; READ is warmed before
timed() {
    local program=$1 what=$2 start end cpu cpu_before
    warm "$3"
    shift 3
    sync -f "$work"
    count_cpu
    cpu_before=$cpu
    start=$(date +%s%N)
    "$@" >"$work/out" 2>"$work/err" || { cat "$work/out" "$work/err" >&2 && return 1; }
    sync -f "$work"
    end=$(date +%s%N)
    count_cpu
    cpu=$(awk -v before="$cpu_before" -v after="$cpu" 'BEGIN {printf "%.2f", after - before}')
    note "$program" "$what" "$(awk -v n=$((end - start)) 'BEGIN {printf "%.3f", n / 1e9}')" "$cpu"
}

size() { note "$1" store "$(du -sb "$2" | cut -f1)"; }

# The restored tree is the saved one. It stays till the end: ext4 without a journal does not use an
# inode anew for minutes, and looks through all that went lately each time that a file is made.
same() {
    diff -r "$tree" "$1" >/dev/null || { echo "$1 differs from the tree" >&2 && return 1; }
    restored=$work/restored.$((++restores))
}

quoin() {
    local state=$work/quoin
    bench_site "$state"
    bench_plan all "$tree"
    timed quoin first "$tree" bench_ctl backup run all
    size quoin "$state/vault"
    timed quoin second "$tree" bench_ctl backup run all
    timed quoin restore "$state/vault" bench_ctl backup restore all --to "$restored"
    same "$restored$tree"
    timed quoin verify "$state/vault" bench_ctl backup verify all --read-data
    bench_stop
    rm -rf "$state"
}

restic_() {
    local repo=$work/restic
    restic -q -r "$repo" init --repository-version 2
    timed restic first "$tree" restic -q -r "$repo" backup "$tree"
    size restic "$repo"
    timed restic second "$tree" restic -q -r "$repo" backup "$tree"
    timed restic restore "$repo" restic -q -r "$repo" restore latest --target "$restored"
    same "$restored$tree"
    timed restic verify "$repo" restic -q -r "$repo" check --read-data
    rm -rf "$repo" "$RESTIC_CACHE_DIR"
}

borg_extract() { (cd "$restored" && borg extract "$1"); }

borg_() {
    local repo=$work/borg
    borg init -e repokey "$repo" 2>/dev/null
    timed borg first "$tree" borg create --compression zstd,3 "$repo::one" "$tree"
    size borg "$repo"
    timed borg second "$tree" borg create --compression zstd,3 "$repo::two" "$tree"
    mkdir "$restored"
    timed borg restore "$repo" borg_extract "$repo::two"
    same "$restored$tree"
    timed borg verify "$repo" borg check --verify-data "$repo"
    rm -rf "$repo" "$BORG_BASE_DIR"
}

# Runs over the tree of small files; the first one is not measured.
quoin_rescan() {
    bench_site "$work/quoin"
    bench_plan all "$work/small"
    bench_ctl backup run all >/dev/null
    for ((i = 0; i < rounds; i++)); do
        timed quoin rescan "$work/small" bench_ctl backup run all
    done
    bench_stop
    rm -rf "$work/quoin"
}

restic_rescan() {
    restic -q -r "$work/restic" init --repository-version 2
    restic -q -r "$work/restic" backup "$work/small"
    for ((i = 0; i < rounds; i++)); do
        timed restic rescan "$work/small" restic -q -r "$work/restic" backup "$work/small"
    done
    rm -rf "$work/restic" "$RESTIC_CACHE_DIR"
}

# --- the document ---

machine() {
    jq -n --arg cpu "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
        --arg kernel "$(uname -r)" --arg fs "$(stat -f -c %T "$work")" --argjson cores "$(nproc)" \
        '{cpu: $cpu, cores: $cores, kernel: $kernel, file_system: $fs}'
}

versions() {
    jq -n --arg quoin "$("$syncd" --version)" --arg restic "$(restic version)" \
        --arg borg "$(borg --version)" '{quoin: $quoin, restic: $restic, borg: $borg}'
}

# What the notes say, per row: all values, medians, the ratio, what it should be.
document() {
    jq -s --argjson machine "$(machine)" --argjson versions "$(versions)" \
        --argjson mixed "$(cat "$work/mixed.json")" --argjson small "$(cat "$work/small.json")" \
        --argjson memory "$1" --argjson rounds "$rounds" '
        def median: sort | .[((length - 1) / 2) | floor];
        def values($what): map(select(.what == $what)) | group_by(.program) |
            map({key: .[0].program, value: map(.value)}) | from_entries;
        def cpu($what): map(select(.what == $what)) | group_by(.program) |
            map({key: .[0].program, value: (map(.cpu) | median)}) | from_entries;
        def by_best($others): . as $m | ([$m[$others[]] | values] | min) / ([$m.quoin, 0.01] | max);
        def row($what; $goal; $others):
            cpu($what) as $cpu | values($what) | . as $all | map_values(median) | . as $m |
            by_best($others) as $ratio |
            {what: $what, values: $all, median: $m, ratio: ($ratio * 100 | round / 100),
             at_least: $goal, is_met: ($ratio >= $goal),
             cpu_median: $cpu, cpu_ratio: ($cpu | by_best($others) * 100 | round / 100)};
        values("store") as $store | values("rescan") as $rescan | ["restic", "borg"] as $both |
        {machine: $machine, versions: $versions, rounds: $rounds,
         trees: {mixed: $mixed, small: $small},
         rows: [row("first"; 2; $both), row("second"; 4; ["restic"]), row("rescan"; 4; ["restic"]),
                row("restore"; 2; $both), row("verify"; 2; $both)],
         rescan: (($small.files / ($rescan.quoin | median) | round) |
                  {files_per_s: ., at_least: 80000, is_met: (. >= 80000)}),
         store: ($store | map_values(median) | . as $m |
                 {bytes: $m, by_restic: (($m.quoin / $m.restic * 1000 | round) / 1000),
                  at_most: 1.02, is_met: ($m.quoin <= $m.restic * 1.02)}),
         memory: $memory}' "$work/notes"
}

"$make_tree" "$tree" --small $((200 * scale)) --medium $((2 * scale)) \
    --large-mib $((150 * scale / 100)) >"$work/mixed.json"
programs=(quoin restic_ borg_)
for ((round = 0; round < rounds; round++)); do
    for ((turn = 0; turn < 3; turn++)); do
        "${programs[(round + turn) % 3]}"
    done
done
"$make_tree" "$work/small" --small $((1000 * scale)) --medium 0 --large 0 --small-bytes 2048 \
    >"$work/small.json"
quoin_rescan
restic_rescan
rm -rf "$tree" "$work/small"
figures=null
if $memory; then
    figures=$("$(dirname "$0")/memory.sh" "$build" --scale "$scale")
fi
document "$figures"
