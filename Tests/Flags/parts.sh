# shellcheck shell=bash
# Sourced by run: one function for each part.

# A filesystem of its own that moves access times with each read, so that no flag but the mount's own says what moves.
strict_filesystem() {
    truncate -s 300M disk.img
    mkfs.ext4 -q -O "${1:-none}" disk.img 2>mkfs.err || { cat mkfs.err >&2; return 1; }
    mkdir disk && mount -o loop,strictatime disk.img disk
}
times() { timeout 120 python3 "$here/times.py" "$@"; }
union() { timeout 60 unionfsd mount "$@" </dev/null; }

# as_plain FLAGS: what reading moves on the union of these flags, as on a plain filesystem with them.
as_plain() {
    local flags=$1
    shift
    rm -rf disk/plain disk/lower disk/upper disk/work
    mkdir -p disk/plain disk/lower disk/upper disk/work plain mnt
    mount --bind disk/plain plain && mount -o "remount,bind,$flags" plain || return 1
    union --lower disk/lower --upper disk/upper --work disk/work -o "$flags" "$@" mnt || return 1
    times make plain && times make mnt && times act plain >expected && times act mnt disk/upper >seen || return 1
    diff expected seen || return 1
    times show mnt >before
    unionfsd umount mnt && union --lower disk/lower --upper disk/upper --work disk/work -o "$flags" "$@" mnt && times show mnt >after || return 1
    diff before after || { echo "another mount shows other times"; return 1; }
    # /proc/mounts says the same of both.
    for word in noatime nodiratime relatime; do
        [ "$(findmnt -no OPTIONS plain | grep -cw $word)" = "$(findmnt -no OPTIONS mnt | grep -cw $word)" ] || { echo "$word: $(findmnt -no OPTIONS plain mnt)"; return 1; }
    done
}
as_plain_clean() {
    as_plain "$@"
    local status=$?
    unmount_below "$SCRATCH/mnt"
    unmount_below "$SCRATCH/plain"
    return $status
}

part_times() {
    strict_filesystem || die "no filesystem"
    local flags
    for flags in noatime relatime strictatime nodiratime relatime,nodiratime strictatime,nodiratime noatime,nodiratime strictatime,lazytime; do
        check "$flags: as on a plain filesystem" as_plain_clean "$flags"
    done
    check "noatime where nothing is passed through" as_plain_clean noatime -o writeback=on
    check "relatime where nothing is passed through" as_plain_clean relatime -o writeback=on
    check "nodiratime where nothing is passed through" as_plain_clean nodiratime -o writeback=on
    check "by default nothing moves" moves_nothing
    unmount_below "$SCRATCH"
}
moves_nothing() {
    mkdir -p disk/u disk/w disk/l mnt
    union --lower disk/l --upper disk/u --work disk/w mnt && times make mnt && times act mnt disk/u >seen && unionfsd umount mnt || return 1
    ! grep -v ' stays$' seen
}

# Whoever mounts: a lower layer on a filesystem that moves access times with each read keeps its own.
part_lower() {
    strict_filesystem || die "no filesystem"
    ordinary_user flagsuser
    mkdir -p disk/root/lower disk/own mnt && times make disk/root/lower && chmod 777 disk/own
    mkdir disk/root/upper disk/root/work
    su flagsuser -c "mkdir disk/own/lower disk/own/upper disk/own/work disk/own/mnt && python3 '$here/times.py' make disk/own/lower"
    local flags
    for flags in noatime relatime strictatime strictatime,writeback=on ro,strictatime; do
        check "root, $flags: no lower time moves" lower_stays "$flags"
    done
    check "an ordinary user in a namespace: no lower time moves, of own files" su flagsuser -c "cd '$SCRATCH' && PATH=$BIN:\$PATH unshare -Urm '$here/lower.sh' disk/own/lower disk/own noatime,userxattr"
    check "nor with strictatime" su flagsuser -c "cd '$SCRATCH' && PATH=$BIN:\$PATH unshare -Urm '$here/lower.sh' disk/own/lower disk/own strictatime,userxattr"
    check "nor of root's" su flagsuser -c "cd '$SCRATCH' && PATH=$BIN:\$PATH unshare -Urm '$here/lower.sh' disk/root/lower disk/own strictatime,userxattr"
    check "an ordinary user with fusermount3: no lower time moves, of own files that are no symlinks" su flagsuser -c "cd '$SCRATCH' && PATH=$BIN:\$PATH '$here/lower.sh' disk/own/lower disk/own strictatime,userxattr plain"
}
lower_stays() {
    times show disk/root/lower >before
    union --lower disk/root/lower --upper disk/root/upper --work disk/root/work -o "$1" mnt && times read mnt && times read mnt && unionfsd umount mnt || return 1
    times show disk/root/lower >after && diff before after
}
