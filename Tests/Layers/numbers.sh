# shellcheck shell=bash
# Several filesystems below one lower directory: two objects that are not one never are one for us, nor show one number.

heading "btrfs with subvolumes"
if ! grep -qw btrfs /proc/filesystems && ! modprobe btrfs 2>/dev/null; then
    echo "this kernel has no btrfs: not tested"
else
    truncate -s 400M btrfs.image && mkfs.btrfs -q btrfs.image >/dev/null && mkdir btrfs && mount -o loop btrfs.image btrfs
    mkdir btrfs/lower
    for volume in one two; do
        btrfs -q subvolume create "btrfs/lower/$volume"
        mkdir "btrfs/lower/$volume/d"
        echo "$volume/f" >"btrfs/lower/$volume/f" && ln "btrfs/lower/$volume/f" "btrfs/lower/$volume/g"
        echo "$volume/h" >"btrfs/lower/$volume/h" && echo "$volume/d/i" >"btrfs/lower/$volume/d/i" && ln -s f "btrfs/lower/$volume/l" && mkfifo "btrfs/lower/$volume/p"
    done
    btrfs -q subvolume create btrfs/lower/two/inner && echo inner >btrfs/lower/two/inner/h
    mkdir btrfs/lower/plain && echo plain/h >btrfs/lower/plain/h
    # A snapshot has the very numbers of what it was made of.
    btrfs -q subvolume snapshot btrfs/lower/one btrfs/lower/snap >/dev/null
    several btrfs "$PWD/btrfs/lower"
    changed btrfs "$PWD/btrfs/lower" one/f two/g snap/h two/h two/inner/h two/d/i plain/h
    check "btrfs: a removed link leaves the other volume's alone" is "$(rm btrfs.mnt/one/f && cat btrfs.mnt/one/g btrfs.mnt/two/f btrfs.mnt/snap/f | head -4 | xargs)" "one/f more two/f more"
    check "btrfs: rm -rf ends" timeout 60 rm -rf btrfs.mnt/one btrfs.mnt/two btrfs.mnt/snap
    check "btrfs: and leaves the rest" is "$(ls btrfs.mnt)" plain
    union_umount "$PWD/btrfs.mnt"
    # Each layer a subvolume: one filesystem with one UUID and three devices.
    mkdir layered layered.up layered.work
    union_mount "$PWD/layered" "$PWD/layered.up" "$PWD/layered.work" "$PWD/btrfs/lower/one" "$PWD/btrfs/lower/two"
    before=$(numbers layered)
    check "subvolumes as layers: no number twice" distinct layered
    find layered -exec touch -h -a {} +
    check "subvolumes as layers: numbers stay over copy-up" is "$(numbers layered)" "$before"
    union_umount "$PWD/layered" && union_mount "$PWD/layered" "$PWD/layered.up" "$PWD/layered.work" "$PWD/btrfs/lower/one" "$PWD/btrfs/lower/two"
    check "subvolumes as layers: and over a remount" is "$(numbers layered)" "$before"
    union_umount "$PWD/layered"
    umount btrfs
fi

heading "an overlayfs of several filesystems"
mkdir o.t o.e && mount -t tmpfs -o size=64m layers o.t
truncate -s 100M ext4.image && mkfs.ext4 -q ext4.image && mount -o loop ext4.image o.e
mkdir o.t/l o.e/{u,w} o.root
for name in {a..p}; do
    mkdir "o.t/l/t$name" "o.e/u/e$name"
    echo "t$name/f" >"o.t/l/t$name/f" && echo "t$name/h" >"o.t/l/t$name/h"
    echo "e$name/f" >"o.e/u/e$name/f" && echo "e$name/h" >"o.e/u/e$name/h"
done
mount -t overlay layers -o "lowerdir=o.t/l,upperdir=o.e/u,workdir=o.e/w,xino=off" o.root
# On its own disk numbers are two for one here: else there is nothing to be seen.
[ -n "$(find o.root -type f -printf '%i\n' | sort | uniq -d)" ] || not_ok "overlay: the layer's own numbers repeat"
# Its directories have other numbers whenever the kernel has forgotten them: what must not change is what it is made of.
several overlay "$PWD/o.root" "$PWD/o.t/l" "$PWD/o.e/u"
changed overlay "$PWD/o.root" ta/f ea/f tb/h eb/h
before=$(numbers overlay.mnt)
union_umount "$PWD/overlay.mnt"
umount o.root
mount -t overlay layers -o "lowerdir=o.t/l,upperdir=o.e/u,workdir=o.e/w,xino=off" o.root
union_mount "$PWD/overlay.mnt" "$PWD/overlay.up" "$PWD/overlay.work" "$PWD/o.root"
check "overlay: numbers are the same when the layer was mounted anew" is "$(numbers overlay.mnt)" "$before"
union_umount "$PWD/overlay.mnt"
umount o.root o.t o.e

heading "lower hard links without an index"
mkdir -p links/{lower/d,up,work,mnt}
echo one >links/lower/a && ln links/lower/a links/lower/b && ln links/lower/a links/lower/d/c
lowers_remember "$PWD/links/lower"
no_index() { timeout 60 "$BIN/unionfsd" mount -o index=off --lower links/lower --upper links/up --work links/work links/mnt </dev/null; }
no_index
ls -lR links/mnt >/dev/null
echo more >>links/mnt/a
check "the copy has a number of its own" distinct_contents links/mnt
check "which listings have, too" same_in_listings links/mnt
ln links/mnt/a links/mnt/d/e && ln links/mnt/b links/mnt/d/f
check "and new names of it" distinct_contents links/mnt
check "in listings" same_in_listings links/mnt
exec 5<>links/mnt/d/c && rm links/mnt/d/c && echo gone >&5

check "and one without a name" test "$(stat -L -c %i /proc/self/fd/5)" != "$(stat -c %i links/mnt/b)"
exec 5>&-
before=$(cd links/mnt && find . -printf '%p %i %n\n' | sort)
union_umount "$PWD/links/mnt" && no_index
check "numbers stay over a remount" is "$(cd links/mnt && find . -printf '%p %i %n\n' | sort)" "$before"
union_umount "$PWD/links/mnt"
check "the layer is as it was" lowers_untouched
