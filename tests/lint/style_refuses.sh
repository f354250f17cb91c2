#!/bin/bash
# style.sh refuses what it is there to refuse.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

tree() {
    rm -rf "${work:?}"/*
    mkdir -p "$work"/{daemon/room,proto,tools,tests,packaging}
    printf 'int f(void)\n{\n    return 1;\n}\n' >"$work/daemon/room/f.c"
    echo "# room" >"$work/daemon/room/README.md"
    echo "room|0|1|$work/daemon/room|||" >"$work/rooms.txt"
}

lines() {
    local i
    for ((i = 0; i < $1; i++)); do echo "    f();"; done
}

expect() {
    local wanted=$1 what=$2 status=0
    bash "$here/style.sh" "$work" "$work/rooms.txt" >"$work.out" 2>&1 || status=$?
    if [[ $wanted == good && $status != 0 ]] || [[ $wanted == bad && $status == 0 ]]; then
        echo "should be $wanted: $what" >&2
        cat "$work.out" >&2
        failures=$((failures + 1))
    fi
    rm -f "$work.out"
}

tree
expect good "a tree without faults"
tree
{ printf 'void g(void)\n{\n'; lines 70; echo '}'; } >>"$work/daemon/room/f.c"
expect good "a function of 70 lines"
tree
{ printf 'void g(void)\n{\n'; lines 71; echo '}'; } >>"$work/daemon/room/f.c"
expect bad "a function of 71 lines"
tree
for ((i = 0; i < 801; i++)); do echo "int a$i;"; done >"$work/daemon/room/long.c"
expect bad "a file of 801 lines"
buffer() {
    printf 'int g(void)\n{\n    QN_AUTO_BUF struct qn_buf a, b%s;\n    qn_buf_init(&a, 1);\n    if (f())\n        return 1;\n%s}\n' \
        "$1" "    qn_buf_init(&b, 1);"$'\n' >>"$work/daemon/room/f.c"
}
tree
buffer ""
expect bad "a way out before a buffer is made"
tree
buffer " = {0}"
expect good "a way out before a zeroed buffer is made"
tree
echo "/* TO""DO: later */" >>"$work/daemon/room/f.c"
expect bad "something left to do"
tree
echo '#include "../other/other.h"' >>"$work/daemon/room/f.c"
expect bad "an include that goes round the include path"
tree
rm "$work/daemon/room/README.md"
expect bad "a room without a README"
tree
for ((i = 0; i < 61; i++)); do echo "line"; done >"$work/daemon/room/README.md"
expect bad "a README of 61 lines"

[[ $failures == 0 ]]
