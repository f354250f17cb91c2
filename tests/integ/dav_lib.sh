# shellcheck shell=bash
# What the tests with other people's WebDAV clients share; to be sourced.
#
#   dav_begin SERVER     starts it on a free port with the folder F; ends it and cleans up at exit
#
# Then: $work, $folder (the directory that is served), $url, $authority (PEM), and fail, equal, need.
# Name anna, password secret.
export LC_ALL=C.UTF-8
work='' folder='' url='' authority='' server_pid=''

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    tail -n 12 "$work/log" >&2
    exit 1
}

equal() {
    [[ $2 == "$3" ]] || fail "$1: wanted '$2', got '$3'"
}

# need PROGRAM...: without it the test is skipped.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "$program is missing: skipped" && exit 77; }
    done
}

dav_end() {
    local status=$?
    trap - EXIT
    if [[ -n $server_pid ]] && kill "$server_pid" 2>/dev/null; then
        wait "$server_pid" || { echo "FAILED: the server ended with $?" >&2 && tail "$work/log" >&2 && status=1; }
    fi
    rm -rf "$work"
    exit "$status"
}

dav_begin() {
    local port tries=0
    work=$(mktemp -d "${TMPDIR:-/tmp}/quoin-dav.XXXXXX")
    trap dav_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    folder=$work/F
    mkdir "$folder" "$work/state" "$work/home"
    "$1" "$folder" "$work/state" >"$work/log" 2>&1 &
    server_pid=$!
    until grep -qs 'listening on' "$work/log"; do
        ((++tries < 200)) || fail "the server does not start"
        sleep 0.05
    done
    port=$(sed -nE 's/.*listening on 127\.0\.0\.1:([0-9]+).*/\1/p' "$work/log")
    # shellcheck disable=SC2034 # for who sources this
    url=https://localhost:$port/dav/F
    authority=$work/ca.pem
    cp "$work/state/authority/ca.pem" "$authority"
    export HOME=$work/home
}
