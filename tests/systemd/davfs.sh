# shellcheck shell=bash
# A served folder mounted with davfs2; sourced by guest.sh inside the machine, which has a kernel of its
# own: files go up and down, with their bytes, and with the times as far as davfs2 keeps them (it sends
# none, and shows those of the server).
davfs_url=https://quoin.test:8443/dav/common
davfs_served=/srv/common/davfs

davfs_source() { # COUNT
    local i
    mkdir -p source/many "source/été à Noël/deep"
    for ((i = 0; i < $1; i++)); do
        head -c $((i * 37 % 5000)) /dev/urandom >"source/many/file $i"
    done
    head -c 3000000 /dev/urandom >source/large
    echo x >"source/été à Noël/100% & <ça>#?;+.txt"
    : >"source/été à Noël/deep/empty"
}
davfs_mount() { timeout 60 mount -t davfs -o noexec "$davfs_url" mnt; }
davfs_umount() { timeout 2000 umount mnt; }
davfs_times() { (cd "$1" && find . -type f -printf '%p %s %Ts\n' | sort); }
davfs_same_times() { diff <(davfs_times $davfs_served) <(davfs_times mnt/davfs); }
davfs_has_lost() { find /var/cache/davfs2 -path '*lost+found*' -type f | grep .; }
davfs_edits() { # what an editor does: another file, then a rename over the old one
    echo new >mnt/davfs/large.tmp && mv mnt/davfs/large.tmp mnt/davfs/large
}
davfs_holds_locked() { # while the file is open here
    local status=0
    exec 3>>"mnt/davfs/many/file 1"
    echo more >&3
    web anne "/dav/common/davfs/many/file%201" --upload-file guest.sh 2>&1 | grep -q 423 || status=1
    exec 3>&-
    return $status
}

davfs() { # COUNT: of files
    local begin=$SECONDS
    echo "127.0.0.1 quoin.test" >>/etc/hosts
    install -m 644 /root/site.crt /etc/davfs2/certs/quoin.pem
    printf '%s\n' 'trust_ca_cert quoin.pem' 'ask_auth 0' >>/etc/davfs2/davfs2.conf
    echo "$davfs_url anne $device" >>/etc/davfs2/secrets
    mkdir mnt && davfs_source "$1"
    check "davfs2 mounts" davfs_mount
    check "$1 files go up" timeout 2000 cp -r source mnt/davfs
    check "are written when it is unmounted" davfs_umount
    check "with their bytes" diff -r source $davfs_served
    check "and none is lost" not davfs_has_lost
    rm -rf /var/cache/davfs2/*quoin*
    check "it is mounted again, with an empty cache" davfs_mount
    check "the listing has sizes and times" davfs_same_times
    check "they come down" diff -r source mnt/davfs
    echo "try:     $1 files up and down with davfs2 in $((SECONDS - begin)) s"
    check "what another one changes" web anne /dav/common/davfs/large --upload-file guest.sh
    check "is seen" eventually 90 cmp guest.sh mnt/davfs/large
    check "what is open for writing is locked for others" davfs_holds_locked
    check "a rename over a file" davfs_edits
    check "a rename of a directory" mv mnt/davfs/many mnt/davfs/moved
    check "the rest goes" rm -r "mnt/davfs/été à Noël"
    check "it is unmounted" davfs_umount
    check "as it was left" test "$(ls $davfs_served)" = $'large\nmoved'
    check "with what was written last" grep -qx new $davfs_served/large
    check "and what was added" grep -qa 'more$' "$davfs_served/moved/file 1"
    check "with all others" test "$(find $davfs_served/moved -type f | wc -l)" = "$1"
    check "none is lost" not davfs_has_lost
    rm -r source $davfs_served
}
