#!/bin/bash
# People: accounts, rights, passwords of devices, second factor; and the trail of it, with its proof.
#
#   people.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

good='kq7Bw2xN9z'

with_password() { # PASSWORD ARGUMENT...
    local password=$1
    shift
    printf '%s\n' "$password" | ctl one "$@"
}

# worth MIN MAX: how hard the last password is to guess was said, in bits
worth() {
    local bits
    bits=$(sed -nE 's/^This password is worth about ([0-9]+) bits; at least 50 are asked for\.$/\1/p' <<<"$answer")
    [[ $bits != '' ]] || fail "its strength is not said: $answer"
    ((bits >= $1 && bits <= $2)) || fail "between $1 and $2 bits: $answer"
    ok "it is worth $bits bits"
}

accounts() {
    expect "an account" with_password "$good" user add anne --role editor
    worth 50 60
    refuse 2 'already' "not twice" with_password "$good" user add anne
    refuse 2 'capitals' "none that is taken for another" with_password "$good" user add ANNE
    refuse 2 'accents' "no accents apart" with_password "$good" user add $'ane\xcc\x81'
    expect "a collection" ctl one collection create Menus
    refuse 2 'capitals' "no collection that is taken for another" ctl one collection create menus
    refuse 2 'capitals' "no site either" ctl one site invite ONE
    refuse 2 'tried first' "no common password" with_password 'Bonjour2024' user add bruno
    worth 5 49
    refuse 2 'name' "no name" with_password 'anne1965' user password anne
    refuse 2 'keys' "no row of keys" with_password 'azertyuiop' user add bruno
    refuse 2 'short' "no short one" with_password 'kq7B' user add bruno
    refuse 2 'no valid name' "no colon in a name" with_password "$good" user add a:b
    refuse 2 'no role' "no other role" with_password "$good" user add bruno --role king
    refuse 2 'nothing was typed' "a password is needed" ctl one user add bruno </dev/null
    refuse 2 'several people' "nobody's account" with_password "$good" user add Accueil-2
    expect "unless it must be" with_password "$good" user add Accueil-2 --shared
    expect "then the trail says so" holds one 'any(.action == "user.add" and .object == "user:Accueil-2 reader shared")' log
    expect "gone" ctl one user remove Accueil-2
    expect "it shows" holds one 'length == 1 and .[0].name == "anne" and .[0].role == "editor"' user list
    expect "another role" ctl one user role anne operator
    expect "another password" with_password 'le facteur adore sept cornichons' user password anne
    expect "shut" ctl one user disable anne
    expect "it shows" holds one '.disabled and .role == "operator"' user show anne
    expect "open again" ctl one user enable anne
    refuse 2 'no such person' "nobody" ctl one user disable nobody
}

# Both are looked at while neither is there: the second one is found when it would be.
alike_at_once() {
    local name added=0 pids=()
    for name in zoe Zoe ZOE; do
        with_password "$good" user add "$name" >"$work/add-$name" 2>&1 &
        pids+=($!)
    done
    for name in "${pids[@]}"; do
        if wait "$name"; then added=$((added + 1)); fi
    done
    expect "one of three that look alike" test "$added" = 1
    expect "and no more are there" holds one '[.[] | select(.name | ascii_downcase == "zoe")] | length == 1' user list
    expect "gone" ctl one user remove "$(ctl one --json user list | jq -r '.[].name' | grep -i zoe)"
}

rights() {
    expect "a collection" ctl one collection create meals
    expect "a right" ctl one user grant anne --collection meals --right read
    expect "a larger one" ctl one user grant anne --collection meals --right write
    [[ $answer != *reader* ]] || fail "an operator lacks nothing, but: $answer"
    expect "a reader" ctl one user role anne reader
    expect "she may write, but" ctl one user grant anne --collection meals --right write
    [[ $answer == *"user role anne editor"* ]] || fail "what she lacks is not said: $answer"
    expect "an operator again" ctl one user role anne operator
    expect "it shows" holds one '.grants == [{"kind":"collection","name":"meals","right":"write"}]' user show anne
    refuse 2 'no such collection' "what is not there" \
        ctl one user grant anne --collection none --right read
    refuse 2 'no such folder' "what is no folder" ctl one user grant anne --folder none --right read
    refuse 64 'name one' "one of the two" ctl one user grant anne --right read
    mkdir "$work/plans"
    expect "a folder" ctl one folder create plans --path "$work/plans"
    refuse 2 'no such folder' "a collection is no folder" ctl one user grant anne --folder meals --right read
    refuse 2 'no such collection' "a folder is no collection" \
        ctl one user grant anne --collection plans --right read
    expect "a right on the folder" ctl one user grant anne --folder plans --right read
    expect "the folder goes" ctl one folder delete plans
    expect "the right holds no longer" holds one '[.grants[] | select(.gone)] == [{"kind":"folder","name":"plans","right":"read","gone":true}]' \
        user show anne
    expect "another folder of that name" ctl one folder create plans --path "$work/plans"
    expect "the old right is not for it" holds one '[.grants[] | select(.gone) | .name] == ["plans"]' user show anne
    expect "a new right" ctl one user grant anne --folder plans --right read
    expect "holds" holds one '[.grants[] | select(.gone)] == [] and (.grants | length) == 2' user show anne
    expect "and goes" ctl one user revoke anne --folder plans
    expect "taken back" ctl one user revoke anne --collection meals
    refuse 2 'not granted' "once" ctl one user revoke anne --collection meals
}

devices() {
    local password
    password=$(ctl one --json user app-password anne --label phone --right read | jq -r .password)
    [[ $password =~ ^([a-z2-7]{5}-){5}[a-z2-7]$ ]] || fail "no app password: $password"
    refuse 2 'already' "one for each device" ctl one user app-password anne --label phone
    expect "it shows" holds one 'map([.label, .right]) == [["phone", "read"]]' user app-password list anne
    if grep -rqa -- "$password" "$(site_state one)"; then
        fail "the app password is on the disk"
    fi
    ok "it is nowhere on the disk"
    expect "one that ends" ctl one user app-password anne --label guest --expires 30d
    refuse 64 'unit' "a time without a unit" ctl one user app-password anne --label other --expires 30
    expect "it shows when" holds one 'map([.label, .expires != null]) == [["guest", true], ["phone", false]] or
        map([.label, .expires != null]) == [["phone", false], ["guest", true]]' user app-password list anne
    expect "it goes" ctl one user app-password revoke anne guest
    expect "revoked" ctl one user app-password revoke anne phone
    refuse 2 'no app password' "once" ctl one user app-password revoke anne phone
}

second_factor() {
    second_factor_begin one anne
    [[ $(jq -r .uri "$work/totp") == "otpauth://totp/one:anne?secret=$secret&"* ]] ||
        fail "no uri: $(<"$work/totp")"
    expect "it shows" holds one '.second_factor | not' user show anne
    second_factor_prove "$(code_of "$secret")"
    expect "it shows" holds one .second_factor user show anne
    refuse 2 'not the code' "a wrong code" ctl one user second-factor anne <<<'000000x'
    expect "taken away" ctl one user second-factor anne --remove
    refuse 2 'no second factor' "once" ctl one user second-factor anne --remove
}

# Those of people: what is said of the clock comes some seconds after a start.
trail() {
    local count
    await "what is known of the clock is in it" holds one 'any(.action == "clock" and .actor == "syncd")' log
    expect "it shows" holds one '(map(select(.action != "clock").action) | index("user.add") == 0)' log
    expect "commands of an admin too" holds one 'any(.action == "collection.create" and .object == "collection:meals" and .result == "ok" and .device == "control")' log
    expect "it shows" holds one 'all(.actor == "anne") and length == 0' log --user anne
    expect "it shows" holds one 'length > 5' log --since 1h
    expect "it shows" holds one 'length == 0' log --since "$(date -d '+1 day' +%F)"
    refuse 64 'since takes' "no such time" ctl one log --since yesterday-ish
    expect "the trail is whole" ctl one log verify
    count=$(entries one)
    site_stop one
    site_start one
    await "it is back" ctl one status -x
    equal "nothing of it is lost" "$count" "$(entries one)"
    expect "it shows" holds one 'length == 1' user list
    expect "gone" ctl one user remove anne
    expect "it shows" holds one 'length == 0' user list
    equal "one entry more" "$((count + 1))" "$(entries one)"
    expect "it is whole" holds one .whole log verify
}

# offline ARGUMENT...: without a daemon
offline() {
    "$sites_syncctl" --state /nonexistent "$@"
}

# What an auditor gets: proven and read elsewhere; whatever is changed in it is found.
exported() {
    local lines at
    ctl one log export >"$work/trail" || fail "no export"
    expect "it is proven elsewhere" offline log verify "$work/trail"
    [[ ${answer//-/} == *"$(ctl one --json site show one | jq -r .identity | tr -d -)"* ]] || fail "whose it is is not said: $answer"
    # shellcheck disable=SC2016 # it is for eval
    expect "from standard input too" eval 'offline --json log verify - <"$work/trail" | jq -e .whole'
    offline --json log show "$work/trail" >"$work/shown" || fail "it is not shown"
    # Entries may have come since: the clock has some of its own.
    equal "it is what the site shows" "$(ctl one --json log | jq -c ".[:$(jq length "$work/shown")]")" "$(jq -c . "$work/shown")"
    offline log show "$work/trail" >"$work/lines" || fail "it is not shown"
    expect "in lines" grep -q 'user:anne' "$work/lines"
    lines=$(wc -l <"$work/trail")
    at=$((lines / 2))
    sed "${at}d" "$work/trail" >"$work/forged"
    refuse 2 '' "an entry that was taken out is missed" offline log verify "$work/forged"
    sed "${at}s/0\"}\$/1\"}/; t; ${at}s/[1-9a-f]\"}\$/0\"}/" "$work/trail" >"$work/forged"
    if cmp -s "$work/trail" "$work/forged"; then fail "nothing was forged"; fi
    refuse 2 '' "one that was changed is noticed" offline log verify "$work/forged"
    head -n $((lines - 2)) "$work/trail" >"$work/forged"
    refuse 2 '' "and an end that was cut off" offline log verify "$work/forged"
    sed "1s/\"id\":\"./\"id\":\"x/" "$work/trail" >"$work/forged"
    refuse 2 'line 1 is not of an exported trail' "what is no export is told" offline log verify "$work/forged"
    refuse 2 'read' "what is not there" offline log verify "$work/none"
    refuse 64 'write' "an unknown word" offline log look "$work/trail"
}

begin "$1" "$2" one
found one
accounts
alike_at_once
rights
devices
second_factor
exported
trail
