#!/bin/bash
# Guessing passwords at a real daemon, from one address and from two hundred: how many guesses are checked, and that those who work
# here come in all the same.
#
#   guesses.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

begin "$1" "$2" one
port=$(sites_free_port)
url=https://127.0.0.1:$port
good='sept cornichons pour le facteur'

# comes FROM NAME PASSWORD CURL-OPTION...: signs in on the page; the status
comes() {
    local from=$1 name=$2 password=$3
    shift 3
    curl --silent --insecure --max-time 30 --interface "$from" --header 'Content-Type: application/json' --output "$work/content" \
        --dump-header "$work/head" --write-out '%{http_code}' --data "{\"name\":\"$name\",\"password\":\"$password\"}" "$@" \
        "$url/api/v1/session"
}

# guess FROM: at anne's password, without a browser; counts what was checked
guess() {
    local status
    status=$(curl --silent --insecure --max-time 30 --interface "$1" --user "anne:guess$((tried++))" --output "$work/content" \
        --dump-header "$work/head" --write-out '%{http_code}' "$url/api/v1/me")
    case $status in
    401) checked=$((checked + 1)) ;;
    429) refused=$((refused + 1)) ;;
    *) fail "a guess is answered with $status" ;;
    esac
}

# attack COUNT ROUNDS: so many addresses, one after the other
attack() {
    local i round
    checked=0 refused=0
    for ((round = 0; round < $2; round++)); do
        for ((i = 1; i <= $1; i++)); do guess "127.1.0.$i"; done
    done
}

has_waited() { # SECONDS: at most so long; the last answer says for how long
    local after
    after=$(sed -nE 's/^retry-after: ([0-9]+).*/\1/Ip' "$work/head")
    ((after > 0 && after <= $1)) || fail "Retry-After: '$after'"
    ok "the answer says when: in $after s"
}

in_the_trail() {
    ctl one --json log --user anne | jq '[.[] | select(.action == "login" and .result == "wrong-password")] | length'
}

from_one() {
    attack 1 12
    ((checked >= 3 && checked <= 6)) || fail "from one address $checked guesses were checked at once"
    ok "of 12 guesses from one address $checked are checked"
    has_waited 18000
    equal "where anne worked before, she comes in" 200 "$(comes 127.0.0.1 anne "$good")"
    equal "and on a new telephone, too" 200 "$(comes 127.2.0.1 anne "$good")"
}

from_two_hundred() {
    local shown
    shown=$(in_the_trail)
    attack 200 2
    ((checked <= 10)) || fail "from two hundred addresses $checked guesses were checked at once"
    ok "of 400 guesses from two hundred addresses $checked are checked"
    has_waited 1800 # one refill of what strangers have: nobody is shut out for ever
    equal "each that was checked is in the trail" "$((shown + checked))" "$(in_the_trail)"
}

who_works_here() {
    equal "where anne worked before, she comes in" 200 "$(comes 127.0.0.1 anne "$good")"
    equal "with the password of a device from anywhere" 207 "$(curl --silent --insecure --interface 127.3.0.1 --user "anne:$app" \
        --request PROPFIND --header 'Depth: 0' --output "$work/content" --write-out '%{http_code}' "$url/dav/plans/")"
    equal "paul, whom nobody attacks" 200 "$(comes 127.4.0.1 paul "$good")"
    equal "from a new place she waits" 429 "$(comes 127.5.0.1 anne "$good")"
    equal "but not with the browser that she signed in with" 200 "$(comes 127.6.0.1 anne "$good" --cookie "$device")"
    equal "paul's browser is not hers" 429 "$(comes 127.7.0.1 anne "$good" --cookie "$pauls")"
}

# The browser is known to a daemon that was started anew, too.
after_a_restart() {
    site_stop one
    site_start one --config "$work/conf" || fail "it does not start"
    await "it listens" listens
    attack 30 1
    equal "from a new place she waits" 429 "$(comes 127.5.0.2 anne "$good")"
    equal "with her browser she comes in" 200 "$(comes 127.6.0.2 anne "$good" --cookie "$device")"
    attack 30 1
    expect "another password" ctl one user password anne <<<'deux cornichons pour trois facteurs'
    attack 30 1
    equal "her browser was known by the old one" 429 "$(comes 127.6.0.3 anne 'deux cornichons pour trois facteurs' --cookie "$device")"
}

# Who has her browser, and not her password, has the share of known devices and no more.
a_stolen_browser() {
    local i status tried=0
    for ((i = 0; i < 45; i++)); do
        status=$(comes "127.8.0.$i" paul "guess$i" --cookie "$pauls")
        [[ $status != 401 ]] || tried=$((tried + 1))
    done
    ((tried >= 3 && tried <= 20)) || fail "$tried guesses with a stolen browser"
    ok "of 45 guesses with a stolen browser $tried are checked"
    equal "paul comes in elsewhere" 200 "$(comes 127.9.0.1 paul "$good")"
}

# Strangers who guess at names that nobody has keep two threads busy, and all who wait are theirs.
a_flood() {
    local i status
    for ((i = 0; i < 600; i++)); do echo "$((i % 200 + 1)) nobody$i"; done >"$work/flood"
    # shellcheck disable=SC2016 # the inner shell's
    xargs -P 24 -L 1 sh -c 'curl --silent --insecure --max-time 30 --interface "127.20.0.$1" --user "$2:x" --output /dev/null \
        --write-out "%{http_code}\n" "$0/api/v1/me"' "$url" <"$work/flood" >"$work/flooded" &
    helpers+=($!)
    await "the strangers are there" grep -q 503 "$work/flooded"
    for ((i = 0; i < 10; i++)); do
        status=$(comes 127.0.0.1 anne "$good" --cookie "$device")
        [[ $status == 200 ]] || fail "who works here is answered with $status behind strangers"
    done
    kill -0 "${helpers[-1]}" || fail "the strangers had gone before"
    ok "who works here does not wait behind strangers"
    kill "${helpers[-1]}"
    wait "${helpers[-1]}" || true
    unset 'helpers[-1]'
}

listens() {
    holds one '.listeners | map(select(.error == "")) | length == 1' serve status
}

device_of_last() {
    sed -nE 's/^set-cookie: (__Host-quoin-device=[0-9a-f]{64});.*/\1/Ip' "$work/head"
}

tried=0
mkdir "$work/plans"
printf '%s\n' '[serve]' "listen = 127.0.0.1:$port" >"$work/conf"
expect "a site is made" init_first one
site_start one --config "$work/conf" || fail "it does not start"
expect "a folder" ctl one folder create plans --path "$work/plans"
for name in anne paul; do expect "$name" ctl one user add "$name" --role editor <<<"$good"; done
expect "she may write" ctl one user grant anne --folder plans --right write
app=$(ctl one --json user app-password anne --label telephone | jq -r .password)
await "it listens" listens
equal "anne comes in at work" 200 "$(comes 127.0.0.1 anne "$good")"
device=$(device_of_last)
[[ $device != '' ]] || fail "her browser is not known from now on: $(cat "$work/head")"
equal "paul" 200 "$(comes 127.0.0.1 paul "$good")"
pauls=$(device_of_last)
[[ $pauls != "$device" ]] || fail "two people, one cookie"
from_one
from_two_hundred
who_works_here
a_flood
a_stolen_browser
after_a_restart
