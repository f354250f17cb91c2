#!/bin/bash
# HTTPS for people: the own authority and certificates from files, which TLS, what is refused.
#
#   https.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

begin "$1" "$2" one
port=$(sites_free_port)
url=https://127.0.0.1:$port
ca=$work/ca.pem

# configure LINE...: section [serve] has these lines; the daemon knows them.
configure() {
    printf '%s\n' '[serve]' "$@" >"$work/conf"
    expect "the configuration is right" ctl one config check "$work/conf"
    [[ ${site_pid[one]:-} == '' ]] || kill -HUP "${site_pid[one]}"
}

ask() {
    curl --silent --show-error --max-time 20 --cacert "$ca" "$@"
}

# status_of URL ARGUMENT...: the number of the answer.
status_of() {
    ask --output /dev/null --write-out '%{http_code}' "$@"
}

# says TEXT...: bytes to the server as they are; the answer.
says() {
    printf '%b' "$1" | timeout 10 openssl s_client -quiet -CAfile "$ca" \
        -connect "127.0.0.1:$port" 2>/dev/null
}

shakes() {
    timeout 10 openssl s_client -CAfile "$ca" -verify_return_error -connect "127.0.0.1:$port" \
        "$@" </dev/null
}

listens() {
    holds one ".listeners | map(select(.error == \"\")) | length == $1" serve status
}

: >"$work/conf"
expect "a site is made" init_first one
site_start one --config "$work/conf" || fail "it does not start"
expect "it is off by itself" listens 0
refuse 2 'no authority' "and there is no authority" ctl one serve authority

printf '[serve]\nlisten = 8.8.8.8:443\n' >"$work/conf"
refuse 2 'public = yes' "an address of the internet needs a word of its own" \
    ctl one config check "$work/conf"

configure "listen = 127.0.0.1:$port" 'names = quoin.lan'
await "it listens" listens 1
[[ $(ctl one --quiet serve status 2>/dev/null) == *"127.0.0.1:$port"* ]] || fail "the answer is not on standard output"
ctl one serve authority >"$ca"
ok "the authority tells its certificate"
equal "its key is for nobody else" 600 "$(stat -c %a "$(site_state one)/authority/ca.key")"
equal "nor is its folder" 700 "$(stat -c %a "$(site_state one)/authority")"

# --- the page and its fields ---
equal "the page is there" 200 "$(status_of "$url/")"
ask --dump-header "$work/head" --output /dev/null "$url/"
for field in 'strict-transport-security: max-age=31536000' 'content-security-policy: .*default-src' \
    'x-content-type-options: nosniff' 'referrer-policy: no-referrer' \
    'cross-origin-resource-policy: same-origin'; do
    grep -qi "^$field" "$work/head" || fail "no field $field"
done
ok "every answer says what browsers may not do"
etag=$(sed -n 's/^etag: *\(".*"\).*/\1/Ip' "$work/head")
equal "what is known already is not sent again" 304 \
    "$(status_of --header "If-None-Match: $etag" "$url/")"
equal "there is no such page" 404 "$(status_of "$url/none")"
equal "a page is not written" 405 "$(status_of --request PUT --data x "$url/index.html")"
equal "the host name of the certificate" 200 \
    "$(status_of --resolve "quoin.lan:$port:127.0.0.1" "https://quoin.lan:$port/")"
refuse 60 'name|certificate' "another name is not in it" \
    ask --resolve "other.lan:$port:127.0.0.1" "https://other.lan:$port/"

# --- which TLS ---
for version in 1.2 1.3; do
    equal "TLS $version" 200 "$(status_of --tlsv$version --tls-max $version "$url/")"
done
refuse 1 'alert protocol version|no protocols|unsupported' "no TLS 1.1" shakes -tls1_1 -cipher \
    'DEFAULT@SECLEVEL=0'
refuse 1 'alert' "no cipher without forward secrecy" shakes -tls1_2 -cipher AES128-GCM-SHA256
refuse 1 'alert|application protocol' "no HTTP/2" shakes -alpn h2
shakes -alpn http/1.1 2>&1 | grep -q 'ALPN protocol: http/1.1' || fail "no http/1.1"
ok "HTTP/1.1 is agreed on"
# Nothing of a connection is good for another one, and nothing is packed: what is secret beside what is foreign could be guessed.
for version in -tls1_2 -tls1_3; do
    { echo Q | timeout 10 openssl s_client "$version" -CAfile "$ca" -sess_out "$work/session" -connect "127.0.0.1:$port"; } \
        >"$work/s_client" 2>&1
    grep -q '^New, TLSv1' "$work/s_client" || fail "no connection: $(cat "$work/s_client")"
    grep -q '^Compression: NONE' "$work/s_client" || fail "it is packed"
    ! grep -qiE 'session ticket:|Session-ID: [0-9A-F]' "$work/s_client" || fail "there is something to resume $version with"
    [[ ! -s $work/session ]] || shakes "$version" -sess_in "$work/session" >"$work/s_client" 2>&1
    ! grep -q '^Reused' "$work/s_client" || fail "a session $version is resumed"
done
ok "no session is resumed, nothing is packed"
shakes -tls1_3 >"$work/s_client" 2>&1
! grep -qE 'Early data was accepted|Max Early Data: [1-9]' "$work/s_client" || fail "data before the handshake"
ok "no data before the handshake"
equal "what is not TLS gets no answer" '' "$(curl --silent --max-time 10 "http://127.0.0.1:$port/" || true)"
shakes -tls1_2 2>&1 | grep -q 'Secure Renegotiation IS supported' ||
    fail "renegotiation is not secured"
mkfifo "$work/keys"
timeout 20 openssl s_client -tls1_2 -CAfile "$ca" -connect "127.0.0.1:$port" <"$work/keys" \
    >"$work/s_client" 2>&1 &
exec {keys}>"$work/keys"
await "a client is there" grep -q 'Verify return code' "$work/s_client"
echo R >&"$keys"
await "it tries to renegotiate" grep -q RENEGOTIATING "$work/s_client"
await "and is refused" grep -qi 'no renegotiation' "$work/s_client"
exec {keys}>&-

# --- heads that can be read in two ways: one answer, and the end ---
next='GET /second HTTP/1.1\r\nHost: a\r\n\r\n'
while IFS= read -r request; do
    reply=$(says "$request$next" || true)
    [[ $(grep -c '^HTTP/1.1 ' <<<"$reply") == 1 ]] || fail "not one answer to $request: $reply"
    [[ $reply == 'HTTP/1.1 '[45]* ]] || fail "taken: $request: $reply"
done <<'CORPUS'
POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd
POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd
POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n
POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n
POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n
GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n
GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n
GET / HTTP/1.1\r\n\r\n
GET  / HTTP/1.1\r\nHost: a\r\n\r\n
CORPUS
ok "no request is smuggled in"
long=$(printf 'a%.0s' {1..17000})
equal "a head that is too long" 431 "$(status_of --header "X: $long" "$url/")"

# --- certificates from files ---
make_files() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$2" -subj "/CN=x" \
        -addext "subjectAltName=IP:127.0.0.1,DNS:$1" -keyout "$work/new.key" -out "$work/new.pem" \
        2>/dev/null
    mv "$work/new.key" "$work/site.key"
    mv "$work/new.pem" "$work/site.pem"
}
serves_name() {
    shakes -servername x 2>/dev/null | openssl x509 -noout -ext subjectAltName | grep -q "DNS:$1"
}
has_alert() {
    holds one ".alerts | map(select(.code == \"$1\")) | length == $2" status
}
make_files first.lan 300
cp "$work/site.pem" "$ca"
configure "listen = 127.0.0.1:$port" "certificate = $work/site.pem" "key = $work/site.key"
await "the files are used" serves_name first.lan
expect "and nothing is wrong" has_alert certificate-late 0
make_files second.lan 25
kill -HUP "${site_pid[one]}"
cp "$work/site.pem" "$ca"
await "other files, after a reload" serves_name second.lan
await "a certificate that ends soon is an alert" has_alert certificate-late 1
files=("certificate = $work/site.pem" "key = $work/site.key")
configure "listen = 127.0.0.1:$port" 'names = third.lan' "${files[@]}"
await "a name that the certificate is not for is an alert" has_alert serve-failed 1
expect "that says which" holds one '.error | test("not for third.lan")' serve status
configure "listen = 127.0.0.1:$port" 'names = second.lan' "${files[@]}"
await "and none with one that it is for" has_alert serve-failed 0
echo broken >"$work/site.key"
kill -HUP "${site_pid[one]}"
await "a key that cannot be read is an alert" has_alert serve-failed 1
expect "and what was loaded stays" serves_name second.lan

# --- off again ---
printf '[serve]\n' >"$work/conf"
kill -HUP "${site_pid[one]}"
await "it is off again" listens 0
refuse 7 'refused|connect' "nobody listens any more" ask "$url/"
expect "and the alerts go" has_alert serve-failed 0
site_end one TERM
ok "it ends in good order"
