#!/bin/bash
# Reading back from holders: a restore from a copy while the own vault is gone, damaged or busy;
# packs that are put right from copies without a person; a vault that is made whole again; a holder
# that is away, or has lost what it held.
#
#   fetch.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# Everything about a tree that a backup keeps, one object a line.
facts() {
    (cd "$1" && find . -printf '%P %y %m %U %G %T@ %l\n' | LC_ALL=C sort &&
        find . -type f -exec sha256sum {} + | LC_ALL=C sort)
}

make_tree() {
    mkdir -p "$1/deep/er"
    printf 'text\n' >"$1/file"
    head -c 5000000 /dev/urandom >"$1/deep/large"
    truncate -s 2M "$1/deep/sparse"
    ln -s ../file "$1/deep/link"
    ln "$1/file" "$1/deep/er/same"
    local i
    for i in {1..300}; do
        printf 'file %d\n' "$i" >"$1/deep/er/$i"
    done
}

# is_complete HOLDER: all snapshots of one are
is_complete() {
    holds one "length > 0 and all(.[]; any(.copies[]; .site == \"$1\" and .complete))" backup list
}

# comes_back SITE...: all of the tree, from the copies at these sites
comes_back() {
    local site
    for site in "$@"; do
        rm -rf "$work/back"
        expect "restore from $site" ctl one backup restore house --to "$work/back" --from "$site"
        equal "as it was" "$(facts "$tree")" "$(facts "$work/back$tree")"
    done
}

# differing A B: files of A that are not the same in B
differing() {
    [[ -d $1 ]] || return 0
    (cd "$1" && find . -type f -print0) | while read -r -d '' file; do
        cmp -s "$1/$file" "$2/$file" || echo "$file"
    done
}

packs_of() {
    find "$(site_state one)/vault/packs" -mindepth 2 -name '*' -type f -path '*/??/*'
}

damage() {
    chmod 0600 "$1"
    printf x | dd of="$1" bs=1 seek=300 conv=notrunc status=none
}

begin "$1" "$2" one two three
found_group one two three
tree=$work/tree
make_tree "$tree"
expect "a plan with copies" ctl one backup create house --path "$tree" --copies two,three --lock 1d
expect "a run" ctl one backup run house
await "it is complete at two" is_complete two
await "it is complete at three" is_complete three

# --- the own vault is there ---
comes_back two three
expect "ls of a copy" ctl one backup ls house "$tree/deep" --from two
for holder in two three; do
    equal "list of the copy at $holder" "$(ctl one --json backup list house | jq '[.[] | [.id, .files, .size, .plan]]')" \
        "$(ctl one --json backup list house --from "$holder" | jq '[.[] | [.id, .files, .size, .plan]]')"
    equal "it is locked there" true \
        "$(ctl one --json backup list --from "$holder" | jq 'all(.[]; .locked_until != null and .copies[0].complete)')"
    equal "find in the copy at $holder" "$(ctl one --json backup find house '1*' | jq 'map(.path)')" \
        "$(ctl one --json backup find house '1*' --from "$holder" | jq 'map(.path)')"
done
equal "a plan that the holder does not know has no snapshots there" '[]' \
    "$(ctl one --json backup list other --from two | jq -c .)"
refuse 2 'no such site' "a list of a site that is none" ctl one backup list --from four
refuse 2 'no such site' "a find in the copy of none" ctl one backup find '*' --from four
refuse 2 'no such site' "a site that is none" \
    ctl one backup restore house --to "$work/none" --from four
refuse 2 'no such snapshot' "a plan that the holder does not know" \
    ctl one backup restore other --to "$work/none" --from two

# --- packs are put right ---
while read -r pack; do
    damage "$pack"
done < <(packs_of)
count=$(packs_of | wc -l)
expect "verify with damaged packs" ctl one backup verify --read-data --json
equal "all were put right" "$count" "$(jq -s 'map(.repaired // empty) | add' <<<"$answer")"
expect "verify once more" ctl one backup verify --read-data
expect "the log says it" grep -q pack-repaired "$(site_log one)"
while read -r pack; do
    damage "$pack"
done < <(packs_of)
rm -rf "$work/local"
expect "a restore of damaged packs" ctl one backup restore house --to "$work/local"
equal "is as it was" "$(facts "$tree")" "$(facts "$work/local$tree")"

# --- the own vault is gone ---
site_stop one
rm -rf "$(site_state one)/vault"
site_start one
comes_back two three
equal "list of a copy, with no vault here" 1 "$(ctl one --json backup list --from two | jq length)"
expect "find in a copy, with no vault here" ctl one --json backup find house 17 --from three
equal "finds it" 1 "$(jq length <<<"$answer")"
rm -rf "$work/single"
expect "one file of a copy" ctl one backup restore house "$tree/deep/er/17" --to "$work/single" --from two
equal "is that file" 'file 17' "$(cat "$work/single$tree/deep/er/17")"

# --- holders that are away, or lost what they held ---
site_stop two
refuse 2 'cannot be reached' "a list of a copy that cannot be reached" ctl one backup list --from two
refuse 2 'cannot be reached' "a copy that cannot be reached" \
    ctl one backup restore house --to "$work/none" --from two
while read -r pack; do # most of it: the site's own store lies in the same packs
    chmod 0600 "$pack"
    dd if=/dev/zero of="$pack" bs=1k seek=1 count=$(($(stat -c %s "$pack") / 1200)) \
        conv=notrunc status=none
done < <(find "$(site_state two)/held" -type f -path '*/??/*')
site_start two
rm -rf "$work/none"
refuse 2 'not what this site stored' "a copy that is damaged" ctl one backup restore house --to "$work/none" --from two
equal "nothing wrong was restored" '' "$(differing "$work/none$tree" "$tree")"
comes_back three
