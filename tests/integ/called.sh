#!/bin/bash
# The folder of a site that nobody can dial: it is called to dial. `one` has the folder and announces an address where nobody is;
# people ask at two.
#
#   called.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

port=''

# one tells the others a port that nobody listens on.
init_with() {
    local advertised
    advertised=$(site_address "$1")
    [[ $1 != one ]] || advertised=127.0.0.1:${site_relay_port[one]}
    ctl "$1" init --site "$1" --join "$2" --listen "$(site_listen "$1")" --advertise "$advertised"
}

# ask METHOD PATH CURL-OPTION...: the content to $work/content; prints the status.
ask() {
    local method=$1 path=$2
    shift 2
    curl --silent --show-error --insecure --user "anne:$password" --request "$method" --max-time 60 \
        --output "$work/content" --write-out '%{http_code}' "$@" "https://127.0.0.1:$port$path"
}

is_reachable() {
    [[ $(ask GET /dav/plans/a.txt) == 200 ]]
}

# More at once than there may be connections.
many() {
    local i pids=()
    for i in {1..20}; do
        curl --silent --insecure --fail --user "anne:$password" --max-time 60 --output "$work/big.$i" \
            "https://127.0.0.1:$port/dav/plans/big" &
        pids+=($!)
    done
    for i in {1..20}; do
        wait "${pids[i - 1]}" || fail "download $i of 20 failed"
        cmp "$share/big" "$work/big.$i" || fail "download $i is another"
    done
    ok 'twenty downloads at once'
}

begin "$1" "$2" two one
share=$work/plans
mkdir "$share" "$work/own"
echo -n hello >"$share/a.txt"
head -c 3000000 /dev/urandom >"$share/big"
found_group two one
port=$(sites_free_port)
printf '[serve]\nlisten = 127.0.0.1:%s\n' "$port" >"$work/two.conf"
site_stop two
site_start two --config "$work/two.conf" || fail 'two does not start'
expect 'a folder' ctl one folder create plans --path "$share" --members one,two
await 'two knows it' holds two 'any(.name == "plans")' folder list
expect 'anne' ctl two user add anne --role editor <<<'a rather long password'
password=$(ctl two --json user app-password anne --label test | jq -r .password)
expect 'she may write' ctl two user grant anne --folder plans --right write
await 'one dials two' is_reachable

equal 'its bytes' hello "$(cat "$work/content")"
answers 'its list' 207 PROPFIND /dav/plans/ --header 'Depth: 1'
answers 'an upload' 201 PUT /dav/plans/new --upload-file "$share/big"
cmp "$share/big" "$share/new" || fail 'the new file is another'
many
expect 'the trail of one names her' holds one 'any(.actor == "anne@two" and .object == "folder:plans/new")' log
site_stop one
answers 'a site that is down' 503 GET /dav/plans/a.txt
site_start one || fail 'one does not start'
await 'one is back, and dials' is_reachable
site_stop two
site_start two --config "$work/two.conf" || fail 'two does not start'
await 'so it does when two was away' is_reachable
echo 'called: all is well'
