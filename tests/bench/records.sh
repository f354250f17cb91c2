#!/bin/bash
# What records cost: real daemons on loopback, over a relay that counts; one JSON document.
#
#   tests/bench/records.sh BUILD [--only STEP,...] [--scale PERCENT] [--alone] [--keep]
#
# The steps, in this order; 1,000,000 records (--scale) of 8 fields, 300 bytes each, of make_records:
# row         what is stored of a record beside its values
# import      `record import` of nine tenths of them at one site, linked to a second one: records a second
#             until all are durable, memory of its daemon, what its tables take; and until the second has them
# puts        single durable puts there, one and 64 under way: linked to a second site, and cut off
#             from everyone
# catchup     a second site that was down while the last 100,000 were written: operations a second that
#             it applies durably, bytes on the line, bytes that it writes for each, memory of both
# read        at that size: `status`, `record list --json` (seconds, bytes, memory of both programs),
#             `verify` against the second site
# reconnect   100 edits while the line is cut: bytes beyond them, with TLS and without the
#             connection itself, which is what a reconnect without edits costs; and with a round trip of
#             1 s how many pass from the first byte of the session until the first operation is there
# bootstrap   a new site gets everything at 20 Mbit/s with 40 ms: seconds, bytes; another one with a cut
#             every 10 s
# erase       so many records written, edited, deleted and erased at two sites, twice: rows that are left
#             once the logs were cut (none, or it fails), and the size of the store after each time
# memory      20 sites linked to the one with all records: its memory
# cgroup      import at one site, bootstrap of another and audit, each daemon in a cgroup of 96 MiB (as root)
# etcd        three nodes of etcd, the same records: import in transactions of as many puts, single puts,
#             and without its majority; a node that was down catches up; bytes, memory
#
# Bytes are those of TCP at the relay, with TLS, of both directions. Every wait has an end.
set -euo pipefail
shopt -s inherit_errexit
here=$(dirname "$0")
# shellcheck source=lib.sh
source "$here/lib.sh"
# shellcheck source=../support/line.sh
source "$here/../support/line.sh"
# shellcheck source=group.sh
source "$here/group.sh"
# shellcheck source=cgroup.sh
source "$here/cgroup.sh"
# shellcheck source=etcd.sh
source "$here/etcd.sh"

build=$1 scale=100 steps=row,import,puts,catchup,read,reconnect,bootstrap,erase,memory,cgroup,etcd
shift
while (($# > 0)); do
    case $1 in
    --only) steps=$2 && shift 2 ;;
    --scale) scale=$2 && shift 2 ;;
    --alone) steps=${steps%,etcd} && shift ;;
    --keep) bench_keep=true && shift ;;
    *) echo "records.sh: $1?" >&2 && exit 64 ;;
    esac
done
records=$((10000 * scale))
behind=$((records / 10)) # of them, which the second site has to catch up
readonly wait_max=1200

bench_begin "$build"
make_records=$(bench_program "$build" make_records) look_store=$(bench_program "$build" look_store)
put_records=$(bench_program "$build" put_records) bench_row=$(bench_program "$build" bench_row)
erased=$(bench_program "$build" unit_store_erased) relay=$(bench_program "$build" relay) line_folder=$work
[[ -x $make_records && -x $look_store && -x $put_records && -x $bench_row && -x $relay && -x $erased ]]
end() {
    etcd_end
    group_end
    cgroup_end
    bench_end
}
trap end EXIT

note() { # WHAT JSON
    jq -nc --arg what "$1" --argjson value "$2" '{($what): $value}' >>"$work/notes"
    echo "$1 $2" >&2
}

figure_row() {
    note row "$("$bench_row")"
}

# --- the data ---

make_data() {
    [[ -e $work/first.jsonl ]] && return
    "$make_records" $((records - behind)) >"$work/first.jsonl"
    "$make_records" "$behind" --from $((records - behind)) >"$work/rest.jsonl"
    local lines packed
    lines=$(cat "$work/first.jsonl" "$work/rest.jsonl" | wc -c)
    packed=null
    ! command -v zstd >/dev/null || packed=$(cat "$work/first.jsonl" "$work/rest.jsonl" | zstd -3 -c | wc -c)
    note data "$(jq -nc --argjson records "$records" --argjson lines "$lines" --argjson packed "$packed" \
        '{records: $records, bytes_of_json: $lines, zstd_3: $packed,
          zstd_3_a_record: (if $packed then $packed / $records * 10 | round / 10 else null end)}')"
}

import() { # SITE FILE: seconds
    local start
    start=$(now)
    timeout "$wait_max" "$syncctl" --state "$(site_state "$1")" --quiet record import people "$2" --key key
    seconds "$start" "$(now)"
}

# The site a has all records, b all but the last, and is down.
need_records() {
    make_data
    [[ -n ${site_pid[a]:-} ]] && return
    group_make a b c d
    group_stop_all c d
    ctl a --quiet collection create people --members a,b,c,d
    local start first all
    watch_start a
    start=$(now)
    first=$(import a "$work/first.jsonl")
    until_ok "$wait_max" has_as_many a b
    all=$(seconds "$start" "$(now)")
    watch_end a
    note import "$(jq -nc --argjson records $((records - behind)) --argjson s "$first" --argjson all "$all" \
        --argjson rss "$(watch_most a)" --argjson store "$("$look_store" "$work/a/store")" \
        '{records: $records, s: $s, per_s: ($records / $s | round), s_until_second_has_them: $all,
          rss_anon_kib: $rss, tables: ($store.tables | with_entries(select(.value.entries > 1000)))}')"
    site_stop b
    note import_alone "{\"records\": $behind, \"s\": $(import a "$work/rest.jsonl")}"
}

figure_import() {
    need_records
}

# --- steps ---

figure_puts() {
    need_records
    local count=$((20 * scale)) linked cut
    ((count >= 100)) || count=100
    need_b
    linked=$(puts_of "$count" linked)
    line_say a refuse >/dev/null
    line_say a cut >/dev/null
    until_ok 60 is_alone a
    cut=$(puts_of "$count" cut)
    line_say a accept >/dev/null
    note puts "{\"linked\": $linked, \"cut_off\": $cut}"
}

puts_of() { # COUNT PREFIX
    local one many
    one=$("$put_records" "$work/a/control.sock" people "$1" 1 "$2-one")
    many=$("$put_records" "$work/a/control.sock" people $((10 * $1)) 64 "$2-many")
    echo "{\"one\": $one, \"many\": $many}"
}

need_b() {
    [[ -n ${site_pid[b]:-} ]] || site_start b
    until_ok "$wait_max" has_as_many a b
}

figure_catchup() {
    need_records
    [[ -z ${site_pid[b]:-} ]] || { echo "catchup: b has caught up already" >&2 && return; }
    local start s before
    before=$(line_bytes a)
    watch_start a
    site_start b
    start=$(now)
    watch_start b
    until_ok "$wait_max" has_all b "$records"
    s=$(seconds "$start" "$(now)")
    watch_end a
    watch_end b
    note catchup "$(jq -nc --argjson ops "$behind" --argjson s "$s" --argjson bytes $(($(line_bytes a) - before)) \
        --argjson written "$(written_by b)" \
        --argjson from "$(watch_most a)" --argjson to "$(watch_most b)" \
        '{operations: $ops, s: $s, per_s: ($ops / $s | round), bytes: $bytes,
          written_an_op: ($written / $ops | round), rss_anon_kib: {from: $from, to: $to}}')"
}

timed() { # COMMAND...: seconds
    local start
    start=$(now)
    "$@" >"$work/out"
    seconds "$start" "$(now)"
}

compare() { ctl "$1" --json verify people || true; } # some members are down

figure_read() {
    need_records
    need_b
    local status list bytes verify most_of_ctl
    status=$(timed status_of a)
    watch_start a
    list=$(timed /usr/bin/time -f %M -o "$work/rss" timeout "$wait_max" "$syncctl" --state "$work/a" --json \
        record list people)
    most_of_ctl=$(tail -n 1 "$work/rss")
    bytes=$(stat -c %s "$work/out")
    verify=$(timed compare a)
    watch_end a
    note read "$(jq -nc --argjson status "$status" --argjson list "$list" --argjson bytes "$bytes" \
        --argjson ctl "$most_of_ctl" --argjson rss "$(watch_most a)" --argjson verify "$verify" \
        '{status_s: $status, list: {s: $list, bytes: $bytes, rss_of_syncctl_kib: $ctl}, verify_s: $verify,
          rss_anon_kib: $rss}')"
}

# Bytes of one reconnect of b until the line is quiet.
reconnect() { # EDITS ROUND
    local before
    line_say a refuse >/dev/null
    line_say a cut >/dev/null
    until_ok 60 is_alone a
    if (($1 > 0)); then
        "$make_records" "$1" --step 7 --round "$2" --field chambre >"$work/edits.jsonl"
        import a "$work/edits.jsonl" >/dev/null
    fi
    before=$(line_bytes a)
    line_say a accept >/dev/null
    until_ok 60 has_told a b
    settle a
    echo $(($(line_bytes a) - before))
}

figure_reconnect() {
    need_records
    need_b
    settle a
    local none some payload
    none=$(reconnect 0 0)
    some=$(reconnect 100 1)
    payload=$("$look_store" "$work/a/store" 100 | jq .last_bytes)
    note reconnect "$(jq -nc --argjson none "$none" --argjson some "$some" --argjson payload "$payload" \
        --argjson trips "$(trips_to_first)" \
        '{without_edits: $none, with_edits: $some, operations: $payload,
          beyond: ($some - $none - $payload), beyond_and_connection: ($some - $payload),
          round_trips_from_session: $trips}')"
}

# With a round trip of a second: how many pass between the first byte of the session, which the acceptor
# sends, and the arrival of an operation at b, which dials.
trips_to_first() {
    local session arrived
    line_say a "delay 500" >/dev/null
    line_say a refuse >/dev/null
    line_say a cut >/dev/null
    until_ok 60 is_alone a
    ctl a --quiet record put people first-operation n=1
    line_say a accept >/dev/null
    until_ok 60 is_linked b
    session=$(now)
    until_ok 60 ctl b record get people first-operation
    arrived=$(now)
    line_say a "delay 0" >/dev/null
    ctl a --quiet record delete people first-operation
    seconds "$session" "$arrived"
}

answer='' # of a function that starts sites, which a subshell would forget

bootstrap() { # SITE CUT_EVERY_MS
    local start s before cuts
    line_say a "rate 2500000" >/dev/null
    line_say a "delay 20" >/dev/null
    before=$(line_bytes a)
    cuts=$(line_say a count | jq .cuts)
    start=$(now)
    site_start "$1"
    watch_start "$1"
    line_say a "cut-every $2" >/dev/null
    until_ok "$wait_max" has_as_many a "$1"
    s=$(seconds "$start" "$(now)")
    line_say a "cut-every 0" >/dev/null
    watch_end "$1"
    answer=$(jq -nc --argjson s "$s" --argjson bytes $(($(line_bytes a) - before)) --argjson rss "$(watch_most "$1")" \
        --argjson cuts $(($(line_say a count | jq .cuts) - cuts)) \
        '{s: $s, bytes: $bytes, cuts: $cuts, rss_anon_kib: $rss}')
    line_say a "rate 0" >/dev/null
    line_say a "delay 0" >/dev/null
    site_stop "$1"
}

figure_bootstrap() {
    need_records
    [[ -z ${site_pid[b]:-} ]] || site_stop b
    local whole cut
    watch_start a
    bootstrap c 0
    whole=$answer
    bootstrap d 10000
    cut=$answer
    watch_end a
    note bootstrap "$(jq -nc --argjson whole "$whole" --argjson cut "$cut" --argjson rss "$(watch_most a)" \
        '{whole: $whole, cut: $cut, more: ($cut.bytes / $whole.bytes - 1), rss_anon_kib_of_source: $rss}')"
}

# tests/unit/store/test_erased.c, with as many records.
figure_erase() {
    local start
    start=$(now)
    QN_ERASE_RECORDS=$records timeout 7200 "$erased" --timeout 7200 >"$work/erased"
    note erase "$(jq -c --argjson s "$(seconds "$start" "$(now)")" '. + {s: $s}' "$work/erased")"
}

# --- memory ---

readonly peers=20 limit_mib=96

# All of them share a small collection with a; the one with all records is not theirs.
figure_memory() {
    local i
    need_records
    need_b
    ctl a --quiet collection create notes
    for ((i = 1; i < peers; i++)); do
        group_add a "peer$i"
        site_stop "peer$i"
    done
    watch_start a
    for ((i = 1; i < peers; i++)); do
        site_start "peer$i"
    done
    until_ok 60 has_peers a "$peers"
    head -n 2000 "$work/first.jsonl" | sed -e 's/resident/note/' >"$work/notes.jsonl"
    ctl a --quiet record import notes "$work/notes.jsonl" --key key
    until_ok 120 has_told_all a
    watch_end a
    note memory "{\"peers\": $peers, \"rss_anon_kib\": $(watch_most a)}"
    for ((i = 1; i < peers; i++)); do
        site_stop "peer$i"
    done
}

# Import at one site, bootstrap of another, audit between them, each daemon in a cgroup of its own.
figure_cgroup() {
    make_data
    cgroup_make "quoin-bench-$$-e" "$limit_mib" || { note cgroup '{"completed": false}' && return; }
    cgroup_make "quoin-bench-$$-f" "$limit_mib"
    # shellcheck disable=SC2016 # for the shell of the script that is written
    printf '#!/bin/sh\necho $$ >"%s-${2##*/}/cgroup.procs"\nexec "%s" "$@"\n' "${cgroup%-f}" "$syncd" >"$work/limited"
    chmod +x "$work/limited"
    local import bootstrap verify
    group_syncd=$work/limited
    group_make e f
    site_stop f
    ctl e --quiet collection create people
    watch_start e
    cat "$work/first.jsonl" "$work/rest.jsonl" >"$work/all.jsonl"
    import=$(import e "$work/all.jsonl")
    site_start f
    watch_start f
    bootstrap=$(timed until_ok "$wait_max" has_as_many e f)
    verify=$(timed compare e)
    watch_end e
    watch_end f
    note cgroup "$(jq -nc --argjson imported "$import" --argjson bootstrap "$bootstrap" --argjson verify "$verify" \
        --argjson e "$(watch_most e)" --argjson f "$(watch_most f)" --argjson peak "$(cgroup_peak "$cgroup")" \
        --arg kind "$cgroup_kind" --argjson limit "$limit_mib" --argjson identical "$(jq .identical "$work/out")" \
        '{completed: $identical, limit_mib: $limit, version: $kind, import_s: $imported, bootstrap_s: $bootstrap,
          verify_s: $verify, rss_anon_kib: {source: $e, new: $f}, peak_bytes_of_new: $peak}')"
    group_stop_all e f
}

document() {
    jq -s --arg quoin "$("$syncd" --version)" --arg etcd "$(etcd --version 2>/dev/null | head -n 1)" \
        --arg load "$(cut -d ' ' -f 1-3 /proc/loadavg)" --argjson cores "$(nproc)" '
        (reduce .[] as $note ({}; . * $note)) as $all |
        {versions: {quoin: $quoin, etcd: $etcd}, machine: {cores: $cores, load: $load}, figures: $all, met: {
            row: $all.row.is_met,
            catchup: ($all.catchup.per_s >= 15000),
            reconnect: ($all.reconnect.beyond <= 1024 and $all.reconnect.round_trips_from_session <= 1.2),
            bootstrap: ($all.bootstrap.whole.s <= 60 and $all.bootstrap.whole.bytes <= 110000000 and
                        $all.bootstrap.more <= 0.03),
            memory: ($all.memory.rss_anon_kib <= 49152), cgroup: $all.cgroup.completed,
            puts: ($all.puts.cut_off.one.p50_ms <= 1.5 * ($all.puts.linked.one.p50_ms // 0))}
            | with_entries(select($all[.key] != null))}' "$work/notes"
}

for step in ${steps//,/ }; do
    echo "$step ..." >&2
    "figure_$step"
done
document
