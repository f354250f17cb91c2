#!/bin/bash
# Late and new sites: logs that reach back to nobody, passes that are cut, a source that is killed
# in the middle of one, a fourth site that joins; written at all the while. In the end all are
# identical and nothing is lost.
#
#   late.sh SYNCD SYNCCTL RELAY
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=../support/line.sh
source "$integ_root/tests/support/line.sh"

records=20000

# Whoever is away for more than 500 operations is late.
short_logs() {
    local name
    for name in "$@"; do
        printf '[records]\nlog_operations = 500\n' >>"$(site_state "$name")/quoin.conf"
    done
}

write_records() { # SITE FROM TO
    seq "$2" "$3" | jq -c '{key: "r\(.)", name: "n\(. * 7919 % 10007)", room: ., note: "a note of \(.) words"}' |
        ctl "$1" record import people - >/dev/null
}

is_late() {
    holds "$1" '.collections[] | select(.name == "people") | .incomplete == true' status
}

is_whole() {
    holds "$1" '.collections[] | select(.name == "people") | .in_sync and (.incomplete | not)' status
}
