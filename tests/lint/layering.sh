#!/bin/bash
# The build refuses forbidden edges between rooms: a small project with the real layers.cmake is
# configured and built, once as it should be, then with one mistake at a time.
#
#   layering.sh SOURCE
set -euo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    echo "$1" >&2
    [[ -f $work/log ]] && tail -n 20 "$work/log" >&2
    failures=$((failures + 1))
}

# room NAME "ARGUMENTS OF qn_library" [HEADER THAT ITS SOURCE INCLUDES...]
room() {
    local name=$1 arguments=$2 header
    shift 2
    mkdir -p "$work/daemon/$name"
    echo "int $name(void);" >"$work/daemon/$name/$name.h"
    {
        for header in "$name/$name.h" "$@"; do echo "#include \"$header\""; done
        echo "int $name(void) { return 0; }"
    } >"$work/daemon/$name/$name.c"
    echo "qn_library($name $arguments SOURCES $name.c)" >"$work/daemon/$name/CMakeLists.txt"
    echo "add_subdirectory(daemon/$name)" >>"$work/CMakeLists.txt"
}

project() {
    rm -rf "${work:?}"/*
    cat >"$work/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(layering LANGUAGES C)
include($source/packaging/layers.cmake)
END
}

configure() {
    cmake -S "$work" -B "$work/build" -G Ninja >"$work/log" 2>&1
}

build() {
    cmake --build "$work/build" >"$work/log" 2>&1
}

refuses_to_configure() {
    if configure; then
        fail "configured although $1"
    elif ! grep -q "layering: $2" "$work/log"; then
        fail "refused, but not because $1"
    fi
}

refuses_to_build() {
    if ! configure; then
        fail "does not even configure: $1"
    elif build; then
        fail "compiled although $1"
    elif ! grep -q "$2: No such file" "$work/log"; then
        fail "refused, but not because $1"
    fi
}

project
room low "RANK 0 PURE"
room middle "RANK 10 PURE DEPENDS low" low/low.h
room high "RANK 20 DEPENDS middle" middle/middle.h low/low.h
if ! configure || ! build; then
    fail "a correct project does not build"
fi

project
room low "RANK 10"
room same "RANK 10 DEPENDS low"
refuses_to_configure "a room uses one of the same rank" "same (rank 10) may not use low (rank 10)"

project
room high "RANK 20"
room low "RANK 10 DEPENDS high"
refuses_to_configure "a room uses one of a higher rank" "low (rank 10) may not use high"

project
room high "RANK 20 DEPENDS low"
room low "RANK 10"
refuses_to_configure "a room uses one that is not declared" "high uses low, which is not declared"

project
room edge "RANK 10"
room core "RANK 20 PURE DEPENDS edge"
refuses_to_configure "a pure room uses one that is not" "core is pure and may not use edge"

project
room low "PURE"
refuses_to_configure "a room has no rank" "low needs RANK"

project
room low "RANK 0"
room one "RANK 10 DEPENDS low" low/low.h
room two "RANK 20 DEPENDS low" low/low.h one/one.h
refuses_to_build "a source includes a header of a room that it may not use" "one/one.h"

project
room low "RANK 0" high/high.h
room high "RANK 10 DEPENDS low"
refuses_to_build "a source includes a header of a higher room" "high/high.h"

[[ $failures == 0 ]]
