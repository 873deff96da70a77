# shellcheck shell=bash disable=SC2086,SC2154
# Sourced by run: one function for each part.

part_input() {
    refused "a lower layer that does not exist" 'lower layer "nowhere" does not exist: ' -- unionfsd mount --lower nowhere mnt
    refused "a lower layer that is a file" 'lower layer "lower/file" is not a directory' -- unionfsd mount --lower lower/file mnt
    refused "the second of two layers" 'lower layer "nowhere" does not exist' -- unionfsd mount --lower lower --lower nowhere mnt
    refused "no lower layer" 'no lower layer: give one with --lower' 64 -- unionfsd mount --upper upper --work work mnt
    refused "an upper layer that does not exist" 'upper layer "nowhere" does not exist' -- unionfsd mount --lower lower --upper nowhere --work work mnt
    refused "an upper layer that is a file" 'upper layer "lower/file" is not a directory' -- unionfsd mount --lower lower --upper lower/file --work work mnt
    refused "an upper layer without a work directory" 'needs a work directory' 64 -- unionfsd mount --lower lower --upper upper mnt
    refused "a work directory that does not exist" 'work directory "nowhere" does not exist' -- unionfsd mount --lower lower --upper upper --work nowhere mnt
    refused "upper inside lower" 'upper layer "lower/dir" lies inside lower layer "lower"' -- unionfsd mount --lower lower --upper lower/dir --work work mnt
    mkdir upper/below
    refused "lower inside upper" 'lower layer "upper/below" lies inside upper layer "upper"' -- unionfsd mount --lower upper/below --upper upper --work work mnt
    rmdir upper/below
    ln -s upper link
    refused "upper and lower are one, through a symlink" 'are the same directory' -- unionfsd mount --lower link --upper upper --work work mnt
    rm link
    refused "work inside upper" 'would show in the mount' -- bash -c 'mkdir -p upper/w && unionfsd mount --lower lower --upper upper --work upper/w mnt'
    rmdir upper/w
    refused "work inside lower" 'lies inside lower layer' -- bash -c 'mkdir -p lower/w && unionfsd mount --lower lower --upper upper --work lower/w mnt'
    rmdir lower/w
    refused "upper and work are one" 'is the upper layer itself' -- unionfsd mount --lower lower --upper upper --work upper mnt

    mkdir other && mount -t tmpfs none other && mkdir other/work
    refused "upper and work on different filesystems" 'on different filesystems' -- unionfsd mount --lower lower --upper upper --work other/work mnt
    umount other
    mkdir -p bound/work && mkdir real && mount --bind real bound/work
    refused "upper and work on different mounts" 'on different mounts of one filesystem' -- unionfsd mount --lower lower --upper upper --work bound/work mnt
    umount bound/work && rm -r bound real other

    touch work/precious
    refused "a work directory with foreign data" 'is not empty: it has "precious" in it' -- unionfsd mount $usual mnt
    check "which is left alone" test -e work/precious
    rm work/precious
    mkdir -p work/work/incompat/volatile
    refused "after a volatile mount that crashed" 'volatile mount that did not end in order' -- unionfsd mount $usual mnt
    rm -r work/work

    refused "a mount point that does not exist" 'mount point "nowhere" does not exist' -- unionfsd mount $usual nowhere
    refused "a mount point that is a file" 'mount point "lower/file" is not a directory' -- unionfsd mount $usual lower/file
    mkdir upper/mnt
    refused "a mount point inside the upper layer" 'lies inside upper layer' -- unionfsd mount $usual upper/mnt
    rmdir upper/mnt
    refused "no mount point" "Missing expected argument '<mnt>'" 64 -- unionfsd mount $usual
    refused "two mount points" "Unexpected argument" 64 -- unionfsd mount $usual mnt mnt2

    refused "an unknown option" 'unknown option "lowerdirs"; did you mean "lowerdir"\?' 64 -- unionfsd mount -o lowerdirs=lower mnt
    refused "an unknown flag" "Unknown option '--lowr'" 64 -- unionfsd mount --lowr lower mnt
    refused "a bad value" 'xino=maybe: the value must be one of on\|off\|auto' 64 -- unionfsd mount --lower lower -o xino=maybe mnt
    refused "bad id ranges" 'uidmapping=0:1: the value must be triples' 64 -- unionfsd mount --lower lower -o uidmapping=0:1 mnt
    refused "an empty option" 'an empty option' 64 -- unionfsd mount --lower lower -o ro,,volatile mnt
    refused "options at odds" 'metacopy=on needs redirect_dir' 64 -- unionfsd mount --lower lower -o metacopy=on,redirect_dir=off mnt
    refused "an unknown command" "Unexpected argument|Error" 64 -- unionfsd remount mnt

    mkdir ro && mount -t tmpfs none ro && mkdir ro/upper ro/work && mount -o remount,ro ro
    refused "an upper layer on a read-only filesystem" 'is on a read-only filesystem' -- unionfsd mount --lower lower --upper ro/upper --work ro/work mnt
    umount ro && rmdir ro

    input_in_use
    input_without_xattrs
}

input_in_use() {
    mkdir upper2 work2 mnt2
    mount_usual || { not_ok "an ordinary mount"; return; }
    busy() { # NAME PATTERN COMMAND...
        local name=$1 pattern=$2 status=0
        shift 2
        timeout 20 "$@" >out 2>err || status=$?
        if [ "$status" = 1 ] && grep -qF -- "$pattern" err && [ "$(ours)" = 1 ]; then ok "$name"; else not_ok "$name: status $status, $(cat err)"; fi
    }
    busy "an upper layer in use" "upper layer \"upper\" is in use by the mount at \"$SCRATCH/mnt\"" unionfsd mount --lower lower --upper upper --work work2 mnt2
    busy "a work directory in use" "work directory \"work\" is in use by the mount at \"$SCRATCH/mnt\"" unionfsd mount --lower lower --upper upper2 --work work mnt2
    busy "the upper layer as work directory of another" "is in use by the mount at" unionfsd mount --lower lower --upper upper2 --work upper mnt2
    busy "a mount over a mount" "is a mount of unionfsd already" unionfsd mount --lower lower --upper upper2 --work work2 mnt
    check "the first one goes on" grep -q lower mnt/file
    # What was in use a moment ago is free now.
    check "mounted again at once" bash -c 'unionfsd umount mnt && unionfsd mount --lower lower --upper upper --work work2 mnt2 && unionfsd umount mnt2'
    rm -r upper2 work2 mnt2
}

input_without_xattrs() {
    mkdir plain && mount -t ramfs none plain && mkdir plain/upper plain/work
    if setfattr -n trusted.overlay.x -v y plain/upper 2>/dev/null; then
        ok "no filesystem without attributes here to try (ramfs has them)"
    else
        unionfsd mount --lower lower --upper plain/upper --work plain/work mnt 2>err
        if grep -q 'takes no extended attributes of overlay' err && grep -q 'from the lower' mnt/file && echo new >mnt/new && [ -e plain/upper/new ]; then
            ok "an upper layer without attributes: said, and mounted"
        else not_ok "an upper layer without attributes: $(cat err)"; fi
        unionfsd umount mnt
    fi
    umount plain && rmdir plain
}

part_engine() {
    local i again
    mkdir bin
    for name in fuse-overlayfs mount.fuse.unionfsd fuse3.unionfsd unionfs; do ln -s "$BIN/unionfsd" bin/$name; done
    layers=lowerdir=lower,upperdir=upper,workdir=work

    # mounted NAME COMMAND...: status 0, the file there at once, and gone after umount.
    mounted() {
        local name=$1 status=0
        shift
        timeout 20 "$@" >out 2>err </dev/null || status=$?
        if [ $status = 0 ] && grep -q 'from the lower' mnt/file 2>>err; then ok "$name"; else not_ok "$name: status $status, $(cat out err)"; fi
        timeout 20 unionfsd umount mnt 2>/dev/null || umount -l mnt
    }
    mounted "as fuse-overlayfs" bin/fuse-overlayfs -o $layers mnt
    check "nothing is said when all is well" test ! -s out -a ! -s err
    mounted "as unionfs" bin/unionfs -o $layers mnt
    mounted "unionfsd itself" unionfsd -o $layers mnt
    mounted "unionfsd-mount" unionfsd-mount -o $layers mnt
    mounted "several -o" bin/fuse-overlayfs -o lowerdir=lower -o upperdir=upper -oworkdir=work mnt
    mounted "mount point before the options" bin/fuse-overlayfs mnt -o $layers
    mounted "containerd's order" /bin/sh -c "bin/fuse3.unionfsd overlay $SCRATCH/mnt -o $layers,dev,suid"
    mounted "mount(8)'s helper" bin/mount.fuse.unionfsd none mnt -n -v -o rw,$layers
    mounted "mount.fuse3's order" bin/fuse3.unionfsd overlay mnt -o $layers -t fuse3.unionfsd
    mounted "an empty option" bin/fuse-overlayfs -o $layers,,volatile mnt
    check "which is told" grep -q 'empty option ignored' err
    mounted "an unknown option" bin/fuse-overlayfs -o $layers,frobnicate=1 mnt
    check "which is told by its name" grep -q 'unknown option "frobnicate" ignored' err
    mounted "an unknown flag" bin/fuse-overlayfs --frobnicate -o $layers mnt
    mounted "without upper and work" bin/fuse-overlayfs -o lowerdir=lower:work mnt
    mounted "private" bin/fuse-overlayfs -o $layers,private mnt
    mkdir upper2 work2
    mounted "owners in attributes" bin/fuse-overlayfs -o lowerdir=lower,upperdir=upper2,workdir=work2,xattr_permissions=2 mnt
    rm -r upper2 work2
    touch work/stray
    mounted "a stray file in the work directory" bin/fuse-overlayfs -o $layers mnt
    check "which is told and left alone" bash -c 'grep -q stray err && [ -e work/stray ]'
    rm work/stray

    mkdir 'a:b' 'c,d' && echo one >'a:b/one' && echo two >'c,d/two'
    mounted "colons and commas in names" bin/fuse-overlayfs -o 'lowerdir=a\:b:c\,d:lower,upperdir=upper,workdir=work' mnt
    mkdir l && for i in $(seq 300); do mkdir -p many/$i && echo $i >many/$i/name-$i && ln -s ../many/$i l/$i; done
    mounted "three hundred layers through symlinks" bin/fuse-overlayfs -o "lowerdir=$(seq -f l/%g -s: 300):lower,upperdir=upper,workdir=work" mnt
    rm -r l many 'a:b' 'c,d'

    refused "a layer that does not exist" 'lower layer "nowhere" does not exist' -- bin/fuse-overlayfs -o lowerdir=nowhere,upperdir=upper,workdir=work mnt
    refused "no mount point" 'no mount point' 64 -- bin/fuse-overlayfs -o $layers
    refused "no options" 'no lower layer' 64 -- bin/fuse-overlayfs mnt
    mount_usual
    check "the upper layer of a live mount again, writable: told" bash -c \
        "mkdir -p mnt2 && bin/fuse-overlayfs -o $layers mnt2 2>err && grep -q 'is in use by the mount at' err && grep -q lower mnt2/file"
    unionfsd umount mnt2
    check "and read-only: nothing to tell" bash -c "bin/fuse-overlayfs -o $layers,ro mnt2 2>err && [ ! -s err ] && grep -q lower mnt2/file && ! touch mnt2/new 2>/dev/null"
    unionfsd umount mnt2
    rmdir mnt2
    unionfsd umount mnt
    check "a dry run of mount(8)" bash -c "bin/mount.fuse.unionfsd none mnt -f -o $layers && [ $(ours) = 0 ]"
    check "--version" bash -c "bin/fuse-overlayfs --version | grep -q '^unionfsd: version '"
    check "-h" bash -c "bin/fuse-overlayfs -h | grep -q lowerdir"
    engine_contract
    # An engine unmounts by itself and mounts again at once, while the last process is still on its way out.
    again=0
    for i in $(seq 50); do
        bin/fuse-overlayfs -o $layers mnt 2>/dev/null && grep -q lower mnt/file && umount mnt && again=$((again + 1)) || break
    done
    check "fifty times without a pause" test "$again" = 50
    waited=0
    while [ "$(entries)" != 0 ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    check "leaves nothing" quiet_after
    rm -r bin
}

# docs/podman.md, the contract.
engine_contract() {
    # An engine reads our output until its end, and passes descriptors that it forgot.
    local start=$SECONDS pid flags
    out=$(timeout 20 bin/fuse-overlayfs -o $layers mnt 2>&1 9>inherited) || true
    check "output is closed on return" test $((SECONDS - start)) -lt 10 -a -z "$out"
    pid=$(served)
    check "nothing inherited is open" bash -c "! readlink /proc/$pid/fd/* | grep inherited"
    check "standard descriptors lead nowhere" bash -c "[ \$(readlink /proc/$pid/fd/0) = /dev/null ] && [ \$(readlink /proc/$pid/fd/1) = /dev/null ] && [[ \$(readlink /proc/$pid/fd/2) = $UNIONFSD_RUN_DIR/*/log ]]"
    rm inherited
    check "its directory is the root" test "$(readlink /proc/$pid/cwd)" = /
    check "a session of its own, its guardian's" test "$(ps -o sid= -p $pid | tr -d ' ')" = "$(ps -o ppid= -p $pid | tr -d ' ')"
    check "the guardian's directory is the root" test "$(readlink "/proc/$(ps -o ppid= -p $pid | tr -d ' ')/cwd")" = /
    flags=$(mounts_here | cut -d' ' -f6)
    check "nodev, noatime, set-uid honoured" bash -c "[[ ,$flags, = *,nodev,* ]] && [[ ,$flags, = *,noatime,* ]] && [[ ,$flags, != *,nosuid,* ]]"
    check "default_permissions and allow_other" bash -c "grep -F ' $SCRATCH/mnt ' /proc/self/mountinfo | grep default_permissions | grep -q allow_other"
    check "fusermount3 -u" fusermount3 -u mnt
    waited=0
    while [ "$(entries)" != 0 ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    check "which ends the process and its entry" quiet_after
    # podman takes its id-mapped layers out of the tree as soon as we return.
    mkdir detached && mount -t tmpfs tmpfs detached && mkdir detached/layer && echo held >detached/layer/held
    bin/fuse-overlayfs -o lowerdir=detached/layer,upperdir=upper,workdir=work mnt 2>err
    check "a layer may go from the tree" umount -l detached
    check "it is held" bash -c '[ "$(cat mnt/held)" = held ] && echo more >>mnt/held && [ "$(cat upper/held)" = "held
more" ]'
    unionfsd umount mnt && rmdir detached && rm upper/held
    # Programs that know neither may read these layers later.
    bin/fuse-overlayfs -o $layers mnt 2>err
    check "directories of layers are not redirected" bash -c '! python3 -c "import os; os.rename(\"mnt/dir\", \"mnt/moved\")" 2>/dev/null && mv mnt/dir mnt/moved && ! getfattr -R -d -m overlay.redirect upper | grep redirect'
    chmod 600 mnt/file
    check "and copies have their data" bash -c '[ "$(cat upper/file)" = "from the lower layer" ]'
    unionfsd umount mnt
}

part_captured() {
    local who words arguments home
    home=$PWD/home/overlay
    mkdir -p "$home"/{l,base/diff,base/empty,second/diff}
    echo "from the base" >"$home/base/diff/file" && echo "from the second" >"$home/second/diff/second"
    ln -s ../base/diff "$home/l/A" && ln -s ../second/diff "$home/l/B"
    # A name with a blank in it would be two words; no engine has one.
    while IFS= read -r line; do
        [[ $line != '#'* ]] || continue
        who=${line%%: *} words=${line#*: }
        read -ra arguments <<<"${words//G\//$home/}"
        rm -rf "$home/ID" && mkdir -p "$home"/ID/{diff,work,merged}
        (cd "$home" && timeout 20 unionfsd-mount "${arguments[@]}" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null)
        if [ "$(cat "$home/ID/merged/file" 2>&1)" = "from the base" ]; then ok "$who"; else not_ok "$who: $words: $(cat out err)"; fi
        check "$who: nothing is unknown" bash -c "! grep -v 'security context\|empty option' err"
        timeout 20 umount "$home/ID/merged" 2>/dev/null || umount -l "$home/ID/merged"
    done <"$here/captured"
    rm -rf home
}

part_life() {
    # Ready means ready: twenty times, the file is read in the next system call.
    local i all=1
    for i in $(seq 20); do
        mount_usual && read -r line <mnt/file && [ "$line" = 'from the lower layer' ] && unmount_usual && [ ! -e mnt/file ] || { all=0; break; }
    done
    check "twenty mounts, each there on return and gone on return" test $all = 1

    mount_usual
    check "listed" bash -c "unionfsd list | grep -q '^$SCRATCH/mnt  alive, process '"
    check "with its layers, as JSON" quietly jq -e --arg d "$SCRATCH" '.[0] | .mountpoint == $d + "/mnt" and .lower == [$d + "/lower"] and .upper == $d + "/upper"
        and .work == $d + "/work" and .state == "alive" and .visible and .age_seconds < 60 and (.pid > 1) and (.read_only | not)' <(unionfsd list --json)
    check "dev is honoured for people" bash -c "[[ ,$(mounts_here | cut -d' ' -f6), != *,nodev,* ]]"
    chmod 600 mnt/file && rm mnt/other && ls -l mnt >/dev/null
    check "statistics" quietly jq -e '.copy_ups.by_cause.chmod == 1 and .copy_ups.total == 1 and .copy_ups.files == 1 and .copy_ups.bytes == 21 and .whiteouts == 1
        and .requests.LOOKUP.count > 0 and .requests.SETATTR.p50_us > 0 and .requests.LOOKUP.p99_us >= .requests.LOOKUP.p50_us
        and .inodes > 0 and .open_files == 0 and .copy_ups.time_us.p50 > 0 and ([.copy_ups.time_us.histogram[].count] | add) == 1' <(unionfsd stats mnt --json)
    check "for people" bash -c "unionfsd stats mnt | grep -q 'chmod 1' && unionfsd stats mnt | grep -q '^LOOKUP '"
    check "of a path in the mount" bash -c "unionfsd stats mnt/dir --json | jq -e '.mountpoint == \"$SCRATCH/mnt\"' >/dev/null"
    check "of all mounts" bash -c "unionfsd stats --json | jq -e 'length == 1' >/dev/null"
    timeout 3 unionfsd stats mnt --json --watch >watched 2>&1 || true
    check "watched" bash -c "[ \$(wc -l <watched) -ge 2 ] && jq -e .whiteouts watched >/dev/null"
    refused_not_ours "statistics of no mount" 'is not a mount of unionfsd' unionfsd stats lower
    refused_not_ours "umount of no mount" 'is not a mount of unionfsd' unionfsd umount lower
    refused_not_ours "umount of nothing" 'does not exist' unionfsd umount nowhere
    refused_not_ours "umount of a path in a mount" 'lies inside a mount; name its mount point' unionfsd umount mnt/dir

    exec 8<mnt/file
    refused_not_ours "umount of a busy mount" 'is busy' unionfsd umount mnt
    check "umount --lazy" timeout 20 unionfsd umount --lazy mnt
    check "serves what is open, out of view" bash -c "read -r line <&8 && [ \"\$line\" = 'from the lower layer' ] && [ $(ours) = 0 ]"
    exec 8<&-
    waited=0
    while [ "$(entries)" != 0 ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    check "and ends with it" quiet_after

    mount_usual --read-only
    check "read-only, with an upper layer" bash -c "[ \$(cat mnt/file | wc -c) = 21 ] && ! touch mnt/x 2>/dev/null && unionfsd list | grep -q read-only"
    unmount_usual
    life_of_odd_names
    check "doctor" bash -c "unionfsd doctor '$SCRATCH' >/dev/null && unionfsd doctor --json | jq -e '.can_mount and (.checks | length > 15)' >/dev/null"
    check "doctor leaves nothing" bash -c "! ls -d /tmp/unionfsd-doctor-* '$SCRATCH'/unionfsd-doctor-* 2>/dev/null && ! grep -q unionfsd-doctor /proc/self/mountinfo"
}

# refused_not_ours NAME PATTERN COMMAND...: fails and changes nothing.
refused_not_ours() {
    local name=$1 pattern=$2 status=0 before
    before=$(ours)
    shift 2
    timeout 20 "$@" >out 2>err </dev/null || status=$?
    if [ $status = 1 ] && grep -q -- "$pattern" err && [ "$(ours)" = "$before" ]; then ok "$name"; else not_ok "$name: status $status, $(cat err)"; fi
}

life_of_odd_names() {
    local odd
    for odd in 'with blank' $'new\nline' $'no\xfftext' 'a:b,c\d' 'qu"ote'; do
        mkdir -p "odd/$odd"/{lower,upper,work,mnt} && echo here >"odd/$odd/lower/f"
        if unionfsd mount --lower "odd/$odd/lower" --upper "odd/$odd/upper" --work "odd/$odd/work" "odd/$odd/mnt" 2>err && [ "$(cat "odd/$odd/mnt/f")" = here ] &&
            unionfsd stats "odd/$odd/mnt" >/dev/null && unionfsd umount "odd/$odd/mnt"; then ok "a path like $(printf %q "$odd")"; else not_ok "a path like $(printf %q "$odd"): $(cat err)"; fi
    done
    unmount_below "$SCRATCH/odd"
    rm -r odd
}

part_processes() {
    local pid
    # One process: what another does when it dies is tested in Tests/Takeover.
    mount_usual -o guardian=off
    pid=$(served)
    chmod 600 mnt/file
    kill -STOP "$pid"
    check "statistics of a stopped process" bash -c "timeout 5 unionfsd stats mnt --json | jq -e '.copy_ups.by_cause.chmod == 1' >/dev/null"
    check "which is listed as stopped" bash -c "timeout 5 unionfsd list | grep -q 'mnt  stopped, process $pid'"
    kill -CONT "$pid"
    check "and goes on" bash -c "timeout 5 cat mnt/other >/dev/null"
    kill -KILL "$pid"
    waited=0
    while [ -n "$(served)" ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    check "statistics of a dead process" bash -c "timeout 5 unionfsd stats mnt --json | jq -e '.copy_ups.by_cause.chmod == 1 and .state == \"dead\"' >/dev/null"
    check "which is listed as dead" bash -c "timeout 5 unionfsd list | grep -q 'mnt  dead, process $pid'"
    refused_not_ours "a mount over a dead one" 'unmount it first' unionfsd mount --lower lower --upper upper --work work mnt
    check "umount of a dead mount" unmount_usual
    check "leaves nothing" quiet_after
    check "its upper layer is free, with what was changed" bash -c "unionfsd mount $usual mnt && [ \$(stat -c %a mnt/file) = 600 ] && unionfsd umount mnt"

    mount_usual -o guardian=off
    kill_served
    umount -l mnt
    check "what a dead process left is swept" bash -c '[ -z "$(unionfsd list)" ]'
    check "to the last file" quiet_after
    mount_usual -o guardian=off
    kill_served
    umount -l mnt
    mount_usual
    waited=0
    while [ "$(entries)" != 1 ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    check "by the next mount too" test "$(entries)" = 1
    unmount_usual

    mount_usual --volatile
    check "a volatile mount is marked" test -e work/work/incompat/volatile/dirty
    unmount_usual
    check "and no more after its end" test ! -e work/work/incompat
    mount_usual --volatile -o guardian=off
    kill_served
    umount -l mnt
    unionfsd list
    refused "and for ever after a crash" 'volatile mount that did not end in order' -- unionfsd mount $usual mnt
    refused "to engines too" 'volatile mount that did not end in order' -- unionfsd -o lowerdir=lower,upperdir=upper,workdir=work mnt
    rm -r work/work

    for signal in TERM INT HUP; do
        mount_usual
        pid=$(served)
        kill -$signal "$pid"
        waited=0
        while [ -e "/proc/$pid" ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
        check "SIG$signal unmounts" quiet_after
    done

    unionfsd mount $usual -f mnt >out 2>err &
    pid=$!
    waited=0
    while [ ! -e mnt/file ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    check "in the foreground" test -e mnt/file -a "$(ps -o ppid= -p "$(served)" | tr -d ' ')" = $pid
    kill -TERM $pid
    check "ends with status 0" wait $pid
    check "and leaves nothing" quiet_after

    # A container's own mount namespace.
    unshare -m --propagation private bash -c "unionfsd mount $usual mnt && touch there && exec sleep 30" &
    waited=0
    while [ ! -e there ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    check "a mount of another namespace is listed as such" bash -c "unionfsd list | grep -q 'in another mount namespace' && unionfsd list --json | jq -e '.[0].visible == false' >/dev/null"
    check "with statistics" bash -c "unionfsd stats '$SCRATCH/mnt' --json | jq -e .requests >/dev/null"
    refused_not_ours "and cannot be unmounted from here" 'in another mount namespace.*nsenter' unionfsd umount "$SCRATCH/mnt"
    kill %2 2>/dev/null || kill %1
    kill "$(served)" || true
    waited=0
    while [ "$(entries)" != 0 ] && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    check "it ends with its namespace" quiet_after
    rm -f there

    # No run directory: mounted all the same.
    touch notdir
    check "without a run directory" bash -c "UNIONFSD_RUN_DIR=$SCRATCH/notdir unionfsd mount $usual mnt 2>err && grep -q 'will not be listed' err && cat mnt/file >/dev/null && umount mnt"
    waited=0
    while pgrep -f "unionfsd-mount.*upperdir=upper" >/dev/null && [ $waited -lt 100 ]; do sleep 0.05; waited=$((waited + 1)); done
    rm notdir
}

# Somebody who is not root, with a /dev/fuse for everybody in a mount namespace of this test's own.
part_user() {
    local uid line
    uid=$(id -u nobody)
    mknod fuse c 10 229 && chmod 666 fuse
    rm -rf "$UNIONFSD_RUN_DIR"
    chown -R "$uid:$(id -g nobody)" lower upper work mnt && chmod 777 .
    cat >as-user <<'END'
set -u
mount --bind fuse /dev/fuse
as() { setpriv --reuid nobody --regid $(id -g nobody) --clear-groups "$@"; }
verdict() { local s=$?; if [ $s = 0 ]; then echo "ok $1"; else echo "not ok $1"; fi; }
as timeout 20 unionfsd mount $usual mnt
verdict "an ordinary user mounts"
grep -q 'from the lower' mnt/file 2>/dev/null && false || as grep -q 'from the lower' mnt/file
verdict "and reads"
as bash -c 'chmod 600 mnt/file && echo new >mnt/new && rm mnt/other && ! ls mnt/other 2>/dev/null && [ -e upper/new ]'
verdict "and writes"
grep -q " $PWD/mnt .*nosuid,nodev.* fuse.unionfsd " /proc/self/mountinfo
verdict "without set-uid and devices"
as unionfsd list | grep -q 'mnt  alive'
verdict "lists"
as unionfsd stats mnt --json | jq -e '.copy_ups.by_cause.chmod == 1' >/dev/null
verdict "counts"
[ -z "$(UNIONFSD_RUN_DIR= XDG_RUNTIME_DIR=$PWD as unionfsd list)" ]
verdict "sees only its own run directory"
as timeout 20 unionfsd umount mnt
verdict "unmounts"
as timeout 20 unionfsd mount $usual -o guardian=off mnt && as bash -c 'kill -KILL $(unionfsd list --json | jq .[0].pid); sleep 0.3; unionfsd list | grep -q dead && unionfsd umount mnt'
verdict "unmounts what is dead"
as timeout 20 unionfsd mount $usual -o allow_other mnt 2>err
[ $? = 1 ] && grep -q user_allow_other err
verdict "is told about allow_other"
as timeout 20 unionfsd mount $usual mnt && as bash -c 'kill $(unionfsd list --json | jq .[0].pid); i=0; while [ -n "$(unionfsd list)" ] && [ $i -lt 100 ]; do sleep 0.05; i=$((i+1)); done; ! grep -q fuse.unionfsd /proc/self/mountinfo || ! mountpoint -q mnt'
verdict "SIGTERM unmounts"
as timeout 20 unshare -Urm bash -c 'unionfsd -o lowerdir=lower,upperdir=upper,workdir=work mnt && grep -q "from the lower" mnt/file && echo ns >mnt/ns &&
    unionfsd list | grep -q "mnt  alive" && rm mnt/file && ! [ -e mnt/file ] && unionfsd umount mnt && [ -e upper/ns ]'
verdict "root of a user namespace, as podman makes one"
END
    export usual
    # shellcheck disable=SC2034
    while IFS= read -r line; do
        case $line in "ok "*) ok "${line#ok }" ;; "not ok "*) not_ok "${line#not ok }" ;; *) echo "  $line" ;; esac
    done < <(unshare -m --propagation private bash as-user 2>&1)
    rm -rf "$UNIONFSD_RUN_DIR" fuse as-user
}

part_words() {
    local command
    for command in "" mount umount list stats doctor version; do
        check "help of unionfsd $command" bash -c "unionfsd $command --help | grep -q OVERVIEW"
    done
    check "version" bash -c '[ "$(unionfsd version)" = "$(unionfsd --version)" ]'
    for shell in bash zsh fish; do
        check "completions for $shell" bash -c "unionfsd --generate-completion-script $shell | grep -q unionfsd"
    done
    check "completions for bash parse" bash -c "unionfsd --generate-completion-script bash | bash -n"
    check "man page and completions are of this build" "$REPO/scripts/generate-docs" --check
}
