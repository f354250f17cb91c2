#!/bin/bash
# Names of packages are resolved the same each time, however slowly apt-cache tells about them.
#
#   packages.sh SOURCE
set -euo pipefail
# shellcheck source=../../tools/lib/packages.sh
. "$1/tools/lib/packages.sh"

# An answer that goes on long after the line that counts; and one without a candidate.
apt-cache() {
    case $2 in
    libmsgpack-dev) printf '%s:\n  Installed: (none)\n  Candidate: 4.0.0-3\n' "$2" ;;
    pkg-config) printf '%s:\n  Installed: (none)\n  Candidate: (none)\n' "$2" ;;
    esac
    for ((i = 0; i < 20000; i++)); do
        echo "        500 http://deb.debian.org/debian bookworm/main amd64 Packages"
    done
}

for ((round = 0; round < 5; round++)); do
    [[ $(packages_resolve libmsgpack-dev) == libmsgpack-dev ]]
    [[ $(packages_resolve pkg-config) == pkgconf ]]
done
echo "resolved as expected"
