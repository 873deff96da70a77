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

# mount(8) looks for its helpers in /sbin alone: in a mount namespace of our own ours is there, and a fstab(5) of our own.
part_remount() {
    local status=0
    unshare -m --propagation private "$here/run" remounts || status=$?
    check "all of these" test "$status" = 0
}
part_remounts() {
    [ "$(findmnt -no PROPAGATION / | cut -d, -f1)" = private ] || die "this part is called by remount"
    mkdir sbin lower upper work mnt plain && ln -s "$BIN/unionfsd-mount" sbin/mount.fuse.unionfsd
    mount -t overlay -o "lowerdir=$SCRATCH/sbin:/usr/sbin" none /usr/sbin || die "no overlay over /usr/sbin"
    touch fstab && mount --bind fstab /etc/fstab
    echo below >lower/file && mkdir lower/dir && times make lower
    lowers_remember "$SCRATCH/lower"
    local layers="lowerdir=$SCRATCH/lower,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work"

    heading "by mount(8) and what the mount has"
    mount -t fuse.unionfsd none mnt -o "$layers" || die "not mounted"
    check "ro" mount -o remount,ro mnt
    check "shown by the kernel" is_shown ro
    check "and by the list" test "$(unionfsd list --json | jq -r '.[0].read_only')" = true
    check "no file is made" refuses "Read-only file system" touch mnt/new
    check "nor written" refuses "Read-only file system" bash -c 'echo >>mnt/file'
    check "it is read" grep -q below mnt/file
    check "rw" mount -o remount,rw mnt
    check "a lower file is changed" bash -c 'echo changed >mnt/file && grep -q changed upper/file'
    exec 9>>mnt/file
    check "ro, with a file open for writing" refuses "is busy" mount -o remount,ro mnt
    check "which goes on being written" bash -c 'echo more >&9 && grep -q more mnt/file'
    exec 9>&-
    exec 9<>mnt/mapped && truncate -s 4096 mnt/mapped
    check "ro, with a file open that a plain filesystem keeps busy too" refuses "is busy" mount -o remount,ro mnt
    exec 9>&-
    check "ro, when it is closed" mount -o remount,ro mnt
    check "rw again, and noexec with it" mount -o remount,rw,noexec mnt
    check "which is shown" is_shown noexec
    check "and done" refuses "Permission denied" mnt/due-exec
    check "exec" mount -o remount,exec mnt
    check "done" mnt/due-exec
    check "what was not named stays" is_shown nodev

    heading "access times"
    local flags
    for flags in strictatime relatime noatime relatime,nodiratime strictatime,diratime noatime,diratime; do
        check "remount,$flags: as on a plain filesystem" remounted_as_plain "$flags"
        kill -KILL "$(unionfsd list --json | jq -r '.[0].pid')"
        check "and after the death of the process that serves" reads_as_plain
    done
    umount plain
    mount -o remount,strictatime mnt
    check "another program, which goes on" unionfsd upgrade mnt
    check "after that other flags still arrive" mount -o remount,noatime mnt
    check "times stay" stays mnt/due-read
    check "strictatime" mount -o remount,strictatime mnt
    check "times move" moves mnt/due-read
    check "ro" mount -o remount,ro mnt
    check "times stay then" stays_unset mnt/due-read
    check "rw, and they move" bash -c 'mount -o remount,rw mnt' && check "again" moves mnt/due-read
    check "where nothing is passed through, too: noatime" without_passthrough

    heading "from /etc/fstab, and as systemd calls"
    umount mnt
    echo "none $SCRATCH/mnt fuse.unionfsd $layers,redirect_dir=on,nosuid,relatime,x-systemd.requires=/ 0 0" >fstab
    check "mount MNT" mount "$SCRATCH/mnt"
    check "remount,ro" mount -o remount,ro "$SCRATCH/mnt"
    check "what is in fstab is there still" is_shown nosuid
    check "remount,rw" mount -o remount,rw "$SCRATCH/mnt"
    check "remount alone" mount -o remount "$SCRATCH/mnt"
    check "mount -o remount of a mount unit" mount -o "remount,$layers,redirect_dir=on,nosuid,noatime" -t fuse.unionfsd none "$SCRATCH/mnt"
    check "noatime came" is_shown noatime
    check "relative paths that lead to the same layers" mount.fuse.unionfsd none mnt -o remount,lowerdir=lower,upperdir=./upper,workdir=work
    check "the engines' form, by the name of the command" unionfsd mount -o remount,relatime mnt
    check "relatime came" is_shown relatime

    heading "what cannot change"
    check "other layers" refuses '"lowerdir" is not what the mount was made with, and cannot change' mount.fuse.unionfsd none mnt -o "remount,lowerdir=$SCRATCH/upper,ro"
    check "another upper layer" refuses '"upperdir" is not what' mount.fuse.unionfsd none mnt -o "remount,upperdir=$SCRATCH/lower"
    check "metacopy" refuses '"metacopy" is not what' mount -o remount,metacopy=on mnt
    check "nothing has changed" is_shown rw
    check "a flag beside it neither" mount.fuse.unionfsd none mnt -o remount,ro -f && check "nor by -f" is_shown rw
    check "no mount of ours" refuses 'is not a mount of unionfsd' mount.fuse.unionfsd none "$SCRATCH" -o remount,ro
    check "none at all" refuses 'No such file' mount.fuse.unionfsd none nowhere -o remount,ro
    chmod 755 "$SCRATCH"
    check "an ordinary user" refuses "only root|Permission denied|not this user" setpriv --reuid 12345 --regid 12345 --clear-groups "$BIN/unionfsd-mount" none mnt -o remount,ro
    check "an ordinary user cannot have the process look either" refuses "" setpriv --reuid 12345 --regid 12345 --clear-groups python3 -c "import fcntl,os; fcntl.ioctl(os.open('mnt', os.O_RDONLY), 0xe53e)"
    local elsewhere=$SCRATCH/other-run
    check "without its entry the flags alone" env UNIONFSD_RUN_DIR="$elsewhere" mount.fuse.unionfsd none mnt -o remount,noatime
    check "which came" is_shown noatime
    check "and other words are not compared" refuses 'cannot be compared' env UNIONFSD_RUN_DIR="$elsewhere" mount.fuse.unionfsd none mnt -o "remount,$layers"
    umount mnt

    heading "what began read-only"
    mount.fuse.unionfsd none mnt -o "$layers,ro"
    check "stays so, with its reason" refuses 'was mounted read-only, and its upper layer is not open' mount.fuse.unionfsd none mnt -o remount,rw
    check "also where its entry is not found" refuses 'was mounted read-only, and its upper layer is not open' env UNIONFSD_RUN_DIR="$elsewhere" mount.fuse.unionfsd none mnt -o remount,rw
    check "shown so" is_shown ro
    umount mnt
    mount.fuse.unionfsd none mnt -o "lowerdir=$SCRATCH/lower"
    check "a union without an upper layer is told that it stays so" bash -c 'mount.fuse.unionfsd none mnt -o remount,rw,noexec 2>err && grep -q "stays read-only: it has no upper layer" err'
    check "shown" is_shown ro
    check "and has the other flags" is_shown noexec
    umount mnt
    check "lower layers as they were" lowers_untouched
}
is_shown() { findmnt -no OPTIONS "$SCRATCH/mnt" | grep -qw "$1" || { findmnt -no OPTIONS "$SCRATCH/mnt"; return 1; }; }
# refuses PATTERN COMMAND...: fails, and says so.
refuses() {
    local pattern=$1
    shift
    if timeout 60 "$@" >out 2>&1 </dev/null; then echo "  done: $*"; return 1; fi
    grep -qE -- "$pattern" out || { cat out; return 1; }
}
remounted_as_plain() {
    mount -o "remount,$1" mnt || return 1
    # (Made anew: of `noatime` and `relatime` mount(2) takes the first, where mount(8) hands over the old one with the new.)
    if mountpoint -q plain; then umount plain; fi
    mount --bind upper plain && mount -o "remount,bind,$1" plain && reads_as_plain
}
# The same objects: once past the union, once in it.
reads_as_plain() {
    timeout 60 stat mnt >/dev/null || return 1
    [ -e upper/due-read ] || find mnt -exec touch -h {} +
    times act plain >expected && times act mnt upper >seen || return 1
    # A mount that began with noatime lets the kernel keep symlinks.
    diff <(grep -v '^link\|^follow' expected) <(grep -v '^link\|^follow' seen)
}
moves() { touch -ad 2001-01-01 "$1" && cat "$1" >/dev/null && [ "$(stat -c %X "$1")" -gt 1700000000 ]; }
stays() { touch -ad 2001-01-01 "$1" && cat "$1" >/dev/null && [ "$(stat -c %X "$1")" -lt 1700000000 ]; }
stays_unset() { local before && before=$(stat -c %x "$1") && sleep 0.05 && cat "$1" >/dev/null && [ "$(stat -c %x "$1")" = "$before" ]; }
without_passthrough() {
    umount mnt && union --lower lower --upper upper --work work -o strictatime,writeback=on mnt && moves mnt/due-read && mount -o remount,noatime mnt && stays mnt/due-read &&
        mount -o remount,relatime mnt && moves mnt/due-read && kill -KILL "$(unionfsd list --json | jq -r '.[0].pid')" && moves mnt/due-read
}

handles() { timeout 60 python3 "$here/handles.py" "$@"; }
drop_caches() { sync && echo 3 >/proc/sys/vm/drop_caches; }
# The kernel forgets an inode a moment after its cache is dropped.
forgotten() {
    local try
    drop_caches
    for try in {1..50}; do [ "$(unionfsd stats --json mnt | jq '.requests.FORGET.count + .requests.BATCH_FORGET.count')" = 0 ] || break; sleep 0.1; done
}
objects=(. file dir dir/deep dir/deep/one link fifo names/a names/b upper-file upper-dir upper-dir/two)

make_objects() {
    rm -rf --one-file-system lower upper work
    mkdir -p lower/dir/deep lower/names upper work mnt
    echo lower >lower/file && echo one >lower/dir/deep/one && ln -s file lower/link && mkfifo lower/fifo && echo names >lower/names/a && ln lower/names/a lower/names/b
    head -c 300000 /dev/zero >lower/large
}
mount_exported() { union --lower lower --upper upper --work work -o nfs_export=on "$@" mnt; }
upper_objects() { echo upper >mnt/upper-file && mkdir mnt/upper-dir && echo two >mnt/upper-dir/two; }
# What the names say now, in the form of handles.py open.
by_names() {
    local name
    for name; do
        [ -e "mnt/$name" ] || [ -L "mnt/$name" ] || { echo ESTALE && continue; }
        printf '%s' "$(stat -c '%i %h %A' "mnt/$name")"
        if [ -L "mnt/$name" ]; then printf ' %s' "$(readlink "mnt/$name")"
        elif [ -f "mnt/$name" ]; then printf ' %s' "$(cat "mnt/$name")"
        elif [ -d "mnt/$name" ]; then printf ' %s %s' "$(cd "mnt/$name" && pwd -P)" "$(find "mnt/$name" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | paste -sd,)"
        fi
        echo
    done
}
taken() { handles take mnt "$@" >taken; }
# lead_to NAME...: the handles of file `taken` lead to these now.
lead_to() {
    local all
    mapfile -t all <taken
    handles open mnt "${all[@]}" >opened
    by_names "$@" >named
    diff named opened
}

part_handles() {
    make_objects
    lowers_remember "$SCRATCH/lower"
    heading "without nfs_export"
    union --lower lower --upper upper --work work mnt || die "not mounted"
    check "no handle is told, as with overlayfs" test "$(handles take mnt file dir . | sort -u)" = ENOTSUP
    check "but for those that need not open" taken --fid file dir .
    check "and these do not open" test "$(mapfile -t all <taken && handles open mnt "${all[@]}" | cut -d' ' -f2 | paste -sd,)" = ESTALE,ESTALE,ESTALE
    unionfsd umount mnt
    rm -rf upper work && mkdir upper work

    heading "with nfs_export=on"
    mount_exported || die "not mounted"
    upper_objects
    check "each object has a handle" taken "${objects[@]}"
    check "each handle opens" lead_to "${objects[@]}"
    forgotten
    check "when the kernel has forgotten all" lead_to "${objects[@]}"
    check "in another order, directories by their children's way up" deep_first
    chmod 600 mnt/file mnt/names/a && echo more >>mnt/dir/deep/one && touch -h mnt/link && chmod 700 mnt/dir mnt/dir/deep
    check "after a copy-up" lead_to "${objects[@]}"
    forgotten
    check "forgotten again" lead_to "${objects[@]}"
    mv mnt/file mnt/upper-dir/moved && mv mnt/dir mnt/elsewhere && mv mnt/upper-file mnt/elsewhere/deep/up
    forgotten
    renamed=(. upper-dir/moved elsewhere elsewhere/deep elsewhere/deep/one link fifo names/a names/b elsewhere/deep/up upper-dir upper-dir/two)
    check "after renames" lead_to "${renamed[@]}"
    kill -KILL "$(unionfsd list --json | jq -r '.[0].pid')"
    check "after the death of the process that serves" lead_to "${renamed[@]}"
    forgotten
    kill -KILL "$(unionfsd list --json | jq -r '.[0].pid')"
    check "and what was forgotten before it" lead_to "${renamed[@]}"
    check "another program, which goes on" unionfsd upgrade mnt
    check "knows them too" lead_to "${renamed[@]}"
    check "a large file that is read while it is copied up" large_read
    exec 8<mnt/elsewhere/deep/one
    rm mnt/link mnt/fifo mnt/upper-dir/moved mnt/elsewhere/deep/one && echo another >mnt/link && echo another >mnt/fifo && mkdir mnt/upper-dir/moved
    check "what is removed and open" still_open
    exec 8<&-
    forgotten
    removed=(. none elsewhere elsewhere/deep none none none names/a names/b elsewhere/deep/up upper-dir upper-dir/two)
    check "what was removed is nowhere, though its name is another's" lead_to "${removed[@]}"
    rm mnt/names/a
    check "one name of two" lead_to . none elsewhere elsewhere/deep none none none names/b names/b elsewhere/deep/up upper-dir upper-dir/two
    rm -r mnt/elsewhere mnt/names
    forgotten
    check "a whole tree" lead_to . none none none none none none none none none upper-dir upper-dir/two
    unionfsd umount mnt

    heading "of another mount"
    rm -rf upper work && mkdir upper work
    mount_exported || die "not mounted"
    upper_objects && taken "${objects[@]}"
    unionfsd umount mnt && mount_exported || die "not mounted"
    check "the same layers, mounted again: nowhere but the root" lead_to . none none none none none none none none none none none
    find mnt >/dev/null
    check "nor when it has all of the same nodes" lead_to . none none none none none none none none none none none
    unionfsd umount mnt
    check "made up" made_up

    heading "fanotify"
    rm -rf upper work && mkdir upper work
    mount_exported || die "not mounted"
    local ino && ino=$(stat -c %i mnt)
    check "events by handle and name, which open" watched "create name=new in=$ino" "create name=made in=$ino" "moved name=renamed in=$ino"
    check "of the object, too" grep -q "^modify name=new in=$ino object=[0-9]" events
    unionfsd umount mnt
    check "lower layers as they were" lowers_untouched
}
deep_first() {
    local names=(dir/deep/one dir/deep upper-dir/two names/b) all
    handles take mnt "${names[@]}" >deep && forgotten && mapfile -t all <deep && handles open mnt "${all[@]}" >opened
    by_names "${names[@]}" | diff - opened
}
large_read() {
    local handle
    handle=$(handles take mnt large) && exec 7<mnt/large && echo x >>mnt/large && exec 7<&- || return 1
    forgotten
    handles open mnt "$handle" >opened && [ "$(cut -d' ' -f1 opened)" = "$(stat -c %i mnt/large)" ]
}
still_open() {
    local all
    mapfile -t all <taken
    [ "$(handles open mnt "${all[4]}" | cut -d' ' -f2,4-)" = "0 one
more" ] || { handles open mnt "${all[4]}"; return 1; }
}
made_up() {
    local number texts=()
    mount_exported || return 1
    find mnt >/dev/null
    for number in {0..40}; do texts+=("129:$(printf '%08x%08x%08x' "$number" "$number" "$number")" "129:$(printf '%08x%08x%08x' 0 "$number" 0)"); done
    # By chance one node in 40 can have an id like these, never with its generation; the root is no secret.
    handles open mnt "${texts[@]}" | grep -v ESTALE >found
    [ "$(wc -l <found)" -le 1 ] && unionfsd umount mnt
}
watched() {
    local line
    handles watch mnt 'echo a >new; mkdir made; mv new renamed' >events || { cat events; return 1; }
    for line; do grep -qxF "$line" events || { echo "no \"$line\" in:"; cat events; return 1; }; done
}

origin_of() { getfattr -h -e hex -n trusted.overlay.origin "$1" 2>/dev/null | sed -n 's/.*=0x//p'; }
part_uuid() {
    make_objects
    lowers_remember "$SCRATCH/lower"
    union --lower lower --upper upper --work work mnt || die "not mounted"
    check "a FUSE mount has no f_fsid, whatever is asked" test "$(stat -f -c %i mnt)" = 0
    unionfsd umount mnt
    check "uuid=on is refused, with the reason" refuses 'uuid=on is not possible: a FUSE mount has no UUID' unionfsd mount --lower lower -o uuid=on mnt
    check "and told to an engine" engine_told
    for form in null off auto; do check "uuid=$form is taken" mounts_with "uuid=$form"; done

    # What the two write of one and the same file.
    union --lower lower --upper upper --work work -o uuid=off mnt && ino=$(stat -c %i mnt/file) && chmod 600 mnt/file && unionfsd umount mnt
    mkdir kernel-upper kernel-work
    mount -t overlay overlay -o lowerdir=lower,upperdir=kernel-upper,workdir=kernel-work,index=on,uuid=off mnt && chmod 600 mnt/file && umount mnt
    check "uuid=off: origins have none, as the kernel's" test "$(origin_of upper/file)" = "$(origin_of kernel-upper/file)"
    check "there is one" test -n "$(origin_of upper/file)"
    check "none of its UUID" grep -qE '^00fb[0-9a-f]{2}00[0-9a-f]{2}0{32}' <(origin_of upper/file)
    union --lower lower --upper upper --work work -o uuid=off mnt
    check "the number stays over another mount" test "$(stat -c %i mnt/file)" = "$ino"
    unionfsd umount mnt
    mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,index=on,uuid=off mnt
    check "and with the kernel's overlayfs" test "$(stat -c %i mnt/file)" = "$ino"
    umount mnt

    rm -rf upper work kernel-upper kernel-work && mkdir upper work
    mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,uuid=on mnt && fsid=$(stat -f -c %i mnt) && umount mnt
    union --lower lower --upper upper --work work mnt && echo x >mnt/new && unionfsd umount mnt
    mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,uuid=on mnt
    check "the UUID that the kernel's overlayfs gave an upper layer is kept for it" test "$(stat -f -c %i mnt)" = "$fsid"
    umount mnt
    check "lower layers as they were" lowers_untouched
}
engine_told() {
    unionfsd-mount -o lowerdir=lower,uuid=on mnt 2>err </dev/null || return 1
    unionfsd umount mnt && grep -q 'option "uuid" ignored: a FUSE mount has no UUID' err
}
mounts_with() { union --lower lower --upper upper --work work -o "$1" mnt && unionfsd umount mnt; }

# metacopy NAME [HEX]: a metacopy of data/NAME in lower, with that value of overlay.metacopy.
metacopy() {
    : >"lower/$1"
    truncate -s 5 "lower/$1"
    if [ -n "${2:-}" ]; then setfattr -n trusted.overlay.metacopy -v "0x$2" "lower/$1"; else setfattr -n trusted.overlay.metacopy "lower/$1"; fi
    echo data >"data/$1"
}
# Whether this machine's files can have digests: if not, what is held against one never has it.
has_verity() {
    strict_filesystem verity 2>/dev/null && echo data >disk/probe && fsverity enable disk/probe 2>verity.err
}
digest() { local hex && hex=$(fsverity digest --compact "$1") && echo "00240001$hex"; }

part_verity() {
    local mode name verdict
    make_objects
    apt_need fsverity
    if has_verity; then echo "  (this kernel has fs-verity)"; else echo "  (this kernel has no fs-verity: $(cat verity.err))"; fi
    umount disk 2>/dev/null
    rm -rf lower && mkdir lower data
    # `right` cannot be right where no file has a digest; `plain` is no metacopy.
    metacopy without && metacopy wrong "00240001$(printf '%064d' 0)" && metacopy short 0008 && metacopy version "01240001$(printf '%064d' 0)" && metacopy flags "00240101$(printf '%064d' 0)"
    metacopy longer "00250001$(printf '%064d' 0)" && metacopy none 00040000 && metacopy right && setfattr -n trusted.overlay.metacopy -v "0x$(digest data/right)" lower/right
    echo plain >lower/plain
    lowers_remember "$SCRATCH/lower" "$SCRATCH/data"
    for mode in off on require; do
        rm -rf upper work kernel-upper kernel-work && mkdir upper work kernel-upper kernel-work
        mount -t overlay overlay -o "lowerdir=lower:data,upperdir=kernel-upper,workdir=kernel-work,metacopy=on,redirect_dir=on,verity=$mode" mnt || die "the kernel takes no verity=$mode"
        outcomes >expected
        umount mnt
        union --lower lower --lower data --upper upper --work work -o "metacopy=on,verity=$mode" mnt || die "not mounted"
        outcomes >seen
        unionfsd umount mnt
        # What is too short to be of the format is refused by overlayfs without that option, too.
        check "verity=$mode: opened, or EIO, as with the kernel's overlayfs" diff <([ "$mode" != off ] && cat expected || grep -v ^short expected) <([ "$mode" != off ] && cat seen || grep -v ^short seen)
        verdict=data && [ "$mode" != require ] || verdict=EIO
        check "verity=$mode: without a digest: $verdict" grep -qx "without $verdict" seen
        check "verity=$mode: a change of mode copies what nobody could check ($(copied plain))" test "$(copied plain)" = "$( [ "$mode" = require ] && echo whole || echo metadata)"
    done
    check "verity=on has metacopy with it" verity_implies
    check "but not against its word" refuses "verity needs metacopy=on" unionfsd mount --lower lower -o metacopy=off,verity=on mnt
    check "another value" refuses "verity=maybe" unionfsd mount --lower lower -o verity=maybe mnt
    check "lower layers as they were" lowers_untouched
}
# What reading each gives; and what comes of a change of mode.
outcomes() {
    local name
    for name in without wrong short version flags longer none right plain; do
        if cat "mnt/$name" >out 2>err; then echo "$name $(head -n 1 out)"; else echo "$name $(grep -q 'Input/output' err && echo EIO || cat err)"; fi
    done
    chmod 600 mnt/plain && echo "plain, chmod: $(cat mnt/plain)"
    bash -c 'printf x >>mnt/wrong' 2>err || echo "wrong, to be written: $(grep -o 'Input/output error' err)"
}
copied() { if getfattr -h -n trusted.overlay.metacopy "upper/$1" >/dev/null 2>&1; then echo metadata; else echo whole; fi; }
verity_implies() {
    rm -rf upper work && mkdir upper work
    union --lower lower --lower data --upper upper --work work -o verity=on mnt && chmod 640 mnt/plain && unionfsd umount mnt && [ "$(copied plain)" = metadata ]
}
