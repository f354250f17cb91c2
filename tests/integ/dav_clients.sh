#!/bin/bash
# rclone, cadaver, davfs2 and curl: files up and down, bytes and times exact, a second sync moves
# nothing. davfs2 as root only, where it may mount.
#
#   dav_clients.sh SERVER [FILES]
set -euo pipefail
# shellcheck source=dav_lib.sh
source "$(dirname "$0")/dav_lib.sh"
need rclone cadaver curl script
count=${2:-60}
dav_begin "$1"
cd "$work"

make_source() {
    local i
    mkdir -p source/many "source/été à Noël"
    for ((i = 0; i < count; i++)); do
        head -c $((i * 37 % 5000)) /dev/urandom >"source/many/file$i"
        touch -d "@$((1000000000 + i * 86400))" "source/many/file$i"
    done
    head -c 700000 /dev/urandom >source/large
    echo x >"source/été à Noël/100% & <ça>.txt"
    touch -d @1234567890 source/large "source/été à Noël/100% & <ça>.txt"
}

times() { (cd "$1" && find . -type f -printf '%p %Ts\n' | sort); }

same() {
    diff -r "$2" "$3" >/dev/null || fail "$1: the bytes differ"
    equal "$1: times" "$(times "$2")" "$(times "$3")"
}

try_rclone() {
    cat >rclone.conf <<CONFIG
[site]
type = webdav
url = $url
vendor = owncloud
user = anna
pass = $(rclone obscure secret)
CONFIG
    local rclone=(timeout 250 rclone --config rclone.conf --ca-cert "$authority")
    "${rclone[@]}" sync source site:r
    same "rclone up" source "$folder/r"
    "${rclone[@]}" sync source site:r -v >second 2>&1
    grep -q 'There was nothing to transfer' second ||
        fail "rclone: a second sync moves something: $(cat second)"
    "${rclone[@]}" check source site:r 2>checked
    [[ $(<checked) == *" 0 differences found"* && $(<checked) != *"could not be checked"* ]] ||
        fail "rclone: SHA-1 of what it put is not known: $(cat checked)"
    "${rclone[@]}" sync site:r back
    same "rclone down" source back
    "${rclone[@]}" moveto site:r/many site:r/moved
    equal "rclone move" "$count" "$(find "$folder/r/moved" -type f | wc -l)"
    "${rclone[@]}" purge site:r
    [[ ! -e $folder/r ]] || fail "rclone purge"
    echo "rclone: $((count + 2)) files"
}

# It asks on a terminal whether it may trust the certificate.
try_cadaver() {
    printf 'machine localhost login anna password secret\n' >"$HOME/.netrc"
    chmod 600 "$HOME/.netrc"
    printf '%s\n' y 'mkcol d' 'cd d' 'put source/large' 'lock large' 'put source/large' \
        'unlock large' 'propset large note value' 'propget large note' 'copy large two' \
        'move two three' 'get three got' 'delete three' 'quit' >commands
    timeout 60 script -qec "cadaver $url" /dev/null <commands 2>&1 | tr '\r' '\n' >cadaver.log
    cmp source/large got || fail "cadaver: the bytes differ"
    equal "cadaver: what failed" '' "$(grep -iE 'failed|error' cadaver.log || true)"
    grep -q 'Value of note is: value' cadaver.log || fail "cadaver: the property is not there"
    equal "cadaver: left" large "$(ls "$folder/d")"
    rm -r "${folder:?}/d"
    echo cadaver
}

try_davfs() {
    if [[ $EUID != 0 || ! -c /dev/fuse ]] || ! command -v mount.davfs >/dev/null; then
        echo "davfs2: passed over, it needs root and /dev/fuse"
        return
    fi
    mkdir mnt cache
    chmod 755 "$work"
    chmod 644 "$authority"
    chmod 777 cache
    printf '%s/ anna secret\n' "$url" >secrets
    chmod 600 secrets
    printf '%s\n' "trust_ca_cert $authority" "use_locks 1" "ask_auth 0" "cache_dir $work/cache" \
        "secrets $work/secrets" >davfs.conf
    if ! timeout 30 mount.davfs -o conf="$work/davfs.conf" "$url/" mnt 2>davfs.log; then
        echo "davfs2: passed over, it may not mount here: $(head -n 1 davfs.log)"
        return
    fi
    timeout 200 cp -r source mnt/m
    timeout 100 umount mnt
    diff -r source "$folder/m" >/dev/null || fail "davfs2 up: the bytes differ"
    equal "davfs2: lost files" '' "$(find cache -path '*lost+found*' -type f)"
    timeout 30 mount.davfs -o conf="$work/davfs.conf" "$url/" mnt
    # By name: davfs2 1.6.1 cannot list directories on Linux 6.18, whatever the server.
    while IFS= read -r name; do
        timeout 20 cmp "source/$name" "mnt/m/$name" || fail "davfs2 down: $name differs"
        timeout 20 rm "mnt/m/$name"
    done < <(cd source && find . -type f)
    timeout 100 umount mnt
    equal "davfs2: removed" '' "$(find "$folder/m" -type f)"
    rm -r "$folder/m"
    echo davfs2
}

ask() { timeout 60 curl -sS --cacert "$authority" -u anna:secret "$@"; }
status() { ask -o /dev/null -w '%{http_code}' "$@"; }

try_curl() {
    equal "OPTIONS without a name" 200 \
        "$(timeout 20 curl -sS --cacert "$authority" -o /dev/null -w '%{http_code}' -X OPTIONS "$url/")"
    equal "GET without a name" 401 \
        "$(timeout 20 curl -sS --cacert "$authority" -o /dev/null -w '%{http_code}' "$url/x")"
    equal "the root" 207 "$(status -X PROPFIND -H 'Depth: 0' "${url%/dav/F}/")"
    equal "PUT in chunks" 201 "$(status -T - "$url/chunked" <source/large)"
    cmp source/large "$folder/chunked" || fail "PUT in chunks: the bytes differ"
    equal "PUT with Expect" 204 "$(status -H 'Expect: 100-continue' -T source/large "$url/chunked")"
    equal "PUT where no parent is" 409 "$(status -T source/large "$url/none/x")"
    ask -r 100-199,300-399 "$url/chunked" >ranges
    grep -qa 'Content-Range: bytes 300-399/700000' ranges || fail "ranges"
    ask -r 1000- "$url/chunked" | cmp - <(tail -c +1001 source/large) || fail "a range"
    equal "a traversal" 400 "$(status --path-as-is "$url/../../etc/passwd")"
    equal "an encoded traversal" 400 "$(status --path-as-is "$url/%2e%2e/%2e%2e/etc/passwd")"
    ln -s /etc "$folder/link"
    equal "a link" 403 "$(status "$url/link/passwd")"
    rm "$folder/link"
    echo curl
}

# A client that dies in the middle of a PUT: nothing visible changes.
try_cut() {
    local i
    echo old >"$folder/kept"
    for ((i = 0; i < 20; i++)); do
        timeout 0.2 curl -sS --cacert "$authority" -u anna:secret --limit-rate $((100000 + i * 50000)) \
            -T source/large "$url/kept" >/dev/null 2>&1 || true
        [[ $(cat "$folder/kept" 2>/dev/null) == old ]] || cmp -s source/large "$folder/kept" ||
            fail "a PUT that was cut is to be seen"
    done
    equal "a last PUT" 204 "$(status -T source/large "$url/kept")"
    echo "cut uploads"
}

make_source
try_rclone
try_cadaver
try_davfs
try_curl
try_cut
