#!/bin/bash
# Copies of backups at two holders: sent, complete, whole; the owner and a holder killed in the
# middle, and nothing is sent twice because of it.
#
#   offsite.sh SYNCD SYNCCTL
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
patience_s=120

site_id() {
    ctl "$1" --json site show "$1" | jq -r .id
}

own_packs() {
    (cd "$(site_state "$1")/vault/packs" && find . -type f -path './??/*' -printf '%f %s\n' | LC_ALL=C sort)
}

# held_packs HOLDER: of the one owner that there is
held_packs() {
    (cd "$(site_state "$1")"/held/* && find . -type f -path './??/*' -printf '%f %s\n' | LC_ALL=C sort)
}

bytes_of() {
    awk '{ sum += $2 } END { print sum + 0 }'
}

# The first proof reads every pack at the holder.
verified() {
    holds one "[.backups[].copies[] | select(.site == \"$1\")] | length > 0 and all(.[]; .verified_at != null)" status
}

has_place() {
    [[ $(ctl "$1" --json backup holder list | jq -r ".[] | select(.owner == \"$2\") | .state") == accepted ]]
}

# complete SITE...: every snapshot is complete at each of these holders
complete() {
    local holder
    for holder in "$@"; do
        ctl one --json backup list house |
            jq -e "length > 0 and all(.[].copies[] | select(.site == \"$holder\"); .complete)" || return 1
    done
}

# A pack is arriving at a holder, and a good piece of it is there: the largest one's name and size.
largest_part() {
    find "$(site_state "$1")"/held -path '*/part/*' -type f -printf '%s %f\n' | sort -n |
        awk 'END { print $2, $1 + 0 }'
}

is_in_the_middle() {
    local name size
    read -r name size < <(largest_part "$1")
    ((size >= 5000000))
}

# One that is as long as the pack lacked only its name, and is sent again as a whole.
was_in_the_middle() {
    ((${1#* } >= 5000000)) && ! own_packs one | grep -qxF "$1"
}

# io SITE FIELD: bytes that the process has moved by read and write, sockets too
io() {
    awk -v field="$2:" '$1 == field { print $2 }' "/proc/${site_pid[$1]}/io"
}

# Without a pause, so that it is really in the middle.
catch_in_the_middle() {
    local deadline=$((SECONDS + patience_s))
    until is_in_the_middle "$1" 2>/dev/null; do
        ((SECONDS < deadline)) || fail "no pack is caught in the middle at $1"
    done
}

same_packs() {
    [[ $(own_packs one) == "$(held_packs "$1")" ]]
}

# is_whole SITE: whether every pack that it holds is what its name says
is_whole() {
    (cd "$(site_state "$1")"/held/* && find . -type f -path './??/*' -print0 | xargs -0 sha256sum) |
        awk '{ name = $2; sub(/.*\//, "", name); if (name != $1) exit 1 }'
}

# verify_copies [OPTION...]: what each holder proves when it is asked, and what of it is bad
verify_copies() {
    { ctl one --json backup verify house "$@" || true; } |
        jq -r 'select(.event == "summary") | .copies[] | "\(.site) \(.challenge) \(.bad_packs)"' | sort
}

begin "$1" "$2" one two three
found_group one two three
tree=$work/tree
mkdir "$tree"
head -c 40000000 /dev/urandom >"$tree/first"
expect "a plan with two holders" ctl one backup create house --path "$tree" --copies two,three
await "two lends space" has_place two one
await "three lends space" has_place three one
started=$EPOCHREALTIME
expect "a run that waits for its copies" ctl one backup run house --wait
ended=$EPOCHREALTIME
equal "complete at both" true "$(complete two three | tail -n 1)"
equal "two has the packs" "$(own_packs one)" "$(held_packs two)"
equal "three has the packs" "$(own_packs one)" "$(held_packs three)"
for holder in two three; do
    is_whole "$holder" || fail "$holder holds a pack that is not what its name says"
done
ok "every held pack is what its name says"
printf 'rate: %s bytes to each of two holders, backup and copies, in %.2f s\n' \
    "$(own_packs one | bytes_of)" "$(awk "BEGIN { print $ended - $started }")"

await "the copy at two is verified" verified two
await "the copy at three is verified" verified three

equal "a verification has both prove a part" $'three done 0\ntwo done 0' "$(verify_copies)"
victim=$(find "$(site_state two)"/held -type f -path '*/??/*' -size +100k | sort | head -n 1)
printf 'damaged' | dd of="$victim" bs=1 seek=50000 conv=notrunc status=none
equal "with all data it finds a damaged pack" $'three done 0\ntwo done 1' "$(verify_copies --read-data)"
await "it is sent again" is_whole two

# --- killed in the middle. The holder reads what comes from the line, and each pack once more to hash
# it: what it read beyond that came twice. A cut loses what was not acknowledged, at most 4 MiB. ---
# kill_in_the_middle SITE: while a good piece of a pack is at `two`; a run that was too fast is repeated
kill_in_the_middle() {
    local tries caught
    for ((tries = 1; tries <= 20; tries++)); do
        head -c 96000000 /dev/urandom >"$tree/file$tries"
        read_before=$(io two rchar)
        held_before=$(held_packs two | bytes_of)
        expect "a run" ctl one backup run house
        catch_in_the_middle two
        site_kill "$1"
        caught=$(largest_part two)
        part=${caught#* }
        held_then=$(held_packs two | bytes_of)
        site_start "$1"
        ! was_in_the_middle "$caught" || return 0
        await "complete, not in the middle" complete two
    done
    fail "it was never caught in the middle"
}

# check_beyond READ WANTED: bytes that were read, that had to be
check_beyond() {
    printf 'resumed: a part of %s bytes, %s read beyond the %s that had to be\n' \
        "$part" "$(($1 - $2))" "$2"
    equal "goes on at the byte" 1 "$(($1 - $2 < 4500000))"
}

expect "one holder from now on" ctl one backup change house --copies two
kill_in_the_middle one
await "complete after kill -9 of the owner" complete two
await "two has the packs" same_packs two
sent=$(($(held_packs two | bytes_of) - held_before))
check_beyond "$(($(io two rchar) - read_before))" "$((2 * sent))"

kill_in_the_middle two
await "complete after kill -9 of the holder" complete two
await "two has the packs" same_packs two
hashed=$(($(held_packs two | bytes_of) - held_then))
check_beyond "$(io two rchar)" "$((2 * hashed - part))"
