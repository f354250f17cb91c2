# shellcheck shell=bash
# A slow line (relay.c) in a script; to be sourced. Its folder is $line_folder, the program $relay.
#
#   line_start NAME LISTEN_PORT TARGET_PORT [COMMAND...]
#   line_say NAME COMMAND        its answer (relay.c has the commands)
#   line_bytes NAME              of both directions together
#   lines_end

relay='' line_folder=''
declare -A line_pid=() line_in=() line_out=()

line_start() {
    local name=$1 in out
    shift
    rm -f "$line_folder/$name".{in,out}
    mkfifo "$line_folder/$name".{in,out}
    exec {in}<>"$line_folder/$name.in" {out}<>"$line_folder/$name.out"
    "$relay" "$@" <"$line_folder/$name.in" >"$line_folder/$name.out" &
    line_pid[$name]=$! line_in[$name]=$in line_out[$name]=$out
    [[ $(line_say "$name" "queue 150") == ok ]]
}

line_say() {
    local answer
    echo "$2" >&"${line_in[$1]}"
    read -r -t 10 answer <&"${line_out[$1]}" || return 1
    echo "$answer"
}

line_bytes() {
    line_say "$1" count | jq '.in + .out'
}

lines_end() {
    local name
    for name in "${!line_pid[@]}"; do
        kill "${line_pid[$name]}" 2>/dev/null || true
        wait "${line_pid[$name]}" 2>/dev/null || true
        unset "line_pid[$name]"
    done
}
