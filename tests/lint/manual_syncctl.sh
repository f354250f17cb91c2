#!/bin/bash
# Every command and every option that syncctl knows stands in its manual page, and its completion is
# valid bash.
#
#   manual_syncctl.sh SOURCE SYNCCTL
set -euo pipefail
page=$1/docs/man/syncctl.1
syncctl=$2
failures=0 count=0

# has PATTERN WHAT
has() {
    count=$((count + 1))
    grep -qE -- "$1" "$page" || {
        echo "$page does not mention $2" >&2
        failures=$((failures + 1))
    }
}

while read -r noun verb _; do
    [[ $noun =~ ^[a-z]+$ ]] || continue
    [[ $verb =~ ^[a-z]+$ && $verb != "${verb^^}" ]] || verb=
    has "^\.It (Xo )?Ic (.* , )?$noun${verb:+ $verb}( |$)" "the command $noun $verb"
done < <("$syncctl" help | awk '/^  [a-z]/ {
    verb = match(substr($0, 3), /^[a-z]+ [a-z]+ +[A-Z[]|^[a-z]+ [a-z]+  /) ? $2 : ""
    print $1, verb }')
while read -r option; do
    has "Fl $option( |$)" "the option $option"
done < <("$syncctl" help | awk '/^  [a-z]/ { print $1 }' | sort -u |
    while read -r noun; do "$syncctl" help "$noun"; done |
    awk '/^      -/ { print substr($1, 2) }' | sort -u)
"$syncctl" completion bash | bash -n || failures=$((failures + 1))
echo "$count commands and options, $failures faults"
[[ $count -gt 40 && $failures == 0 ]]
