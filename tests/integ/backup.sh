#!/bin/bash
# Backups of a real daemon: planned, run, listed, compared, restored, verified, forgotten; killed in
# the middle; files that cannot be read; a damaged pack.
#
#   backup.sh SYNCD SYNCCTL ONE_LINE      ONE_LINE is the program of one_line.c
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

make_tree() {
    mkdir -p "$1/deep/er"
    printf 'text\n' >"$1/file"
    printf 'old\n' >"$1/deep/changes"
    head -c 3000000 /dev/urandom >"$1/deep/large"
    truncate -s 5M "$1/deep/sparse"
    ln -s ../file "$1/deep/link"
    ln "$1/file" "$1/deep/er/same"
    printf 'raw\n' >"$1/deep/"$'na\xffme'
    printf 'no\n' >"$1/left.out"
    chmod 0640 "$1/file"
    touch -d '2001-02-03 04:05:06.789012345' "$1/deep/changes"
}

# Everything about a tree that a backup keeps, one object a line.
facts() {
    (cd "$1" && find . -printf '%P %y %m %U %G %T@ %l\n' | LC_ALL=C sort &&
        find . -type f -exec sha256sum {} + | LC_ALL=C sort)
}

snapshots() {
    ctl one backup list house --json | jq "$@"
}

are_kept() {
    [[ $(snapshots length) == "$1" ]]
}

begin "$1" "$2" one
found one
tree=$work/tree
make_tree "$tree"
sleep 0.1 # files that changed in the last 50 ms before a run are read again in the next: none is so fresh
refuse 64 'which folder' "a plan without a folder" ctl one backup create house
refuse 2 'no schedule' "a schedule that is none" ctl one backup create house --path "$tree" --schedule often
refuse 2 'no such backup' "a plan that is not there" ctl one backup run house
expect "a plan" ctl one backup create house --path "$tree" --exclude '*.out' --keep 'last 2'
refuse 2 'planned already' "the same name" ctl one backup create house --path "$tree"
expect "a run" ctl one backup run house
equal "one snapshot" 1 "$(snapshots length)"
first=$(snapshots -r '.[0].id')

expect "all comes back" ctl one backup restore house --to "$work/all"
rm "$tree/left.out"
touch -r "$work/all$tree" "$tree"
equal "as it was" "$(facts "$tree")" "$(facts "$work/all$tree")"
equal "holes stay holes" 1 "$(($(stat -c %b "$work/all$tree/deep/sparse") < 1000))"
equal "links stay links" 2 "$(stat -c %h "$work/all$tree/file")"
size=$(("$(stat -c %s "$tree/file")" + "$(stat -c %s "$tree/deep/changes")" + "$(stat -c %s "$tree/deep/large")" + 4))
equal "three times behind small answers of the same connection" "$size $size $size " \
    "$("$3" "$(site_state one)/control.sock" house 3 | tr '\n' ' ')"

printf 'new\n' >"$tree/deep/changes"
rm "$tree/deep/large"
equal "what a run says" '{"files_new":0,"files_changed":1,"files_unchanged":3,"errors":0}' \
    "$(ctl one backup run house --json | jq -c 'select(.event == "summary") |
        {files_new, files_changed, files_unchanged, errors}')"
equal "what changed" "c deep/changes - deep/large" \
    "$(ctl one backup diff "house@$first" house | grep -E 'changes|large' | sed "s,${tree#/}/,," | xargs)"
equal "ls" 5 "$(ctl one backup ls house "$tree/deep" --json | jq length)"
equal "find" 2 "$(ctl one backup find house changes --json | jq length)"
expect "one file of the first" ctl one backup restore "house@$first" "$tree/deep/changes" --to "$work/part"
equal "is the old one" old "$(cat "$work/part$tree/deep/changes")"
refuse 1 'there already' "nothing is overwritten" \
    ctl one backup restore house "$tree/deep/changes" --to "$work/part"
equal "really not" old "$(cat "$work/part$tree/deep/changes")"
expect "unless told" ctl one backup restore house "$tree/deep/changes" --to "$work/part" --overwrite
equal "then it is" new "$(cat "$work/part$tree/deep/changes")"

printf 'third\n' >"$tree/third"
expect "a third run" ctl one backup run house
await "the keep rule holds" are_kept 2
refuse 64 'after @ comes' "a time that is none" ctl one backup ls house@2026-99-99
refuse 2 'no such snapshot' "the first is gone" ctl one backup restore "house@$first" --to "$work/gone"
expect "verify" ctl one backup verify house --read-data

# kill -9 in the middle of a run: what was there is there, and the next run goes on.
head -c 40000000 /dev/urandom >"$tree/much"
ctl one backup run house >/dev/null 2>&1 &
helpers=($!)
sleep 0.2
site_kill one
wait "${helpers[0]}" 2>/dev/null || true
helpers=()
site_start one
expect "verify after kill -9" ctl one backup verify --read-data
expect "a run after kill -9" ctl one backup run house
expect "restore after kill -9" ctl one backup restore house --to "$work/after"
equal "all of it" "$(facts "$tree")" "$(facts "$work/after$tree")"

# A pack that somebody changed is named.
pack=$(find "$(site_state one)/vault/packs" -type f -size +1000k | head -n 1)
chmod 0600 "$pack"
printf x | dd of="$pack" bs=1 seek=5000 conv=notrunc status=none
refuse 1 'pack is damaged' "a damaged pack" ctl one backup verify --read-data

# The snapshots of a plan outlive it.
count=$(ctl one --json backup list house | jq length)
expect "the plan goes" ctl one backup delete house
equal "its snapshots are listed by its name" "$count" "$(ctl one --json backup list house | jq length)"
refuse 2 'no such backup' "a plan that never was" ctl one backup list nobody
