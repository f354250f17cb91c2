#!/bin/bash
# A site loses its machine and comes back with its printed kit and one other site: as the member that
# it was, with its records, while its old key opens nothing any more.
#
#   recover.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# What a scanner reads from the printed page.
scan() {
    grep '<svg' "$1" >"$work/code.svg"
    rsvg-convert --width 1200 "$work/code.svg" >"$work/code.png"
    zbarimg --nodbus --quiet --raw "$work/code.png"
}

print_kit() {
    expect "a page of the kit" ctl luzech kit print --html "$work/kit.html"
    equal "nobody else may read it" 600 "$(stat -c %a "$work/kit.html")"
    scan "$work/kit.html" >"$work/kit.txt"
    equal "the code has the lines of the kit" \
        "$(grep -v '^#' "$(site_state luzech)/recovery-kit.txt" | grep .)" "$(grep . "$work/kit.txt")"
    equal "the page has nothing outside it" 0 "$(grep -cE '(src|href)=' "$work/kit.html" || true)"
    expect "the kit is locked away" ctl luzech kit confirm
    refuse 2 'no recovery kit' "and its file is gone" ctl luzech kit print
}

recover_with() {
    local name=$1 kit=$2 from=$3
    ctl "$name" recover --kit "$kit" --from "$(site_listen "$from")" \
        --listen "$(site_listen "$name")" --advertise "$(site_listen "$name")"
}

mistakes() {
    local letter=A
    [[ $(sed -n 's/^key: //p' "$work/kit.txt") != A* ]] || letter=B
    sed "s/^key: ./key: $letter/" "$work/kit.txt" >"$work/mistyped"
    refuse 2 'line 7.*letter 1 is mistyped' "a mistyped letter is named" \
        recover_with other "$work/mistyped" pradines
    grep -v '^made' "$work/kit.txt" >"$work/short"
    refuse 2 '"made:" is missing' "a missing line is named" recover_with other "$work/short" pradines
    refuse 64 'give --kit' "the kit must be given" ctl other recover --from "$(site_listen pradines)"
    refuse 2 'initialised' "no site is written over" recover_with pradines "$work/kit.txt" cajarc
    expect "nothing was left behind" test ! -e "$(site_state other)"
}

is_refused_for() {
    local name=$1 cause=$2
    holds "$name" ".state == \"attention\" and
        (.alerts[] | select(.code == \"recover-refused\" and .object == \"$cause\"))" status
}

# of NAME: a state made from the kit of a site that is in another group, or is the one asked.
foreign() {
    expect "another group" ctl other init --site autre --group ailleurs --listen "$(site_listen other)"
    cp "$(site_state other)/recovery-kit.txt" "$work/foreign"
    rm -r "$(site_state other)"
    expect "a state with a foreign kit" recover_with other "$work/foreign" pradines
    site_start other
    await "no site of the group has it" is_refused_for other recover-unknown
    site_kill other
    rm -r "$(site_state other)"
    expect "a state with the kit of who is asked" \
        recover_with other "$(site_state pradines)/recovery-kit.txt" pradines
    site_start other
    await "which is no lost site" is_refused_for other recover-here
    site_kill other
    rm -r "$(site_state other)"
}

lose_luzech() {
    site_kill luzech
    mv "$(site_state luzech)" "$(site_state thief)"
}

waits() {
    site_kill pradines
    expect "an empty machine has a state" recover_with luzech "$work/kit.txt" pradines
    site_start luzech
    await "it says that it is recovering" \
        holds luzech '.state == "attention" and ([.alerts[].code] | index("recovering"))' status
    site_start pradines
}

is_in_sync() {
    holds "$1" '([.sites[] | select(.state == "here" or .state == "online")] | length == 3) and
        ([.collections[].in_sync] | all) and (.collections | length == 1)' status
}

comes_back() {
    local name
    await "its records are back" reads luzech people durand name '"Durand"'
    await "also those that were written meanwhile" reads luzech people martin name '"Martin"'
    for name in pradines luzech cajarc; do
        await "$name is in sync with all" is_in_sync "$name"
    done
    expect "the seed of the kit is gone" test ! -e "$(site_state luzech)/recovery.key"
    equal "its identity is the one that it had" "$identity" \
        "$(ctl pradines --json site show luzech | jq -r .id)"
    expect "it writes" ctl luzech record put people durand room=12
    await "and is read" reads cajarc people durand room '"12"'
    await "all are identical" is_identical cajarc
}

was_turned_away() {
    grep -q 'refused by the other side' "$(site_log thief)"
}

# Who has the old disk still has the old key.
old_key() {
    printf '[site]\nlisten = %s\n' "$(site_listen thief)" >"$work/thief.conf"
    site_start thief --config "$work/thief.conf"
    expect "the old machine still starts" ctl thief record put people durand room=99
    await "the old key is refused" was_turned_away
    expect "what it writes reaches nobody" reads pradines people durand room '"12"'
    site_kill thief
}

again() {
    site_kill luzech
    site_start luzech
    await "after a restart it is the same" is_in_sync luzech
    expect "it writes on" ctl luzech record put people durand room=14
    await "and is read again" reads pradines people durand room '"14"'
}

makes_backups() {
    mkdir -p "$work/data"
    echo one >"$work/data/one"
    expect "a plan" ctl luzech backup create maison --path "$work/data"
    expect "its vault has a key" ctl luzech backup run maison
}

begin "$1" "$2" pradines luzech cajarc other thief
found_group pradines luzech cajarc
expect "a collection" ctl pradines collection create people
for name in luzech cajarc; do
    await "$name has it" has_collection "$name" people
done
expect "luzech writes" ctl luzech record put people durand name=Durand
await "it is at cajarc" reads cajarc people durand name '"Durand"'
identity=$(ctl pradines --json site show luzech | jq -r .id)
print_kit
mistakes
foreign
lose_luzech
expect "cajarc writes" ctl cajarc record put people martin name=Martin
waits
comes_back
old_key
again
makes_backups
