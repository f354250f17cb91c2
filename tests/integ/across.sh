#!/bin/bash
# Folders of another site, through the own one: what people see and do there, what they may not, and what happens when the other
# site is down, or goes in the middle. `plans` is at one; people ask two; three has no part in it.
#
#   across.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=web_lib.sh
source "$(dirname "$0")/web_lib.sh"

person=anne

field() {
    sed -n "s/^$1: \(.*\)\r\$/\1/Ip" "$work/head"
}

is_reachable() {
    [[ $(ask two GET /api/v1/folders) == 200 ]] &&
        jq -e 'any(.name == "plans" and .state == "elsewhere" and .online and .site == "one")' "$work/content"
}

lists() {
    answers 'the list of folders' 207 two PROPFIND /dav/ --header 'Depth: 1'
    says 'the folder of one is in it' '/dav/plans/'
    answers 'its own list' 207 two PROPFIND /dav/plans/ --header 'Depth: 1'
    says 'what is in it' '/dav/plans/a.txt'
    answers 'by the API' 200 two GET /api/v1/folders/plans/list
    says 'what is in it' '"name": ?"a.txt"'
    answers 'what is not there' 404 two GET /dav/plans/none
}

# searched SITE FOLDER WORDS PATHS: what is found of its files.
searched() {
    [[ $(ask "$1" GET "/api/v1/folders/$2/search?q=$3") == 200 ]] &&
        [[ $(jq -r '[.results[].path] | sort | join(" ")' "$work/content") == "$4" ]]
}

searches() {
    answers 'a file with a name to look for' 201 two PUT /dav/plans/carnet-1.txt --upload-file "$share/a.txt"
    await 'it is found from here' searched two plans carnet carnet-1.txt
    answers 'among all that is found' 200 two GET '/api/v1/search?q=carnet'
    says 'it is, and nothing is missing' '"folder": ?"plans", ?"path": ?"carnet-1.txt".*"silent": ?\[\]'
    expect 'and by a command' holds two 'map(.folder + "/" + .path) == ["plans/carnet-1.txt"]' search carnet
    person=nora answers 'all that nora may see' 200 two GET '/api/v1/search?q=carnet'
    says 'is nothing' '"results": ?\[\]'
    person=nora answers 'not by whom nothing was granted' 404 two GET '/api/v1/folders/plans/search?q=carnet'
    answers 'not without words' 400 two GET /api/v1/folders/plans/search
    answers 'gone' 204 two DELETE /dav/plans/carnet-1.txt
    await 'and found no more' searched two plans carnet-1 ''
}

downloads() {
    answers 'a file' 200 two GET /dav/plans/a.txt
    equal 'its bytes' hello "$(cat "$work/content")"
    local etag
    etag=$(field etag)
    answers 'not again' 304 two GET /dav/plans/a.txt --header "If-None-Match: $etag"
    answers 'a part' 206 two GET /dav/plans/a.txt --range 1-3
    equal 'the part' ell "$(cat "$work/content")"
    answers 'its head' 200 two HEAD /dav/plans/a.txt --head
    equal 'its size' 5 "$(field content-length)"
    [[ $(field set-cookie)$(field www-authenticate) == '' ]] || fail 'what is not for this person goes on'
    answers 'a large one' 200 two GET /dav/plans/big
    cmp "$share/big" "$work/content" || fail 'the large one comes as another'
    local i
    for ((i = 0; i < 30; i++)); do # a kept connection is read again, however the answer before it ended
        answers "an archive, time $i" 200 two GET '/api/v1/folders/plans/files?zip'
    done
    python3 -c 'import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None and archive.read("big") == open(sys.argv[2], "rb").read()' \
        "$work/content" "$share/big" || fail 'the archive is not what it should be'
}

uploads() {
    answers 'a new file' 201 two PUT /dav/plans/new --upload-file "$share/big" --header 'Expect: 100-continue'
    cmp "$share/big" "$share/new" || fail 'the new file is another'
    answers 'in chunks' 204 two PUT /dav/plans/new --header 'Transfer-Encoding: chunked' --upload-file "$share/a.txt"
    equal 'its bytes' hello "$(cat "$share/new")"
    answers 'not if it changed' 412 two PUT /dav/plans/new --header 'If-Match: "other"' --upload-file "$share/big"
    answers 'a directory' 201 two MKCOL /dav/plans/d
    answers 'moved' 201 two MOVE /dav/plans/new --header "Destination: https://127.0.0.1:${port[two]}/dav/plans/d/moved"
    equal 'it is there' hello "$(cat "$share/d/moved")"
    answers 'copied' 201 two COPY /dav/plans/d --header "Destination: https://127.0.0.1:${port[two]}/dav/plans/e"
    equal 'it is there, too' hello "$(cat "$share/e/moved")"
    answers 'not to a folder of this site' 502 two MOVE /dav/plans/e --header "Destination: https://127.0.0.1:${port[two]}/dav/own/e"
    answers 'nor from one' 502 two MOVE /dav/own/x --header "Destination: https://127.0.0.1:${port[two]}/dav/plans/x"
    answers 'deleted' 204 two DELETE /dav/plans/e
    [[ ! -e $share/e ]] || fail 'it is still there'
    answers 'by the API' 201 two PUT /api/v1/folders/plans/files/d/api --upload-file "$share/a.txt"
    answers 'renamed by the API' 201 two POST /api/v1/folders/plans/files/d/api \
        --header 'Content-Type: application/json' --data '{"do":"move","to":"d/api2"}'
    equal 'it is there' hello "$(cat "$share/d/api2")"
    answers 'a property' 207 two PROPPATCH /dav/plans/a.txt --data '<propertyupdate xmlns="DAV:"><set><prop><c xmlns="x:">red</c></prop></set></propertyupdate>'
    answers 'it is asked for' 207 two PROPFIND /dav/plans/a.txt --header 'Depth: 0'
    says 'and stays' 'red'
}

locks() {
    local token
    answers 'a lock' 200 two LOCK /dav/plans/a.txt --data '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    token=$(field lock-token)
    [[ $token == '<urn:uuid:'* ]] || fail "no token: $token"
    person=bruno answers 'it holds at the other site' 423 one PUT /dav/plans/a.txt --upload-file "$share/a.txt"
    person=anne answers 'also for one of that name there' 423 one PUT /dav/plans/a.txt --upload-file "$share/a.txt" --header "If: ($token)"
    answers 'not without it' 423 two PUT /dav/plans/a.txt --upload-file "$share/a.txt"
    answers 'with it' 204 two PUT /dav/plans/a.txt --upload-file "$share/a.txt" \
        --header "If: <https://127.0.0.1:${port[two]}/dav/plans/a.txt> ($token)"
    answers 'unlocked' 204 two UNLOCK /dav/plans/a.txt --header "Lock-Token: $token"
}

rights() {
    person=rita answers 'a reader reads' 200 two GET /dav/plans/a.txt
    person=rita answers 'and writes nothing' 403 two PUT /dav/plans/rita --upload-file "$share/a.txt"
    person=rita answers 'nor deletes' 403 two DELETE /dav/plans/a.txt
    [[ ! -e $share/rita && -e $share/a.txt ]] || fail 'a reader wrote'
    person=nora answers 'whom nothing was granted sees nothing' 404 two GET /dav/plans/a.txt
    person=rita answers 'what says that it is from a site is refused' 400 two PUT /dav/plans/rita --upload-file "$share/a.txt" \
        --header 'X-Quoin-Person: anne' --header 'X-Quoin-Right: write'
    answers 'also where it is at home' 400 one GET /dav/plans/a.txt --header 'x-quoin-device: x'
    answers 'a site without a part in it knows nothing' 404 three GET /dav/plans/a.txt
    expect 'the trail of one names them' holds one \
        'any(.actor == "anne@two" and .action == "write" and .object == "folder:plans/new" and .result == "ok")' log
    expect 'so does that of two' holds two \
        'any(.actor == "anne" and .action == "write" and .object == "folder:plans/new" and .result == "ok")' log
    expect 'also what was refused' holds two 'any(.actor == "rita" and .result == "denied")' log
}

has_line() {
    jq -se "any($2)" "$1" >/dev/null
}

# What is here is told while another site has not answered yet.
searches_line_by_line() {
    local asking
    answers 'a file of this name here' 201 two PUT /dav/own/carnet-2.txt --upload-file "$share/a.txt"
    answers 'and there' 201 two PUT /dav/plans/carnet-3.txt --upload-file "$share/a.txt"
    await 'both are found' searched two own carnet-2 carnet-2.txt
    await 'both are found' searched two plans carnet-3 carnet-3.txt
    kill -STOP "${site_pid[one]}"
    curl --silent --insecure --no-buffer --user "anne:${device[two/anne]}" --max-time 60 --output "$work/lines" \
        "https://127.0.0.1:${port[two]}/api/v1/search?q=carnet&lines" &
    asking=$!
    await 'what is here is told at once' has_line "$work/lines" '.path == "carnet-2.txt"'
    await 'and who is asked' has_line "$work/lines" '.kind == "asked" and .site == "one"'
    kill -CONT "${site_pid[one]}"
    wait "$asking" || fail 'the search fails'
    expect 'then comes what is there' has_line "$work/lines" '.path == "carnet-3.txt"'
    expect 'that it has answered' has_line "$work/lines" '.kind == "answered" and .site == "one"'
    equal 'and the end, with nobody silent' '{"kind":"end","indexing":false,"silent":[]}' "$(tail -n 1 "$work/lines" | jq -c .)"
    answers 'gone' 204 two DELETE /dav/plans/carnet-3.txt
}

# What comes beside a download is not kept waiting.
beside() {
    local reading start took
    curl --silent --insecure --user "anne:${device[two/anne]}" --output "$work/down" --limit-rate 40M \
        "https://127.0.0.1:${port[two]}/dav/plans/huge" &
    reading=$!
    await 'a download runs' test -s "$work/down"
    start=$(date +%s%N)
    expect 'a record beside it' ctl two record put beside k a=1
    took=$((($(date +%s%N) - start) / 1000000))
    await 'it is at the other site' has_record one beside k
    kill -0 "$reading" || fail 'the download was over too early to say anything'
    ((took < 2000)) || fail "a put took $took ms beside a download"
    ok "it took $took ms"
    wait "$reading" || fail 'the download failed'
    cmp "$share/huge" "$work/down" || fail 'the download is another'
}

client() {
    command -v rclone >/dev/null || return 0
    mkdir -p "$work/tree/x/y"
    for i in {1..60}; do head -c $((i * 97)) /dev/urandom >"$work/tree/x/y/f $i é"; done
    export RCLONE_CONFIG=$work/rclone.conf
    cat >"$RCLONE_CONFIG" <<CONFIG
[two]
type = webdav
url = https://127.0.0.1:${port[two]}/dav/plans
vendor = owncloud
user = anne
pass = $(rclone obscure "${device[two/anne]}")
CONFIG
    expect 'rclone, up' timeout 250 rclone --no-check-certificate sync "$work/tree" two:tree
    expect 'all is there' diff -r "$work/tree" "$share/tree"
    expect 'again' timeout 100 rclone --no-check-certificate sync "$work/tree" two:tree -v
    [[ $answer == *'There was nothing to transfer'* ]] || fail "it moves something: $answer"
    expect 'rclone, down' timeout 250 rclone --no-check-certificate copy two:tree "$work/back"
    expect 'all is back' diff -r "$work/tree" "$work/back"
}

is_large() {
    (($(stat -c %s "$1" 2>/dev/null || echo 0) > $2))
}

cut_in_the_middle() {
    local reading writing status=0
    curl --silent --insecure --user "anne:${device[two/anne]}" --output "$work/cut" --limit-rate 4M \
        "https://127.0.0.1:${port[two]}/dav/plans/huge" &
    reading=$!
    await 'a download is in the middle' is_large "$work/cut" 1000000
    site_kill one
    wait "$reading" || status=$?
    [[ $status != 0 ]] || fail 'a download that was cut looks whole'
    is_large "$work/cut" $(($(stat -c %s "$share/huge") - 1)) && fail 'it was not cut'
    ok "the client is told ($status)"
    site_start one --config "$work/one.conf" || fail 'one does not start'
    await 'one is back' is_reachable
    status=0
    curl --silent --insecure --user "anne:${device[two/anne]}" --upload-file "$share/huge" --limit-rate 4M --fail \
        --output /dev/null "https://127.0.0.1:${port[two]}/dav/plans/a.txt" &
    writing=$!
    await 'it is on its way' has_upload
    site_kill one
    wait "$writing" || status=$?
    [[ $status != 0 ]] || fail 'an upload that was cut looks whole'
    equal 'nothing visible changed' hello "$(cat "$share/a.txt")"
    site_start one --config "$work/one.conf" || fail 'one does not start'
    await 'one is back' is_reachable
    answers 'it is as it was' 200 two GET /dav/plans/a.txt
    equal 'to the byte' hello "$(cat "$work/content")"
}

# Something of the upload has reached one's disk: a file without a name, which only its daemon has open.
has_upload() {
    local link
    for link in /proc/"${site_pid[one]}"/fd/*; do
        [[ $(readlink "$link") == "$share"/* ]] || continue
        (($(stat -L -c %s "$link") > 1000000)) && return 0
    done
    return 1
}

down() {
    local start
    site_stop one
    start=$SECONDS
    answers 'a site that is down' 503 two GET /dav/plans/a.txt
    says 'is named' 'one'
    [[ $(field retry-after) -gt 0 ]] || fail 'no Retry-After'
    answers 'in the API, too' 503 two GET /api/v1/folders/plans/list
    says 'by its code' '"code":"site-offline".*"object":"one"'
    answers 'a write' 503 two PUT /dav/plans/a.txt --upload-file "$share/big"
    ((SECONDS - start <= 18)) || fail "three answers took $((SECONDS - start)) s"
    answers 'the list of folders has it still' 200 two GET /api/v1/folders
    says 'as offline' '"state":"elsewhere","online":false'
    answers 'a search' 200 two GET '/api/v1/search?q=carnet'
    says 'says whom it could not ask' '"silent": ?\["one"\]'
    expect 'a command, too' ctl two search carnet
    [[ $answer == *'folders of one could not be searched'* ]] || fail "it is not said: $answer"
    answers 'the own folder is as ever' 200 two GET /dav/own/x
    site_start one --config "$work/one.conf" || fail 'one does not start'
    await 'one is back' is_reachable
    answers 'and answers' 200 two GET /dav/plans/a.txt
    # a daemon that stands still: it accepts and does not shake hands
    site_stop two
    site_start two --config "$work/two.conf" || fail 'two does not start'
    await 'they see each other' is_reachable
    kill -STOP "${site_pid[one]}"
    start=$SECONDS
    answers 'one that does not answer' 503 two GET /dav/plans/a.txt
    kill -CONT "${site_pid[one]}"
    ((SECONDS - start <= 6)) || fail "the answer took $((SECONDS - start)) s"
}

begin "$1" "$2" one two three
found_group one two three
share=$work/share
mkdir "$share" "$work/own"
printf hello >"$share/a.txt"
printf own >"$work/own/x"
head -c 3000000 /dev/urandom >"$share/big"
head -c 60000000 /dev/urandom >"$share/huge"
for site in one two three; do serves "$site"; done
expect 'a folder' ctl one folder create plans --path "$share" --members one,two
expect 'a folder of two' ctl two folder create own --path "$work/own" --members two
expect 'a collection' ctl one collection create beside
await 'two knows it' holds two 'any(.name == "plans")' folder list
await 'and the collection' has_collection two beside
person_add two anne
expect 'she may write' ctl two user grant anne --folder plans --right write
expect 'in both' ctl two user grant anne --folder own --right write
person_add two rita
expect 'she may read' ctl two user grant rita --folder plans --right read
person_add two nora
person_add one bruno
expect 'he may write' ctl one user grant bruno --folder plans --right write
person_add one anne
expect 'she may write' ctl one user grant anne --folder plans --right write
person_add three anne
refuse 2 'no such folder' 'who has no part in it' ctl three user grant anne --folder plans --right read
await 'two reaches one' is_reachable

lists
searches
searches_line_by_line
downloads
uploads
locks
rights
beside
client
cut_in_the_middle
down
echo 'across: all is well'
