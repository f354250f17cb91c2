#!/bin/bash
# The completion for bash: commands and options of the table, and names that the daemon knows.
#
#   completion.sh SYNCCTL
set -euo pipefail
program=$1
failures=0 asked=
# shellcheck source=/dev/null
source <("$program" completion bash)

# Stands for the program: what `site list` and `collection list` print in a pipe.
syncctl() {
    case " $* " in
    *" --state /nowhere "*) return 69 ;;
    *" site list "*) printf 'arcambal\tonline\nluzech\toffline\nlunegarde\thint\n' ;;
    *" collection list "*) printf 'rooms\t12\nrosters\t3\n' ;;
    *) return 64 ;;
    esac
}

# expect "WHAT IS OFFERED" WORD...: behind `syncctl WORD...`; the last word is being typed.
expect() {
    local offered=$1
    shift
    COMP_WORDS=(syncctl "$@") COMP_CWORD=$# COMPREPLY=()
    _syncctl || true # what it returns means nothing
    asked="syncctl $*"
    [[ ${COMPREPLY[*]} == "$offered" ]] && return
    echo "$asked: offers '${COMPREPLY[*]}', not '$offered'" >&2
    failures=$((failures + 1))
}

expect "record recover" re
expect "put" record pu
expect "rooms rosters" record get ro
expect "rooms" record get roo
expect "" record get rooms ""
expect "arcambal luzech lunegarde" site show ""
expect "lunegarde" site withdraw lun
expect "" site invite ""
expect "" collection create ""
expect "rooms rosters" collection show ""
expect "luzech" collection grant rooms luz
expect "rooms rosters" verify ""
expect "" verify rooms ""
expect "collection conflict config completion" help co
expect "--prefix" record list --pr
expect "--prefix" --json record list --pr
expect "arcambal" conflict resolve rooms key field --take ar
expect "arcambal" conflict resolve rooms key field --take = ar
expect "" record import rooms file --key ""
expect "rooms" --timeout 5 record get roo
expect "rooms" --timeout = 5 record get roo
expect "" --state /nowhere record get roo
expect "" --state = /nowhere record get roo
[[ $failures == 0 ]]
