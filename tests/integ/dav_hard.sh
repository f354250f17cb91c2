#!/bin/bash
# What other people's clients seldom do and we have to stand: what they need to the letter, 500 names, slashes at the end or not, a crowd of files,
# connections that do nothing, uploads that are cut at any byte, writes that race. The numbers make it longer; SEED repeats a failure.
#
#   dav_hard.sh SERVER [CUTS [FILES [RACES [SEED]]]]
set -euo pipefail
# shellcheck source=dav_lib.sh
source "$(dirname "$0")/dav_lib.sh"
need python3
here=$(cd "$(dirname "$0")" && pwd)
if [[ $(ldd "$1") == *asan* ]]; then # it is slower then, and its memory is no measure
    cuts=${2:-150} files=${3:-10000} races=${4:-15} most=0 each=0
else
    cuts=${2:-1000} files=${3:-100000} races=${4:-60} most=$((12 * 1024)) each=40
fi
seed=${5:-1}
dav_begin "$1"
cd "$work"

hard() { # SCRIPT ARGUMENT...
    local script=$1
    shift
    PYTHONDONTWRITEBYTECODE=1 timeout 280 /usr/bin/python3 "$here/$script" "$url" "$authority" "$@" || fail "$script: $?"
}

hard dav_slashes.py
hard dav_needs.py "$folder"
hard dav_names.py "$folder"
hard dav_crowd.py "$folder" "$server_pid" "$files" "$most"
hard dav_idle.py "$folder" "$server_pid" 200 "$each"
hard dav_cut.py "$folder" "$cuts" "$seed"
hard dav_race.py "$folder" "$races" "$seed"
equal 'what uploads left' '' "$(find "$folder" -name '.quoin-upload*')"
