#!/bin/bash
# HTTPS for people, in front of a hostile client and a hurried one: requests that could be read in two ways, paths
# out of the folder, links that are swapped meanwhile, bodies that break off, rights that are withdrawn while a body
# comes, strangers who take all places, who hangs up at once; and what the trail says of it.
#
#   serve_hostile.sh SYNCD SYNCCTL SLOW_CLIENTS
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

begin "$1" "$2" one
slow_clients=$3
port=$(sites_free_port)
url=https://127.0.0.1:$port
crlf=$'\r\n'
declare -A secret basic

# ask PERSON METHOD PATH CURL-OPTION...: the status; the content in $work/content, the head in $work/head. "-": nobody.
ask() {
    local person=$1 method=$2 path=$3 who=()
    shift 3
    [[ $person == - ]] || who=(--user "$person:${secret[$person]}")
    curl --silent --insecure "${who[@]}" --request "$method" --path-as-is --max-time 10 --output "$work/content" \
        --dump-header "$work/head" --write-out '%{http_code}' "$@" "$url$path" || true
}

answers() {
    local what=$1 wanted=$2
    shift 2
    equal "$what" "$wanted" "$(ask "$@")"
}

# says TEXT: bytes as they are; the numbers of the answers, in a row. The server has to close.
says() {
    printf '%s' "$1" | timeout 10 openssl s_client -quiet -connect "127.0.0.1:$port" 2>/dev/null |
        grep -aoE '^HTTP/1\.1 [0-9]+' | cut -d' ' -f2 | paste -sd' ' || true
}

# hangs_up SECONDS TEXT: says it, and is gone so long after.
hangs_up() {
    { printf '%s' "$2" && sleep "$1"; } |
        timeout 10 openssl s_client -quiet -no_ign_eof -connect "127.0.0.1:$port" >/dev/null 2>&1 || true
}

descriptors() {
    find "/proc/${site_pid[one]}/fd" -mindepth 1 | wc -l
}

has_at_most() {
    (($(descriptors) <= $1))
}

# The trail has an entry: actor, action, object, result.
is_noted() {
    ctl one --json log | jq -e --arg a "$1" --arg b "$2" --arg c "$3" --arg d "$4" \
        '[(if type == "array" then . else .entries end)[] |
          select(.actor == $a and .action == $b and .object == $c and .result == $d)] | length > 0' >/dev/null
}

person() {
    expect "$1" ctl one user add "$1" --role editor <<<"sept cornichons pour le facteur"
    secret[$1]=$(ctl one --json user app-password "$1" --label dev | jq -r .password)
    basic[$1]="Authorization: Basic $(printf '%s' "$1:${secret[$1]}" | base64 -w0)"
}

set_up() {
    mkdir "$work/plans" "$work/secret" "$work/outside"
    echo outside >"$work/outside/passwd"
    printf '%s\n' '[serve]' "listen = 127.0.0.1:$port" >"$work/conf"
    expect "a site" init_first one
    site_start one --config "$work/conf" || fail "it does not start"
    expect "a folder" ctl one folder create plans --path "$work/plans"
    expect "another one" ctl one folder create secret --path "$work/secret"
    person anne
    person zoe
    expect "anne may write" ctl one user grant anne --folder plans --right write
    expect "zoe, too" ctl one user grant zoe --folder plans --right write
    await "it answers" answers "a file" 201 anne PUT /dav/plans/a --data original
}

# --- read in two ways ---

smuggling() {
    local start="PUT /dav/plans/smuggled HTTP/1.1${crlf}Host: a${crlf}${basic[anne]}$crlf" after
    after="GET / HTTP/1.1${crlf}Host: localhost$crlf$crlf"
    start=${start/Host: a/Host: localhost}
    local chunked="Transfer-Encoding: chunked$crlf" field
    for field in "Content-Length: 6$crlf$chunked" "Content-Length: 0${crlf}Content-Length: 5$crlf" \
        "Content-Length: 5, 5$crlf" "Content-Length: +5$crlf" "Content-Length: 0x5$crlf" \
        "Transfer-Encoding : chunked$crlf" "Transfer-Encoding: chunked${crlf}Transfer-Encoding: identity$crlf" \
        "X: a$crlf b$crlf" $'X: y\n' $'X: y\rZ: z\r\n' "Host: evil$crlf"; do
        equal "one refusal of ${field//[$'\r\n']/|}" 400 "$(says "$start$field${crlf}0$crlf$crlf$after")"
    done
    for field in "-1$crlf" "fffffffffffffffff$crlf" "1 $crlf" "0x1$crlf" $'1\n' "1${crlf}xy$crlf"; do
        equal "no chunk ${field//[$'\r\n']/|}" 400 "$(says "$start$chunked$crlf$field$after")"
    done
    equal "a body of a GET is no request" "404 200" \
        "$(says "GET /dav/plans/no HTTP/1.1${crlf}Host: localhost$crlf${basic[anne]}${crlf}Content-Length: ${#after}$crlf$crlf$after${after/Host/Connection: close${crlf}Host}")"
    equal "a foreign name" 421 "$(says "GET / HTTP/1.1${crlf}Host: evil.example$crlf$crlf")"
    equal "two who say who they are" 401 "$(says "GET /api/v1/me HTTP/1.1${crlf}Host: localhost${crlf}Connection: close$crlf${basic[anne]}$crlf${basic[zoe]}$crlf$crlf")"
    [[ ! -e $work/plans/smuggled ]] || fail "something was smuggled in"
}

# --- out of the folder ---

paths() {
    local path method status
    ln -s "$work/outside" "$work/plans/link"
    ln -s "$work/outside/passwd" "$work/plans/plink"
    mkfifo "$work/plans/fifo"
    for path in ../outside/passwd %2e%2e/outside/passwd ..%2foutside%2fpasswd a%00 %c0%ae%c0%ae/outside %ff \
        link/passwd plink fifo .quoin-folder %ed%a0%80 a%0d%0aX; do
        for method in GET PUT DELETE; do
            status=$(ask anne "$method" "/dav/plans/$path" --header 'Depth: 0' --data '')
            [[ $status == 4?? ]] || fail "$method $path: $status"
        done
        status=$(ask anne MOVE /dav/plans/a --header "Destination: /dav/plans/$path")
        [[ $status == 4?? ]] || fail "MOVE to $path: $status"
    done
    ok "no path leads out of the folder"
    answers "a move to another folder" 502 anne MOVE /dav/plans/a --header 'Destination: /dav/secret/a'
    answers "the folder itself stays" 403 anne DELETE /dav/plans/
    equal "what is outside is as it was" "outside" "$(cat "$work"/outside/*)"
    rm "$work/plans/link" "$work/plans/plink" "$work/plans/fifo"
}

# Somebody swaps a directory with a link, all the time.
swapping() {
    local i
    mkdir -p "$work/plans/d"
    ln -s "$work/outside" "$work/away"
    (while :; do
        mv "$work/plans/d" "$work/dir" && mv "$work/away" "$work/plans/d" &&
            mv "$work/plans/d" "$work/away" && mv "$work/dir" "$work/plans/d"
    done) 2>/dev/null &
    helpers+=($!)
    for i in {1..15}; do
        ask anne GET /dav/plans/d/passwd >/dev/null
        ! grep -qs outside "$work/content" || fail "what is outside was read"
        ask anne PUT "/dav/plans/d/n$i" --data x >/dev/null
        ask anne COPY /dav/plans/a --header "Destination: /dav/plans/d/c$i" >/dev/null
        ask anne DELETE /dav/plans/d/passwd >/dev/null
    done
    kill "${helpers[-1]}"
    unset 'helpers[-1]'
    equal "nothing outside was touched" "passwd" "$(ls "$work/outside")"
    rm -rf "$work/plans/d" "$work/away" "$work/dir"
}

# --- XML and more ---

documents() {
    local deep
    printf -v deep '%5000s' ''
    answers "an entity bomb" 400 anne PROPFIND /dav/plans/ --header 'Depth: 0' \
        --data '<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><D:propfind xmlns:D="DAV:"><D:prop><x>&b;</x></D:prop></D:propfind>'
    answers "a deep document" 413 anne PROPFIND /dav/plans/ --header 'Depth: 0' --data "${deep// /<a>}"
    answers "all below" 403 anne PROPFIND /dav/plans/ --header 'Depth: infinity'
    head -c 100000 /dev/zero >"$work/plans/r"
    answers "a thousand ranges" 200 anne GET /dav/plans/r --header "Range: bytes=0-9$(printf ',%.0s0-99999' {1..1000})"
    answers "ranges that overlap" 206 anne GET /dav/plans/r --header 'Range: bytes=0-99999,0-99999,0-99999'
    (($(stat -c %s "$work/content") <= 100000)) || fail "more than there is"
    ok "no more than there is"
}

# --- bodies that break off ---

cuts() {
    local before head text path size
    before=$(descriptors)
    for path in /dav/plans/a /api/v1/folders/plans/files/a; do
        head="PUT $path HTTP/1.1${crlf}Host: localhost$crlf${basic[anne]}$crlf"
        for size in 0 1 99; do
            printf -v text "%${size}s" ''
            hangs_up 0.05 "${head}Content-Length: 100$crlf$crlf$text"
            hangs_up 0.05 "${head}Transfer-Encoding: chunked$crlf${crlf}64$crlf$text"
        done
    done
    equal "of what broke off nothing is seen" original "$(cat "$work/plans/a")"
    await "descriptors come back" has_at_most "$before"
    equal "and nothing stays" "" "$(find "$work/plans" -name '.quoin-upload*')"
}

# --- what changes while a body comes ---

# late PATH COMMAND...: zoe's PUT, in the middle of which something is done; the number of the answer.
late() {
    local path=$1
    shift
    {
        printf 'PUT %s HTTP/1.1\r\nHost: localhost\r\n%s\r\nConnection: close\r\nContent-Length: 10\r\n\r\n12345' \
            "$path" "${basic[zoe]}"
        await "the upload has begun" has_upload >&2
        "$@" >/dev/null
        printf 67890
    } | timeout 20 openssl s_client -quiet -connect "127.0.0.1:$port" 2>/dev/null |
        sed -nE 's/^HTTP\/1\.1 ([0-9]+).*/\1/p'
}

has_upload() {
    [[ -n $(find "$work/plans" -name '.quoin-upload*') ]]
}

lock_a() {
    ask anne LOCK /dav/plans/a --data \
        '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>'
    sed -nE 's/^[Ll]ock-[Tt]oken: (.*)\r$/\1/p' "$work/head" >"$work/token"
}

meanwhile() {
    local path
    for path in /dav/plans/a /api/v1/folders/plans/files/a; do
        equal "a lock that was taken meanwhile: $path" 423 "$(late "$path" lock_a)"
        answers "somebody else does not unlock" 403 zoe UNLOCK /dav/plans/a --header "Lock-Token: $(cat "$work/token")"
        answers "who locked does" 204 anne UNLOCK /dav/plans/a --header "Lock-Token: $(cat "$work/token")"
        local status
        status=$(late "$path" ctl one user revoke zoe --folder plans)
        [[ $status == 40[34] ]] || fail "a right that was withdrawn meanwhile: $status"
        expect "the right again" ctl one user grant zoe --folder plans --right write
    done
    equal "nothing was written over" original "$(cat "$work/plans/a")"
    expect "reading only" ctl one user grant zoe --folder plans --right read
    answers "no new directory then" 403 zoe MKCOL /dav/plans/new
    answers "what may not be seen is not there" 404 zoe GET /dav/secret/a
    expect "it is in the trail" is_noted zoe read folder:secret/a not-found
}

# --- a lock outlives the daemon ---

after_a_crash() {
    answers "a lock" 200 anne LOCK /dav/plans/a --header 'Timeout: Second-600' --data \
        '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>'
    local token
    token=$(sed -nE 's/^[Ll]ock-[Tt]oken: (.*)\r$/\1/p' "$work/head")
    site_kill one
    site_start one --config "$work/conf" || fail "it does not start again"
    await "it holds after a crash" answers "somebody else" 423 zoe PUT /dav/plans/a --data x
    answers "who locked it goes on" 204 anne PUT /dav/plans/a --header "If: ($token)" --data original
    answers "and gives it back" 204 anne UNLOCK /dav/plans/a --header "Lock-Token: $token"
    answers "then others may" 204 zoe PUT /dav/plans/a --data original
}

# --- the trail ---

trail() {
    local i before
    for i in {1..12}; do
        touch "$work/plans/h$i"
        hangs_up "0.00$((i % 4))" "DELETE /api/v1/folders/plans/files/h$i HTTP/1.1${crlf}Host: localhost$crlf${basic[anne]}$crlf$crlf"
    done
    answers "a later one" 201 anne PUT /dav/plans/later --data x
    await "it is noted" is_noted anne write folder:plans/later ok
    for i in {1..12}; do
        [[ -e $work/plans/h$i ]] || is_noted anne delete "folder:plans/h$i" ok ||
            is_noted anne delete "folder:plans/h$i" left || fail "h$i was deleted, and nobody knows by whom"
    done
    ok "who hangs up at once is in the trail"
    answers "a move" 201 anne MOVE /dav/plans/later --header 'Destination: /dav/plans/moved'
    await "its target is in the trail" is_noted anne write folder:plans/moved ok
    before=$(entries one)
    for i in {1..20}; do
        ask - POST /api/v1/session --header 'Content-Type: application/json' --data '{"name":1}' >/dev/null
    done
    equal "strangers write nothing into it" "$before" "$(entries one)"
}

# --- all places taken ---

are_there() {
    holds one ".connections >= $1" serve status
}

strangers() {
    local i
    ulimit -n "$(ulimit -H -n)"
    "$slow_clients" "$port" 1000 >"$work/slow.log" 2>&1 &
    helpers+=($!)
    await "as many are let in as may shake" are_there 250
    for i in {1..20}; do
        equal "anne is served" 200 "$(ask anne GET /dav/plans/a)"
    done >/dev/null
    ok "anne is served all the same"
    kill "${helpers[-1]}"
    unset 'helpers[-1]'
}

set_up
smuggling
paths
swapping
documents
cuts
after_a_crash
meanwhile
trail
strangers
expect "it runs as before" ctl one status
SECONDS=0
kill -TERM "${site_pid[one]}"
await "it ends" is_down "${site_pid[one]}"
((SECONDS <= 5)) || fail "not within five seconds"
