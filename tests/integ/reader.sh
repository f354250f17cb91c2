#!/bin/bash
# syncd-reader with nothing but its one privilege: who may ask, what it gives, and that it gives no
# more. As root, since only root can give a privilege to a process of another user.
#
#   reader.sh SYNCD_READER LIST_TREE SYNCD SYNCCTL
set -euo pipefail
reader=$1 list=$2 syncd=$3 syncctl=$4
if [[ $EUID != 0 ]]; then
    echo "only root can start a process of another user: skipped"
    exit 77
fi
if ! setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all,+dac_read_search \
    --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search true 2>/dev/null; then
    echo "setpriv cannot give a single privilege here: skipped"
    exit 77
fi
# Sanitizers look into the process at its end, which a process that shuts itself in refuses.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
work=$(mktemp -d "${TMPDIR:-/tmp}/quoin-reader.XXXXXX")
pid='' daemon='' failures=0
trap clean_up EXIT

clean_up() {
    [[ -z $daemon ]] || kill "$daemon" 2>/dev/null || true
    stop
    rm -rf "$work"
}

stop() {
    [[ -z $pid ]] || kill "$pid" 2>/dev/null || true
    [[ -z $pid ]] || wait "$pid" 2>/dev/null || true
    pid=''
}

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    sed 's/^/  log: /' "$work/log" >&2
    failures=$((failures + 1))
}

# equal WHAT WANTED GOT
equal() {
    [[ $2 == "$3" ]] && echo "ok: $1" && return
    fail "$1"$'\n'"  wanted: $2"$'\n'"  got:    $3"
}

# start: as nobody, with one privilege; it waits in its socket's folder, which is its own.
start() {
    stop
    rm -f "$work/run/s"
    setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all,+dac_read_search \
        --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search \
        "$reader" --config "$work/etc/quoin.conf" --user daemon --socket "$work/run/s" \
        2>>"$work/log" &
    pid=$!
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        [[ ! -S $work/run/s ]] || break
        sleep 0.02
    done
    chmod 0666 "$work/run/s" # who may ask is to be seen by what it does itself
}

# as USER ARGUMENT...: list_tree
as() {
    local user=$1
    shift
    setpriv --reuid="$user" --regid=nogroup --clear-groups --inh-caps=-all "$list" "$@" || true
}

allow() {
    printf '[reader]\nallow = %s\n' "$*" >"$work/etc/quoin.conf"
}

chmod 0755 "$work"
mkdir -m 0755 "$work/etc" "$work/run"
chown nobody "$work/run"
mkdir -m 0700 "$work/tree" "$work/tree/private" "$work/other"
echo -n secret >"$work/tree/private/file"
echo -n theirs >"$work/tree/theirs"
echo -n other >"$work/other/file"
chmod 0600 "$work/tree/private/file" "$work/tree/theirs"
chown games "$work/tree/theirs"
ln -s ../other "$work/tree/link"
: >"$work/log"
# The programs may lie where others cannot reach them.
install -m 0755 "$reader" "$list" "$work/run/"
reader=$work/run/${reader##*/} list=$work/run/${list##*/}

allow "$work/tree"
start
status=/proc/$pid/status
equal "it holds one privilege" "0000000000000004" "$(awk '/^CapEff:/ { print $2 }' "$status")"
equal "and can get no other" "0000000000000004" "$(awk '/^CapBnd:/ { print $2 }' "$status")"
equal "not by a program either" "1" "$(awk '/^NoNewPrivs:/ { print $2 }' "$status")"

root=${work#/}
whole="d $root/tree 0
l $root/tree/link 0
d $root/tree/private 0
f $root/tree/private/file 0 secret
f $root/tree/theirs $(id -u games) theirs"
equal "without it, the user cannot read the tree" \
    "d $root/tree 0"$'\n'"! $work/tree EACCES" "$(as daemon "$work/tree")"
equal "with it, all of it" "$whole" "$(as daemon "$work/tree" "$work/run/s")"
equal "root may ask too" "$whole" "$(as root "$work/tree" "$work/run/s")"
equal "nobody else" "no walk: denied" "$(as games "$work/tree" "$work/run/s")"
equal "what is not allowed is refused" "! $work/other EPERM" \
    "$(as daemon "$work/other" "$work/run/s")"
equal "also through a link" "! $work/tree/link ELOOP" "$(as daemon "$work/tree/link/file" "$work/run/s")"
equal "and the machine's secrets" "! /etc/shadow EPERM" \
    "$(as daemon /etc/shadow "$work/run/s")"

# The configuration is read for each connection.
allow "$work/tree/private $work/other"
equal "another folder" "d $root/other 0
f $root/other/file 0 other" "$(as daemon "$work/other" "$work/run/s")"
equal "the folder above is no longer given" "d $root/tree 0
! $work/tree EPERM" "$(as daemon "$work/tree" "$work/run/s")"

: >"$work/etc/quoin.conf"
equal "nothing is allowed by default" "! /etc EPERM" "$(as daemon /etc "$work/run/s")"
grep -q "nothing may be read: name the folders" "$work/log" || fail "the log does not say so"

allow "$work/tree"
chmod 0666 "$work/etc/quoin.conf"
equal "a configuration that others can change" "no walk: denied" \
    "$(as daemon "$work/tree" "$work/run/s")"
chmod 0644 "$work/etc/quoin.conf"
chown daemon "$work/etc/quoin.conf"
equal "or that belongs to another" "no walk: denied" "$(as daemon "$work/tree" "$work/run/s")"
chown root "$work/etc/quoin.conf"
chmod 0777 "$work/etc"
equal "or whose folder is open" "no walk: denied" "$(as daemon "$work/tree" "$work/run/s")"
chmod 0755 "$work/etc"
grep -q "others than root may change" "$work/log" || fail "the log does not say so"
equal "and again" "$whole" "$(as daemon "$work/tree" "$work/run/s")"

printf '[reader]\nallow = relative\n' >"$work/etc/quoin.conf"
equal "a mistake in the configuration" "no walk: denied" "$(as daemon "$work/tree" "$work/run/s")"
grep -q "quoin.conf:2: allow: not absolute paths" "$work/log" || fail "the log does not say so"

# The daemon asks it where its socket is there: what may not be read is reported, not saved empty.
source "$(dirname "$0")/../../tools/lib/sites.sh"
ctl() {
    "$syncctl" --quiet --state "$work/state" "$@"
}
printf '[reader]\nallow = %s\nsocket = %s\n' "$work/tree" "$work/run/s" >"$work/etc/quoin.conf"
ctl init --site a --group g --listen "127.0.0.1:$(sites_free_port)"
start
"$syncd" --state "$work/state" --config "$work/etc/quoin.conf" >"$work/ready" 2>"$work/syncd.log" &
daemon=$!
for ((tries = 0; tries < 500; tries++)); do
    grep -q ready "$work/ready" && break
    sleep 0.02
done
ctl backup create given --path "$work/tree"
ctl backup create refused --path "$work/other"
equal "a backup through it" 0 "$(ctl backup run given >/dev/null 2>&1; echo $?)"
equal "comes back" "secret theirs" "$(ctl backup restore given --to "$work/back" &&
    cat "$work/back/$root/tree/private/file" <(echo -n ' ') "$work/back/$root/tree/theirs")"
equal "what is not allowed is a problem" 1 "$(ctl backup run refused >/dev/null 2>&1; echo $?)"
kill "$daemon"
wait "$daemon" || true
[[ $failures == 0 ]]
