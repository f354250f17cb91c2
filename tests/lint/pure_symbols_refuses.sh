#!/bin/bash
# pure_symbols.sh refuses what it is there to refuse: a clock, a socket, a database and so on in a
# pure room; a symbol of a room that is no dependency; and it accepts what is harmless.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# archive NAME CODE
archive() {
    printf '%s\n' "$2" >"$work/$1.c"
    "${CC:-cc}" -fno-builtin -O2 -c "$work/$1.c" -o "$work/$1.o"
    rm -f "$work/$1.a"
    ar rcs "$work/$1.a" "$work/$1.o"
}

# rooms [LINE...]: the table with "sample" as a pure room and further lines.
rooms() {
    printf '%s\n' "sample|20|1|$work|$work/sample.a||${below:-}" "$@" >"$work/rooms.txt"
}

# Whether the sample passes; what was said is in $work/out.
check() {
    bash "$here/pure_symbols.sh" "$here/pure_allowed.txt" "$work/rooms.txt" >"$work/out" 2>&1
}

refuses() {
    local symbol=$1
    if check; then
        echo "not refused: $symbol" >&2
        failures=$((failures + 1))
    elif ! grep -q "sample is pure and may not use $symbol\$" "$work/out"; then
        echo "refused for another reason than $symbol:" >&2
        cat "$work/out" >&2
        failures=$((failures + 1))
    fi
}

accepts() {
    if ! check; then
        echo "not accepted: $1" >&2
        cat "$work/out" >&2
        failures=$((failures + 1))
    fi
}

forbidden=(clock_gettime time gettimeofday memfd_create socket connect open openat read write
    getenv getrandom random rand pthread_create pthread_mutex_lock uv_run mdb_get mdb_env_open
    SSL_read RAND_bytes fopen printf syslog fprintf EVP_DigestInit_ex msgpack_unpack)
for symbol in "${forbidden[@]}"; do
    printf 'int %s(void);\nint use_%s(void);\nint use_%s(void) { return %s(); }\n' \
        "$symbol" "$symbol" "$symbol" "$symbol"
done >"$work/forbidden.c"
archive sample "$(cat "$work/forbidden.c")"
rooms
for symbol in "${forbidden[@]}"; do
    refuses "$symbol"
done

archive sample '#include <string.h>
int sample(const char *a, const char *b); int sample(const char *a, const char *b)
{ return strcmp(a, b) + (int)strlen(a); }'
rooms
accepts "strings"

# A symbol of another room counts only if that room is declared.
archive other 'int other(void); int other(void) { return 1; }'
archive sample 'extern int other(void); int sample(void); int sample(void) { return other(); }'
rooms "other|10|0|$work|$work/other.a||"
refuses other
below=other rooms "other|10|1|$work|$work/other.a||"
accepts "a dependency"

[[ $failures == 0 ]]
