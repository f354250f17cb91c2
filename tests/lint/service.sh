#!/bin/bash
# The unit is hardened (an exposure of at most 1.2) and means what systemd thinks it means.
#
#   service.sh SOURCE
set -euo pipefail
unit=$1/packaging/systemd/quoin.service
limit=12 # in tenths
if ! command -v systemd-analyze >/dev/null; then
    echo "systemd-analyze is not here: skipped"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$unit" "$work/quoin.service"

systemd-analyze security --offline=true --threshold="$limit" --no-pager "$work/quoin.service" >"$work/security" 2>&1 || {
    cat "$work/security" >&2
    exit 1
}
tail -n 1 "$work/security"

# What the daemon cannot do without, however good a stricter unit would look.
for pattern in '^RestrictAddressFamilies=.*AF_NETLINK' '^RuntimeDirectoryPreserve=yes' '^StateDirectory=quoin$' '^StandardError=journal'; do
    grep -q "$pattern" "$unit" || {
        echo "the unit lacks $pattern" >&2
        exit 1
    }
done
if grep -q '^ProcSubset=pid' "$unit"; then
    echo "ProcSubset=pid hides the boot id, without which syncd does not start" >&2
    exit 1
fi

# The program and its manual need not be installed where this runs; everything else must be clean.
systemd-analyze verify --man=no "$work/quoin.service" >"$work/verify" 2>&1 || true
if grep "quoin.service" "$work/verify" | grep -v "Command /usr/sbin/syncd is not executable: No such file"; then
    exit 1
fi
