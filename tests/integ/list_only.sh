#!/bin/bash
# The right to list: names and sizes, and no content, over WebDAV and the API, at the own site and through it at another one. And passwords
# of devices that are for one folder: not for another one of its name.
#
#   list_only.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=web_lib.sh
source "$(dirname "$0")/web_lib.sh"

person=lise

hides() {
    if grep -qE -- "$2" "$work/content"; then
        fail "$1: '$2' in: $(head -c 600 "$work/content")"
    fi
    ok "$1"
}

is_reachable() {
    [[ $(ask two GET /api/v1/folders) == 200 ]] &&
        jq -e 'any(.name == "plans" and .online)' "$work/content"
}

is_found() {
    [[ $(ask "$1" GET '/api/v1/search?q=carnet') == 200 ]] && jq -e '[.results[].path] == ["carnet.txt"]' "$work/content"
}

files() {
    local site=$1
    answers "$site: the list by WebDAV" 207 "$site" PROPFIND /dav/plans/ --header 'Depth: 1'
    says 'has names' '/dav/plans/carnet.txt'
    says 'and sizes' 'getcontentlength>6<'
    hides 'and nothing of a content' 'getetag>.?[^<]|SHA1'
    answers "$site: by the API" 200 "$site" GET /api/v1/folders/plans/list
    says 'likewise' '"name": ?"carnet.txt".*"size": ?6.*"etag": ?null'
    answers "$site: no content" 403 "$site" GET /dav/plans/carnet.txt
    hides 'not a byte' 'secret'
    answers 'nor its head' 403 "$site" HEAD /dav/plans/carnet.txt --head
    answers 'by the API' 403 "$site" GET /api/v1/folders/plans/files/carnet.txt
    says 'it says why' 'list-only'
    answers 'nor an archive' 403 "$site" GET '/api/v1/folders/plans/files?zip'
    answers 'nor a copy' 403 "$site" COPY /dav/plans/carnet.txt --header "Destination: https://127.0.0.1:${port[$site]}/dav/plans/mine"
    answers 'nor a write' 403 "$site" PUT /dav/plans/carnet.txt --data new
    await "$site: a search finds names" is_found "$site"
    expect 'what was refused is in the trail' holds "$site" 'any(.actor == "lise" and .object == "folder:plans/carnet.txt" and .result == "denied")' log
}

records() {
    answers 'the keys of records' 200 one GET /api/v1/collections/meals/records
    says 'alone' '"records":\[\{"key":"monday"\}\]'
    answers 'no record' 403 one GET /api/v1/collections/meals/records/monday
    answers 'no history' 403 one GET /api/v1/collections/meals/records/monday/history
    answers 'no trash' 403 one GET /api/v1/collections/meals/trash
    answers 'a search for a value' 200 one GET '/api/v1/search?q=soup'
    hides 'finds nothing' 'monday'
    answers 'who one is' 200 one GET /api/v1/me
    says 'says the right' '"collection":"meals","right":"list"'
}

devices() {
    local all=${device[one/lise]} phone
    phone=$(ctl one --json user app-password lise --label phone --folder plans | jq -r .password)
    device[one/lise]=$phone
    answers 'a device for one folder' 207 one PROPFIND /dav/plans/ --header 'Depth: 1'
    expect 'the folder goes' ctl one folder delete plans
    mkdir "$work/other"
    expect 'another one of its name' ctl one folder create plans --path "$work/other" --members one
    expect 'it is granted' ctl one user grant lise --folder plans --right read
    device[one/lise]=$all
    answers 'she sees it' 207 one PROPFIND /dav/plans/ --header 'Depth: 1'
    device[one/lise]=$phone
    answers 'her device does not' 404 one PROPFIND /dav/plans/ --header 'Depth: 1'
    expect 'it shows' holds one 'any(.label == "phone" and .gone)' user app-password list lise
    expect 'in words' ctl one user app-password list lise
    [[ $answer == *'it is gone'* ]] || fail "not said: $answer"
}

begin "$1" "$2" one two
found_group one two
share=$work/share
mkdir "$share"
printf secret >"$share/carnet.txt"
serves one
serves two
expect 'a folder' ctl one folder create plans --path "$share" --members one,two
expect 'a collection' ctl one collection create meals
expect 'a record' ctl one record put meals monday dish=soup
await 'two knows the folder' holds two 'any(.name == "plans")' folder list
for site in one two; do
    person_add "$site" lise
    refuse 2 'no right' 'no other right' ctl "$site" user grant lise --folder plans --right look
    expect 'she may list' ctl "$site" user grant lise --folder plans --right list
done
expect 'it shows' ctl one user show lise
[[ $answer == *'to see names'* ]] || fail "not said: $answer"
expect 'she may list records' ctl one user grant lise --collection meals --right list
await 'two reaches one' is_reachable

files one
files two
records
devices
