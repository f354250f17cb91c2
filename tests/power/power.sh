#!/bin/bash
# Power cuts. Two real sites are recorded (record.c) while one saves, sends, restores, prunes and takes
# records, and the other one keeps its copies. Then disks are made as they may be after a power cut at
# some moment of that (replay.c), and the real programs have to open them.
#
#   power.sh BUILD [STATES] [SEED] [--lies-of-files] [--lies-of-names]
#
# Of every state: ready and answering within a second, nothing unlocked by hand; every snapshot and
# record that was acknowledged before is there, all data is whole; a restore goes on, or what it said
# that it restored is there; what the holder acknowledged it has. STATES: QN_POWER_STATES. The second is
# only insisted on if that is set: not on a machine that is busy with all tests.
#
# --lies...: disks that did not sync what they said. The test then has to find a loss, or it fails.
set -euo pipefail
# shellcheck source=../integ/lib.sh
source "$(dirname "$0")/../integ/lib.sh"

build=$1 states=${QN_POWER_STATES:-${2:-60}} seed=${3:-1} lies=("${@:4}")
rounds=4 opened_ms_max=0
patience_s=200 # a pack whose end came out wrong is offered again after a minute
phases=(put backup upload prune restore)
declare -A tried=()
RANDOM=$seed

program() { find "$build" -type f -name "$1" | head -n 1; }

syncd=$(program syncd) syncctl=$(program syncctl)
record=$(program power_record.so) replay=$(program power_replay)

# --- recording ---

# A program that is recorded. Its sanitizer is told that it is not the first library.
recorded() {
    cat >"$work/$1" <<END
#!/bin/bash
export ASAN_OPTIONS=\${ASAN_OPTIONS:+\$ASAN_OPTIONS:}verify_asan_link_order=0
export QN_POWER_LOG=$work/log QN_POWER_ROOT=$work/disk LD_PRELOAD=$record
exec "$2" "\$@"
END
    chmod +x "$work/$1"
}

mark() { "$replay" mark "$work/log" "$*"; }

change_tree() {
    local i
    for ((i = 0; i < 12; i++)); do
        head -c $((RANDOM * 4)) /dev/urandom >"$work/tree/d$((RANDOM % 3))/f$((RANDOM % 30))"
    done
    head -c 600000 /dev/urandom >"$work/tree/large"
    truncate -s 900000 "$work/tree/large" # ends in a hole
}

snapshots() { ctl one backup list all --json | jq -r '.[].id' | sort; }

held_packs() { find "$work/disk/two/held" -type f -path '*/held/*/??/*' -printf '%f\n' | sort; }

put_records() {
    local i
    mark "phase put"
    for ((i = 0; i < 6; i++)); do
        ctl one --quiet record put c "r$1-$i" "round=$1" >/dev/null
        mark "put r$1-$i"
    done
}

# What came and went since the last time. The keep rules are applied after each run, too, when it
# has answered already.
mark_snapshots() {
    local gone
    mark "look"
    snapshots >"$work/after"
    id=$(comm -13 "$work/before" "$work/after")
    [[ -z $id ]] || mark "snapshot $id $1"
    comm -23 "$work/before" "$work/after" | while read -r gone; do
        mark "gone $gone"
    done
    mv "$work/after" "$work/before"
}

save() {
    change_tree
    cp -a "$work/tree" "$work/tree-$1"
    mark "phase backup"
    ctl one --quiet backup run all
    mark_snapshots "$1"
}

send() {
    mark "phase upload"
    ctl one --quiet backup run all --wait # nothing has changed: but for the new copy
    mark_snapshots "$1"
    held_packs >"$work/held-$1"
    mark "copied $id $1"
}

prune() {
    mark "phase prune"
    ctl one --quiet backup forget all
    ctl one --quiet backup prune
    mark_snapshots "$1"
}

restore() {
    id=$(ctl one backup list all --json | jq -r 'max_by(.time).id')
    mark "phase restore"
    mark "restoring $id $1"
    ctl one --quiet backup restore "all@$id" --to "$work/disk/restored-$1"
    mark "restored $id $1"
}

record_all() {
    local round
    mkdir -p "$work/disk" "$work"/tree/d{0,1,2}
    "$replay" begin "$work/log" "$work/disk"
    recorded syncd "$syncd"
    recorded syncctl "$syncctl"
    sites_begin "$work/disk" "$work/syncd" "$work/syncctl" one two
    found_group one two
    expect "a collection" ctl one collection create c
    expect "a plan" ctl one backup create all --path "$work/tree" --schedule manual --keep 'last 2' \
        --copies two
    await "two lends space" has_place
    : >"$work/before"
    for ((round = 1; round <= rounds; round++)); do
        put_records "$round"
        save "$round"
        ((round == 3)) || send "$round"
        ((round % 2 == 1)) || prune "$round"
        restore "$round"
        ok "round $round is recorded"
    done
    site_stop one
    site_stop two
}

has_place() {
    [[ $(ctl two --json backup holder list | jq -r '.[] | select(.owner == "one") | .state') == accepted ]]
}

# The log says exactly what was done, or the rest proves nothing.
check_record() {
    local last
    "$replay" marks "$work/log" >"$work/marks"
    last=$(awk '$2 == "end" { print $1 }' "$work/marks")
    mkdir "$work/whole"
    "$replay" cut "$work/log" "$last" 1 "$work/whole" --keep >/dev/null
    diff -r --no-dereference -x lock.mdb -x '*.log' -x '*.log.start' "$work/disk" "$work/whole" >&2 ||
        fail "the log does not say what was done"
    diff <(listing disk) <(listing whole) >&2 || fail "the log does not say which modes and times"
    ok "$last calls are recorded exactly"
    rm -rf "$work/whole"
}

listing() {
    (cd "$work/$1" && find . \( -path './restored*' -type f -printf '%P %m %T@\n' \) -o \
        \( -not -name '*.log*' -not -type s -not -path . -printf '%P %m\n' \) | sort)
}

# --- the moments ---

# One of a phase: how far into the log.
draw_cut() {
    awk -v phase="$1" -v draw=$((RANDOM * 32768 + RANDOM)) '
        open && ($2 == "phase" || $2 == "end") { first[++n] = begun; size[n] = $1 - begun; all += $1 - begun; open = 0 }
        $2 == "phase" && $3 == phase { begun = $1 + 1; open = 1 }
        END {
            at = draw % all
            for (i = 1; at >= size[i]; i++)
                at -= size[i]
            print first[i] + at
        }' "$work/marks"
}

# before CUT WORD: the marks of that kind that had been made
before() { awk -v cut="$1" -v word="$2" '$1 < cut && $2 == word { print $3, $4 }' "$work/marks"; }

# Those of which forgetting had not begun: it may have since they were seen last.
required_snapshots() {
    awk -v cut="$1" '
        $2 == "look" { begun = now; now = $1 }
        $2 == "gone" && begun < cut { gone[$3] = 1 }
        $2 == "snapshot" && $1 < cut { made[$3] = 1 }
        END { for (id in made) if (!(id in gone)) print id }' "$work/marks" | sort
}

# --- the states ---

lost() {
    found_loss=true
    printf 'state %s (%s, power lost by %s, %s, before %s): %s\n' \
        "$state" "$phase" "$victims" "$how" "$cut" "$*" >&2
    ((${#lies[@]} == 0)) || return 0
    cp "$work/log" "$work/marks" "${TMPDIR:-/tmp}" 2>/dev/null || true
    fail "state $state"
}

make_state() {
    local spare=()
    [[ $victims == two ]] && spare=(--spare one --spare "restored-1" --spare "restored-2" \
        --spare "restored-3" --spare "restored-4")
    [[ $victims == one ]] && spare=(--spare two)
    rm -rf "$work/state" "$(runtime_folder one)" "$(runtime_folder two)"
    mkdir "$work/state"
    how=$("$replay" cut "$work/log" "$cut" "$((seed * 1000000 + state))" "$work/state" "${lies[@]}" \
        "${spare[@]}")
    [[ $victims == two ]] || start_machine_again
}

# All runs in one boot of this machine: what is marked with that was so with the one before.
start_machine_again() {
    local file
    for file in "$work"/state/restored-*/.quoin-restore.unfinished; do
        [[ ! -s $file ]] || sed -i "s/^$(cat /proc/sys/kernel/random/boot_id)/the-boot-before-the-power-was-cut-000/" "$file"
    done
}

moment() { sleep 0.01; }

# What they would still write is thrown away.
end_all() {
    local name
    for name in "${!site_pid[@]}"; do
        kill -9 "${site_pid[$name]}" 2>/dev/null || true
        until is_down "${site_pid[$name]}"; do
            moment
        done
    done
    site_pid=()
}

open_one() {
    local begun ms
    : >"$work/state/one.log.start"
    begun=$(date +%s%3N)
    "$syncd" --state "$work/state/one" >>"$work/state/one.log.start" 2>"$work/state/one.log" &
    site_pid[one]=$!
    disown "$!"
    until grep -qx 'syncd: ready' "$work/state/one.log.start"; do
        is_down "${site_pid[one]}" && return 1
        moment
    done
    snapshots >"$work/there" || return 1
    ms=$(($(date +%s%3N) - begun))
    ((ms > opened_ms_max)) && opened_ms_max=$ms
    ((ms <= 1000)) || [[ -z ${QN_POWER_STATES:-} ]] || lost "opened only after $ms ms"
}

check_one() {
    local missing
    open_one || { lost "one does not start: $(cat "$work/state/one.log")" && return; }
    missing=$(required_snapshots "$cut" | comm -23 - "$work/there")
    [[ -z $missing ]] || lost "lost snapshots: $missing"
    ctl one --json record list c 2>/dev/null | jq -r '.[].key' | sort >"$work/there"
    missing=$(before "$cut" put | cut -d ' ' -f 1 | sort | comm -23 - "$work/there")
    [[ -z $missing ]] || lost "lost records: $missing"
    verify
}

# That the holder cannot be reached is told, too, and is no fault; nor can it help out.
verify() {
    ctl one --json backup verify all --read-data >"$work/out" 2>&1 || true
    jq -es 'all(.[]; .event != "problem") and (.[-1] | .event == "summary" and
        .bad_packs + .bad_chunks + .missing_chunks + .repaired + .elsewhere == 0)' \
        "$work/out" >/dev/null 2>&1 || lost "damaged: $(cat "$work/out")"
}

# The restore of this phase, if it had begun: what earlier ones were of may be forgotten.
restoring() {
    awk -v cut="$cut" '
        $1 < cut && $2 == "phase" { begun = "" }
        $1 < cut && $2 == "restoring" { begun = $3 " " $4 }
        END { print begun }' "$work/marks"
}

check_restored() {
    local id round
    before "$cut" restored | while read -r id round; do
        diff -r "$work/tree-$round" "$work/state/restored-$round$work/tree" >&2 || exit 1
    done || lost "what was restored is not there"
    [[ $phase == restore ]] || return 0
    read -r id round <<<"$(restoring)"
    [[ -n $id ]] || return 0
    ctl one --quiet backup restore "all@$id" --to "$work/state/restored-$round" >"$work/out" 2>&1 ||
        lost "a restore does not go on: $(cat "$work/out")"
    diff -r "$work/tree-$round" "$work/state/restored-$round$work/tree" >&2 ||
        lost "a restore that went on is wrong"
    [[ ! -e $work/state/restored-$round/.quoin-restore.unfinished ]] ||
        lost "a restore that is finished is not marked so"
}

# It works on as if nothing had been.
check_goes_on() {
    ctl one --quiet backup run all >"$work/out" 2>&1 || lost "no backup: $(cat "$work/out")"
    ctl one --quiet backup prune >"$work/out" 2>&1 || lost "no prune: $(cat "$work/out")"
    verify
    ctl one --quiet record put c after state="$state" >"$work/out" 2>&1 ||
        lost "no record: $(cat "$work/out")"
}

# Every pack that had been acknowledged is there, and every one is what its name says.
check_held() {
    local round
    round=$(before "$cut" copied | tail -n 1 | cut -d ' ' -f 2)
    [[ -n $round ]] || return 0
    [[ -d $work/state/two/held ]] || { lost "the holder lost everything" && return; }
    find "$work/state/two/held" -type f -path '*/held/*/??/*' -exec sha256sum {} + |
        sed 's,  .*/, ,' >"$work/sums"
    awk '$1 != $2 { exit 1 }' "$work/sums" || lost "a held pack is not what its name says"
    cut -d ' ' -f 1 "$work/sums" | sort | comm -23 "$work/held-$round" - >"$work/missing"
    [[ ! -s $work/missing ]] || lost "the holder lost $(wc -l <"$work/missing") packs"
}

check_copy() {
    local id round
    site_start two 2>"$work/out" || { lost "two does not start: $(cat "$work/out")" && return; }
    [[ $phase != upload ]] || check_sends_on
    $found_loss && return
    read -r id round <<<"$(before "$cut" copied | tail -n 1)"
    [[ -n $id ]] || return 0
    required_snapshots "$cut" | grep -qxF "$id" || return 0
    (await "a copy is complete" copy_is_complete "$id") >"$work/out" 2>&1 ||
        { lost "a copy is gone: $(cat "$work/out")" && return; }
    ctl one --quiet backup restore "all@$id" --from two --to "$work/state/copy" >"$work/out" 2>&1 ||
        lost "no restore from the holder: $(cat "$work/out")"
    diff -r "$work/tree-$round" "$work/state/copy$work/tree" >&2 || lost "the copy differs"
}

# A pack that was arriving may have any bytes at its end.
check_sends_on() {
    timeout "$patience_s" "$syncctl" --state "$work/state/one" --quiet backup run all --wait \
        >"$work/out" 2>&1 || lost "nothing is sent any more: $(cat "$work/out")"
}

copy_is_complete() {
    holds one ".[] | select(.id == \"$1\") | .copies | length == 1 and all(.complete)" backup list all
}

check_state() {
    phase=${phases[state % 5]} victims=$1 cut=$(draw_cut "${phases[state % 5]}") found_loss=false
    tried[$phase]=$((${tried[$phase]:-0} + 1))
    make_state
    [[ $victims == one ]] || check_held
    $found_loss || check_one
    $found_loss || check_restored
    $found_loss || [[ $victims == one ]] || check_copy
    $found_loss || ((state % 4 != 0)) || check_goes_on
    end_all
}

summary() {
    local name
    for name in "${phases[@]}"; do
        printf '"%s": %s, ' "$name" "${tried[$name]:-0}"
    done
}

work=$(mktemp -d "${TMPDIR:-/tmp}/quoin-power.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
names=(one two)
record_all
check_record
sites_folder=$work/state sites_syncd=$syncd sites_syncctl=$syncctl found=0
victims_of=(one two both one)
for ((state = 1; state <= states; state++)); do
    check_state "${victims_of[$((state / 5 % 4))]}"
    ! $found_loss || found=$((found + 1))
    ((state % 100 != 0)) || echo "$state states, opened within $opened_ms_max ms" >&2
done
printf '{"what": "power", "seed": %s, "states": %s, %s"lost": %s, "opened_ms_max": %s}\n' \
    "$seed" "$states" "$(summary)" "$found" "$opened_ms_max"
((${#lies[@]} == 0 || found > 0)) || fail "a disk that lies is not found out"
