# shellcheck shell=bash
# The power goes: an ext4 of our own loses what is not on its disk (EXT4_IOC_SHUTDOWN without a flush of the journal), and is mounted again.
# Sourced by run.

part_power() {
    heading "the power goes"
    mkdir -p power/{low/a/b,disk,union,kernel}
    cd power
    head -c 3000000 /dev/urandom >low/a/b/data
    echo small >low/a/b/small
    lowers_remember "$PWD/low"
    local data
    data=$(sha1sum <low/a/b/data)

    heading "fsync=auto: what is copied up has its data"
    power_on fsync=auto
    "$CHECK" call chmod union/a/b/data
    # Whatever else commits the journal: the name is on the disk then, and its data must be.
    touch disk/other && sync disk/other
    power_cut
    check "the copy is there with all of its data" is "$(sha1sum <disk/upper/a/b/data)" "$data"
    power_back fsync=auto
    check "through the union too" is "$(sha1sum <union/a/b/data)" "$data"
    check "and its new mode" is "$(stat -c %a union/a/b/data)" 600
    power_off
    # At every point of the copy-up: dead there, then the power.
    local n said bad='' names=''
    for ((n = 1; n <= 60; n++)); do
        power_on fsync=auto
        said=$("$CHECK" inject --pid "$DAEMON" --at "$n" --kill -- "$CHECK" call chmod union/a/b/data 2>>../log) || true
        # The journal's own rhythm may write down any moment.
        [ $((n % 2)) = 0 ] || sync -f disk/upper
        power_cut
        [ ! -e disk/upper/a/b/data ] || [ "$(sha1sum <disk/upper/a/b/data)" = "$data" ] || bad+=" $n:torn"
        power_back fsync=auto
        [ "$(sha1sum <union/a/b/data)" = "$data" ] || bad+=" $n:data"
        [ -z "$(ls disk/work/work | grep -v '^#whiteout-')" ] || bad+=" $n:left"
        power_off
        names+="${said#*hit=} "
        case $said in *hit=-*) break ;; esac
    done
    check "killed at any of $n points, and the power gone" is "$bad" ""

    heading "fsync of the user's, fsync=auto"
    power_on fsync=auto
    local number
    number=$(stat -c %i union/a/b/data)
    "$CHECK" call fsync-write union/a/b/data
    power_cut
    check "a file copied up, written and synced" is "$(head -c 6 disk/upper/a/b/data)" SYNCED
    check "the rest of it" is "$(tail -c +7 disk/upper/a/b/data | sha1sum)" "$(tail -c +7 low/a/b/data | sha1sum)"
    power_back fsync=auto
    check "its number after the remount" is "$(stat -c %i union/a/b/data)" "$number"
    "$CHECK" call fsync-new union/a/b/new
    "$CHECK" call fsync-dir union/a/b
    "$CHECK" call unlink union/a/b/small
    "$CHECK" call fsync-dir union/a/b
    power_cut
    power_back fsync=auto
    check "a new file and its directory synced" is "$(cat union/a/b/new)" SYNCED
    check "a removed name and its directory synced" is "$([ -e union/a/b/small ] && echo there)" ""
    power_off

    heading "fsync=strict: a copy-up that was answered is there"
    # after MODE NAME EXPECTED LOOK CALL…: what is on the disk when the power goes right behind the call's answer.
    after() {
        local mode=$1 name=$2 expected=$3 look=$4
        shift 4
        power_on "fsync=$mode"
        "$CHECK" call "$@"
        power_cut
        check "$name" is "$(eval "$look")" "$expected"
        power_back "fsync=$mode"
        power_off
    }
    after strict "file" "$data" 'sha1sum <disk/upper/a/b/data' open-write union/a/b/data
    after strict "a small file that is linked" small 'cat disk/upper/a/b/small' link union/a/b/small union/a/b/other
    # What proves the cut: its data is synced before it has its name, and nobody asked for the name to be there.
    after auto "without strict it is not yet" "" '[ ! -e disk/upper/a/b/small ] || echo there' open-write union/a/b/small

    heading "fsync=volatile: a crash is noticed"
    power_on fsync=volatile
    "$CHECK" call append union/a/b/data
    kill -KILL "$DAEMON"
    wait "$DAEMON" 2>/dev/null || true
    umount union
    local said
    said=$("$BIN/unionfsd-mount" --strict -o "lowerdir=$PWD/low,upperdir=$PWD/disk/upper,workdir=$PWD/disk/work" "$PWD/union" 2>&1) && umount union
    check "refused, with the way out" grep -q "volatile mount that did not end in order.*remove .*work/work/incompat" <<<"$said"
    check "the kernel refuses it too" refuses_kernel
    check "the mark is still there" [ -e disk/work/work/incompat/volatile ]
    rm -r disk/work/work/incompat
    power_begin fsync=volatile
    check "accepted after that" is "$(tail -c 5 union/a/b/data)" more
    power_off keep
    check "an unmount in order takes the mark away" is "$(ls disk/work/work)" ""
    power_away
    # Nothing at all was synced: no call but the marker's.
    power_on fsync=volatile
    INJECT_TRACE=1 "$CHECK" inject --pid "$DAEMON" -- "$CHECK" call fsync-write union/a/b/data >/dev/null 2>calls || true
    check "nothing is synced" is "$(grep -c sync calls)" 0
    power_off
    check "lower layer untouched" lowers_untouched
    cd "$SCRATCH"
}
refuses_kernel() { ! kernel_mount "$PWD/kernel" "$PWD/disk/upper" "$PWD/disk/work" "$PWD/low" 2>>../log; }

# power_on OPTIONS: a new disk, synced, and a union on it.
power_on() {
    # A new file each time: a loop device may let go of the old one late.
    rm -f image
    truncate -s 100M image
    mkfs.ext4 -q image
    LOOP=$(losetup -f --show image)
    mount -o commit=300 "$LOOP" disk
    mkdir disk/{upper,work}
    sync -f disk/upper
    power_begin "$1"
}
power_begin() {
    local try
    "$BIN/unionfsd-mount" --strict -f -s -o "guardian=off,lowerdir=$PWD/low,upperdir=$PWD/disk/upper,workdir=$PWD/disk/work,$1" "$PWD/union" 2>>../log &
    DAEMON=$!
    for try in {1..500}; do
        [ -e union/a ] && return
        sleep 0.01
    done
    die "no mount after 5 s: $(tail -n 3 ../log)"
}
power_cut() {
    "$CHECK" powercut disk
    kill -KILL "$DAEMON" 2>/dev/null || true
    wait "$DAEMON" 2>/dev/null || true
    umount union
    umount disk
    # The journal is replayed.
    mount -o commit=300 "$LOOP" disk
}
power_back() { power_begin "$1"; }
power_off() {
    umount union
    wait "$DAEMON" 2>/dev/null || true
    [ "${1:-}" = keep ] || power_away
}
power_away() {
    umount disk
    losetup -d "$LOOP"
    LOOP=
}
