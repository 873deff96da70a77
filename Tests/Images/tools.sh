# shellcheck shell=bash disable=SC2154
# The tools with a storage of their own, what the test's images are made of, and how a store is looked at. For Tests/Images/run, which sources it after lib.sh.

is() { [ "$1" = "$2" ] || { echo "is '$1', should be '$2'"; return 1; }; }
same() { [ -s "$1" ] && diff "$1" "$2" | sed -n '1,10p' && cmp -s "$1" "$2"; }
quietly() { "$@" >said 2>&1 || { tail -n 20 said; return 1; }; }
unionfsd() { timeout 60 "$BIN/unionfsd" "$@" </dev/null; }
# For what reads standard input. With a bound on what it writes, so that one that does not find the end of it does not fill the disk.
image() { (ulimit -f 1048576 && timeout 30 "$BIN/unionfsd" image "$@"); }

# tools_settings NAME: a storage of that name, with the vfs driver, which copies each layer whole and mounts nothing; and what a machine without systemd and cgroups v2 has.
tools_settings() {
    local place=$SCRATCH/$1
    mkdir -p "$place/tmp" "$SCRATCH/r-$1"
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$place/storage" "$SCRATCH/r-$1" >"$place/storage.conf"
    printf '[containers]\nnetns = "host"\ndefault_ulimits = ["nofile=20000:20000","nproc=32768:32768"]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nimage_copy_tmp_dir = "%s"\n' \
        "$place/tmp" >"$place/containers.conf"
    chmod 700 "$SCRATCH/r-$1"
}
# `there`: where the images come from. `elsewhere`: where they arrive, and nothing of them is known.
tools_prepare() { tools_settings there; tools_settings elsewhere; }
# tool STORAGE COMMAND...
tool() {
    local place=$SCRATCH/$1
    shift
    timeout 120 env -i PATH="$PATH" HOME="$place" TMPDIR="$place/tmp" XDG_RUNTIME_DIR="$place/tmp" CONTAINERS_STORAGE_CONF="$place/storage.conf" CONTAINERS_CONF="$place/containers.conf" \
        BUILDAH_ISOLATION=chroot "$@"
}
there() { tool there "$@"; }
elsewhere() { tool elsewhere "$@"; }

# tools_build: the images one, two and three, of so many layers; the tree of three in `truth`.
tools_build() {
    local n names=(scratch one two three) work root
    for n in 1 2 3; do
        work=$(there buildah from "${names[n - 1]}" 2>&1) || die "buildah from: $work"
        root=$(there buildah mount "$work")
        python3 "$here/layers.py" "$n" "$root" || die "layer $n cannot be made"
        there buildah umount "$work" >/dev/null
        there buildah config --env LAYER="$n" --cmd "/bin/step-$n" "$work"
        there buildah commit -q "$work" "${names[n]}" >build.log 2>&1 || { cat build.log; die "buildah commit"; }
        there buildah rm "$work" >/dev/null
    done
    podman_tree there three truth
    for n in one two three; do
        eval "id_$n=sha256:$(there podman image inspect "$n" | jq -r '.[0].Id')"
        there podman image inspect "$n" | jq -r '.[0].RootFS.Layers[]' >"layers.$n"
    done
    check "the images have one, two and three layers" is "$(wc -l <layers.one) $(wc -l <layers.two) $(wc -l <layers.three)" "1 2 3"
}

# --- trees ---------------------------------------------------------------------------------------------------

# tree DIR FILE: all that is in it but for what no archive says. The root's mode is another with each storage driver, and its times are nobody's.
tree() { : >"$2" && manifest "$1" --portable >"$2.all" && grep -v ' \.$' "$2.all" >"$2"; }
# podman_tree STORAGE IMAGE FILE
podman_tree() {
    local root
    : >"$3"
    root=$(tool "$1" podman image mount "$2") && tree "$root" "$3" && tool "$1" podman image unmount "$2" >/dev/null
}
# umoci_tree LAYOUT:TAG FILE
umoci_tree() {
    : >"$2"
    rm -rf bundle && quietly timeout 60 umoci unpack --image "$1" bundle && tree bundle/rootfs "$2" && rm -rf bundle
}
# store_tree IMAGE FILE: what a mount of the image's layers shows.
store_tree() {
    local digest lowers=()
    mkdir -p mnt
    : >"$2"
    while read -r digest; do lowers=(--lower "$UNIONFSD_ROOT/layers/${digest#sha256:}/diff" "${lowers[@]}"); done < <(layers_of "$1")
    unionfsd mount "${lowers[@]}" mnt || return
    tree "$PWD/mnt" "$2" || { unionfsd umount mnt; return 1; }
    unionfsd umount mnt
}
tree_is() { store_tree "$1" tree.store && same "$2" tree.store; }

# --- stores --------------------------------------------------------------------------------------------------

# store NAME: a new one from here on.
store() { export UNIONFSD_ROOT=$SCRATCH/$1; rm -rf --one-file-system "$UNIONFSD_ROOT"; }
id_of() { unionfsd image inspect "$1" | jq -r .id; }
layers_of() { unionfsd image inspect "$1" | jq -r '.layers[].digest'; }
# layers_are IMAGE WHOSE: as podman or umoci states them of that image.
layers_are() { layers_of "$1" | diff "layers.$2" -; }
# What the layers take; the database and its journal are another matter.
store_size() { du -sB1 --exclude='store.db*' "$UNIONFSD_ROOT" | cut -f1; }
# store_tidy: the layers' directories are those that images have, and nothing is being made.
store_tidy() {
    unionfsd image ls --json >images.json && jq -r '.[].layers[].digest[7:]' images.json | sort -u >rows
    ls "$UNIONFSD_ROOT/layers" >directories
    diff rows directories && is "$(ls -A "$UNIONFSD_ROOT/tmp")" ""
}
empty_store() { local ids; mapfile -t ids < <(unionfsd image ls --quiet); [ ${#ids[@]} = 0 ] || unionfsd image rm --force "${ids[@]}" >/dev/null; }
# imports IMAGE LAYERS NEW ARGUMENT...: the import says so, and the image and its layers have the digests that podman states; what is imported is three, two or one.
imports() {
    local image=$1 layers=$2 new=$3 id=id_$1 said
    shift 3
    said=$(image import "$@" 2>import.err) || { cat import.err; return 1; }
    # shellcheck disable=SC2001
    is "$(sed 's/^[^ ]* *//' <<<"$said")" "${!id}  $layers, $new new" && layers_of "${!id}" | diff "layers.$image" - && store_tidy
}
# layout_digests LAYOUT[:TAG] FILE: the layers' digests as skopeo reads them there; prints the image's.
layout_digests() {
    skopeo inspect --config --raw "$1" >config.json && jq -r '.rootfs.diff_ids[]' config.json >"$2" && echo "sha256:$(sha256sum <config.json | cut -d' ' -f1)"
}
