#!/bin/bash
# The JSON API with curl: the examples of docs/api.md are run and compared; then what they cannot show: writes that race, ranges,
# archives, what others may not see, clients that leave.
#
#   api.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

password='a rather long password'
port=''

# ask METHOD PATH CURL-OPTION...: the content to $work/content, the head to $work/head; prints the status.
ask() {
    local method=$1 path=$2
    shift 2
    curl --silent --show-error --insecure --user "anne:$password" --request "$method" \
        --max-time 20 --output "$work/content" --dump-header "$work/head" --write-out '%{http_code}' \
        "$@" "https://127.0.0.1:$port/api/v1$path"
}

answers() {
    local what=$1 wanted=$2
    shift 2
    local got
    got=$(ask "$@") || fail "$what: curl failed"
    [[ $got == "$wanted" ]] || fail "$what: $got, not $wanted: $(head -c 300 "$work/content")"
}

etag() {
    sed -n 's/^[Ee][Tt][Aa][Gg]: \(.*\)\r$/\1/p' "$work/head"
}

# Whether the JSON in $work/content is that of the document, in which "*" is anything.
is_like() {
    jq -e --argjson wanted "$1" '
        def like($w): if $w == "*" then true
            elif ($w | type) != type then false
            elif type == "object" then (keys_unsorted == ($w | keys_unsorted)) and
                (. as $got | [$w | keys[] as $k | $got[$k] | like($w[$k])] | all)
            elif type == "array" then length == ($w | length) and
                (. as $got | [range(length) as $i | $got[$i] | like($w[$i])] | all)
            else . == $w end;
        like($wanted)' "$work/content" >/dev/null
}

# One example: the lines up to the answer.
run_example() {
    local line=$1 answer=$2 body=$3
    shift 3
    local method=${line%% *} path=${line#* } wanted=${answer%% *} content=''
    [[ $answer == *' '* ]] && content=${answer#* }
    local options=("$@")
    [[ -n $body ]] && options+=(--data-binary "$body")
    answers "docs/api.md: $line" "$wanted" "$method" "$path" "${options[@]}"
    [[ -z $content ]] || is_like "$content" ||
        fail "docs/api.md: $line: $(head -c 600 "$work/content") is not $content"
}

document_examples() {
    local fence=$'\x60\x60\x60'
    awk -v fence="$fence" '/^## 7/ { is_on = 1 } $0 == fence { is_inside = !is_inside; next }
        is_on && is_inside && NF' "$integ_root/docs/api.md"
}

examples() {
    local line request='' body='' options=() count=0 type='application/json'
    while IFS= read -r line; do
        if [[ $line =~ ^[1-5][0-9][0-9]($|\ ) ]]; then
            [[ -z $body ]] || options+=(--header "Content-Type: $type")
            run_example "$request" "$line" "$body" "${options[@]}"
            request='' body='' options=() type='application/json' count=$((count + 1))
        elif [[ -z $request ]]; then
            request=$line
        elif [[ $line == 'Content-Type: '* ]]; then
            type=${line#*: }
        elif [[ $line =~ ^[A-Z][A-Za-z-]+:\  ]]; then
            options+=(--header "$line")
        elif [[ -n $line ]]; then
            body=$line
        fi
    done < <(document_examples)
    ((count >= 20)) || fail "only $count examples in docs/api.md"
}

json=(--header 'Content-Type: application/json')

# Of twenty writers that have all seen the same, one is taken.
races() {
    answers 'a record' 201 PUT /collections/residents/records/race "${json[@]}" --data '{"fields":{"n":0}}'
    local seen i taken
    seen=$(etag)
    for ((i = 1; i <= 20; i++)); do
        curl --silent --insecure --user "anne:$password" --request PUT "${json[@]}" \
            --header "If-Match: $seen" --data "{\"fields\":{\"n\":$i}}" --max-time 20 --output /dev/null \
            --write-out '%{http_code}\n' "https://127.0.0.1:$port/api/v1/collections/residents/records/race" \
            >"$work/race.$i" &
    done
    for ((i = 1; i <= 20; i++)); do
        wait -n || fail 'a writer failed'
    done
    taken=$(cat "$work"/race.* | grep -c 200) || true
    equal 'one of those who race is taken' 1 "$taken"
    equal 'the others are told' 19 "$(cat "$work"/race.* | grep -c 412)"
    # somebody at the command line in between
    answers 'the record' 200 GET /collections/residents/records/race
    seen=$(etag)
    expect 'a put beside' ctl one record put residents race n=other
    answers 'what was not seen is not written over' 412 PUT /collections/residents/records/race "${json[@]}" \
        --header "If-Match: $seen" --data '{"fields":{"n":99}}'
    answers 'nor deleted' 412 DELETE /collections/residents/records/race --header "If-Match: $seen"
    holds one '.fields.n == "other"' record get residents race
}

files() {
    head -c 3000000 /dev/urandom >"$work/big"
    answers 'a large file' 201 PUT /folders/plans/files/big --upload-file "$work/big" --header 'Expect: 100-continue'
    answers 'it is there' 200 GET /folders/plans/files/big
    cmp "$work/big" "$work/content" || fail 'it comes back as another'
    answers 'in chunks' 204 PUT /folders/plans/files/big --header 'Transfer-Encoding: chunked' --upload-file "$work/big"
    answers 'a part' 206 GET /folders/plans/files/big --range 1000-1999
    cmp <(tail -c +1001 "$work/big" | head -c 1000) "$work/content" || fail 'the part is another'
    answers 'behind the end' 416 GET /folders/plans/files/big --range 3000000-
    answers 'traversal' 400 GET /folders/plans/files/%2e%2e/secret --path-as-is
    answers 'an archive' 200 GET '/folders/plans/files?zip'
    unzip -tqq "$work/content" || fail 'the archive is broken'
    unzip -p "$work/content" big | cmp - "$work/big" || fail 'what is in the archive is another'
    ok 'files come back as they went'
}

others() {
    expect 'a collection that is not hers' ctl one collection create payroll
    expect 'a record in it' ctl one record put payroll p secret=1
    answers 'it does not exist for her' 404 GET /collections/payroll/records/p
    answers 'nor can it be made' 404 PUT /collections/payroll/records/q "${json[@]}" --data '{"fields":{"a":1}}'
    answers 'nor listed' 200 GET /collections
    ! grep -q payroll "$work/content" || fail 'its name is told'
    expect 'reading only' ctl one user grant anne --collection payroll --right read
    answers 'she may read' 200 GET /collections/payroll/records/p
    answers 'but not write' 403 PUT /collections/payroll/records/p "${json[@]}" --data '{"fields":{"a":1}}'
    [[ $(curl --silent --insecure --output /dev/null --write-out '%{http_code}' \
        "https://127.0.0.1:$port/api/v1/collections") == 401 ]] || fail 'nobody is let in'
}

# session METHOD PATH CURL-OPTION...: as the page asks, with the cookie.
session() {
    local method=$1 path=$2
    shift 2
    curl --silent --insecure --request "$method" --max-time 20 --cookie "$work/jar" --cookie-jar "$work/jar" \
        --output "$work/content" --write-out '%{http_code}' "$@" "https://127.0.0.1:$port/api/v1$path"
}

# found WANTED WORDS: what the search has for her.
found() {
    [[ $(ask GET "/search?q=$2") == 200 ]] || return 1
    [[ $(jq -r '[.results[] | (.folder // .collection) + ":" + (.path // .key)] | sort | join(" ")' "$work/content") == "$1" ]]
}

# Only what she may see is found, whatever else there is.
searches() {
    mkdir "$work/closed"
    touch "$work/closed/sesame-1.txt"
    expect 'a folder that is not hers' ctl one folder create closed --path "$work/closed"
    expect 'a collection that is not hers' ctl one collection create vault
    expect 'a record in it' ctl one record put vault sesame-2 a=1
    expect 'a record of hers' ctl one record put residents sesame-3 a=1
    answers 'a directory' 201 POST /folders/plans/files/Menus "${json[@]}" --data '{"do":"make-directory"}'
    answers 'a file of hers' 201 PUT /folders/plans/files/Menus/sesame-4.txt --data x
    await 'what was put over the API is found soon' found 'plans:Menus/sesame-4.txt residents:sesame-3' sesame
    expect 'all is found by whoever may see all' holds one 'length == 4' search sesame
    answers 'it is moved' 201 POST /folders/plans/files/Menus "${json[@]}" --data '{"do":"move","to":"Repas"}'
    await 'and found there' found 'plans:Repas/sesame-4.txt residents:sesame-3' sesame
    expect 'a right' ctl one user grant anne --folder closed --right read
    expect 'and it is found' found 'closed:sesame-1.txt plans:Repas/sesame-4.txt residents:sesame-3' sesame
    expect 'taken back' ctl one user revoke anne --folder closed
    expect 'and it is not' found 'plans:Repas/sesame-4.txt residents:sesame-3' sesame
    answers 'it is deleted' 204 DELETE /folders/plans/files/Repas
    await 'and forgotten' found 'residents:sesame-3' sesame
    expect 'somebody else' ctl one user add berthe --role operator <<<"$password"
    equal 'who was granted nothing finds nothing' '{"results":[],"indexing":false,"silent":[]}' "$(curl --silent --insecure \
        --user "berthe:$password" --max-time 20 "https://127.0.0.1:$port/api/v1/search?q=sesame")"
}

drive() { # PASSWORD
    curl --silent --insecure --user "anne:$1" --request PROPFIND --header 'Depth: 0' --max-time 20 \
        --output "$work/content" --write-out '%{http_code}' "https://127.0.0.1:$port/dav/"
}

sessions() {
    equal 'a wrong password' 401 "$(session POST /session "${json[@]}" --data '{"name":"anne","password":"x"}')"
    is_like '{"error":{"code":"wrong-password","message":"*","object":""}}' || fail "$(cat "$work/content")"
    equal 'signing in' 200 "$(session POST /session "${json[@]}" --data "{\"name\":\"anne\",\"password\":\"$password\"}")"
    local token
    token=$(jq -r .token "$work/content")
    equal 'the cookie is enough to read' 200 "$(session GET /me)"
    equal 'and says the token again' "$token" "$(jq -r .token "$work/content")"
    equal 'but not to write' 403 "$(session PUT /collections/residents/records/s "${json[@]}" --data '{"fields":{"a":1}}')"
    equal 'with the token it is' 201 "$(session PUT /collections/residents/records/s "${json[@]}" \
        --header "X-Quoin-Token: $token" --data '{"fields":{"a":1}}')"
    equal 'a foreign page' 403 "$(session DELETE /collections/residents/records/s --header "X-Quoin-Token: $token" \
        --header 'Origin: https://elsewhere.example')"
    equal 'WebDAV takes no password of a person' 401 "$(drive "$password")"
    grep -q 'app password' "$work/content" || fail "not said: $(cat "$work/content")"
    equal 'but that of a device' 207 "$(drive "$(ctl one --json user app-password anne --label drive | jq -r .password)")"
    equal 'signing out' 204 "$(session DELETE /session --header "X-Quoin-Token: $token")"
    equal 'then it is over' 401 "$(session GET /me)"
}

# The sentence of an error, in the language that is asked for.
says() {
    local language=$1 wanted=$2
    answers "an error in $language" 404 GET /collections/none/records --header "Accept-Language: $language"
    equal "its sentence in $language" "$wanted" "$(jq -r .error.message "$work/content")"
}

languages() {
    says en 'There is no such collection, or you may not see it.'
    says fr-FR "Cette collection n'existe pas, ou vous n'y avez pas accès."
    expect 'an operator' ctl one user role anne operator
    answers 'the state' 200 GET /status --header 'Accept-Language: fr'
    jq -e '.alerts | length > 0 and all(.text != "" and .action != "")' "$work/content" >/dev/null ||
        fail "alerts without words: $(head -c 600 "$work/content")"
    equal 'the alert of the kit' "la trousse de secours est encore dans le répertoire d'état" \
        "$(jq -r '.alerts[] | select(.code == "kit-unconfirmed").text' "$work/content")"
    expect 'an editor again' ctl one user role anne editor
}

# attempt PASSWORD: the status
attempt() {
    session POST /session "${json[@]}" --data "{\"name\":\"bert\",\"password\":\"$1\"}"
}

# Who is shut out for what was guessed comes in with a new password at once.
forgiven() {
    local i
    expect 'another person' ctl one user add bert --role editor <<<"$password"
    for ((i = 0; i < 20; i++)); do
        [[ $(attempt wrong) != 429 ]] || break
    done
    equal 'too many guesses' 429 "$(attempt "$password")"
    expect 'a new password' ctl one user password bert <<<'sept nouveaux cornichons amers'
    equal 'lets him in' 200 "$(attempt 'sept nouveaux cornichons amers')"
}

# noted ACTION OBJECT DEVICE: the trail has it.
noted() {
    expect "$1 of $2 stands in the trail" holds one \
        "any(.[]; .action == \"$1\" and .object == \"folder:$2\" and .device == \"$3\")" log
}

trail() {
    answers 'a file' 201 PUT /folders/plans/files/from --data x
    answers 'a move' 201 POST /folders/plans/files/from "${json[@]}" --data '{"do":"move","to":"moved"}'
    answers 'a copy' 201 POST /folders/plans/files/moved "${json[@]}" --data '{"do":"copy","to":"copied"}'
    noted write plans/from password
    noted move plans/from password
    noted write plans/moved password
    noted copy plans/moved password
    noted write plans/copied password
}

many() {
    local i after='' count=0 total=0
    for ((i = 0; i < 2500; i++)); do
        printf '{"id":"n%05d","v":"%0200d"}\n' "$i" "$i"
    done >"$work/many.jsonl"
    expect 'many records' ctl one record import residents "$work/many.jsonl" --key id
    while :; do
        answers 'a page' 200 GET "/collections/residents/records?prefix=n&limit=1000&after=$after"
        count=$(jq '.records | length' "$work/content")
        total=$((total + count))
        after=$(jq -r '.next // empty' "$work/content")
        [[ -n $after ]] || break
    done
    equal 'all of them come, a page at a time' 2500 "$total"
}

begin "$1" "$2" one
port=$(sites_free_port)
mkdir "$work/plans"
printf '[serve]\nlisten = 127.0.0.1:%s\n' "$port" >"$work/quoin.conf"
expect 'a group' ctl one init --site one --group homes --listen "$(site_address one)" --advertise "$(site_address one)"
site_start one --config "$work/quoin.conf" || fail 'one does not start'
expect 'a collection' ctl one collection create residents
expect 'a folder' ctl one folder create plans --path "$work/plans"
expect 'a person' ctl one user add anne --role editor <<<"$password"
expect 'what she may' ctl one user grant anne --collection residents --right write
expect 'and in the folder' ctl one user grant anne --folder plans --right write
await 'the API answers' answers 'me' 200 GET /me

examples
races
files
others
searches
sessions
languages
forgiven
trail
many
