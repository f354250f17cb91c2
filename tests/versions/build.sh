#!/bin/bash
# Builds syncd and syncctl as they were last released, from the repository's own history, once for
# each commit.
#
#   build.sh SOURCE FOLDER     FOLDER/COMMIT/build gets the programs; prints that path
#
# 77: the history is not there (no .git, or a shallow clone).
set -euo pipefail
source=$1 folder=$2
commit=$(<"$source/tests/versions/released")
here=$folder/$commit

git -C "$source" cat-file -e "$commit^{commit}" 2>/dev/null || {
    echo "the repository does not have the released commit $commit: no .git, or a shallow clone" >&2
    exit 77
}
mkdir -p "$here/source"
exec 9>"$here/lock"
flock 9
if [[ ! -e $here/done ]]; then
    git -C "$source" archive "$commit" | tar -x -C "$here/source"
    launcher=()
    ! command -v ccache >/dev/null || launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    (
        export CCACHE_BASEDIR=$here
        cmake -S "$here/source" -B "$here/build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${launcher[@]}"
        ninja -C "$here/build" syncd syncctl
    ) >"$here/log" 2>&1 || {
        tail -n 20 "$here/log" >&2
        exit 1
    }
    touch "$here/done"
fi
echo "$here/build"
