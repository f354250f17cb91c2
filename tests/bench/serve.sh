#!/bin/bash
# What HTTPS costs beside others: one real directory served by the engine with WebDAV (dav_server,
# in a Release build), by nginx with one worker and by rclone serve webdav, all with the same
# certificate, one after the other; one JSON document.
#
#   tests/bench/serve.sh BUILD [--quick]
#
# get    bytes a second of one GET of 1 GiB, TLS 1.3, one connection: the median of five
# put    the same of a PUT (nginx has none here); a PUT of ours and its answer are durable
# small  requests a second for 1 KiB, 32 connections (wrk, one thread, 10 s)
# rss    RssAnon of ours at its largest, KiB
set -euo pipefail
source "$(dirname "$0")/../../tools/lib/sites.sh"
[[ $# -ge 1 ]] || { echo "usage: serve.sh BUILD [--quick]" >&2 && exit 64; }
size_mb=1024 rounds=5 small_s=10
[[ ${2:-} != --quick ]] || { size_mb=32 rounds=1 small_s=1; }
server=$(find "$1" -type f -name dav_server -perm -u+x | head -n 1)
[[ -x $server ]] || { echo "$1 is no build with tests" >&2 && exit 1; }
work=$(mktemp -d "${TMPDIR:-/var/tmp}/quoin-bench.XXXXXX")
pids=()
end() {
    ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap end EXIT
mkdir "$work/tree" "$work/state" "$work/nginx"
head -c $((size_mb << 20)) /dev/urandom >"$work/tree/big"
head -c 1024 /dev/urandom >"$work/tree/small"
nginx=$(sites_free_port) rclone=$(sites_free_port)
authority=$work/state/authority

answers() {
    timeout 20 bash -c "until curl -s -o /dev/null --cacert '$authority/ca.pem' '$1'; do sleep 0.1; done"
}

"$server" "$work/tree" "$work/state" 2>"$work/own.log" &
pids+=($!) own_pid=$!
timeout 20 sh -c "until grep -q listening '$work/own.log'; do sleep 0.1; done"
own=$(sed -nE 's/.*listening on 127\.0\.0\.1:([0-9]+).*/\1/p' "$work/own.log")
answers "https://127.0.0.1:$own/"
cat >"$work/nginx/conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx/pid; error_log $work/nginx/log;
events { worker_connections 256; }
http {
    access_log off; sendfile on; keepalive_requests 100000000;
    client_body_temp_path $work/nginx/a; proxy_temp_path $work/nginx/b;
    fastcgi_temp_path $work/nginx/c; uwsgi_temp_path $work/nginx/d; scgi_temp_path $work/nginx/e;
    server {
        listen 127.0.0.1:$nginx ssl; ssl_protocols TLSv1.2 TLSv1.3; root $work/tree;
        ssl_certificate $authority/server.pem; ssl_certificate_key $authority/server.key;
    }
}
CONF
if command -v nginx >/dev/null; then
    # a master that is root would give its worker another user, who may not enter the folder
    sed -i "1i user $(id -un);" "$work/nginx/conf"
    nginx -c "$work/nginx/conf" 2>"$work/nginx/err" &
    pids+=($!)
    answers "https://127.0.0.1:$nginx/"
fi
if command -v rclone >/dev/null; then
    rclone serve webdav "$work/tree" --addr "127.0.0.1:$rclone" --user anna --pass secret \
        --cert "$authority/server.pem" --key "$authority/server.key" --config /dev/null \
        2>"$work/rclone.log" &
    pids+=($!)
    answers "https://127.0.0.1:$rclone/"
fi

ask() {
    curl --silent --show-error --fail --tlsv1.3 --user anna:secret --cacert "$authority/ca.pem" \
        --output /dev/null "$@"
}

get() {
    ask --write-out '%{speed_download}\n' "$1"
}

put() {
    ask --write-out '%{speed_upload}\n' --upload-file "$work/tree/big" "$1"
}

# median COMMAND...: of as many rounds
median() {
    local i
    for ((i = 0; i < rounds; i++)); do
        "$@"
    done | sort -n | sed -n "$((rounds / 2 + 1))p"
}

small() {
    wrk --threads 1 --connections 32 --duration "${small_s}s" \
        --header "Authorization: Basic $(printf anna:secret | base64)" "$1" |
        awk '/Requests.sec/ { print $2 } /Non-2xx|Socket errors/ { print > "/dev/stderr" }'
}

measure() { # NAME URL [put]
    local name=$1 url=$2
    echo "\"$name\": {\"get\": $(median get "$url/big"),"
    [[ -z ${3:-} ]] || echo "\"put\": $(median put "$url/put"),"
    echo "\"small\": $(small "$url/small")}"
}

{
    echo "{\"mib\": $size_mb, "
    measure quoin "https://127.0.0.1:$own/dav/F" put
    [[ ! -e $work/nginx/pid ]] || { echo , && measure nginx "https://127.0.0.1:$nginx"; }
    [[ ! -e $work/rclone.log ]] || { echo , && measure rclone "https://127.0.0.1:$rclone" put; }
    echo ", \"rss\": $(awk '/^RssAnon/ { print $2 }' "/proc/$own_pid/status")}"
} | jq -c .
