#!/bin/bash
# What a member site learns over quoin-web/1 of a folder that it has no part in: nothing. With the key of three, every byte that
# it gets is kept (outsider.py). What is said of the folder must be what is said of one that never was, whatever is in it; and the
# same questions by a site that has a part in it must show a difference, or the test would see nothing.
#
#   outsider.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

port=''

# heard SITE FOLDER: what that site gets, to $work/heard.FOLDER.
heard() {
    "$(dirname "$0")/outsider.py" "$(site_listen one)" "$(site_state "$1")/identity.key" "$2" ours \
        "$etag" >"$work/heard.$2" || fail "$1 asks about $2: no answer"
}

# tells_nothing WHEN: of `plans`, which there is, and of `nasty`, which there is not.
tells_nothing() {
    heard three plans
    heard three nasty
    cmp "$work/heard.nasty" "$work/heard.plans" ||
        fail "$1: $(diff --text "$work/heard.nasty" "$work/heard.plans" | head -c 2000)"
    ! grep -aq 'secret-content\|needle-' "$work/heard.plans" || fail "$1: what is in the folder is told"
    grep -aqx mine "$work/heard.plans" || fail "$1: three does not see its own folder"
    ok "$1: three learns nothing"
}

is_found() {
    [[ $(curl --silent --insecure --user "anne:$password" --max-time 20 \
        "https://127.0.0.1:$port/api/v1/folders/plans/search?q=needle" | jq '.results | length') == 3 ]]
}

at_home() { # METHOD PATH CURL-OPTION...
    local method=$1 path=$2
    shift 2
    curl --silent --show-error --insecure --fail --user "anne:$password" --max-time 20 --request "$method" \
        --output "$work/content" --dump-header "$work/head" "$@" "https://127.0.0.1:$port$path"
}

begin "$1" "$2" one two three
found_group one two three
plans=$work/plans ours=$work/ours etag=none
mkdir "$plans" "$ours"
printf mine >"$ours/mine.txt"
port=$(sites_free_port)
printf '[serve]\nlisten = 127.0.0.1:%s\n' "$port" >"$work/one.conf"
site_stop one
site_start one --config "$work/one.conf" || fail 'one does not start'
expect 'a folder of one and two' ctl one folder create plans --path "$plans" --members one,two
expect 'a folder of one and three' ctl one folder create ours --path "$ours" --members one,three
await 'three knows its own' holds three 'any(.name == "ours")' folder list
await 'and two' holds two 'any(.name == "plans")' folder list
expect 'anne' ctl one user add anne --role editor <<<'a rather long password'
password=$(ctl one --json user app-password anne --label test | jq -r .password)
expect 'she may write' ctl one user grant anne --folder plans --right write
await 'the folder is open' at_home GET /api/v1/folders/plans/list
tells_nothing 'of an empty folder'

printf secret-content >"$plans/secret-file.txt"
for ((i = 0; i < 40; i++)); do printf 'secret-content %s' "$i" >"$plans/straw-$i.txt"; done
for ((i = 0; i < 3; i++)); do
    at_home PUT "/dav/plans/needle-$i.txt" --data 'secret-content'
done
await 'what is in it is found by its people' is_found
at_home PROPFIND /dav/plans/secret-file.txt --header 'Depth: 0'
etag=$(grep -o 'getetag>[^<]*' "$work/content" | head -1 | sed 's/.*>//; s/&quot;//g; s/"//g')
[[ $etag != '' ]] || fail "no etag: $(cat "$work/content")"
tells_nothing 'of a full one'
expect 'a lock' at_home LOCK /dav/plans/secret-file.txt --data \
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
tells_nothing 'of one with a lock'

heard two plans
heard two nasty
! cmp --silent "$work/heard.nasty" "$work/heard.plans" || fail 'a site that has a part in it sees no difference either'
grep -aq secret-content "$work/heard.plans" || fail 'a site that has a part in it does not see the content'
ok 'what two gets differs: the test would see it'
echo 'outsider: all is well'
