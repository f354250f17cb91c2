#!/bin/bash
# Runs as root in the machine that try-systemd boots, once after each of two boots, and says for each
# check whether it passed. quoin.deb and davfs.sh lie beside it, and files: how many davfs2 copies.
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
cd "$(dirname "$0")" || exit 1
state=/var/lib/quoin
failures=0
# shellcheck source=davfs.sh
source ./davfs.sh

check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >said 2>&1; then
        echo "try: passed: $what"
    else
        failures=$((failures + 1))
        echo "try: FAILED: $what"
        sed 's/^/try:     /' said
        journalctl --boot --unit quoin --output cat --lines 4 | sed 's/^/try:     log: /'
    fi
}
not() { ! "$@"; }
eventually() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.5
    done
}
property() { systemctl show --value --property "$1" quoin; }
is() { [[ $(property "$1") == "$2" ]]; }
pid() { property MainPID; }
is_another() { is ActiveState active && [[ $(pid) != "$1" ]]; }
logs() { journalctl --boot --unit quoin --output cat "${@:2}" | grep -q -- "$1"; }
has_logged_once() { [[ $(journalctl --boot --unit quoin --output cat | grep -c -- "$1") == 1 ]]; }
answers() { syncctl status | grep -q pradines; }
has() { syncctl record get things "$1"; }
history_names() { syncctl record history things "$1" | grep -qw "$2"; }
modes() { [[ $(stat -c '%U %a' "$1") == "$2" ]]; }
conf() { printf '%s\n' "$@" >/etc/quoin/quoin.conf.d/try.conf; }
drop_in() {
    mkdir -p /run/systemd/system/quoin.service.d
    printf '%s\n' '[Service]' "$@" >/run/systemd/system/quoin.service.d/try.conf
    systemctl daemon-reload
}
stops_in_time() {
    local begin=$SECONDS
    systemctl stop quoin && ((SECONDS - begin < 5)) && [[ ! -e $state/control.sock ]]
}

# Commands in the sandbox, and a mail program that needs its set-group-ID bit.
around_backups() {
    mkdir -p /srv/house/hers /var/drop
    echo text >/srv/house/file
    echo hers >/srv/house/hers/file
    chown -R alice: /srv/house/hers && chmod 0700 /srv/house/hers && chmod 0600 /srv/house/hers/file
    chgrp mail /var/drop && chmod 0730 /var/drop
    install -g mail -m 2755 /usr/bin/tee /usr/local/bin/drop
    printf '#!/bin/sh\nexec /usr/local/bin/drop /var/drop/mail >/dev/null\n' >/usr/sbin/sendmail
    chmod 0755 /usr/sbin/sendmail
    conf '[reader]' 'allow = /srv' '[backup house]' "before = id -un >$state/who" \
        'stream = host hostname' "after = test \$QUOIN_RESULT = success"
    systemctl reload quoin
    check "a plan" syncctl backup create house --path /srv
    check "a run with commands in the sandbox" syncctl backup run house
    check "as the user of the service" grep -qx _quoin $state/who
    check "is restored" syncctl backup restore house --to /root/house
    check "the file" grep -qx text /root/house/srv/house/file
    check "and what its owner alone may read" grep -qx hers /root/house/srv/house/hers/file
    check "which is hers again" modes /root/house/srv/house/hers/file "alice 600"
    check "the stream" grep -qx quoin-try /root/house/host
    conf '[mail]' 'to = it@example.org' '[backup house]' 'before = exit 3'
    systemctl reload quoin
    check "a command that fails" not syncctl backup run house
    check "is mailed, by a program that gains a group" eventually 30 grep -q '^To: it@example.org$' /var/drop/mail
    check "and nothing is wrong with mail" not eval 'syncctl status | grep mail-failed'
    rm /etc/quoin/quoin.conf.d/try.conf
    systemctl reload quoin
}

# What docs/serving.md and docs/folders.md tell the IT person to do, step by step.
web() { # USER PATH CURL_ARGUMENT...
    curl --silent --show-error --fail --cacert /root/site.crt --resolve quoin.test:8443:127.0.0.1 \
        --user "$1:$device" "${@:3}" "https://quoin.test:8443$2"
}
listens() { syncctl serve status | grep -q 127.0.0.1:8443; }
is_of_house() { openssl s_client -connect 127.0.0.1:8443 </dev/null 2>&1 | grep -q 'CN *= *house'; }
own_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 100 -subj /CN=house \
        -addext subjectAltName=DNS:quoin.test -keyout /etc/quoin/site.key -out /etc/quoin/site.pem
    chown _quoin /etc/quoin/site.key
}
is_folder_back() { syncctl folder list | grep -q 'common.*here' && ! syncctl status | grep -q folder-gone; }

serving() {
    mkdir /srv/common /srv/closed /home/common
    setfacl -R -m u:_quoin:rwX,d:u:_quoin:rwX /srv/common /home/common
    conf '[serve]' 'listen = 127.0.0.1:8443' 'names = quoin.test'
    systemctl reload quoin
    check "HTTPS listens" eventually 60 listens
    check "its authority" eval 'syncctl serve authority >/root/site.crt'
    check "a person" eval 'echo "correct horse battery" | syncctl user add anne --role editor'
    device=$(syncctl user app-password anne --label try)
    check "a folder that the service may not write is refused" not syncctl folder create common --path /srv/common
    drop_in 'ReadWritePaths=/srv/common' 'BindPaths=/home/common:/srv/homes'
    check "restart with the drop-in of folders.md" systemctl restart quoin
    check "the folder" syncctl folder create common --path /srv/common
    check "a folder below /home" syncctl folder create homes --path /srv/homes
    check "one without rights is refused" not syncctl folder create closed --path /srv/closed
    check "a grant" syncctl user grant anne --folder common --right write
    check "and another" syncctl user grant anne --folder homes --right write
    check "an upload" web anne /dav/common/new.txt --upload-file guest.sh
    check "is there" cmp guest.sh /srv/common/new.txt
    check "and the owner is the service" test "$(stat -c %U /srv/common/new.txt)" = _quoin
    check "an upload below /home" web anne /dav/homes/new.txt --upload-file guest.sh
    check "is there" cmp guest.sh /home/common/new.txt
    check "it comes down again" eval 'web anne /dav/common/new.txt | cmp guest.sh'
    check "a stranger gets nothing" not web bob /dav/common/new.txt
    check "the page" eval 'web anne / | grep -qi "<html"'
    check "the audit trail has it" eval 'syncctl log | grep -q anne'
    check "and is whole" syncctl log verify
    davfs "$(cat files)"
    check "a certificate of the house" own_certificate
    conf '[serve]' 'listen = 127.0.0.1:8443' 'names = quoin.test' 'certificate = /etc/quoin/site.pem' 'key = /etc/quoin/site.key'
    systemctl reload quoin
    check "is taken by a reload" eventually 20 is_of_house
    mv /srv/common/.quoin-folder /root/
    check "a directory that is gone is told" eval 'syncctl folder list | grep -q "common.*gone" && syncctl status | grep -q folder-gone'
    mv /root/.quoin-folder /srv/common/
    check "and its return" eventually 30 is_folder_back
    rm /etc/quoin/quoin.conf.d/try.conf /etc/quoin/site.key /etc/quoin/site.pem
    drop_in
    systemctl restart quoin
}

# docs/backup.md, "Crisis", as it stands there: the machine is lost. Its site comes back from a holder.
has_copy() { syncctl --json backup list house | grep -q '"complete": *true'; }
may_restore() { syncctl backup list house && syncctl backup restore house --to / /srv/house; }
is_recovered() { answers && ! syncctl status | grep -q recover; }
crisis() {
    syncd --state /root/luzech >/dev/null 2>&1 &
    local holder=$!
    check "a plan with a copy elsewhere" syncctl backup change house --copies luzech
    conf '[reader]' 'allow = /srv'
    check "a run" syncctl backup run house --wait
    check "is there" eventually 60 has_copy
    cp $state/recovery-kit.txt kit.txt
    dpkg --purge quoin
    rm -rf $state /srv/house
    check "on an empty machine" dpkg --install quoin.deb
    check "recover" syncctl recover --kit kit.txt --from 127.0.0.1:7118
    check "start" systemctl start quoin
    check "the files are back in their place" eventually 120 may_restore
    check "what its owner alone may read too" grep -qx hers /srv/house/hers/file
    check "and it is hers" modes /srv/house/hers/file "alice 600"
    check "the records are back" eventually 60 has one
    check "all of it" eventually 120 is_recovered
    check "the state is the service's own" eval "[[ -z \$(find $state ! -user _quoin) ]]"
    kill $holder
}

first_boot() {
    check "the package installs" dpkg --install quoin.deb
    check "sysusers made the user" getent passwd _quoin
    check "the state directory is its own" modes $state "_quoin 700"
    check "without a site nothing starts and nothing fails" is ActiveState inactive
    check "init as root" syncctl init --site pradines --group lot --listen 127.0.0.1:7117
    check "the service starts" systemctl start quoin
    check "it is of type notify and told its status" is StatusText "site pradines"
    check "root may ask" answers
    check "the user of the service may ask" runuser -u _quoin -- syncctl status -x
    check "a collection" syncctl collection create things
    check "a record" syncctl record put things one n=1
    check "memory is accounted, and far below the limit" test "$(property MemoryCurrent)" -lt 200000000

    useradd --groups _quoin alice && useradd bob
    check "a member of the group stays outside" not runuser -u alice -- syncctl status
    drop_in StateDirectoryMode=0710 PrivateUsers=no
    check "restart with the drop-in of quoin.conf(5)" systemctl restart quoin
    check "now the member may write" runuser -u alice -- syncctl record put things two n=2
    check "under her name" history_names two alice
    check "and a stranger may not" not runuser -u bob -- syncctl status
    drop_in
    systemctl restart quoin

    check "another site is invited" eval 'syncctl site invite luzech >code'
    check "and set up" syncctl init --state /root/luzech --site luzech --join "$(cat code)" --listen 127.0.0.1:7118
    syncd --state /root/luzech >/dev/null 2>&1 &
    check "the sandboxed daemon links with it" eventually 60 eval 'syncctl status | grep -Eq "luzech +online"'
    check "and its records arrive there" eventually 30 syncctl --state /root/luzech record get things one
    kill $!

    around_backups
    crisis
    serving

    local before
    before=$(pid)
    conf '[log]' 'level = loud'
    systemctl reload quoin
    check "a reload with a mistake keeps it running" eventually 10 logs 'running configuration stays'
    check "and its process" is MainPID "$before"
    check "a start with a mistake fails" not systemctl restart quoin
    check "for good" is ActiveState failed
    check "the journal has file and line, as an error" logs 'try.conf:2: level' --priority err
    rm /etc/quoin/quoin.conf.d/try.conf
    check "it starts once that is corrected" systemctl start quoin
    check "it stops in time and takes its socket away" stops_in_time
    check "it starts again" systemctl start quoin

    before=$(pid)
    kill -KILL "$before"
    check "after kill -9 there is another" eventually 30 is_another "$before"
    before=$(pid)
    sleep 70 # more than two intervals
    check "the watchdog is content" is MainPID "$before"
    kill -STOP "$before"
    check "and replaces a process that hangs" eventually 60 is_another "$before"
    check "for that reason" logs 'Watchdog timeout'
    check "the sandbox killed nothing" not eval 'journalctl --boot | grep -E "SIGSYS|status=31|type=1326"'
    check "exposure in systemd-analyze security" systemd-analyze security --threshold=12 --no-pager quoin
    tail -n 1 said

    before=$(pid)
    check "an upgrade" dpkg --install quoin.deb
    check "restarts it" is_another "$before"
    check "removal" dpkg --remove quoin
    check "keeps the site" test -s $state/identity.key
    check "which is back after installing again" dpkg --install quoin.deb
    check "with its records" has one
}

second_boot() {
    check "after a reboot the service is there" eventually 120 answers
    check "nothing failed" not eval 'systemctl --failed --no-legend | grep .'
    check "the records are" has two
    check "the daemon noticed the boot" logs 'another boot'
    check "and writes go on" syncctl record put things three n=3
    systemctl restart quoin
    check "a mere restart is no other boot" has_logged_once 'another boot'
    check "purge" dpkg --purge quoin
    check "keeps the records" test -s $state/store/data.mdb
    check "and no configuration" test ! -e /etc/quoin
    rm -rf $state
    check "a new installation" dpkg --install quoin.deb
    check "that never was a site" dpkg --purge quoin
    check "leaves nothing" test ! -e $state
}

if [[ ! -e booted ]]; then
    touch booted
    first_boot
    echo "$failures" >failures
    systemctl reboot
else
    failures=$(cat failures)
    second_boot
    echo "try: $failures checks failed on $(sed -n 's/^PRETTY_NAME=//p' /etc/os-release), $(systemctl --version | head -n 1)"
    systemctl poweroff
fi
