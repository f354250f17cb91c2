# shellcheck shell=bash
# Three nodes of etcd on loopback for records.sh; to be sourced after lib.sh, line.sh and group.sh. Each
# reaches the others over their lines, "etcd1" to "etcd3".

declare -A etcd_pid=() etcd_client_port=() etcd_peer_port=() etcd_relay_port=()
etcd_cluster='' etcd_answer=''

etcd_is_here() {
    command -v etcd etcdctl python3 >/dev/null && return
    echo "etcd, etcdctl or python3 is missing: nothing beside Quoin" >&2
    return 1
}

etcd_url() { echo "http://127.0.0.1:${etcd_client_port[$1]}"; }

# A transaction may have as many puts as a batch of `record import` has; else as it comes.
etcd_start() { # NUMBER
    etcd --name "n$1" --data-dir "$work/etcd$1" --log-level error --logger zap --log-outputs "$work/etcd$1.log" \
        --listen-client-urls "$(etcd_url "$1")" --advertise-client-urls "$(etcd_url "$1")" \
        --listen-peer-urls "http://127.0.0.1:${etcd_peer_port[$1]}" \
        --initial-advertise-peer-urls "http://127.0.0.1:${etcd_relay_port[$1]}" --initial-cluster "$etcd_cluster" \
        --initial-cluster-state new --quota-backend-bytes 8000000000 --max-txn-ops 2000 \
        --max-request-bytes 8000000 >/dev/null 2>&1 &
    etcd_pid[$1]=$!
}

etcd_stop() { # NUMBER
    kill "${etcd_pid[$1]}" 2>/dev/null || true
    wait "${etcd_pid[$1]}" 2>/dev/null || true
    unset "etcd_pid[$1]"
}

etcd_end() {
    local number
    for number in "${!etcd_pid[@]}"; do
        etcd_stop "$number"
    done
}

etcd_make() {
    local number
    for number in 1 2 3; do
        etcd_client_port[$number]=$(sites_free_port)
        etcd_peer_port[$number]=$(sites_free_port)
        etcd_relay_port[$number]=$(sites_free_port)
        line_start "etcd$number" "${etcd_relay_port[$number]}" "${etcd_peer_port[$number]}"
        etcd_cluster+="${etcd_cluster:+,}n$number=http://127.0.0.1:${etcd_relay_port[$number]}"
    done
    for number in 1 2 3; do
        etcd_start "$number"
    done
    until_ok 60 etcdctl --endpoints "$(etcd_url 1),$(etcd_url 2),$(etcd_url 3)" endpoint health
}

etcd_bytes() { echo $(($(line_bytes etcd1) + $(line_bytes etcd2) + $(line_bytes etcd3))); }

# What a node has applied itself: its own revision.
etcd_revision() {
    ETCDCTL_API=3 etcdctl --endpoints "$(etcd_url "$1")" -w json endpoint status | jq '.[0].Status.header.revision'
}
etcd_has() { [[ $(etcd_revision "$1") -ge $2 ]]; }

etcd_client() {
    timeout "$wait_max" python3 "$here/etcd_client.py" "$@"
}

etcd_rss() { awk '/^RssAnon/ { print $2 }' "/proc/${etcd_pid[$1]}/status"; }

etcd_puts() { # COUNT
    local one many
    one=$(etcd_client puts "$(etcd_url 1)" "$1" 1)
    many=$(etcd_client puts "$(etcd_url 1)" $((10 * $1)) 64)
    echo "{\"one\": $one, \"many\": $many}"
}

etcd_catchup() {
    local rest start s before revision
    etcd_stop 3
    rest=$(etcd_client import "$(etcd_url 1)" "$work/rest.jsonl" 700 4)
    revision=$(etcd_revision 1)
    before=$(etcd_bytes)
    etcd_start 3
    start=$(now)
    until_ok "$wait_max" etcd_has 3 "$revision"
    s=$(seconds "$start" "$(now)")
    etcd_answer=$(jq -nc --argjson rest "$rest" --argjson s "$s" --argjson bytes $(($(etcd_bytes) - before)) \
        --argjson rss "$(etcd_rss 3)" \
        '{import: $rest, operations: $rest.records, s: $s, per_s: ($rest.records / $s | round), bytes: $bytes,
          rss_anon_kib: $rss}')
}

# The first node alone: whether a put is taken within 10 s.
etcd_alone() {
    etcd_stop 2
    etcd_stop 3
    if timeout 10 etcdctl --endpoints "$(etcd_url 1)" --command-timeout 8s put alone 1 >/dev/null 2>&1; then
        etcd_answer=taken
    else
        etcd_answer=refused
    fi
}

figure_etcd() {
    etcd_is_here || return 0
    make_data
    etcd_make
    local first puts catchup rss count=$((20 * scale))
    ((count >= 100)) || count=100
    first=$(etcd_client import "$(etcd_url 1)" "$work/first.jsonl" 700 4)
    puts=$(etcd_puts "$count")
    etcd_catchup
    catchup=$etcd_answer
    rss=$(etcd_rss 1)
    etcd_alone
    note etcd "$(jq -nc --argjson imported "$first" --argjson puts "$puts" --argjson catchup "$catchup" \
        --argjson rss "$rss" --arg alone "$etcd_answer" \
        --argjson disk "$(du -sb "$work/etcd1" | cut -f1)" \
        '{import: $imported, puts: {linked: $puts, cut_off: $alone}, catchup: $catchup, rss_anon_kib: $rss,
          disk_bytes: $disk}')"
}
