#!/bin/bash
# The page in a real browser against a real site (page.py): second factor, records, a conflict, files; desktop and
# telephone, English and French, keyboard. With QN_SHOTS=DIR the pictures stay there.
#
#   page.sh SYNCD SYNCCTL [firefox]
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

python=/usr/bin/python3 # Debian's, which has Debian's modules
browser=page.py
if [[ ${3:-} == firefox ]]; then
    browser=page_firefox.py
    command -v firefox-esr >/dev/null || { echo 'firefox-esr is missing: skipped' && exit 77; }
elif ! command -v chromium >/dev/null || ! "$python" -c 'import websocket' 2>/dev/null; then
    echo 'chromium or python3-websocket is missing: skipped'
    exit 77
fi
export PYTHONDONTWRITEBYTECODE=1
password='a rather long password'
here=$(dirname "$0")

# Both sites write the same field while neither hears the other.
disagree() {
    expect 'something to disagree on' ctl one record put residents 7 name='Mme Roche' diet=none
    await 'two has it' holds two '.fields.diet == "none"' record get residents 7
    site_stop two
    expect 'one writes' ctl one record put residents 7 diet='no salt'
    site_stop one
    site_start two || fail 'two does not start'
    expect 'two writes' ctl two record put residents 7 diet='no sugar'
    site_start one --config "$work/quoin.conf" || fail 'one does not start'
    await 'one has both' holds one '.conflicts.diet | length == 2' record get residents 7
}

begin "$1" "$2" one two
port=$(sites_free_port)
printf '[serve]\nlisten = 127.0.0.1:%s\n' "$port" >"$work/quoin.conf"
expect 'a group' ctl one init --site one --group homes --listen "$(site_address one)" --advertise "$(site_address one)"
site_start one --config "$work/quoin.conf" || fail 'one does not start'
join two one
mkdir -p "$work/plans/chambres" "$work/up"
printf 'to be read aloud\n' >"$work/plans/notes.txt"
printf 'x' >"$work/plans/chambres/chambre 12.txt"
head -c 300000 /dev/urandom >"$work/up/Menu de Noël.odt"
expect 'a folder' ctl one folder create plans --path "$work/plans"
expect 'a collection' ctl one collection create residents
expect 'a record' ctl one record put residents 12 name='M. Cayrol' room=212 note='chambre au rez-de-chaussée'
expect 'a person' ctl one user add anne --role editor <<<"$password"
expect 'her records' ctl one user grant anne --collection residents --right write
expect 'her folder' ctl one user grant anne --folder plans --right write
await 'two has the collection' holds two '[.[] | .name] | index("residents") != null' collection list
mkdir "$work/annexe"
printf 'x' >"$work/annexe/chambre 7.txt"
expect 'a folder of two' ctl two folder create annexe --path "$work/annexe"
await 'one knows it' holds one 'any(.name == "annexe")' folder list
expect 'she may read it' ctl one user grant anne --folder annexe --right read
second_factor_begin one anne
second_factor_prove "$(code_of "$secret" -1)" # a code that is still good, and leaves the later ones
disagree
await 'the page is there' curl --silent --insecure --fail --output /dev/null "https://127.0.0.1:$port/"
await 'the search knows the file' holds one 'length >= 2' search chambre
await 'and that of two' holds two 'length >= 2' search chambre
await 'and one that of two as well' holds one 'length >= 3' search chambre
await 'two can be asked' holds one '[.sites[] | select(.state == "online")] | length == 1' status

status=0
timeout 220 "$python" "$here/$browser" "https://127.0.0.1:$port/" "$secret" "$work" "${site_pid[two]}" >"$work/page.log" 2>&1 || status=$?
[[ -z ${QN_SHOTS:-} ]] || cp "$work"/shots/*.png "$QN_SHOTS" || true
grep -v '^ok: .* there is ' "$work/page.log" || true
[[ $status == 0 ]] || fail "the browser: $status"
expect 'what was typed is kept' holds one '.fields.room == "215" or .fields.room == 215' record get residents 12
expect 'the conflict is over' holds one '.conflicts | has("diet") | not' record get residents 7
cmp "$work/up/Menu de Noël.odt" "$work/plans/Menu de Noël.odt" || fail 'the file is another'
expect 'the trail has it' holds one 'any(.[]; .action == "login" and .actor == "anne" and .device == "page")' log
echo 'page: all is well'
