#!/bin/bash
# What copies of backups cost on a line: real daemons over a relay; one JSON document.
#
#   tests/bench/offsite.sh BUILD [--quick] [--alone] [--only STEP,...] [--keep]
#
# The steps, in this order; over 8 Mbit/s with 60 ms of round trip, unless said otherwise:
# use         how much of the line an upload uses: bytes of the packs (of restic's and borg's: of the
#             store) by what the line carries in the time; `use` from the first byte of the second
#             connection until the copy is complete, `use_of_command` from the start of the command
#             to its end, with the reading and cutting of the files; `at` are seconds since that start
# live        during an upload: how long at most what the first connection sends waits for its turn;
#             and how long a record takes from being put here to being read there, before and during
# unchanged   bytes of a backup in which nothing changed, until the copy is complete: with the
#             bulk connection closed, as at night, and with the one that stands
# forget      bytes and seconds of a run of the keep rules with its pruning, of some files and of most
# proof       bytes of one verification of the holder's copy, per GB (the line is fast for that); it
#             follows the first upload, so those of the second connection, which is up then
# cut         bytes of an upload over 2 Mbit/s that is cut every 30 s, by what it was without
# others      `use` (of the whole command) and `unchanged` of restic and borg
#
# Bytes are those of TCP, with TLS, of both directions and all connections, counted at the relay;
# for `cut` of the direction to the holder. restic (sftp) and borg go over an sshd of their own
# through a relay alike; --alone leaves them out. --quick is for seeing that it works: with little data
# start and end weigh too much for `use` and `proof` to be met. It takes 6 minutes,
# most of them waits until an idle second connection is closed and uploads over the slow line. Every wait
# has an end: what is not in time ends the script with its name.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=lib.sh
source "$here/lib.sh"
# shellcheck source=../support/line.sh
source "$here/../support/line.sh"

build=$1 is_quick=false steps=proof,unchanged,forget,use,live,cut,others
shift
while (($# > 0)); do
    case $1 in
    --quick) is_quick=true && shift ;;
    --alone) steps=${steps%,others} && shift ;;
    --only) steps=$2 && shift 2 ;;
    --keep) bench_keep=true && shift ;;
    *) echo "offsite.sh: $1?" >&2 && exit 64 ;;
    esac
done
readonly line_rate=1000000 slow_rate=250000 delay_ms=30
readonly wait_max=90 others_max=1200
rate=0 # of the line, now
upload_mb=128 big_mb=1024 whole_mb=32 cut_mb=32 puts=100
if $is_quick; then
    upload_mb=8 big_mb=64 whole_mb=2 cut_mb=10 puts=5
fi

bench_begin "$build"
relay=$(bench_program "$build" relay) line_folder=$work sshd_pid=''
[[ -x $relay ]]
# By itself: a folder above it in which something is made has changed, and that is saved.
tree=$(mktemp -d /var/tmp/quoin-bench.XXXXXX)
end() {
    sites_end
    lines_end
    [[ -z $sshd_pid ]] || kill "$sshd_pid" || true
    rm -rf "$tree"
    bench_end
}
trap end EXIT

note() { # WHAT JSON
    jq -nc --arg what "$1" --argjson value "$2" '{($what): $value}' >>"$work/notes"
    echo "$1 $2" >&2
}

until_ok() { # SECONDS COMMAND...
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || { echo "not in time: $*" >&2 && return 1; }
        sleep 0.02
    done
}

now() { date +%s%N; }
seconds() { awk -v n=$(($2 - $1)) 'BEGIN {printf "%.3f", n / 1e9}'; }

# --- two sites; the owner reaches the holder over the line, the holder cannot dial the owner ---

ctl() { # SITE ARGUMENT...
    local name=$1
    shift
    timeout "$wait_max" "$syncctl" --state "$(site_state "$name")" "$@"
}

is_online() { ctl "$1" --json status | jq -e '[.sites[] | select(.state == "online")] | length == 1'; }

is_lent() { ctl holder --json backup holder list | jq -e '.[0].state == "accepted"'; }

make_sites() {
    sites_folder=$work sites_syncd=$syncd sites_syncctl=$syncctl
    site_port[holder]=$(sites_free_port)
    site_port[owner]=$(sites_free_port)
    site_relay_port[holder]=$(sites_free_port)
    line_start line "${site_relay_port[holder]}" "${site_port[holder]}" "delay $delay_ms"
    ctl holder --quiet init --site holder --group lot --listen "$(site_listen holder)" \
        --advertise "$(site_address holder)"
    site_start holder
    until_ok 20 ctl holder site invite owner
    ctl owner --quiet init --site owner --join "$(ctl holder site invite owner)" \
        --listen "$(site_listen owner)" --advertise 127.0.0.1:1
    site_start owner
    until_ok 30 is_online owner
    until_ok 30 is_online holder
    ctl owner --quiet collection create people
    until_ok 20 ctl owner --quiet backup create house --path "$tree" --copies holder --schedule manual
    until_ok 20 is_lent
}

new_data() { head -c "$(($2 * 1000000))" /dev/urandom >"$tree/$1"; }

pack_bytes() { find "$work/$1" -path '*/??/*' -type f -size +0 -name '*[0-9a-f]' -printf '%s\n' | awk '{s += $1} END {print s + 0}'; }
held_bytes() { pack_bytes "holder/held"; }

is_complete() {
    ctl owner --json backup list house | jq -e 'length > 0 and all(.[].copies[]; .complete)'
}

is_verified() {
    ctl owner --json status | jq -e '.backups[0].copies[0].verified_at != null'
}

# Nothing has moved for a second.
settle() {
    local before='' bytes deadline=$((SECONDS + wait_max))
    bytes=$(line_bytes line)
    while [[ $bytes != "$before" ]]; do
        ((SECONDS < deadline)) || { echo "not in time: a quiet line" >&2 && return 1; }
        before=$bytes
        sleep 1
        bytes=$(line_bytes line)
    done
}

has_one_connection() { [[ $(line_say line count | jq .open) == 1 ]]; }

set_rate() {
    rate=$1
    line_say line "rate $rate" >/dev/null
}

run() { # [MB]: that are new; it may take three times what they take
    local limit=$((wait_max + (rate == 0 ? 0 : 3000000 * ${1:-0} / rate)))
    timeout "$limit" "$syncctl" --state "$(site_state owner)" --quiet backup run house --wait >/dev/null ||
        { echo "backup run: $? within $limit s" >&2 && return 1; }
}

# --- figures ---

put_and_read() { # NUMBER: ms from the command to put until it can be read there
    local start
    start=$(now)
    ctl owner record put people "k$1" n="$1" >/dev/null
    timeout "$wait_max" sh -c 'until "$@" >/dev/null 2>&1; do :; done' sh \
        "$syncctl" --state "$(site_state holder)" record get people "k$1"
    echo $((($(now) - start) / 1000000))
}

live() { # FROM: a JSON array of ms
    local i
    for ((i = $1; i < $1 + puts; i++)); do
        put_and_read "$i"
        sleep 0.2
    done | jq -sc sort
}

# Counts of the line, by the time in ns, until an upload is over.
sample() { # PID FILE
    while kill -0 "$1" 2>/dev/null; do
        echo "$(now) $(line_say line per-connection)"
        sleep 0.05
    done >"$2"
}

# Of the last connection, which is the one that the packs took: when its first byte went, when so many
# had, as seconds since START.
moments() { # START FILE BYTES
    jq -Rnc --argjson start "$1" --argjson bytes "$3" '
        [inputs | split(" ") as [$at] | {at: ((($at | tonumber) - $start) / 1e9 * 1000 | round / 1000),
            out: (.[($at | length):] | fromjson)}] as $all |
        ($all[0].out | length) as $old | [$all[] | {at, out: (.out[$old:] | map(.out) | add // 0)}] as $all |
        def after($n): first($all[] | select(.out > $n) | .at) // null;
        {first_byte: after(0), tenth: after($bytes / 10), nine_tenths: after($bytes * 9 / 10),
         last_byte: after($bytes)}' "$2"
}

figure_use() {
    local held start end bytes runner
    until_ok 120 has_one_connection
    new_data first "$upload_mb"
    held=$(held_bytes)
    start=$(now)
    run "$upload_mb" &
    runner=$!
    sample "$runner" "$work/samples"
    wait "$runner"
    end=$(now)
    bytes=$(($(held_bytes) - held))
    note use "$(jq -nc --argjson bytes "$bytes" --argjson s "$(seconds "$start" "$end")" --argjson rate "$rate" \
        --argjson at "$(moments "$start" "$work/samples" "$bytes")" '
        def part($s): $bytes / $s / $rate * 1000 | round / 1000;
        {quoin: {bytes: $bytes, s: $s, use: part($s - $at.first_byte), use_of_command: part($s), at: $at}}')"
}

figure_live() {
    local quiet busy runner waited
    quiet=$(live 0)
    new_data second "$upload_mb"
    run "$upload_mb" &
    runner=$!
    line_say line waits >/dev/null
    busy=$(live 1000)
    kill -0 "$runner" 2>/dev/null || echo "the upload ended before the records were put" >&2
    waited=$(line_say line waits | jq '.[1]') # it is the one after the guest's
    wait "$runner"
    note live "$(jq -nc --argjson quiet "$quiet" --argjson busy "$busy" --argjson waited "$waited" '
        def median: .[length / 2 | floor];
        {waited_ms: {mean: ($waited.mean_us / 1000 | round), most: ($waited.most_us / 1000 | round)},
         quiet_ms: $quiet, busy_ms: $busy, median_more_ms: (($busy | median) - ($quiet | median))}')"
}

cost_of_run() {
    local before start
    settle
    before=$(line_bytes line)
    start=$(now)
    run
    printf '{"s": %s, ' "$(seconds "$start" "$(now)")"
    settle
    printf '"bytes": %s, "line": %s}' $(($(line_bytes line) - before)) "$(line_say line per-connection)"
}

figure_unchanged() {
    run # what was new is in the one before
    until_ok 120 has_one_connection
    local closed
    closed=$(cost_of_run)
    note unchanged "{\"closed\": $closed, \"open\": $(cost_of_run)}"
}

# A run of the keep rules with its pruning: what it sends until the line is quiet, what it takes until
# it is done here.
cost_of_forgetting() {
    local before start end
    until_ok 120 has_one_connection
    settle
    before=$(line_bytes line)
    start=$(now)
    ctl owner --quiet backup change house --keep 'last 1'
    ctl owner --quiet backup forget house >/dev/null
    ctl owner --quiet backup prune >/dev/null
    end=$(now)
    settle
    jq -nc --argjson s "$(seconds "$start" "$end")" --argjson bytes $(($(line_bytes line) - before)) \
        --argjson snapshots "$(ctl owner --json backup list house | jq length)" \
        '{s: $s, bytes: $bytes, snapshots: $snapshots}'
}

# All but the last snapshot go: first files went between them; then nearly everything, so that what is
# left of the first packs is packed anew and sent.
figure_forget() {
    local some
    if [[ ! -e $tree/big ]]; then
        new_data big "$big_mb"
        set_rate 0
        run
        set_rate "$line_rate"
    fi
    new_data passing 2
    run 2
    rm "$tree/passing"
    run
    some=$(cost_of_forgetting)
    ctl owner --quiet backup change house --keep 'last 9' # or the run itself would be followed by it
    rm -f "$tree/big"
    run
    note forget "{\"some\": $some, \"nearly_all\": $(cost_of_forgetting)}"
}

# Of the second connection, which is up after an upload: without the beacons of a longer wait.
bulk_bytes() { line_say line per-connection | jq '.[2:] | map(.in + .out) | add'; }

figure_proof() {
    new_data big "$big_mb"
    set_rate 0
    run
    local before size start
    before=$(bulk_bytes)
    size=$(held_bytes)
    start=$(now)
    until_ok 300 is_verified
    settle
    set_rate "$line_rate"
    note proof "$(jq -nc --argjson bytes $(($(bulk_bytes) - before)) --argjson held "$size" \
        --argjson s "$(seconds "$start" "$(now)")" \
        '{bytes: $bytes, held: $held, s: $s, per_gb: ($bytes / $held * 1e9 | round)}')"
}

upload_out() { # NAME MB: bytes to the holder, of an upload that was begun with the line cut
    local before held
    new_data "$1" "$2"
    settle
    before=$(line_say line count | jq .out)
    held=$(held_bytes)
    run "$2"
    jq -nc --argjson out $(($(line_say line count | jq .out) - before)) --argjson held $(($(held_bytes) - held)) \
        '{out: $out, held: $held}'
}

figure_cut() {
    local whole broken cuts
    set_rate "$slow_rate"
    whole=$(upload_out whole "$whole_mb")
    cuts=$(line_say line count | jq .cuts)
    line_say line "cut-every 30000" >/dev/null
    broken=$(upload_out broken "$cut_mb")
    line_say line "cut-every 0" >/dev/null
    cuts=$(($(line_say line count | jq .cuts) - cuts))
    note cut "$(jq -nc --argjson whole "$whole" --argjson broken "$broken" --argjson cuts "$cuts" '
        ($whole.out / $whole.held) as $usual |
        {whole: $whole, broken: $broken, cuts: $cuts,
         wasted: (($broken.out / $broken.held - $usual) / $usual * 10000 | round / 10000),
         beyond_packs: (($broken.out / $broken.held - 1) * 10000 | round / 10000)}')"
}

# --- restic and borg ---

others_begin() {
    local port
    port=$(sites_free_port)
    ssh_port=$(sites_free_port)
    ssh-keygen -q -t ed25519 -N '' -f "$work/key"
    ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
    mkdir -p /run/sshd 2>/dev/null || true
    "$(command -v sshd || echo /usr/sbin/sshd)" -D -e -f /dev/null -p "$port" -h "$work/host_key" \
        -o ListenAddress=127.0.0.1 -o AuthorizedKeysFile="$work/key.pub" -o StrictModes=no \
        -o PidFile=none -o Subsystem='sftp internal-sftp' >"$work/sshd.log" 2>&1 &
    sshd_pid=$!
    line_start ssh "$ssh_port" "$port" "delay $delay_ms" "rate $line_rate"
    ssh="ssh -q -i $work/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p $ssh_port"
    # shellcheck disable=SC2086 # words of a command
    until_ok 20 $ssh 127.0.0.1 true
}

restic_() { timeout "$others_max" restic -q -r "sftp:127.0.0.1:$work/restic" -o sftp.command="$ssh 127.0.0.1 -s sftp" "$@"; }
borg_() { BORG_RSH=$ssh timeout "$others_max" borg "$@"; }

store_bytes() { du -sb --apparent-size "$work/$1" | cut -f1; }

other() { # PROGRAM COMMAND...: how it uses the line; what it did not need stays
    local name=$1 before start took
    shift
    before=$(store_bytes "$name")
    start=$(now)
    "$@"
    took=$(seconds "$start" "$(now)")
    note use "$(jq -nc --arg name "$name" --argjson bytes $(($(store_bytes "$name") - before)) \
        --argjson s "$took" --argjson rate "$line_rate" \
        '{($name): {bytes: $bytes, s: $s, use: ($bytes / $s / $rate * 1000 | round / 1000)}}')"
}

other_unchanged() { # PROGRAM COMMAND...
    local name=$1 before start
    shift
    before=$(line_bytes ssh)
    start=$(now)
    "$@"
    note "unchanged_$name" "{\"s\": $(seconds "$start" "$(now)"), \"bytes\": $(($(line_bytes ssh) - before))}"
}

figure_others() {
    export RESTIC_PASSWORD=bench BORG_PASSPHRASE=bench BORG_BASE_DIR=$work/borg-base
    export RESTIC_CACHE_DIR=$work/restic-cache BORG_RELOCATED_REPO_ACCESS_IS_OK=yes
    [[ -e $tree/first ]] || new_data first "$upload_mb"
    others_begin
    restic_ init >/dev/null
    other restic restic_ backup "$tree/first"
    other_unchanged restic restic_ backup "$tree/first"
    borg_ init -e repokey "ssh://127.0.0.1:$ssh_port$work/borg" 2>/dev/null
    other borg borg_ create "ssh://127.0.0.1:$ssh_port$work/borg::one" "$tree/first"
    other_unchanged borg borg_ create "ssh://127.0.0.1:$ssh_port$work/borg::two" "$tree/first"
}

document() {
    jq -s --arg quoin "$("$syncd" --version)" --arg restic "$(restic version 2>/dev/null || true)" \
        --arg borg "$(borg --version 2>/dev/null || true)" '
        (reduce .[] as $note ({}; . * $note)) as $all |
        {versions: {quoin: $quoin, restic: $restic, borg: $borg}, figures: $all, met: {
            use: ($all.use.quoin.use >= 0.96), live: ($all.live.waited_ms.most <= 100),
            unchanged: ($all.unchanged.closed.bytes <= 2048 and $all.unchanged.open.bytes <= 2048),
            forget: ($all.forget.some.bytes <= 4096 and $all.forget.some.s <= 1),
            proof: ($all.proof.bytes > 0 and $all.proof.per_gb <= 1024), cut: ($all.cut.wasted <= 0.02)}
            | with_entries(select($all[.key] != null))}' "$work/notes"
}

make_sites
set_rate "$line_rate"
for step in ${steps//,/ }; do
    echo "$step ..." >&2
    "figure_$step"
done
document
