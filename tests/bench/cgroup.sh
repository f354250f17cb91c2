# shellcheck shell=bash
# Groups that limit memory, with the page cache, of version 2 or 1; to be sourced. They take root.
#
#   cgroup_make NAME MIB     sets $cgroup to its folder and $cgroup_kind to v1 or v2; 1: none can be made
#   cgroup_peak FOLDER       the most that it held, or null
#   cgroup_end               removes those that were made and are empty

cgroup='' cgroup_kind=none
declare -a cgroups=()

cgroup_try() { # TYPE ROOT FILE NAME MIB
    local folder=$2/$4
    [[ $(stat -f -c %T "$2" 2>/dev/null) == "$1" ]] && mkdir "$folder" 2>/dev/null || return 1
    if [[ -e $folder/$3 ]] && echo $(($5 << 20)) >"$folder/$3"; then
        cgroup=$folder
        cgroups+=("$folder")
    else
        rmdir "$folder" && return 1
    fi
}

cgroup_make() {
    cgroup_try cgroup2fs /sys/fs/cgroup memory.max "$@" && cgroup_kind=v2 && return
    cgroup_try cgroupfs /sys/fs/cgroup/memory memory.limit_in_bytes "$@" && cgroup_kind=v1 && return
    echo "no cgroup can be made here" >&2
    return 1
}

cgroup_peak() {
    cat "$1/memory.peak" 2>/dev/null || cat "$1/memory.max_usage_in_bytes" 2>/dev/null || echo null
}

cgroup_end() {
    local folder
    for folder in "${cgroups[@]}"; do
        rmdir "$folder" || true
    done
}
