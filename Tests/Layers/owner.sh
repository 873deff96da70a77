# shellcheck shell=bash
# An ordinary user without a user namespace: what a directory's owner may do on a plain tree, whatever the modes are.

heading "an ordinary user's own lower objects, for each mode"
# Each mode of the owner, some with more.
modes=(0000 0100 0200 0300 0400 0500 0600 0700 0444 0555 0644 0755 4755 2755 1777)
cat >owner-plant.sh <<'SH'
set -e
mkdir -p "$1" && cd "$1"
for m in MODES; do
    for f in chmod mv rm ln chown touch attr over; do echo "$f $m" >"$f$m"; done
    : >"empty$m"; setfattr -n user.own -v "$m" "attr$m"
    for d in dchmod dmv drm dinside dtouch; do mkdir "$d$m"; done
    echo "in $m" >"dinside$m/f"; mkdir "dinside$m/sub"; echo deep >"dinside$m/sub/g"; echo moved >"dmv$m/f"; mkdir "dmv$m/d"
    ln -s "to$m" "link$m"; ln "mv$m" "mvtoo$m"
    chmod "$m" {chmod,mv,rm,ln,chown,touch,attr,over,empty}"$m" {dchmod,dmv,drm,dinside,dtouch}"$m"
done
SH
cat >owner-work.sh <<'SH'
cd "$1" || exit 1
say() { "$@" 2>&1 | sed "s#^[^:]*: ##"; [ "${PIPESTATUS[0]}" = 0 ] || echo "failed: $*"; }
for m in MODES; do
    say stat -c '%a %s %F' "chmod$m" "dchmod$m" "link$m"
    say chmod 640 "chmod$m"; say cat "chmod$m"
    say mv "mv$m" "moved$m"; say stat -c '%a %h' "moved$m" "mvtoo$m"; say chmod 600 "moved$m"; say cat "moved$m" "mvtoo$m"
    say rm -f "rm$m"; say ln "ln$m" "lnd$m"; say stat -c '%a %h' "lnd$m"
    say chown "$(id -u):$(id -g)" "chown$m"; say stat -c %a "chown$m"
    say touch -d 2001-01-01 "touch$m"; say stat -c '%a %Y' "touch$m"
    say chmod 600 "attr$m"; say getfattr --only-values -n user.own "attr$m"; echo
    echo new >"new$m"; say mv -f "new$m" "over$m"; say cat "over$m"
    say mv "empty$m" "still$m"; say stat -c '%a %s' "still$m"
    say mv "link$m" "linked$m"; say readlink "linked$m"; say touch -h "linked$m"; say rm "linked$m"
    say chmod 750 "dchmod$m"; say ls "dchmod$m"; say touch "dchmod$m/made"
    say mv "dmv$m" "dmoved$m"; say stat -c %a "dmoved$m"; say chmod 700 "dmoved$m"; say ls "dmoved$m"; say cat "dmoved$m/f"
    say rmdir "drm$m"
    say touch -d 2001-01-01 "dtouch$m"; say stat -c '%a %Y' "dtouch$m"
    # In a directory that gives nothing, what its mode allows is done; then all.
    say chmod 600 "dinside$m/f"; say chmod 700 "dinside$m"; say cat "dinside$m/f" "dinside$m/sub/g"; say chmod 640 "dinside$m/f"
    say rm "dinside$m/f"; say rm -r "dinside$m/sub"; say rmdir "dinside$m"
done
find . -printf '%p %y %m %s %l\n' 2>&1 | LC_ALL=C sort
SH
sed -i "s/MODES/${modes[*]}/" owner-plant.sh owner-work.sh
rm -rf p && mkdir -m 755 p && chown "$user": p && cp owner-*.sh p
owned() { # OPTION...
    rm -rf p/plain p/up p/work
    as_user mkdir -p p/up p/work p/mnt
    as_user bash p/owner-plant.sh p/plain
    as_user bash p/owner-work.sh p/plain >p.plain || true
    as_user "$BIN/unionfsd" mount "$@" --lower p/lower --upper p/up --work p/work p/mnt
    as_user timeout 300 bash p/owner-work.sh p/mnt >p.union || true
    local shape
    shape=$(as_user find p/mnt -printf '%p %y %m %s %i\n' 2>&1) || true
    diff p.plain p.union | head -20 || true
    check "the same as on a plain directory${*:+ ($*)}" cmp -s p.plain p.union
    as_user "$BIN/unionfsd" umount p/mnt
    as_user "$BIN/unionfsd" mount "$@" --lower p/lower --upper p/up --work p/work p/mnt
    # The number of a symlink does not stay without trusted attributes.
    check "and over a remount${*:+ ($*)}" is "$(as_user find p/mnt -printf '%p %y %m %s %i\n' 2>&1 | grep -v ' l ')" "$(grep -v ' l ' <<<"$shape")"
    as_user "$BIN/unionfsd" umount p/mnt
    check "the layer is as it was" lowers_untouched
}
as_user bash p/owner-plant.sh p/lower
lowers_remember "$PWD/p/lower"
owned
owned -o metacopy=on
