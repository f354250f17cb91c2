#!/bin/bash
# The units are hardened (an exposure of at most 1.2) and mean what systemd thinks they mean.
#
#   service.sh SOURCE
set -euo pipefail
folder=$1/packaging/systemd
unit=$folder/quoin.service
reader=$folder/quoin-reader@.service
limit=12 # in tenths
if ! command -v systemd-analyze >/dev/null; then
    echo "systemd-analyze is not here: skipped"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mail=$folder/quoin-mail@.service
cp "$unit" "$folder/quoin-reader.socket" "$reader" "$folder/quoin-mail.socket" "$mail" "$work"
cp "$mail" "$work/quoin-mail@1.service"
cp "$reader" "$work/quoin-reader@1.service" # one of them

for name in quoin.service quoin-reader@1.service; do
    systemd-analyze security --offline=true --threshold="$limit" --no-pager "$work/$name" >"$work/security" 2>&1 || {
        cat "$work/security" >&2
        exit 1
    }
    tail -n 1 "$work/security"
done

# needs FILE PATTERN...: lines that it cannot do without
needs() {
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        grep -qE "$pattern" "$file" || {
            echo "${file##*/} lacks $pattern" >&2
            exit 1
        }
    done
}

# What the daemon cannot do without, however good a stricter unit would look.
needs "$unit" '^RuntimeDirectoryPreserve=yes' '^StateDirectory=quoin$' '^StandardError=journal'
if grep -q '^ProcSubset=pid' "$unit"; then
    echo "ProcSubset=pid hides the boot id, without which syncd does not start" >&2
    exit 1
fi
for file in "$unit" "$reader"; do
    if grep -qE '^(RestrictSUIDSGID|DynamicUser)=' "$file"; then
        echo "${file##*/}: with this line openat2 fails (ENOSYS), and with it folders and backups" >&2
        exit 1
    fi
done

# The reading unit: exactly one privilege, of a user of its own, and no way to write or to the
# network. What it reads must be as it is: neither other temporary folders, nor other owners.
needs "$reader" '^CapabilityBoundingSet=CAP_DAC_READ_SEARCH$' '^AmbientCapabilities=CAP_DAC_READ_SEARCH$' \
    '^User=_quoin-reader$' '^ProtectSystem=strict$' '^ProtectHome=read-only$' '^PrivateNetwork=yes$' \
    '^NoNewPrivileges=yes$' '^SystemCallFilter=~.*@privileged.*open_by_handle_at'
if grep -E '^(PrivateTmp|PrivateUsers|DynamicUser|ReadWritePaths|BindPaths)=' "$reader"; then
    echo "with this line backups would be of other files than they say, or could change them" >&2
    exit 1
fi
needs "$folder/quoin-reader.socket" '^SocketMode=0660$' '^SocketGroup=_quoin$' '^Accept=yes$' \
    '^ListenSequentialPacket=/run/quoin-reader/reader.sock$'

# The mail unit: a user without privileges, who may gain those of the mail program. Each of these
# lines would forbid that to a unit with a user (systemd.exec(5), NoNewPrivileges=).
needs "$mail" '^User=_quoin$' '^StandardInput=socket$' '^InaccessiblePaths=-/var/lib/quoin$'
needs "$folder/quoin-mail.socket" '^SocketMode=0660$' '^SocketGroup=_quoin$' '^Accept=yes$' \
    '^ListenStream=/run/quoin-mail/mail.sock$'
if grep -E '^(NoNewPrivileges|SystemCall[A-Za-z]*|Restrict[A-Za-z]*|PrivateDevices|ProtectKernel[A-Za-z]*|ProtectClock|ProtectHostname|MemoryDenyWriteExecute|LockPersonality|DynamicUser|PrivateUsers|CapabilityBoundingSet)=' "$mail"; then
    echo "with this line no mail program of Debian can take a mail" >&2
    exit 1
fi

# The program and its manual need not be installed where this runs; everything else must be clean.
systemd-analyze verify --man=no "$work/quoin.service" "$work/quoin-reader.socket" \
    "$work/quoin-reader@1.service" "$work/quoin-mail.socket" "$work/quoin-mail@1.service" \
    >"$work/verify" 2>&1 || true
if grep "quoin" "$work/verify" | grep -vE "Command /usr/sbin/syncd(-reader)? is not executable: No such file"; then
    exit 1
fi
