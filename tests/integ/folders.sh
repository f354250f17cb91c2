#!/bin/bash
# Folders: a directory is offered, goes, comes back, moves; and what is no folder, or not here.
#
#   folders.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

begin "$@" one two
found one
join two one

share=$work/share
mkdir "$share"
mkdir "$share/plans"
printf 'hello' >"$share/a.txt"
printf 'world!' >"$share/plans/b.txt"
ln -s /etc "$share/out"

# ---- made, listed, looked at ----
refuse 2 'absolute path' 'a directory that is not there' \
    ctl one folder create common --path "$work/none"
refuse 2 'absolute path' 'a relative path' ctl one folder create common --path share
refuse 2 'absolute path' 'a file' ctl one folder create common --path "$share/a.txt"
refuse 2 'of its own' 'the state directory' ctl one folder create common --path "$(site_state one)"
refuse 2 'of its own' 'what is above it' ctl one folder create common --path "$work"
refuse 64 '--path' 'no path' ctl one folder create common
expect 'a folder is made' ctl one folder create common --path "$share"
expect 'it is here, with what is in it' holds one 'length == 1 and (.[0] | .name == "common" and .state == "here" and .home == "one" and
    .files == 2 and .bytes == 11 and .complete and .path == "'"$share"'")' folder list
expect 'its status' holds one '.state == "here" and .files == 2 and .free_bytes > 0' folder status common
await 'two sees it' holds two '.[0].state == "elsewhere" and .[0].path == null' folder list
refuse 2 'of its own' 'the same directory twice' ctl one folder create again --path "$share"
refuse 2 'of its own' 'one inside it' ctl one folder create again --path "$share/plans"
mkdir "$work/other"
refuse 2 'exists already' 'the name of a folder' ctl one folder create common --path "$work/other"
[[ ! -e $work/other/.quoin-folder ]] || fail 'a refused folder left its mark'

# ---- names that Windows takes for one ----
expect 'there are none' holds one '.alike == 0 and .alike_path == null' folder status common
printf 'x' >"$share/plans/B.TXT"
printf 'x' >"$share/plans/"$'\xc3\x89t\xc3\xa9'
printf 'x' >"$share/plans/"$'e\xcc\x81te\xcc\x81'
mkdir "$share/PLANS"
expect 'they are counted' holds one '.alike == 3 and (.alike_path | length) > 0' folder status common
expect 'and told' ctl one folder status common
[[ $answer == *'names alike'*3* ]] || fail "it is not told: $answer"
expect 'nothing else is odd' holds one '.unfit == 0 and .unfit_path == null' folder status common
printf 'x' >"$share/plans/10:30"
printf 'x' >"$share/plans/aux.txt"
printf 'x' >"$share/plans/end."
expect 'names that Windows cannot show are counted' holds one '.unfit == 3 and (.unfit_path | startswith("plans/"))' folder status common
expect 'all are listed' holds one '(map(.fault) | sort) == ["alike", "alike", "alike", "character", "device", "ending"] and
    (.[] | select(.fault == "character") | .path) == "plans/10:30"' folder names common
expect 'and told' ctl one folder names common
[[ $answer == *aux.txt*'name of a device'* ]] || fail "it is not told: $answer"
rm "$share/plans/10:30" "$share/plans/aux.txt" "$share/plans/end."
rm -r "$share/PLANS" "$share/plans/B.TXT" "$share/plans/"$'\xc3\x89t\xc3\xa9' "$share/plans/"$'e\xcc\x81te\xcc\x81'

# ---- not a collection of records ----
expect 'a collection' ctl one collection create rooms
refuse 2 'folder of files' 'put' ctl one record put common 1 a=b
refuse 2 'folder of files' 'list' ctl one record list common
refuse 2 'folder of files' 'get' ctl one record get common 1
refuse 2 'no such folder' 'a collection is no folder' ctl one folder status rooms
expect 'status lists collections only' holds one '[.collections[].name] == ["rooms"]' status
expect 'the list of collections tells them apart' holds one '[.[] | .name + " " + .kind] == ["common folder", "rooms records"]' collection list

# ---- elsewhere ----
refuse 2 'another site' 'attach elsewhere' ctl two folder attach common --path "$work/other"

# ---- gone, and back, also over a restart ----
mv "$share" "$work/away"
expect 'it is gone' holds one '.[0].state == "gone" and .[0].files == null' folder list
expect 'an alert says so' holds one '[.alerts[] | select(.code == "folder-gone") | .object] == ["common"]' status
mkdir "$share" # a disk that is not mounted
expect 'an empty directory is not the folder' holds one '.[0].state == "gone"' folder list
site_stop one
site_start one || fail 'one does not start'
await 'the alert is there again' \
    holds one '[.alerts[] | select(.code == "folder-gone")] | length == 1' status
rmdir "$share"
mv "$work/away" "$share"
expect 'it is back' holds one '.[0].state == "here" and .[0].files == 2' folder list
expect 'the alert is over' holds one '[.alerts[] | select(.code == "folder-gone")] == []' status

# ---- moved, and taken away ----
mv "$share" "$work/moved"
expect 'attach' ctl one folder attach common --path "$work/moved"
expect 'it is where it was moved' holds one '.[0].state == "here" and .[0].path == "'"$work/moved"'"' folder list
cp -r "$work/moved" "$work/twin"
expect 'to its copy' ctl one folder attach common --path "$work/twin"
[[ ! -e $work/moved/.quoin-folder && -e $work/twin/.quoin-folder ]] || fail 'the mark did not move'
expect 'detach' ctl one folder detach common
expect 'detach again' ctl one folder detach common
[[ ! -e $work/twin/.quoin-folder && -e $work/twin/a.txt ]] || fail 'the mark stayed'
expect 'it has no directory' holds one '.[0].state == "gone" and .[0].path == null' folder list
expect 'attach again' ctl one folder attach common --path "$work/twin"
expect 'it has one again' holds one '.state == "here" and .files == 2' folder status common

# ---- ended ----
refuse 2 'another site' 'delete elsewhere' ctl two folder delete common
refuse 2 'no such folder' 'a collection is no folder' ctl one folder delete rooms
expect 'delete' ctl one folder delete common
[[ $answer == *'No file was deleted'* ]] || fail "it does not say what it did not do: $answer"
[[ ! -e $work/twin/.quoin-folder && -e $work/twin/a.txt && -e $work/twin/plans/b.txt ]] ||
    fail 'the directory is not as it was'
expect 'it is gone' holds one '. == []' folder list
await 'at two as well' holds two '. == []' folder list
refuse 2 'no such folder' 'once' ctl one folder delete common
expect 'no alert' holds one '[.alerts[] | select(.code == "folder-gone")] == []' status
site_stop one
site_start one || fail 'one does not start'
await 'it stays gone' holds one '. == []' folder list
expect 'the name is free, and the directory' ctl one folder create common --path "$work/twin"
await 'two sees the new one' holds two '[.[] | .name] == ["common"]' folder list
expect 'without its directory' ctl one folder detach common
expect 'it ends as well' ctl one folder delete common
expect 'and again' ctl one folder create common --path "$work/twin"
await 'two sees it' holds two '[.[] | .name] == ["common"]' folder list

# ---- members ----
mkdir "$work/private"
expect 'for one site only' ctl one folder create private --path "$work/private" --members one
expect 'one has both' holds one '[.[] | .name] == ["common", "private"]' folder list
expect 'two has only the shared one' holds two '[.[] | .name] == ["common"]' folder list
echo 'folders: all is well'
