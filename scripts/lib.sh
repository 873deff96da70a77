# shellcheck shell=bash
# Shared by the scripts here and by Tests/*: sourced, never run.
#
# UNION=unionfsd (default) tests this program; UNION=kernel puts the kernel's overlayfs in its place, which
# proves the tests themselves. UNIONFSD_BIN_DIR names the directory of the binaries.
# TMPDIR must be on a filesystem that can carry an overlay's upper layer: /var/tmp, and not /tmp, which is often
# a tmpfs and too small.

set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
UNION=${UNION:-unionfsd}
BIN=${UNIONFSD_BIN_DIR:-$REPO/.build/release}
CHECK=$BIN/unionfsd-check
# mount(8) from 2.39 on hands each option to fsconfig(2), which takes 256 bytes: too few for many layers.
export LC_ALL=C LIBMOUNT_FORCE_MOUNT2=always

case $UNION in
unionfsd | kernel) ;;
*) echo "UNION is '$UNION'; it must be unionfsd or kernel" >&2 && exit 2 ;;
esac

heading() { printf '\n=== %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# --- what a machine must have -------------------------------------------------------------------------------

# Refuses instead of skipping: a test that quietly does not run is worse than one that fails.
need_machine() {
    [ "$(id -u)" = 0 ] || die "must run as root: it mounts filesystems"
    # The mounts below are what loads these modules where they are modules; ask for them by name first.
    [ "$UNION" = kernel ] || [ -c /dev/fuse ] || modprobe fuse 2>/dev/null || true
    [ "$UNION" = kernel ] || [ -c /dev/fuse ] || die "/dev/fuse is missing"
    grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || true
    grep -qw overlay /proc/filesystems || die "this kernel has no overlayfs, which the tests compare with"
}

need_binaries() {
    [ "$UNION" = kernel ] || [ -x "$BIN/unionfsd" ] || die "no unionfsd in $BIN: build first (scripts/test does)"
    [ -x "$CHECK" ] || die "no unionfsd-check in $BIN: build first (scripts/test does)"
}

# apt_need PACKAGE...: installs what is missing; asks the archive for its list at most once.
apt_updated=
apt_need() {
    local p missing=()
    for p; do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing and only root can install them: ${missing[*]}"
    apt_update
    echo "installing: ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$(apt_log)" 2>&1 </dev/null ||
        { tail -n 20 "$(apt_log)" >&2; die "apt-get could not install: ${missing[*]}"; }
}

apt_update() {
    [ -z "$apt_updated" ] || return 0
    # One broken third-party source must not stop what the distribution's own archive can give.
    apt-get update -q >"$(apt_log)" 2>&1 </dev/null || tail -n 5 "$(apt_log)" >&2
    apt_updated=1
}

apt_log() { echo "${TMPDIR:-/var/tmp}/unionfsd-apt.$$.log"; }

# --- a directory of the test's own, and nothing left behind --------------------------------------------------

# make_scratch NAME: sets SCRATCH; everything in it is unmounted and removed when the script ends, however it ends.
SCRATCH=
make_scratch() {
    SCRATCH=$(mktemp -d "${TMPDIR:-/var/tmp}/unionfsd-$1.XXXXXX")
    SCRATCH=$(cd "$SCRATCH" && pwd -P)
    chmod 755 "$SCRATCH"
}

# at_end COMMAND: what else is to be done then, before all of that. It may fail.
AT_END=()
at_end() { AT_END+=("$1"); }

cleanup() {
    local status=$? pid command
    trap - EXIT
    set +e
    cd /
    for command in ${AT_END[@]+"${AT_END[@]}"}; do "$command"; done
    for pid in $(jobs -p); do kill -KILL "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -f "$(apt_log)"
    ordinary_leave
    if [ -n "$SCRATCH" ]; then
        unmount_below "$SCRATCH"
        # One filesystem: if something is still mounted after all, its content is not ours to remove.
        rm -rf --one-file-system "$SCRATCH"
    fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Mount points at or below a directory, deepest and youngest first. mountinfo writes blanks as \040.
mounts_below() {
    local point
    tac /proc/self/mountinfo | cut -d' ' -f5 | while read -r point; do printf '%b\n' "${point//\\/\\0}"; done |
        awk -v d="$1" '$0 == d || index($0, d "/") == 1 { print gsub("/", "/"), $0 }' | sort -s -k1,1nr | cut -d' ' -f2-
}

unmount_below() {
    local point
    mounts_below "$1" | while IFS= read -r point; do
        timeout 20 umount "$point" 2>/dev/null || umount -l "$point" 2>/dev/null
    done
}

# --- an ordinary user ----------------------------------------------------------------------------------------

# ordinary_user NAME [OPTION-OF-USERADD...]: one of the test's own, with the subordinate ids that useradd(8) gives. Goes at the end, with all of its processes.
ORDINARY=()
fuse_mode=
ordinary_user() {
    local name=$1
    shift
    ! id "$name" >/dev/null 2>&1 || die "there is a user $name, of whom this test would remove all: userdel -r $name"
    useradd -m -s /bin/bash "$@" "$name" || die "no user can be made"
    ORDINARY+=("$name")
    # As distributions have it; here it may be root's alone.
    fuse_mode=${fuse_mode:-$(stat -c %a /dev/fuse)}
    chmod 666 /dev/fuse
}
ordinary_leave() {
    local name pid try
    [ -z "$fuse_mode" ] || chmod "$fuse_mode" /dev/fuse
    for name in ${ORDINARY[@]+"${ORDINARY[@]}"}; do
        # Those of the user's subordinate ids, too, which containers have left.
        for pid in $(ps -eo pid=,uid= | awk -v own="$(id -u "$name")" -v ranges="$(grep "^$name:" /etc/subuid | tr '\n' ' ')" '
            BEGIN { n = split(ranges, r, " "); for (i = 1; i <= n; i++) { split(r[i], f, ":"); start[i] = f[2]; end[i] = f[2] + f[3] } }
            { for (i = 1; i <= n; i++) if ($2 >= start[i] && $2 < end[i]) print $1; if ($2 == own) print $1 }'); do kill -KILL "$pid" 2>/dev/null; done
        for try in {1..50}; do pgrep -u "$name" >/dev/null || break; sleep 0.1; done
        userdel -r "$name" >/dev/null 2>&1 || echo "the user $name could not be removed" >&2
    done
}

# Runs the script again as an ordinary user who is root of a user namespace with all ids of his, as rootless engines have it.
again_as_user() { # ARGUMENT...
    [ "$(id -u)" = 0 ] || die "must run as root: it makes a user"
    apt_need uidmap util-linux
    ordinary_user "unionfsd-${0##*/}"
    runuser -u "${ORDINARY[0]}" -- unshare -Urm --map-root-user --map-auto env UNIONFSD_BIN_DIR="$BIN" UNION="$UNION" "$0" "$@" </dev/null
}
# Overlayfs's own attributes are `user.` ones then, and it follows no redirects.
in_user_namespace() { ! grep -q '^ *0 *0 *4294967295$' /proc/self/uid_map; }

# --- mounts --------------------------------------------------------------------------------------------------

join() { local IFS=$1; shift; echo "$*"; }

# kernel_mount MNT UPPER WORK LOWER...: the kernel's overlayfs in the form that unionfsd's defaults have, the
# uppermost lower first. An empty UPPER makes it read-only. METACOPY=on and REDIRECT_DIR=MODE change that, here and below.
kernel_mount() {
    local mnt=$1 upper=$2 work=$3 options
    shift 3
    options=lowerdir=$(join : "$@")
    [ -z "$upper" ] || options+=",upperdir=$upper,workdir=$work,index=on,redirect_dir=${REDIRECT_DIR:-on},metacopy=${METACOPY:-off}"
    # The kernel has no index there, as it opens no handles, and takes no redirects from `user.` attributes.
    if in_user_namespace; then
        options=${options/index=on/index=off},userxattr
        options=${options/redirect_dir=on/redirect_dir=nofollow}
    fi
    # A mount namespace that somebody made meanwhile keeps what we unmounted in use until it ends.
    local try said=${SCRATCH:-$(dirname "$mnt")}/mount.err
    for try in {1..20}; do
        mount -t overlay overlay -o "$options" "$mnt" 2>"$said" && return
        grep -q 'already mounted\|busy' "$said" || break
        sleep 0.5
    done
    cat "$said" >&2
    return 1
}

# union_mount MNT UPPER WORK LOWER...: the same with whatever UNION names. WRITEBACK=on: as where nothing may be passed through.
union_mount() {
    [ "$UNION" = unionfsd ] || { kernel_mount "$@"; return; }
    local mnt=$1 upper=$2 work=$3 layer arguments=()
    shift 3
    for layer; do arguments+=(--lower "$layer"); done
    [ "${METACOPY:-off}" = off ] || arguments+=(-o "metacopy=$METACOPY")
    [ -z "${WRITEBACK:-}" ] || arguments+=(-o "writeback=$WRITEBACK")
    [ -z "${COHERENT:-}" ] || arguments+=(-o coherent)
    [ -z "$upper" ] || arguments+=(--upper "$upper" --work "$work")
    [ -z "${REDIRECT_DIR:-}" ] || arguments+=(-o "redirect_dir=$REDIRECT_DIR")
    timeout 60 "$BIN/unionfsd" mount "${arguments[@]}" "$mnt" </dev/null
}

union_umount() {
    case $UNION in
    kernel) umount "$1" ;;
    *) timeout 60 "$BIN/unionfsd" umount "$1" </dev/null ;;
    esac
}

# upper_like UPPER LAYER: the root of the union has the attributes of the upper's root; give it those of the image.
upper_like() {
    chown --reference="$2" "$1"
    chmod --reference="$2" "$1"
    touch --reference="$2" "$1"
}

# The processes that hold a FUSE mount's connection. The kernel names the connection in fdinfo (since 6.16);
# before that we go by the mount point on their command line.
daemon_pids() {
    local connection fd pid named
    connection=$(stat -c '%Ld' "$1")
    for fd in /proc/[0-9]*/fd/*; do
        [ "$(readlink "$fd" 2>/dev/null)" = /dev/fuse ] || continue
        pid=${fd#/proc/} && pid=${pid%%/*}
        named=$(awk '$1 == "fuse_connection:" { print $2 }' "/proc/$pid/fdinfo/${fd##*/}" 2>/dev/null) || continue
        if [ -n "$named" ]; then
            [ "$named" = "$connection" ] && echo "$pid"
        elif tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$1"; then
            echo "$pid"
        fi
    done | sort -un
}

# --- what was there before must be there afterwards ----------------------------------------------------------

# Its closing count goes to stderr; only a failure makes that worth reading.
manifest() {
    local said
    { said=$(timeout 300 "$CHECK" manifest "$@" 2>&1 >&3 3>&-); } 3>&1 || { printf '%s\n' "$said" >&2; return 1; }
}

# lowers_remember DIR...: the whole truth about these layers, change times and inode numbers included.
lowers_remember() {
    LOWERS=("$@")
    lowers_manifest >"$SCRATCH/lowers.before"
}

lowers_manifest() {
    local layer
    for layer in "${LOWERS[@]}"; do
        echo "layer $layer"
        manifest "$layer"
    done
}

# lowers_untouched: prints what changed and fails if anything did.
lowers_untouched() {
    lowers_manifest >"$SCRATCH/lowers.after"
    diff "$SCRATCH/lowers.before" "$SCRATCH/lowers.after" | sed -n "1,20p" || true
    cmp -s "$SCRATCH/lowers.before" "$SCRATCH/lowers.after"
}

# --- counting cases ------------------------------------------------------------------------------------------

PASSED=0
FAILED=0
ok() { PASSED=$((PASSED + 1)); printf 'ok %s\n' "$*"; }
not_ok() { FAILED=$((FAILED + 1)); printf 'not ok %s\n' "$*"; }
# check NAME COMMAND...: one case.
check() { local name=$1; shift; if "$@"; then ok "$name"; else not_ok "$name"; fi; }
tally() { printf '%d passed, %d failed\n' "$PASSED" "$FAILED"; [ "$FAILED" = 0 ]; }

# --- chroots -------------------------------------------------------------------------------------------------

# in_chroot ROOT COMMAND...: in mount and process namespaces of its own, so that neither a mount nor a process
# outlives it; without a network unless CHROOT_NET=1. CHROOT_SHOW=DIR appears read-only at /dev/show, off the tree
# that is compared. CHROOT_SECONDS bounds the time; KILL, because unshare(1) ignores TERM while it waits.
in_chroot() {
    local root=$1 namespaces=(--mount --pid --fork --kill-child=KILL)
    shift
    [ "${CHROOT_NET:-0}" = 1 ] || namespaces+=(--net)
    # shellcheck disable=SC2016
    timeout -s KILL "${CHROOT_SECONDS:-300}" unshare "${namespaces[@]}" bash -euc '
        root=$1 show=$2; shift 2
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=755,size=16m dev "$root/dev"
        cd "$root/dev"
        mknod -m 666 null c 1 3; mknod -m 666 zero c 1 5; mknod -m 666 full c 1 7
        mknod -m 666 random c 1 8; mknod -m 666 urandom c 1 9; mknod -m 666 tty c 5 0
        mkdir pts shm show
        mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts pts
        ln -s pts/ptmx ptmx; ln -s /proc/self/fd fd; ln -s fd/0 stdin; ln -s fd/1 stdout; ln -s fd/2 stderr
        [ -z "$show" ] || mount -o bind,ro "$show" show
        cd /
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TZ=UTC \
            TERM=dumb DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
    ' in_chroot "$root" "${CHROOT_SHOW:-}" "$@" </dev/null
}
