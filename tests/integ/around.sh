#!/bin/bash
# What surrounds a backup: commands before and after, their output as files, files that cannot be
# read, and mail about it.
#
#   around.sh SYNCD SYNCCTL ACCEPT
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# configure LINE...: the configuration is these lines, and holds.
configure() {
    printf '%s\n' "$@" >"$work/conf"
    expect "the configuration is right" ctl one config check "$work/conf"
    [[ ${site_pid[one]:-} == '' ]] || reload
}

said_again() {
    [[ $(grep -c 'was read again' "$work/one.log") == "$1" ]]
}

reload() {
    local before
    before=$(grep -c 'was read again' "$work/one.log" || true)
    kill -HUP "${site_pid[one]}"
    await "it is read again" said_again $((before + 1))
}

# The word of a run, as `after` was told.
told() {
    tail -n 1 "$work/after"
}

has_alert() {
    holds one ".alerts | map(select(.code == \"$1\" and .object == \"$2\")) | length == 1" status
}

has_no_alert() {
    holds one ".alerts | map(select(.code == \"$1\")) | length == 0" status
}

begin "$1" "$2" one
tree=$work/tree
mkdir -p "$tree"
echo text >"$tree/file"

# A mail program that keeps what it is given, or fails while there is a file that says so.
mkdir "$work/mails"
cat >"$work/sendmail" <<SCRIPT
#!/bin/sh
[ "\$*" = "-t -i" ] || exit 64
if [ -e "$work/mail.broken" ]; then cat >/dev/null; echo "no route to the world" >&2; exit 75; fi
cat >"$work/mails/new.\$\$" && mv "$work/mails/new.\$\$" "$work/mails/mail.\$\$"
SCRIPT
chmod 0700 "$work/sendmail"

mails() {
    find "$work/mails" -name 'mail.*' | wc -l
}

are_mails() {
    [[ $(mails) == "$1" ]]
}

mkdir -p "$work/locale/fr/LC_MESSAGES"
msgfmt --output-file="$work/locale/fr/LC_MESSAGES/quoin.mo" "$integ_root/packaging/po/fr.po"
export QUOIN_LOCALEDIR=$work/locale

configure '[log]' 'level = info'
expect "a group" init_first one
site_start one --config "$work/conf" || fail "one does not start"
await "one is a member" holds one '.group == "lot"' status
expect "a plan" ctl one backup create house --path "$tree"

# --- commands ---
commands=("[backup house]"
    "before = echo \$QUOIN_STEP \$QUOIN_BACKUP \$QUOIN_SITE >>$work/before; ls -l /proc/self/fd >$work/fds"
    "after = echo \$QUOIN_RESULT \$QUOIN_ERRORS \$QUOIN_ERROR >>$work/after")
configure "${commands[@]}"
expect "a run" ctl one backup run house
equal "the command before" "before house one" "$(cat "$work/before")"
equal "no file of the daemon is passed on" 0 "$(grep -c "$(site_state one)" "$work/fds")"
equal "the command after" "success 0" "$(told)"

configure "${commands[@]}" "before = echo it is locked >&2; exit 3"
refuse 2 'exit status is 3' "a run whose first command fails" ctl one backup run house
grep -q 'it is locked' <<<"$answer" || fail "its words are not shown: $answer"
grep -q '\[backup house\] before' <<<"$answer" || fail "which command is not said: $answer"
equal "the command after hears of it" "failed 0 command" "$(told)"
equal "no snapshot came of it" 1 "$(ctl one backup list house --json | jq length)"
await "status says so" has_alert backup-failed house
await "and why" holds one '.alerts[0].text | contains("it is locked")' status

configure "${commands[@]}" "before = exec cat /dev/zero >/dev/null" "time-limit = 1s"
refuse 2 'took too long' "a command that does not end" ctl one backup run house

configure "${commands[@]}" "before = echo \$\$ >$work/pid; exec cat /dev/zero >/dev/null"
ctl one backup run house >/dev/null 2>&1 &
helpers=($!)
await "a run that waits for its command" test -s "$work/pid"
expect "is stopped" ctl one backup stop house
wait "${helpers[0]}" || true
helpers=()
await "its command too" is_down "$(cat "$work/pid")"
equal "the command after hears of it" "stopped 0 closed" "$(told)"

# A daemon that ends does not wait for what ignores it, and gives the command after a moment.
configure "${commands[@]}" "before = trap '' TERM; echo \$\$ >$work/stubborn; while :; do :; done"
ctl one backup run house >/dev/null 2>&1 &
helpers=($!)
await "a run whose command does not listen" test -s "$work/stubborn"
begun=$SECONDS
expect "the daemon ends" site_stop one
((SECONDS - begun < 5)) || fail "it took $((SECONDS - begun)) s"
wait "${helpers[0]}" || true
helpers=()
await "with its command" is_down "$(cat "$work/stubborn")"
equal "the command after hears of it" "stopped 0 closed" "$(told)"
site_pid=()
configure "${commands[@]}"
site_start one --config "$work/conf" || fail "one does not start again"

# --- streams ---
configure "${commands[@]}" "stream = dumps/db.sql echo create table; head -c 3000000 /dev/zero" \
    "stream = small.txt printf '%s' \"\$QUOIN_STREAM\""
expect "a run with streams" ctl one backup run house
expect "is restored" ctl one backup restore house --to "$work/out"
equal "the first" 3000013 "$(stat -c %s "$work/out/dumps/db.sql")"
equal "the second" /small.txt "$(cat "$work/out/small.txt")"
equal "the files" text "$(cat "$work/out$tree/file")"
await "all is well" has_no_alert backup-failed

configure "${commands[@]}" "stream = db.sql echo half a dump; echo no such database >&2; exit 1"
refuse 1 'no such database' "a stream that fails" ctl one backup run house
equal "is marked" "partial 1" "$(told)"
equal "left out" 0 "$(ctl one backup ls house / --json --recursive | jq '[.[] | select(.path | endswith("db.sql"))] | length')"
equal "the files are there" 1 "$(ctl one backup ls house "$tree/file" --json | jq length)"
await "status says so" has_alert backup-problems house
await "and which" holds one '.alerts[0].text | contains("/db.sql: no such database")' status

configure "${commands[@]}" "after = exit 9"
refuse 1 'exit status is 9' "a command after that fails" ctl one backup run house

# --- who may name commands ---
chmod 0666 "$work/conf"
reload
refuse 2 'others than root' "a configuration that others may change" ctl one backup run house
refuse 0 'others than root may change' "the check says so too" ctl one config check "$work/conf"
chmod 0600 "$work/conf"

# --- files that cannot be read ---
configure '[log]' 'level = info'
expect "a run without commands" ctl one backup run house
(cd "$tree" && for _ in $(seq 22); do
    name=$(printf 'n%.0s' $(seq 200))
    mkdir "$name" && cd "$name"
done; echo deep >file)
refuse 1 'path is too long' "a path that is too long" ctl one backup run house
await "status says so" has_alert backup-problems house
rm -r "$tree"/n*
mkdir "$work/link"
expect "a plan of a folder" ctl one backup create link --path "$work/link"
rmdir "$work/link"
ln -s "$tree" "$work/link"
refuse 1 'symbolic link' "that became a link" ctl one backup run link
expect "it goes" ctl one backup delete link
expect "a run of what can be read" ctl one backup run house
await "all is well" has_no_alert backup-problems

# --- mail ---
site_stop one # a language holds from the start
mail=("[mail]" "socket = $work/mail.sock" "to = it@example.org, second@example.org" "from = quoin@example.org" "sendmail = $work/sendmail"
    "language = fr")
broken=("[backup house]" "before = echo é: no >&2; exit 3")
configure "${mail[@]}" "${broken[@]}"
site_start one --config "$work/conf" || fail "one does not start in French"
refuse 2 'status is 3' "a failed run" ctl one backup run house
await "is mailed" are_mails 1
letter=$(cat "$work/mails"/mail.*)
grep -q '^To: it@example.org,$' <<<"$letter" || fail "$letter"
grep -q '^From: quoin@example.org$' <<<"$letter" || fail "$letter"
grep -q '^Subject: =?UTF-8?Q?=5BQuoin=5D_one=3A_la_derni=C3=A8re' <<<"$letter" || fail "not French: $letter"
[[ $(LC_ALL=C grep -c '[^ -~]' <<<"$letter") == 0 ]] || fail "not ASCII: $letter"
grep -q '^Content-Type: text/plain; charset=UTF-8$' <<<"$letter" || fail "$letter"
grep -q 'backup-failed' <<<"$letter" || fail "$letter"
refuse 2 'status is 3' "a second one" ctl one backup run house
site_stop one
site_start one --config "$work/conf" || fail "one does not start again"
expect "another alert" ctl one backup create other --path "$tree"
configure "${mail[@]}" "${broken[@]}" "[backup other]" "before = exit 4"
touch "$work/mail.broken"
refuse 2 'status is 4' "of another plan" ctl one backup run other
await "a mail that cannot be sent is an alert" has_alert mail-failed "it@example.org, second@example.org"
await "with the words of the program" holds one '[.alerts[].text | contains("no route to the world")] | any' status
equal "nobody was told twice" 1 "$(mails)"
rm "$work/mail.broken"
reload
await "it is tried again" are_mails 2
await "and the alert goes" has_no_alert mail-failed
grep -l 'other' "$work/mails"/mail.* >/dev/null || fail "the second mail is of something else"

# The same through the unit: its command line, with a process for each mail as systemd starts it.
line=$(sed -n "s|^ExecStart=/bin/sh -c '\\(.*\\)'$|\\1|p" "$integ_root/packaging/systemd/quoin-mail@.service")
[[ $line == /usr/sbin/sendmail*sent ]] || fail "the unit runs something else: $line"
printf '#!/bin/sh\n%s\n' "${line//\/usr\/sbin\/sendmail/$work/sendmail}" >"$work/unit"
chmod 0700 "$work/unit"
"$3" "$work/mail.sock" "$work/unit" </dev/null >/dev/null 2>&1 &
helpers=($!)
await "the unit listens" test -S "$work/mail.sock"
touch "$work/mail.broken"
expect "a third alert" ctl one backup create third --path "$tree"
configure "${mail[@]}" "${broken[@]}" "[backup other]" "before = exit 4" "[backup third]" "before = exit 5"
refuse 2 'status is 5' "of a third plan" ctl one backup run third
await "a mail that the unit cannot send is an alert" has_alert mail-failed "it@example.org, second@example.org"
await "with its words" holds one '[.alerts[].text | contains("no route to the world")] | any' status
rm "$work/mail.broken"
reload
await "it is sent" are_mails 3
await "and the alert goes again" has_no_alert mail-failed
