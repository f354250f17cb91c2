#!/bin/bash
# WebDAV with 10,000 files: a listing (first byte, all, memory); rclone up, again, down; curl and
# cadaver up and down. One line of JSON. cadaver sets no times. A PUT waits for the disk twice, so rclone's part takes what the disk takes.
#
#   dav.sh BUILD [FILES [FILES_OF_RCLONE]]
set -euo pipefail
build=$1 count=${2:-10000}
rclone_count=${3:-$count}
# shellcheck source=../integ/dav_lib.sh
source "$(dirname "$0")/../integ/dav_lib.sh"
need rclone curl cadaver script jq
server=$(find "$build" -type f -name dav_server -perm -u+x | head -n 1)
[[ -x $server ]] || { echo "$build is no build with tests" >&2 && exit 1; }
dav_begin "$server"
cd "$work"

seconds() { # COMMAND...: how long it took
    local start=$EPOCHREALTIME
    "$@" >&2
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.3f", b - a}'
}
rss_kib() { awk '/^VmRSS/ {print $2}' "/proc/$server_pid/status"; }
peak_kib() { awk '/^VmHWM/ {print $2}' "/proc/$server_pid/status"; }

make_files() { # DIRECTORY COUNT
    local i
    mkdir -p "$1"
    for ((i = 0; i < $2; i++)); do
        printf 'content of %d' "$i" >"$1/file $i.txt"
    done
    find "$1" -type f -exec touch -d @1234567890 {} +
}

list() { # one listing over a connection that is there: first byte and all, in milliseconds
    local body='<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>'
    local one=(--cacert "$authority" -u anna:secret -X PROPFIND -H 'Depth: 1' --data "$body")
    curl -sS "${one[@]}" -H 'Depth: 0' "$url/list/" -o /dev/null --next "${one[@]}" \
        -w '%{time_pretransfer} %{time_starttransfer} %{time_total} %{size_download}\n' \
        -o list.xml "$url/list/"
}

cat >rclone.conf <<CONFIG
[site]
type = webdav
url = $url
vendor = owncloud
user = anna
pass = $(rclone obscure secret)
CONFIG
rclone=(rclone --config rclone.conf --ca-cert "$authority" --transfers 8)
make_files "$folder/list" "$count"
list >/dev/null # what comes with the first connection
before=$(rss_kib)
echo 5 >"/proc/$server_pid/clear_refs" 2>/dev/null || true # VmHWM begins anew
first=() all=()
for ((i = 0; i < 9; i++)); do
    read -r begin start total size < <(list)
    first+=("$(awk -v a="$begin" -v b="$start" 'BEGIN {printf "%.1f", (b - a) * 1000}')")
    all+=("$(awk -v a="$begin" -v b="$total" 'BEGIN {printf "%.1f", (b - a) * 1000}')")
done
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
peak=$(peak_kib)
entries=$(grep -o '<D:response>' list.xml | wc -l)
make_files source "$rclone_count"
up=$(seconds "${rclone[@]}" sync source site:r)
again=$(seconds "${rclone[@]}" sync source site:r -v 2>second)
moved=$(grep -c 'Copied' second || true)
down=$(seconds "${rclone[@]}" sync site:r back)

# One connection, one file after the other.
by_curl() { timeout 600 curl -sS --fail --cacert "$authority" -u anna:secret "$@"; }
curl_up() { by_curl -H 'X-OC-Mtime: 1234567890' -T "source/file [0-$((rclone_count - 1))].txt" "$url/c/"; }
curl_down() { by_curl --remote-time -o 'back_c/file #1.txt' "$url/c/file%20[0-$((rclone_count - 1))].txt"; }
# It asks on a terminal whether it may trust the certificate.
by_cadaver() { printf '%s\n' y 'cd k' "$@" quit | timeout 600 script -qec "cadaver $url" /dev/null >cadaver.log 2>&1; }
# By the last digit: it takes some thousand names at once.
cadaver_up() { by_cadaver 'lcd source' 'mput *'{0..9}.txt; }
cadaver_down() { by_cadaver 'lcd back_k' 'mget *'{0..9}.txt; }
is_same() { diff -r source "$1" >/dev/null && echo true || echo false; }
wrong_times() { find "$1" -type f ! -newermt @1234567889 -o -type f -newermt @1234567890 | wc -l; }

mkdir back_c back_k
printf 'machine localhost login anna password secret\n' >"$HOME/.netrc"
chmod 600 "$HOME/.netrc"
by_curl -X MKCOL "$url/c" -X MKCOL "$url/k" >&2
curl_up_s=$(seconds curl_up)
curl_down_s=$(seconds curl_down)
cadaver_up_s=$(seconds cadaver_up)
cadaver_down_s=$(seconds cadaver_down)
others=$(jq -nc --argjson up "$curl_up_s" --argjson down "$curl_down_s" --argjson wrong "$(wrong_times back_c)" \
    --argjson same "$(is_same back_c)" --argjson wrong_up "$(wrong_times "$folder/c")" \
    --argjson cadaver_up "$cadaver_up_s" --argjson cadaver_down "$cadaver_down_s" \
    --argjson cadaver_same "$(is_same back_k)" --argjson cadaver_same_up "$(is_same "$folder/k")" \
    '{curl_up_s: $up, curl_down_s: $down, curl_bytes_same: $same, curl_times_wrong: ($wrong + $wrong_up),
      cadaver_up_s: $cadaver_up, cadaver_down_s: $cadaver_down,
      cadaver_bytes_same: ($cadaver_same and $cadaver_same_up)}')
jq -nc --argjson others "$others" --argjson files "$count" --argjson rclone_files "$rclone_count" --argjson up "$up" --argjson again "$again" --argjson moved "$moved" \
    --argjson down "$down" --argjson same "$(is_same back)" --argjson times "$(wrong_times back)" \
    --argjson first "$(median "${first[@]}")" --argjson all "$(median "${all[@]}")" \
    --argjson entries "$entries" --argjson size "$size" --argjson before "$before" \
    --argjson peak "$peak" \
    '{files: $files, rclone_files: $rclone_files, rclone_up_s: $up, rclone_again_s: $again, moved_again: $moved,
      rclone_down_s: $down, bytes_same: $same, times_wrong: $times, list_entries: $entries,
      list_size: $size, list_first_byte_ms: $first, list_all_ms: $all,
      rss_before_kib: $before, rss_peak_kib: $peak} + $others'
