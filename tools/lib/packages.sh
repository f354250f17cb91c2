# shellcheck shell=bash
# Installs the Debian packages that are missing; to be sourced.
#
#   packages_install LIST...     LIST is a file of package names with '#' comments

# What a later release calls a package of the lists, when it no longer has it.
packages_successor() {
    case $1 in
    libmsgpack-dev) echo libmsgpack-c-dev ;;
    libhttp-parser-dev) echo libllhttp-dev ;;
    pkg-config) echo pkgconf ;;
    clang-format-14) echo clang-format ;;
    *) echo "$1" ;;
    esac
}

packages_in() {
    sed -e 's/#.*//' -e 's/[[:space:]]\+/\n/g' "$@" | grep . | sort -u
}

packages_is_installed() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

packages_is_known() {
    # A package that can only be installed as another one has no candidate of its own. The answer is
    # read whole: under pipefail a reader that stops at the first match would make it a failure.
    local policy
    policy=$(LC_ALL=C apt-cache policy "$1" 2>/dev/null) || return 1
    [[ $policy =~ Candidate:\ [^\(] ]]
}

packages_as_root() {
    if [[ $EUID == 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Under its own name where that exists, else under the later one.
packages_resolve() {
    local name=$1 later
    later=$(packages_successor "$name")
    if [[ $later != "$name" ]] && ! packages_is_known "$name"; then
        name=$later
    fi
    echo "$name"
}

packages_install() {
    local name missing=()
    while read -r name; do
        packages_is_installed "$name" || packages_is_installed "$(packages_successor "$name")" ||
            missing+=("$name")
    done < <(packages_in "$@")
    ((${#missing[@]} > 0)) || return 0
    echo "installing: ${missing[*]}" >&2
    packages_as_root apt-get update -qq
    local resolved=()
    for name in "${missing[@]}"; do
        resolved+=("$(packages_resolve "$name")")
    done
    packages_as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${resolved[@]}" >&2
}
