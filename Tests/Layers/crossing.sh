# shellcheck shell=bash
# What is mounted below a lower directory is not seen, whoever mounts.

heading "mounts below a lower directory"
mkdir -p c/lower/{a,b,plain,was} c/root && echo covered >c/lower/file && echo plain >c/lower/plain/x
chmod -R a+rwX c && chown -R "$user": c
mount -t tmpfs -o mode=777 layers c/lower/a && mount -t tmpfs -o mode=777 layers c/lower/b
for name in a b; do echo "$name" >"c/lower/$name/x" && ln "c/lower/$name/x" "c/lower/$name/y" && mkdir "c/lower/$name/d"; done
chown -R "$user": c/lower/{a,b}
echo over >c/over && mount --bind c/over c/lower/file

# As each sees it: names and kinds, and numbers.
view() {
    cat >"c/view.$1" <<PY
set -e
mkdir -p c/$1.up c/$1.work c/$1.mnt
$BIN/unionfsd mount --lower c/lower --upper c/$1.up --work c/$1.work c/$1.mnt
cd c/$1.mnt
find . -mindepth 1 ! -name file -printf '%p %i %y\n' | sort
cat a/x b/x plain/x 2>&1 | sed 's/.*: //'
# Its own, and not what is mounted there.
echo new >a/x && cat a/x && [ ! -e b/x ] && rm -r a b && ls | grep -v file && mkdir a && ls a
cd ../.. && $BIN/unionfsd umount c/$1.mnt
$BIN/unionfsd mount --lower c/lower --upper c/$1.up --work c/$1.work c/$1.mnt
ls c/$1.mnt | grep -v file
$BIN/unionfsd umount c/$1.mnt
PY
    "${@:2}" bash "c/view.$1" 2>&1
}
root=$(view root)
check "root sees the layer's own" is "$(grep -c '^\./' <<<"$root") $(grep '/x' <<<"$root" | cut -d' ' -f1)" "5 ./plain/x"
check "an ordinary user sees the same" is "$(view user as_user)" "$root"
check "and in a namespace, where the mounts are locked" is "$(view locked in_namespace)" "$root"
check "what is mounted is as it was" is "$(cat c/lower/a/x c/lower/b/y c/lower/file | xargs)" "a b over"
umount c/lower/a c/lower/b c/lower/file
cat >c/within <<SH
set -e
mount -t tmpfs layers c/lower/a; mount -t tmpfs layers c/lower/b
echo a >c/lower/a/x; echo b >c/lower/b/x
$(declare -f view)
BIN=$BIN
view within env
SH
check "and where the user has mounted them in a namespace" is "$(in_namespace bash c/within)" "$root"

heading "a mount that comes later"
as_user sh -c "mkdir c/later.up c/later.work c/later.mnt && $BIN/unionfsd mount --lower c/lower --upper c/later.up --work c/later.work c/later.mnt"
mount -t tmpfs -o mode=777 layers c/lower/was && echo hidden >c/lower/was/x
check "is not seen" is "$(as_user ls c/later.mnt/was 2>&1)" ""
umount c/lower/was
as_user "$BIN/unionfsd" umount c/later.mnt

heading "a union below its own lower directory"
own() {
    cat >c/own <<SH
set -e
rm -rf c/base c/base.up c/base.work && mkdir -p c/base/mnt c/base.up c/base.work && echo f >c/base/f && echo g >c/base/mnt/g
$BIN/unionfsd mount --lower c/base --upper c/base.up --work c/base.work c/base/mnt
ls c/base/mnt c/base/mnt/mnt
ls -lR c/base/mnt >/dev/null
touch c/base/mnt/mnt/new && ls c/base/mnt/mnt
$BIN/unionfsd umount c/base/mnt && ls c/base
SH
    "$@" timeout 60 bash c/own 2>&1
}
# Root sees g, which the mount covers.
check "as root it shows the directory below" is "$(own env | xargs)" "c/base/mnt: f mnt c/base/mnt/mnt: g g new f mnt"
chown -R "$user": c
check "as an ordinary user an empty one, and it can be unmounted" is "$(own as_user | xargs)" "c/base/mnt: f mnt c/base/mnt/mnt: new f mnt"
check "in a namespace" is "$(own in_namespace | xargs)" "c/base/mnt: f mnt c/base/mnt/mnt: g g new f mnt"
