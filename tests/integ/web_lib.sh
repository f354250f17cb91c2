# shellcheck shell=bash disable=SC2154
# What tests share in which people ask several sites over HTTPS; to be sourced after lib.sh, and after `person`
# is set.
#
#   serves NAME                            the site starts anew and listens to people, at ${port[NAME]}
#   person_add SITE NAME                   an editor, and the password of a device: ${device[SITE/NAME]}
#   ask NAME METHOD PATH CURL-OPTION...    the content to $work/content, the head to $work/head; prints the status
#   says WHAT PATTERN                      the content matches
declare -A port device

serves() {
    port[$1]=$(sites_free_port)
    printf '[serve]\nlisten = 127.0.0.1:%s\n' "${port[$1]}" >"$work/$1.conf"
    site_stop "$1"
    site_start "$1" --config "$work/$1.conf" || fail "$1 does not start"
}

person_add() {
    expect "$2 at $1" ctl "$1" user add "$2" --role editor <<<'a rather long password'
    device[$1/$2]=$(ctl "$1" --json user app-password "$2" --label test | jq -r .password)
}

ask() {
    local site=$1 method=$2 path=$3
    shift 3
    curl --silent --show-error --insecure --user "$person:${device[$site/$person]}" --request "$method" \
        --max-time 60 --output "$work/content" --dump-header "$work/head" --write-out '%{http_code}' \
        "$@" "https://127.0.0.1:${port[$site]}$path"
}

says() {
    grep -qE -- "$2" "$work/content" || fail "$1: no '$2' in: $(head -c 600 "$work/content")"
    ok "$1"
}
