# shellcheck shell=bash
# Upper layers on filesystems that have little: another union of ours, the kernel's overlayfs, what has no attributes.

# The same work in a union and on a plain directory: removals, replacements, renames; what both show in the end.
cat >work.sh <<'SH'
set -e
cd "$1"
rm gone
rm -r tree/gone
mv old new
mv dir moved
mv over target
rm again && echo made >again
rm -r dirs && mkdir dirs && echo in >dirs/in
mkdir tree/over && mv tree/over tree/empty
mv tree/a tree/b
ln linked tree/link && rm linked
mv file2 tree/file2 && mv tree/file3 file3
python3 - <<'PY'
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.renameat2(-100, b"x1", -100, b"x2", 2) == 0, ctypes.get_errno()
PY
rm -rf many/* && rmdir many
chmod 700 deep/er && rm deep/er/x && mv deep shallow
: >tree/emptied && : >empty
SH
plant() {
    mkdir -p "$1"/{tree/{gone,empty},dir/sub,dirs/old,many,deep/er}
    (cd "$1" && for f in gone tree/gone/f old dir/f dir/sub/f over target again dirs/old/f tree/a tree/b linked file2 tree/file3 x1 x2 deep/er/x deep/er/y tree/emptied; do echo "$f" >"$f"; done; touch many/{1..300}; ln linked linked2)
}
# Everything but times and numbers.
shape() { (cd "$1" && find . -printf '%p %y %m\n' | LC_ALL=C sort && contents .); }

# nested NAME UPPER WORK [OPTION...]: does the work in a union with that upper layer, over remounts.
nested() {
    local name=$1 upper=$2 work=$3
    shift 3
    rm -rf n.lower n.plain && plant n.lower && cp -a n.lower n.plain && mkdir -p n.mnt
    lowers_remember "$PWD/n.lower"
    check "$name: mounts" "$BIN/unionfsd" mount "$@" --lower n.lower --upper "$upper" --work "$work" n.mnt
    bash work.sh n.plain
    check "$name: every removal, replacement and rename" bash work.sh n.mnt
    check "$name: shows what a plain directory shows" is "$(shape n.mnt)" "$(shape n.plain)"
    forget
    check "$name: and when the kernel has forgotten it" is "$(shape n.mnt)" "$(shape n.plain)"
    union_umount "$PWD/n.mnt"
    "${AGAIN[@]}"
    check "$name: mounts again" "$BIN/unionfsd" mount "$@" --lower n.lower --upper "$upper" --work "$work" n.mnt
    check "$name: and shows the same" is "$(shape n.mnt)" "$(shape n.plain)"
    check "$name: removed names can be made, and removed" is "$(cd n.mnt && echo 1 >gone && mkdir old && mv old dir && rm -r dir gone && ls gone dir old 2>&1 | grep -c 'No such')" 3
    union_umount "$PWD/n.mnt"
    check "$name: the layer is as it was" lowers_untouched
}
AGAIN=(true)

heading "a union in a union"
mkdir -p outer/{l,u,w,m}
outer() { union_mount "$PWD/outer/m" "$PWD/outer/u" "$PWD/outer/w" "$PWD/outer/l"; }
outer_again() { union_umount "$PWD/outer/m" && outer; }
outer
mkdir outer/m/{u,w}
AGAIN=(outer_again)
nested "on a union of ours" outer/m/u outer/m/w
mkdir outer/m/{u2,w2}
nested "the same with whiteouts=overlay" outer/m/u2 outer/m/w2 -o whiteouts=overlay
mkdir outer/m/{u3,w3}
nested "the same with user.* attributes" outer/m/u3 outer/m/w3 -o userxattr
AGAIN=(true)
union_umount "$PWD/outer/m"

heading "the kernel's overlayfs below"
mkdir -p k/{l,u,w,m}
mount -t overlay layers -o lowerdir=k/l,upperdir=k/u,workdir=k/w k/m
mkdir k/m/{u,w}
nested "on the kernel's overlayfs" k/m/u k/m/w
mkdir k/m/{u2,w2}
nested "the same with whiteouts=overlay" k/m/u2 k/m/w2 -o whiteouts=overlay
umount k/m

heading "filesystems that have little"
mkdir little && mount -t tmpfs -o size=64m layers little && mkdir little/{u,w}
nested "on a tmpfs" little/u little/w
umount little
truncate -s 64M vfat.image && { mkfs.vfat vfat.image >/dev/null 2>&1 || apt_need dosfstools && mkfs.vfat vfat.image >/dev/null; }
if grep -qw vfat /proc/filesystems || modprobe vfat 2>/dev/null; then
    mount -o loop vfat.image little && mkdir little/{u,w}
    check "what can have no whiteouts is refused with a sentence" is "$("$BIN/unionfsd" mount -o whiteouts=overlay --lower n.lower --upper little/u --work little/w n.mnt 2>&1 | grep -c 'cannot have whiteouts, so nothing could be removed')" 1
    umount little
else
    echo "this kernel has no vfat: not tested"
fi
