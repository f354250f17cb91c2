#!/bin/bash
# Records are found by what is in them, at each site, and after everything that can happen to an
# index: changes, the trash, a stop, kill -9, damage, its loss. Files are found by their names, at the
# site where their folder is.
#
#   search.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# finds SITE WANTED WORD...: the keys, in any order
finds() {
    local site=$1 wanted=$2
    shift 2
    [[ $(ctl "$site" --json search --limit 100 "$@" | jq -r '[.[].key] | sort | join(" ")') == "$wanted" ]]
}

# files SITE WANTED WORD...: the paths, in any order
files() {
    local site=$1 wanted=$2
    shift 2
    [[ $(ctl "$site" --json search --limit 100 "$@" |
        jq -r '[.[] | select(.kind == "file") | .folder + ":" + .path] | sort | join(" ")') == "$wanted" ]]
}

begin "$1" "$2" one two
found_group one two
expect "a collection" ctl one collection create residents
expect "another one" ctl one collection create rooms
await "two has it" has_collection two residents
await "and the other" has_collection two rooms
expect "a record" ctl one record put residents R-1 nom=Œuvrard prénom=Célestine chambre=12
expect "another one" ctl two record put residents R-2 nom=Delmas prénom=Odette chambre=12
expect "one with types" ctl one record put residents R-3 \
    --json-value '{"nom":"Vayssière","téléphone":["05 65 12 34 56"],"adresse":{"rue":"rue de Église"},"âge":91,"présent":true}'
expect "one elsewhere" ctl one record put rooms 12 nom="Salle Œuvrard"

# --- folded, all words, the beginning of the last one ---
for site in one two; do
    await "$site finds by a beginning" finds "$site" "12 R-1" oeuv
    await "$site: all words" finds "$site" "R-1 R-2" chambre 12
    await "$site: without accents" finds "$site" "R-3" eglise vayssiere
    await "$site: a number in a list" finds "$site" "R-3" 05-65-12
done
expect "in another order" finds one "" 65-05
expect "a whole word is not its beginning" finds one "" "oeuv "
expect "a key" finds one "R-2" r-2
expect "the collection is told" test "rooms" = "$(ctl one --json search salle | jq -r '.[0].collection')"
equal "the words around it" "nom: Salle Œuvrard" "$(ctl one --json search salle | jq -r '.[0].text' | sed "s/ *$//")"
equal "a limit" 1 "$(ctl one --json search --limit 1 oeuv | jq length)"
refuse 2 "nothing to search for" "nothing to search for" ctl one search -- "-- *"
refuse 64 "takes a number" "a limit that is no number" ctl one search --limit few oeuv

# --- what changes ---
expect "a change" ctl two record put residents R-1 nom=Lacombe
await "is found" finds one "R-1" lacombe
await "and the old value is not" finds one "12" oeuv
expect "into the trash" ctl one record delete residents R-2
await "not found here" finds one "" delmas
await "nor there" finds two "" delmas
expect "back" ctl two record restore residents R-2
await "found again" finds one "R-2" delmas
await "at both" finds two "R-2" delmas

# --- many, with a kill in the middle ---
for ((i = 0; i < 20000; i++)); do
    printf '{"n":"N-%05d","mot":"perle %s"}\n' "$i" "$((i * 7919 % 20011))"
done >"$work/many.jsonl"
expect "an import" ctl one record import rooms "$work/many.jsonl" --key n
site_kill one
site_start one
await "all are found after kill -9" finds one "N-19999" perle "$((19999 * 7919 % 20011)) "
await "the first too" finds one "N-00001" perle "7919 "
equal "as many as asked for" 100 "$(ctl one --json search --limit 100 perle | jq length)"

# --- more bytes than are read at a time ---
long=$(printf 'lorem%.0s ' {1..2000})
for ((i = 0; i < 300; i++)); do
    printf '{"n":"L-%03d","mot":"ambre %s","texte":"%s"}\n' "$i" "$i" "$long"
done >"$work/long.jsonl"
expect "an import of long texts" ctl one record import residents "$work/long.jsonl" --key n
await "the last one is found" finds one "L-299" ambre "299 "
for i in 0 87 88 89 150 298; do
    await "and number $i" finds one "$(printf 'L-%03d' "$i")" ambre "$i "
done

# --- the index is never the authority ---
index=$(site_state one)/search/index.db
site_stop one
dd if=/dev/zero of="$index" bs=4096 count=1 conv=notrunc status=none
site_start one
await "a damaged index is made again" finds one "R-1" lacombe
await "whole" finds one "N-00001" perle "7919 "
site_stop one
rm -r "$(site_state one)/search"
site_start one
await "so is a lost one" finds one "N-19999" perle "$((19999 * 7919 % 20011)) "
await "of each collection" finds one "R-1" lacombe

# --- names of files ---
share=$work/share
mkdir -p "$share/Menus/été"
touch "$share/Menus/été/Semaine-12.odt" "$share/plan.txt" "$share/._plan.txt" "$share/Menus/Thumbs.db"
ln -s /etc "$share/semaine"
expect "a folder" ctl one folder create common --path "$share"
await "its files are found" files one "common:Menus/été/Semaine-12.odt" semaine 12
expect "by their directories" files one "common:Menus/été/Semaine-12.odt" ete menus
expect "no litter" files one "common:plan.txt" plan
expect "no mark, no link" files one "" quoin
await "so is what is at the other site" files two "common:plan.txt" plan
equal "nothing is missing" "" "$(ctl one search plan 2>&1 | grep "being made" || true)"
site_stop one
rm "$share/plan.txt"
touch "$share/Menus/plan.txt"
site_start one
await "what changed meanwhile" files one "common:Menus/plan.txt" plan
mv "$share" "$work/away"
await "it is gone" holds one '.[0].state == "gone"' folder list
site_stop one
site_start one
await "the records are there" finds one "R-1" lacombe
expect "names are known that are gone for the moment" files one "common:Menus/plan.txt" plan
mv "$work/away" "$share"
expect "taken away" ctl one folder detach common
await "and forgotten" files one "" plan
expect "given back" ctl one folder attach common --path "$share"
await "and found" files one "common:Menus/plan.txt" plan
site_stop one
dd if=/dev/zero of="$index" bs=4096 count=1 conv=notrunc status=none
site_start one
await "a damaged index knows them again" files one "common:Menus/plan.txt" plan
await "and the records" finds one "R-1" lacombe
