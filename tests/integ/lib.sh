# shellcheck shell=bash
# What the integration tests share; to be sourced. Real sites on 127.0.0.1, whose state lies in a
# folder that goes away.
#
#   begin SYNCD SYNCCTL NAME...      free ports and a folder for these sites; ends all at exit
#   found NAME · join NAME BY        the first site of a group · a site invited by another, running
#   ctl NAME ARGUMENT...             syncctl at a site
#   expect WHAT COMMAND...           it succeeds
#   refuse STATUS PATTERN WHAT COMMAND...   it fails with that status, and its message matches
#   await WHAT COMMAND...            it succeeds within patience_s
#   equal WHAT WANTED GOT
#   holds NAME FILTER ARGUMENT...    the JSON answer of a site satisfies a jq filter
#   entries NAME                     how many its trail has, without those of the clock, which come by themselves
#   second_factor_begin NAME PERSON · second_factor_prove CODE · code_of SECRET
#
# The first failure ends the test, with the ends of the logs.
integ_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../../tools/lib/sites.sh
source "$integ_root/tools/lib/sites.sh"
export LC_ALL=C.UTF-8 LANGUAGE='' NO_COLOR=1
unset QUOIN_STATE NOTIFY_SOCKET WATCHDOG_USEC JOURNAL_STREAM RUNTIME_DIRECTORY

patience_s=25 # a test of much work sets more; it is only spent where something fails
work=''
names=()
answer='' # what the last expect or refuse printed
secret=''

# No relays: a test reaches every site where it listens.
sites_heal() {
    :
}

sites_cut() {
    :
}

site_address() {
    site_listen "$1"
}

begin() {
    local syncd=$1 syncctl=$2
    shift 2
    names=("$@")
    work=$(mktemp -d "${TMPDIR:-/tmp}/quoin-integ.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    sites_begin "$work" "$syncd" "$syncctl" "$@"
}

# Where root's daemons keep a site's watermark: named after the hash of its path, so ours alone.
runtime_folder() {
    local hash
    hash=$(realpath -m "$(site_state "$1")" | tr -d '\n' | sha256sum)
    echo "/run/quoin-${hash:0:16}"
}

clean_up() {
    local pid name
    for pid in "${helpers[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    sites_end
    for name in "${names[@]}"; do
        rm -rf "$(runtime_folder "$name")"
    done
    rm -rf "$work"
}
helpers=() # pids of what a test started itself

fail() {
    local name
    printf 'FAILED: %s\n' "$*" >&2
    for name in "${names[@]}"; do
        [[ -s $work/$name.log ]] || continue
        printf -- '--- the log of %s ends with:\n' "$name" >&2
        tail -n 12 "$work/$name.log" >&2
    done
    exit 1
}

# The code of a second factor's secret now, or so many steps of 30 s away (RFC 6238), computed by openssl.
code_of() {
    local key step mac offset
    key=$(base32 -d <<<"$1" | od -An -v -tx1 | tr -d ' \n')
    step=$(printf '%016X' $(($(date +%s) / 30 + ${2:-0})))
    mac=$(basenc --base16 -d <<<"$step" |
        openssl dgst -sha1 -mac HMAC -macopt "hexkey:$key" | sed 's/.* //')
    offset=$((2 * 0x${mac:39:1}))
    printf '%06d' $(((0x${mac:offset:8} & 0x7fffffff) % 1000000))
}

entries() {
    ctl "$1" --json log | jq '[.[] | select(.action != "clock")] | length'
}

# second_factor_begin SITE PERSON: as an app is set up; gives $secret, and what was shown in $work/totp.
second_factor_begin() {
    mkfifo "$work/code"
    ctl "$1" --json user second-factor "$2" <"$work/code" >"$work/totp" &
    helpers+=($!)
    exec 7>"$work/code"
    await 'a secret is shown' test -s "$work/totp"
    # shellcheck disable=SC2034 # for who sources this
    secret=$(jq -r .secret "$work/totp")
}

second_factor_prove() {
    printf '%s\n' "$1" >&7
    exec 7>&-
    wait "${helpers[-1]}" || fail 'the right code is not taken'
    rm "$work/code"
}

ok() {
    printf 'ok: %s\n' "$*"
}

ctl() {
    site_ctl "$@"
}

expect() {
    local what=$1 status=0
    shift
    answer=$("$@" 2>&1) || status=$?
    [[ $status == 0 ]] || fail "$what"$'\n'"  ${*:0:20}"$'\n'"  exit status $status: $answer"
    ok "$what"
}

refuse() {
    local wanted=$1 pattern=$2 what=$3 status=0
    shift 3
    answer=$("$@" 2>&1 >/dev/null) || status=$?
    [[ $status == "$wanted" ]] ||
        fail "$what"$'\n'"  ${*:0:20}"$'\n'"  exit status $status, not $wanted: $answer"
    grep -qiE -- "$pattern" <<<"$answer" || fail "$what: no '$pattern' in: $answer"
    ok "$what"
}

# answers WHAT STATUS ARGUMENT...: of `ask` of the script, which leaves the content in $work/content.
answers() {
    local what=$1 wanted=$2 got
    shift 2
    got=$(ask "$@") || fail "$what: curl failed with $?"
    [[ $got == "$wanted" ]] || fail "$what: $got, not $wanted: $(head -c 300 "$work/content")"
    ok "$what"
}

# Its memory is no measure then. (No pipe: grep would leave ldd before it is done.)
is_sanitized() {
    [[ $(ldd "$1") == *asan* ]]
}

await() {
    local what=$1 output status deadline=$((SECONDS + patience_s))
    shift
    while true; do
        status=0
        output=$("$@" 2>&1) || status=$?
        [[ $status != 0 ]] || break
        ((SECONDS < deadline)) ||
            fail "not within $patience_s s: $what"$'\n'"  $*"$'\n'"  $output"
        sleep 0.05
    done
    ok "$what"
}

equal() {
    [[ $2 == "$3" ]] || fail "$1"$'\n'"  wanted: ${2:0:2000}"$'\n'"  got:    ${3:0:2000}"
    ok "$1"
}

# Exit status 1 means that something needs attention, and comes with an answer.
holds() {
    local name=$1 filter=$2 json
    shift 2
    json=$(ctl "$name" --json "$@") || [[ $? == 1 ]] || return 1
    jq -e "$filter" <<<"$json" >/dev/null && return 0
    printf '%s\n' "$json"
    return 1
}

# --- a group ---

init_first() {
    local name=$1
    ctl "$name" init --site "$name" --group lot \
        --listen "$(site_address "$name")" --advertise "$(site_address "$name")"
}

found() {
    local name=$1
    expect "$name founds a group" init_first "$name"
    site_start "$name" || fail "$name does not start"
}

init_with() {
    local name=$1 code=$2
    ctl "$name" init --site "$name" --join "$code" \
        --listen "$(site_address "$name")" --advertise "$(site_address "$name")"
}

# A site that has just been made is not a member of its own group at once.
invite() {
    ctl "$2" site invite "$1" >"$work/$1.code"
}

join() {
    local name=$1 by=$2
    await "$by invites $name" invite "$name" "$by"
    expect "$name has a state" init_with "$name" "$(cat "$work/$name.code")"
    site_start "$name" || fail "$name does not start"
    await "$name is a member" is_member "$name" "$by"
}

is_member() {
    holds "$2" ".sites | map(.name) | index(\"$1\")" status &&
        holds "$1" ".sites | map(.name) | index(\"$2\")" status
}

# found_group FIRST OTHER...: all of them online to all.
found_group() {
    local first=$1 name
    found "$first"
    shift
    for name in "$@"; do
        join "$name" "$first"
    done
    for name in "$first" "$@"; do
        await "$name sees everybody" holds "$name" \
            "[.sites[] | select(.state == \"here\" or .state == \"online\")] | length == $(($# + 1))" \
            status
    done
}

has_collection() {
    holds "$1" ".collections | map(.name) | index(\"$2\")" status
}

has_record() {
    ctl "$1" record get "$2" "$3"
}

# reads NAME COLLECTION KEY FIELD JSON: a site shows that value.
reads() {
    holds "$1" ".fields[\"$4\"] == $5" record get "$2" "$3"
}

is_identical() {
    ctl "$1" verify --timeout 5
}

is_down() {
    ! kill -0 "$1" 2>/dev/null
}

# memory PID: kB that belong to the process alone.
memory() {
    awk '/^(RssAnon):/ { print $2 }' "/proc/$1/status"
}
