#!/bin/bash
# Every shell script passes shellcheck, with the warnings of its default level.
#
#   shell.sh SOURCE
set -euo pipefail
cd "$1"
if ! command -v shellcheck >/dev/null; then
    echo "shellcheck is not here: skipped"
    exit 77
fi
mapfile -d '' -t candidates < <(find .ci tools tests packaging -type f -print0)
scripts=()
for file in "${candidates[@]}"; do
    IFS= read -r first 2>/dev/null <"$file" || true
    [[ ${first//$'\0'/} =~ ^'#!'.*(bash|/sh) ]] && scripts+=("$file")
done
echo "${#scripts[@]} scripts"
shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
