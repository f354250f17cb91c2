# shellcheck shell=bash
# Configures and builds; to be sourced.
#
#   build_in FOLDER CMAKE_ARGUMENT...
#
# Says what it does in one line, and shows the output only if it fails.

build_in() {
    local folder=$1 log launcher=()
    shift
    if command -v ccache >/dev/null; then
        launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    fi
    mkdir -p "$folder"
    log=$folder/build.log
    echo "building $folder" >&2
    if ! cmake -S . -B "$folder" -G Ninja "${launcher[@]}" "$@" >"$log" 2>&1 ||
        ! cmake --build "$folder" --parallel "$(nproc)" >>"$log" 2>&1; then
        cat "$log" >&2
        echo "building $folder failed; the log is $folder/build.log" >&2
        return 1
    fi
}
