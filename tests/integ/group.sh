#!/bin/bash
# The group: founding, invitations and what refuses them, names, collections that only some share,
# and leaving.
#
#   group.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# refused_join NAME CAUSE CODE: a site with that code is told why, and does not become a member.
refused_join() {
    local name=$1 cause=$2 code=$3
    expect "$name has a state" init_with "$name" "$code"
    refused_start "$name" "$cause"
}

refused_start() {
    local name=$1 cause=$2
    site_start "$name" || fail "$name does not start"
    await "$name is told: $cause" holds "$name" \
        ".alerts[] | select(.code == \"join-refused\" and .object == \"$cause\")" status
    refuse 2 'not joined' "$name cannot write" ctl "$name" collection create x
    site_stop "$name"
    expect "the group does not show it" holds one ".sites | map(.name) | index(\"$name\") | not" status
}

mistyped() {
    local code=$1 last=A
    [[ ${code:20:1} != A ]] || last=B
    printf '%s%s%s' "${code:0:20}" "$last" "${code:21}"
}

invitations() {
    local code
    code=$(ctl one site invite two 2>"$work/messages")
    [[ $code == QN1-* && $(wc -l <<<"$code") == 1 ]] || fail "not a code alone: $code"
    refuse 2 mistyped "a mistyped code is refused at init" init_with two "$(mistyped "$code")"
    refuse 2 mistyped "half a code is refused at init" init_with two "${code:0:40}"
    refuse 2 mistyped "an empty code is refused at init" init_with two ''
    [[ ! -e $(site_state two)/site.quoin ]] || fail "a refused init left a site behind"
    refuse 64 'unit' "a duration needs a unit" ctl one site invite two --expires 5
    expect "it joins with the right one, in lower case" init_with two "$(tr '[:upper:]' '[:lower:]' <<<"$code")"
    [[ $answer == *"syncctl kit confirm --state $(site_state two)"* ]] || fail "advice: $answer"
    site_start two || fail "two does not start"
    await "two is a member" is_member two one
    refused_join late invitation-used "$code"

    code=$(ctl one site invite slow --expires 1s)
    await "an invitation of one second expires" holds one \
        '.[] | select(.name == "slow" and .state == "expired")' site invites
    refuse 2 expired "then it is refused at init" init_with slow "$code"
    [[ ! -e $(site_state slow)/site.quoin ]] || fail "a refused init left a site behind"

    code=$(ctl one site invite tardy --expires 3s)
    expect "a code that is valid still" init_with tardy "$code"
    await "and has expired before the daemon starts" holds one \
        '.[] | select(.name == "tardy" and .state == "expired")' site invites
    refused_start tardy invitation-expired

    code=$(ctl one site invite gone)
    expect "an invitation is revoked" ctl one site revoke gone
    refused_join gone invitation-revoked "$code"
    ctl one site invite gone >/dev/null && ctl one site invite gone >/dev/null
    expect "all invitations for a name are revoked at once" ctl one site revoke gone
    expect "none is open" holds one 'map(select(.name == "gone" and .state != "revoked")) == []' \
        site invites
    refuse 2 "no open invitation" "nothing is left to revoke" ctl one site revoke gone
}

names() {
    refuse 2 'bears this name' "the name of a member is not invited" ctl one site invite two
    refuse 2 'a b: .*valid name' "a name with a space is none" ctl one site invite 'a b'
    refuse 2 'valid name' "nor the empty one" ctl one site invite ''
    refuse 2 administrat "only the administrator invites" ctl two site invite three
    refuse 2 'no such site' "an unknown site is not shown" ctl one site show nobody
    refuse 2 'legal entity' "a legal entity has a limit" \
        ctl one site set --legal-entity "$(printf 'x%.0s' {1..256})"
    refuse 2 'legal entity' "also at init" ctl slow init --site slow --group other \
        --legal-entity $'a\nb'
    refuse 2 'initialised already' "a state is not initialised twice" \
        ctl two init --site two --group other
}

unshared() {
    local at
    join three one
    expect "a collection for two of three" ctl one collection create private --members one,two
    expect "and one for all" ctl one collection create public
    await "two has both" has_collection two private
    expect "a record in it" ctl one record put private secret-key colour=red
    await "two reads it" reads two private secret-key colour '"red"'
    await "three has the public one" has_collection three public
    expect "three knows nothing of the other" holds three 'length == 1 and .[0].name == "public"' \
        collection list
    for at in 'record list private' 'collection show private' 'record get private secret-key' \
        'record history private secret-key' 'verify private' 'record trash private'; do
        # shellcheck disable=SC2086 # words
        refuse 2 'no such collection' "three is refused: $at" ctl three $at
    done
    refuse 2 'no such collection' "and cannot write there" ctl three record put private k a=b
    ! grep -rqa 'secret-key' "$(site_state three)/store" || fail "the record's key lies in three's store"
    ! grep -rqa 'private' "$(site_state three)/store" || fail "the collection's name lies in three's store"
    ok "three's store holds neither its name nor its key"
    refuse 2 'made the collection' "only its maker shares it" ctl two collection grant private three
    expect "the maker shares it with three" ctl one collection grant private three
    await "three reads the record now" reads three private secret-key colour '"red"'
    refuse 2 'all sites, present and future' "what is for all is not taken from one" \
        ctl one collection ungrant public two
    expect "to share what is shared already changes nothing" ctl one collection grant private two
    refuse 2 'always shares.*|ungrant them' "the maker cannot shut out itself" \
        ctl one collection ungrant private one
    expect "and takes it back" ctl one collection ungrant private three
    await "three is shut out" holds three 'map(.name) | index("private") | not' collection list
    expect "later writes" ctl one record put private after-key colour=blue
    await "two reads them" has_record two private after-key
    refuse 2 'no such collection' "three does not" ctl three record get private after-key
    refuse 2 'no such site' "an unknown member" ctl one collection create other --members one,nobody
    refuse 2 exists "a name that is taken" ctl one collection create public
}

# Withdrawn sites do not reserve their names (docs/ledger.md).
returning() {
    site_stop three
    rm -rf "$(site_state three)"
    join three one
    expect "three bears its name again" holds three '.site == "three"' status
    expect "one lists three sites" holds one '.sites | map(.name) == ["one","three","two"]' status
    await "three reads what was written in between" has_record three public after-leaving
    refuse 2 'bears this name' "the name is taken again" ctl one site invite three
}

leaving() {
    refuse 2 'itself|own' "another site is not withdrawn" ctl one site withdraw three
    expect "three withdraws" ctl three site withdraw three
    await "one lists two sites" holds one '.sites | length == 2' status
    await "two lists two sites" holds two '.sites | length == 2' status
    expect "it is still known as withdrawn or not at all" holds one \
        'map(select(.name == "three" and (.withdrawn | not))) | length == 0' site list
    expect "a record that it must not see" ctl one record put public after-leaving a=b
    await "two reads it" has_record two public after-leaving
    if ctl three record get public after-leaving >/dev/null 2>&1; then
        fail "three reads what was written after it left"
    fi
    refuse 2 'no longer a member' "three cannot write" ctl three record put public k a=b
    returning
}

begin "$1" "$2" one two three late slow tardy gone
found one
invitations
names
unshared
leaving
