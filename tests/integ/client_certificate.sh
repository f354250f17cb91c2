#!/bin/bash
# Who comes from an address of the internet shows a certificate first: in a network of its own, where the
# machine has such addresses.
#
#   client_certificate.sh SYNCD SYNCCTL
set -euo pipefail
if [[ -z ${QN_OWN_NETWORK:-} ]]; then
    unshare --net true 2>/dev/null || { echo 'no network of its own here: skipped' && exit 77; }
    QN_OWN_NETWORK=yes exec unshare --net "$0" "$@"
fi
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

begin "$1" "$2" one
ip link set lo up
ip address add 198.51.100.1/32 dev lo
ip address add 198.51.100.2/32 dev lo
port=$(sites_free_port)

# certificate NAME AUTHORITY PURPOSE: NAME.pem and NAME.key
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
    openssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey "$work/$2.key" -days 2 -out "$work/$1.pem" \
        -extfile <(echo "extendedKeyUsage=$3") 2>/dev/null
}

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}

# comes FROM CURL-OPTION...: the page is there
comes() {
    local from=$1
    shift
    [[ $(curl --silent --insecure --max-time 10 --interface "$from" --output /dev/null --write-out '%{http_code}' "$@" \
        "https://198.51.100.1:$port/") == 200 ]]
}

stays_out() {
    ! comes "$@"
}

of() {
    echo --cert "$work/$1.pem" --key "$work/$1.key"
}

configure() {
    printf '%s\n' '[serve]' "listen = 198.51.100.1:$port 127.0.0.1:$port" "$@" >"$work/conf"
    expect 'the configuration is right' ctl one config check "$work/conf"
    [[ ${site_pid[one]:-} == '' ]] || kill -HUP "${site_pid[one]}"
}

fingerprint() {
    openssl x509 -in "$work/$1.pem" -noout -fingerprint -sha256
}

# Bruno's laptop is lost while it is connected; anne's goes on.
# shellcheck disable=SC2046 # two options and their values
await_revocation() {
    echo '# lost' >"$work/revoked"
    configure 'public = yes' "client-authority = $work/people.pem" "client-revoked = $work/revoked"
    await 'bruno comes in, too' comes 198.51.100.2 $(of bruno)
    mkfifo "$work/silence"
    exec 9<>"$work/silence"
    openssl s_client -quiet -connect "198.51.100.1:$port" -bind 198.51.100.2 -cert "$work/bruno.pem" \
        -key "$work/bruno.key" <"$work/silence" >"$work/s_client" 2>&1 &
    helpers+=($!)
    await 'he stays connected' holds one '.connections == 1' serve status
    fingerprint bruno >>"$work/revoked"
    kill -HUP "${site_pid[one]}"
    await 'the lost one is cut off' holds one '.connections == 0' serve status
    expect 'and comes no more' stays_out 198.51.100.2 $(of bruno)
    expect 'nor by TLS 1.2' stays_out 198.51.100.2 $(of bruno) --tls-max 1.2
    expect 'the other one comes' comes 198.51.100.2 $(of anne)
    echo 'what is this' >>"$work/revoked"
    kill -HUP "${site_pid[one]}"
    await 'a list that cannot be read lets nobody in' stays_out 198.51.100.2 $(of anne)
    await 'and it is said' holds one '.error | contains("line 3")' serve status
    fingerprint bruno | sed 's/.*=//; s/://g' >"$work/revoked"
    kill -HUP "${site_pid[one]}"
    await 'digits alone will do' comes 198.51.100.2 $(of anne)
    expect 'the lost one stays out' stays_out 198.51.100.2 $(of bruno)
    await 'all is well again' holds one '.error == ""' serve status
    rm "$work/revoked"
    kill -HUP "${site_pid[one]}"
    await 'without its list nobody' stays_out 198.51.100.2 $(of anne)
    configure 'public = yes' "client-authority = $work/people.pem"
    await 'anne as before' comes 198.51.100.2 $(of anne)
}

# Where it listens on all addresses, and nothing is said of the internet, nobody comes from there: not even TLS begins.
by_itself() {
    printf '[serve]\nlisten = 0.0.0.0:%s\n' "$port" >"$work/conf"
    expect 'all addresses, and no word of the internet' ctl one config check "$work/conf"
    site_start one --config "$work/conf" || fail 'it does not start'
    await 'who is in the house comes in' comes 127.0.0.1
    expect 'who comes from the internet does not' stays_out 198.51.100.2
    openssl s_client -connect "198.51.100.1:$port" -bind 198.51.100.2 </dev/null >"$work/s_client" 2>&1 || true
    ! grep -q 'BEGIN CERTIFICATE' "$work/s_client" || fail 'it is shown a certificate'
    ok 'and sees no certificate'
    site_stop one
    rm -r "$(site_state one)/authority" # it may not sign for the address of the internet that comes now
}

for name in people others; do authority "$name"; done
certificate anne people clientAuth
certificate mallory others clientAuth
certificate server people serverAuth
certificate bruno people clientAuth
printf '[serve]\nlisten = 198.51.100.1:%s\npublic = yes\n' "$port" >"$work/conf"
refuse 2 'client-authority' 'public, and nobody is asked for a certificate' ctl one config check "$work/conf"
expect 'a site is made' init_first one
by_itself
configure 'public = yes' "client-authority = $work/people.pem"
site_start one --config "$work/conf" || fail 'it does not start'
# shellcheck disable=SC2046 # two options and their values
{
    await 'anne comes in with hers' comes 198.51.100.2 $(of anne)
    expect 'by TLS 1.2, too' comes 198.51.100.2 $(of anne) --tls-max 1.2
    expect 'nobody without one' stays_out 198.51.100.2
    expect 'nor by TLS 1.2' stays_out 198.51.100.2 --tls-max 1.2
    expect 'nor with that of another authority' stays_out 198.51.100.2 $(of mallory)
    expect 'nor with one for servers' stays_out 198.51.100.2 $(of server)
    expect 'who comes from a private address is not asked' comes 127.0.0.1
    await_revocation
    cp "$work/others.pem" "$work/people.new"
    mv "$work/people.new" "$work/people.pem"
    kill -HUP "${site_pid[one]}"
    await 'another authority, another one comes in' comes 198.51.100.2 $(of mallory)
    expect 'and anne no more' stays_out 198.51.100.2 $(of anne)
    rm "$work/people.pem"
    kill -HUP "${site_pid[one]}"
    await 'without an authority nobody' stays_out 198.51.100.2 $(of mallory)
    expect 'and it is said' holds one '.error | contains("people.pem")' serve status
    configure 'public = everybody'
    await 'everybody, if that is what is wished' comes 198.51.100.2
}
echo 'client_certificate: all is well'
