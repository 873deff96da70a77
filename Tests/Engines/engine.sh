# shellcheck shell=bash
# An engine with a storage of its own, as root and as an ordinary user: for Tests/Engines/run and scripts/bench-podman, which source it after lib.sh.

# engines_prepare: a root filesystem, the steps and the programs, in the scratch directory.
engines_prepare() {
    start=$(date +%s)
    rootfs=$("$REPO/scripts/rootfs") || die "no root filesystem"
    mkdir base base/var base/var/debs context bin
    cp "$rootfs"/layer3/var/cache/apt/archives/{less,file,libmagic}*.deb base/var/debs
    # For setcap(8) in the image: of the machine's own release, which the root filesystem is of, too.
    (cd base/var/debs && apt-get download -q libcap2-bin >/dev/null 2>&1) || { apt_update; (cd base/var/debs && apt-get download -q libcap2-bin >/dev/null); }
    tar --exclude './srv/t' -C "$rootfs/layer1" -cf base.tar . && tar -C base -rf base.tar ./var/debs && rm -r base
    cp "$here/Containerfile" context
    cp "$BIN/unionfsd" "$BIN/unionfsd-mount" "$CHECK" bin
    cp "$here/steps.sh" .
    chmod -R a+rX .
}

user=unionfsd-test
engines_user() { ordinary_user $user; }

# settings WHO KIND: for an engine whose storage is a directory of its own.
settings() {
    # podman takes no runroot of more than 50 characters; as an ordinary user it is `containers` in XDG_RUNTIME_DIR.
    local place=$SCRATCH/$1-$2 run=$SCRATCH/${1:0:1}${2:0:1} driver=overlay program=
    mkdir -p "$run" "$place"/{out,tmp}
    case $2 in
    unionfsd) program="mount_program = \"$SCRATCH/bin/unionfsd-mount\"" ;;
    fuse-overlayfs) program="mount_program = \"$(command -v fuse-overlayfs)\"" ;;
    *) driver=$2 ;;
    esac
    printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrootless_storage_path = "%s"\nrunroot = "%s"\n[storage.options.overlay]\n%s\n' \
        "$driver" "$place/storage" "$place/storage" "$run/containers" "$program" >"$place/storage.conf"
    # What a machine without systemd, cgroups v2 and CAP_SYS_RESOURCE has.
    printf '[containers]\nnetns = "host"\ndefault_ulimits = ["nofile=20000:20000","nproc=32768:32768"]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nimage_copy_tmp_dir = "%s"\n' \
        "$place/tmp" >"$place/containers.conf"
    [ "$1" = root ] || chown -R $user "$place" "$run"
    chmod 700 "$run"
}
# engine WHO KIND STEP
engine() {
    local place=$SCRATCH/$1-$2 as=()
    [ "$1" = root ] || as=(setpriv --reuid $user --regid $user --init-groups)
    timeout 300 "${as[@]}" env -i PATH="$PATH" HOME="$place" TMPDIR="$place/tmp" XDG_RUNTIME_DIR="$SCRATCH/${1:0:1}${2:0:1}" \
        CONTAINERS_STORAGE_CONF="$place/storage.conf" CONTAINERS_CONF="$place/containers.conf" \
        BUILDAH_ISOLATION=chroot CHECK="$SCRATCH/bin/unionfsd-check" OUT="$place/out" START="$start" BASE="$SCRATCH/base.tar" CONTEXT="$SCRATCH/context" bash "$SCRATCH/steps.sh" "$3" </dev/null
}
