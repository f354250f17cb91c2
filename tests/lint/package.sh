#!/bin/bash
# `cpack -G DEB` makes one package that holds what it should, and lintian finds no error in it.
#
#   package.sh BUILD PROGRAMS      PROGRAMS are the programs that exist already: syncd, syncctl...
set -euo pipefail
build=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

cd "$build"
cpack -G DEB -B "$work" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
packages=("$work"/*.deb)
[[ ${#packages[@]} == 1 ]] || { echo "not one package: ${packages[*]}" >&2; exit 1; }
dpkg-deb --contents "${packages[0]}" >"$work/contents"

# holds MODE PATH
holds() {
    grep -qE "^$1 root/root .* \./$2\$" "$work/contents" || {
        echo "the package has no $1 $2" >&2
        failures=$((failures + 1))
    }
}

holds -rw-r--r-- usr/lib/systemd/system/quoin.service
holds -rw-r--r-- usr/lib/systemd/system/quoin-reader.socket
holds -rw-r--r-- usr/lib/systemd/system/quoin-reader@.service
holds -rw-r--r-- usr/lib/systemd/system/quoin-mail.socket
holds -rw-r--r-- usr/lib/systemd/system/quoin-mail@.service
holds -rw-r--r-- usr/lib/sysusers.d/quoin.conf
holds -rw-r--r-- usr/lib/tmpfiles.d/quoin.conf
holds -rw-r--r-- etc/quoin/quoin.conf
holds drwxr-xr-x etc/quoin/quoin.conf.d/
holds -rw-r--r-- usr/share/doc/quoin/examples/quoin.conf
holds -rw-r--r-- usr/share/man/man8/syncd.8.gz
holds -rw-r--r-- usr/share/man/man5/quoin.conf.5.gz
for program in "$@"; do
    case $program in
    syncd)
        holds -rwxr-xr-x usr/sbin/syncd
        ;;
    syncd-reader)
        holds -rwxr-xr-x usr/sbin/syncd-reader
        holds -rw-r--r-- usr/share/man/man8/syncd-reader.8.gz
        ;;
    syncctl)
        holds -rwxr-xr-x usr/bin/syncctl
        holds -rw-r--r-- usr/share/man/man1/syncctl.1.gz
        holds -rw-r--r-- usr/share/bash-completion/completions/syncctl
        ;;
    esac
done
holds -rw-r--r-- usr/share/locale/fr/LC_MESSAGES/quoin.mo
dpkg-deb --extract "${packages[0]}" "$work/root"
for program in "$work"/root/usr/*bin/*; do
    [[ ${program##*/} != syncd-reader ]] || continue # it talks to the journal alone
    grep -q ^/usr/share/locale$ <(strings -a "$program") || {
        echo "${program##*/} looks elsewhere for its translations: is CMAKE_INSTALL_PREFIX not /usr?" >&2
        failures=$((failures + 1))
    }
done
for field in Maintainer Section Description Depends; do
    [[ -n $(dpkg-deb --field "${packages[0]}" "$field") ]] || {
        echo "the package has no $field" >&2
        failures=$((failures + 1))
    }
done
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning "${packages[0]}" || failures=$((failures + 1))
fi
[[ $failures == 0 ]]
