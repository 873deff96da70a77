# shellcheck shell=bash disable=SC2154
# Images in and out: PARTs import, roots and export of Tests/Images/run.

part_import() {
    heading "import: what podman saves"
    there podman save -q -o three.docker.tar three
    there podman save -q --format oci-archive -o three.oci.tar three
    there podman save -q --format oci-dir -o three.oci three
    there podman save -q --format docker-dir -o three.dir three
    store first
    check "docker-archive" imports three "3 layers" 3 three.docker.tar
    check "it is called as podman calls it" is "$(id_of localhost/three:latest) $(id_of three)" "$id_three $id_three"
    check "its tree" tree_is three truth
    size=$(store_size)
    check "once more: nothing new" imports three "3 layers" 0 three.docker.tar
    check "oci-archive: the same layers" imports three "3 layers" 0 three.oci.tar
    check "oci-dir: the same layers" imports three "3 layers" 0 three.oci
    check "the store has not grown" is "$(store_size)" "$size"
    for source in three.oci.tar three.oci; do
        store first
        check "$source into an empty store" imports three "3 layers" 3 $source
        check "$source: its tree" tree_is three truth
    done
    store first
    check "from a pipe" piped there podman save -q three
    check "from a pipe: as podman states it" grep -qF "$id_three  3 layers, 3 new" said
    check "from a pipe: its tree" tree_is three truth
    store first
    check "an archive on standard input" imports three "3 layers" 3 --name renamed:2 - <three.oci.tar
    check "by another name" is "$(id_of renamed:2) $(unionfsd image ls --json | jq -c '.[].names')" "$id_three [\"renamed:2\"]"
    mkdir docker && tar -C docker -xf three.docker.tar
    store first
    check "a docker-archive as a directory" imports three "3 layers" 3 docker
    gzip -1 <three.docker.tar >three.docker.tar.gz
    zstd -q -1 three.oci.tar
    store first
    check "a docker-archive with gzip around it" imports three "3 layers" 3 three.docker.tar.gz
    store first
    check "an oci-archive with zstd around it" imports three "3 layers" 3 three.oci.tar.zst
    check "--quiet prints the digest alone" is "$(image import --quiet three.oci 2>&1)" "$id_three"
    store first
    there podman save -q -m -o all.tar one two three
    check "three images in one archive" quietly image import all.tar
    check "each is there" is "$(id_of one) $(id_of two) $(id_of three)" "$id_one $id_two $id_three"
    check "their layers once" is "$(directories) $(unionfsd image inspect one | jq '.layers[0].images')" "3 3"
    store first
    there podman save -q -o one.tar one
    there podman save -q -o two.tar two
    check "an image of one layer" imports one "1 layer" 1 one.tar
    check "one that has a layer more" imports two "2 layers" 1 two.tar
    check "and one more" imports three "3 layers" 1 three.docker.tar
    check "its tree, of layers that came one by one" tree_is three truth

    heading "import: links whose targets are no UTF-8"
    # podman has such a target in a pax header, raw; tar(1) has it in the plain one. Alone, as what a reader does with the first is not what it does with the next.
    local kind work latin
    for kind in soft hard both; do
        work=$(there buildah from scratch)
        latin=$(there buildah mount "$work")
        mkdir "$latin/d" && echo linked >"$latin/d/"$'\xe4'
        [ $kind = soft ] || ln "$latin/d/"$'\xe4' "$latin/"$'\xe5'
        [ $kind = hard ] || ln -s $'\xe4\xff' "$latin/"$'\xfc'
        [ $kind != both ] || ln -s ascii "$latin/ascii"
        there buildah commit -q "$work" $kind >build.log 2>&1 && there buildah rm "$work" >/dev/null
        there podman save -q -o $kind.tar $kind
        podman_tree there $kind truth.$kind || true
        # libarchive forgets such a target where no symlink was before it.
        if [ $kind = soft ]; then
            check "$kind: refused, with a sentence" bash -c "! \"\$0\" image import \"\$1\" 2>said && grep -q 'cannot be read' said" "$BIN/unionfsd" $kind.tar
            continue
        fi
        check "$kind: an image with them" quietly image import $kind.tar
        check "$kind: its tree" tree_is $kind truth.$kind
    done

    heading "import: what skopeo copies"
    there skopeo copy -q containers-storage:localhost/three:latest oci:sk:three
    skopeo copy -q oci:sk:three docker-archive:sk.tar:localhost/three:latest
    skopeo copy -q --dest-compress-format zstd oci:sk:three oci:skz:three
    check "skopeo states the same digest" is "$(layout_digests oci:sk:three skopeo.layers)" "$id_three"
    check "and the same layers" same layers.three skopeo.layers
    store first
    check "oci:" imports three "3 layers" 3 sk
    check "its name is the layout's with its tag" is "$(id_of sk:three)" "$id_three"
    check "its tree" tree_is sk:three truth
    skopeo inspect --raw oci:skz:three | jq -r '.layers[].mediaType' | sort -u >types
    check "layers in zstd, as said" grep -q zstd types
    store first
    check "layers in zstd" quietly image import --name z skz
    check "are the same" layers_are z three
    check "its tree" tree_is z truth
    store first
    check "what skopeo makes a docker-archive of" quietly image import sk.tar
    check "has the same layers" layers_are three three
    store first
    check "image pull by skopeo" quietly unionfsd image pull --name pulled "oci:$SCRATCH/sk:three"
    check "has the digest" is "$(id_of pulled)" "$id_three"

    heading "import: what umoci repacks"
    # With a directory that is replaced: umoci says so by one marker, podman's vfs driver by a whiteout for each name.
    cp -r sk um
    check "umoci unpack" quietly timeout 60 umoci unpack --image um:three work
    rm -r work/rootfs/usr/share/data work/rootfs/opt/app work/rootfs/etc/passwd
    mkdir -p work/rootfs/usr/share/data/new && echo new >work/rootfs/usr/share/data/new/file && echo more >>work/rootfs/opt/pair && setfattr -n user.umoci -v u work/rootfs/srv
    check "umoci repack" quietly timeout 60 umoci repack --image um:four work
    # A layer by hand, with an opaque directory behind what is in it, and before.
    python3 "$here/hostile.py" opaque opaque.tar
    check "umoci raw add-layer" quietly timeout 60 umoci raw add-layer --image um:four --tag five opaque.tar
    for tag in four five; do
        umoci_tree um:$tag umoci.$tag || true
        id=$(layout_digests oci:um:$tag umoci.layers)
        umoci stat --image um:$tag --json | jq -r '.history[] | select(.empty_layer != true) | .diff_id' >umoci.stated
        check "umoci and skopeo are of one mind" same umoci.layers umoci.stated
        cp umoci.layers layers.$tag && eval "id_$tag=$id"
    done
    store first
    check "three images of one layout" quietly image import um
    for tag in four five; do
        id=id_$tag
        check "$tag: its digest" is "$(id_of um:$tag)" "${!id}"
        check "$tag: its layers" layers_are um:$tag $tag
        check "$tag: the tree that umoci unpacks" tree_is um:$tag umoci.$tag
    done
    check "the opaque directories are so" is "$(cd "$UNIONFSD_ROOT/layers" && getfattr -R -h -d -m trusted.overlay.opaque . 2>/dev/null | grep -c '="y"')" "2"
    check "history has each layer" is "$(unionfsd image history um:five | tail -n +2 | grep -c '^[0-9a-f]\{12\}')" "5"
    check "nothing but what the images have" store_tidy
}

part_roots() {
    heading "import: root filesystems"
    mkdir root && python3 "$here/layers.py" 1 "$PWD/root"
    # A target that is no UTF-8.
    ln -s $'\xe4\xff' root/names/to-latin
    setfacl -m u:33:r root/etc/shadow && setfacl -d -m g:8:rx root/var/mail
    truncate -s 24M root/opt/hole && printf end >>root/opt/hole
    tree "$PWD/root" truth.root
    tar -C root --format=pax --xattrs --xattrs-include='*' --numeric-owner --sparse -cf root.tar .
    tar -C root --format=gnu --sparse --numeric-owner --exclude=./srv/far -cf gnu.tar .
    for by in gzip zstd xz bzip2; do $by -1 <root.tar >root.tar.$by; done
    diff_id=sha256:$(sha256sum <root.tar | cut -d' ' -f1)
    store roots
    check "a tar file" quietly image import --name root:plain root.tar
    check "the layer's digest is that of the file" is "$(layers_of root:plain)" "$diff_id"
    check "its tree" tree_is root:plain truth.root
    check "its holes are holes" test "$(du -sm "$UNIONFSD_ROOT/layers" | cut -f1)" -lt 16
    for by in gzip zstd xz bzip2; do
        check "$by" quietly image import --name root:$by root.tar.$by
        check "$by: the same layer" is "$(layers_of root:$by) $(grep -c '1 layer, 0 new' said)" "$diff_id 1"
    done
    check "from standard input" nothing_new --name root:stdin - <root.tar.gzip
    check "in the old form of sparse files" quietly image import --name root:gnu gnu.tar
    # That form knows no attributes: contents, owners and modes then.
    store_tree root:gnu tree.gnu || true
    awk '{ $7 = $9 = ""; print }' tree.gnu | sort >gnu && awk '{ $7 = $9 = ""; print }' truth.root | grep -v ' srv/far$' | sort >gnu.truth
    check "in the old form: its tree" same gnu.truth gnu
    check "a directory" quietly image import --name root:directory root
    store_tree root:directory tree.directory || true
    for tree in truth.root tree.directory; do to_seconds $tree >$tree.seconds; done
    check "a directory: its tree" same truth.root.seconds tree.directory.seconds
    check "a directory: its tree, with times to the nanosecond" same truth.root tree.directory
    size=$(unionfsd image inspect root:directory | jq .bytes)
    check "a directory: its holes are holes ($size bytes)" test "$size" -lt $((16 << 20))
    check "the same directory is the same layer" nothing_new --name root:again root
    check "the directory is as it was" tree_still "$PWD/root" truth.root
    check "nothing but what the images have" store_tidy
    for name in plain gnu directory; do
        check "root:$name goes out" quietly image export --output "root.$name.out" root:$name
        umoci_archive_tree "root.$name.out" tree.out || true
        store_tree root:$name tree.in || true
        # umoci makes no access lists of what other tools write.
        for tree in in out; do grep -v ' etc/shadow$\| var/mail$' tree.$tree >tree.$tree.listless; done
        check "root:$name: the tree that umoci unpacks" same tree.in.listless tree.out.listless
    done
    export UNIONFSD_ROOT=$SCRATCH/roots2
    for name in plain directory; do
        check "root:$name comes back" quietly image import "root.$name.out"
        check "root:$name: the same image" is "$(id_of root:$name)" "$(UNIONFSD_ROOT=$SCRATCH/roots id_of root:$name)"
        store_tree root:$name tree.back || true
        to_seconds tree.back >tree.back.seconds
        check "root:$name: the same tree" same truth.root.seconds tree.back.seconds
    done
    check "one that cannot be made again byte for byte comes back" quietly image import root.gnu.out
    check "with the same tree" tree_is root:gnu tree.gnu
    rm -rf root root.tar* root.*.out gnu.tar
}
# piped COMMAND...: its output is imported.
piped() { "$@" | image import - >said 2>&1 || { tail -n 3 said; return 1; }; }
# nothing_new ARGUMENT...: an import of a layer that is there.
# shellcheck disable=SC2015
nothing_new() { image import "$@" >said 2>&1 && grep -q '1 layer, 0 new' said || { tail -n 3 said; return 1; }; }
to_seconds() { sed -E 's/ ([0-9]+)\.[0-9]{9} / \1 /' "$1"; }
tree_still() { tree "$1" tree.after && same "$2" tree.after; }
umoci_archive_tree() {
    rm -rf unpacked && mkdir unpacked && tar -C unpacked -xf "$1" && umoci_tree "unpacked:$(umoci ls --layout unpacked)" "$2"
}

part_export() {
    heading "export"
    [ -e three.oci.tar ] || there podman save -q --format oci-archive -o three.oci.tar three
    store third
    check "an image" imports three "3 layers" 3 three.oci.tar
    lowers_remember "$UNIONFSD_ROOT"/layers/*/diff
    rm -rf out*
    check "a tar file" quietly image export --output out.tar three
    check "a directory" quietly image export --output out --directory three
    check "layers that are not compressed" quietly image export --output out.plain --directory --uncompressed three
    check "to a pipe" bash -c "timeout 60 '$BIN/unionfsd' image export --output - three | cat >out.pipe.tar"
    check "each is the same layout, byte for byte" bash -c "mkdir piped filed && tar -C piped -xf out.pipe.tar && tar -C filed -xf out.tar && diff -r piped out && diff -r filed out"
    check "a directory that has something in it is refused" refused "not empty" image export --output out --directory three
    check "an image that is not there is refused" refused "no image is called" image export --output none.tar nothing
    check "and makes no file" test ! -e none.tar
    for source in oci-archive:out.tar oci:out oci:out.plain; do
        check "$source: skopeo reads the same digest" is "$(layout_digests $source exported.layers)" "$id_three"
        check "$source: and the same layers" same layers.three exported.layers
    done
    blobs() { skopeo inspect --raw "oci:$1" | jq -r '.layers[].digest' | while read -r digest; do $2 <"$1/blobs/sha256/${digest#sha256:}" | sha256sum | sed 's/^/sha256:/; s/ .*//'; done; }
    blobs out "gzip -dc" >exported.blobs
    check "the archives are the very bytes that they were" same layers.three exported.blobs
    blobs out.plain cat >exported.blobs
    check "uncompressed, too" same layers.three exported.blobs
    # shellcheck disable=SC2016
    check "a blob is what its name says" bash -c 'cd out/blobs/sha256 && for f in *; do [ "$(sha256sum <"$f")" = "$f  -" ] || exit 1; done'
    check "skopeo copy to a docker-archive" quietly skopeo copy -q oci:out docker-archive:copied.tar:three:copied
    check "skopeo copy to a directory, digests checked" quietly skopeo copy -q --preserve-digests oci-archive:out.tar dir:copied
    check "podman load" quietly elsewhere podman load -q -i out.tar
    check "podman load: the digest" is "sha256:$(elsewhere podman image inspect three | jq -r '.[0].Id')" "$id_three"
    check "podman load: the name" is "$(elsewhere podman image inspect three | jq -r '.[0].RepoTags[0]')" "localhost/three:latest"
    podman_tree elsewhere three tree.podman || true
    check "podman load: the tree" same truth tree.podman
    elsewhere podman rmi -f three >/dev/null 2>&1 || true
    check "podman pull oci-archive:" quietly elsewhere podman pull -q oci-archive:out.tar
    check "podman pull: the digest" is "$(sed 's/^/sha256:/' said)" "$id_three"
    elsewhere podman rmi -f "${id_three#sha256:}" >/dev/null 2>&1 || true
    # podman pull makes a name of the path, and this one's has capital letters.
    check "skopeo copy to podman's storage" quietly elsewhere skopeo copy -q oci:out.plain containers-storage:localhost/plain:latest
    podman_tree elsewhere plain tree.podman || true
    check "skopeo copy: the tree" same truth tree.podman
    umoci_tree out:localhost/three:latest tree.umoci || true
    check "umoci unpack: the tree" same truth tree.umoci
    umoci_tree out.plain:localhost/three:latest tree.umoci || true
    check "umoci unpack, uncompressed: the tree" same truth tree.umoci

    heading "export: back again"
    for source in out.tar out out.plain copied.tar; do
        store fourth
        if [ $source = copied.tar ]; then
            # skopeo writes a configuration of its own there.
            check "$source" quietly image import --name three $source
            check "$source: the same layers" layers_are three three
        else
            check "$source: the same image, the same layers" imports three "3 layers" 3 $source
        fi
        check "$source: the same tree" tree_is three truth
    done
    export UNIONFSD_ROOT=$SCRATCH/third
    check "into the store that it came from: nothing new" imports three "3 layers" 0 out.tar

    heading "what a container sees of it"
    check "create" quietly unionfsd create --name box three
    check "start" quietly unionfsd start box
    merged=$UNIONFSD_ROOT/containers/$(unionfsd ps --json | jq -r '.[0].id')/merged
    tree "$merged" tree.box || true
    check "the tree" same truth tree.box
    check "it can be changed" bash -c "echo changed >'$merged/etc/motd' && rm -r '$merged/opt' && chmod 700 '$merged/srv'"
    check "stop and rm" quietly unionfsd rm -f box
    end_supervisor
    check "the layers are untouched" lowers_untouched
    check "nothing is left" store_tidy
    check "an image with a layer that somebody changed does not go out" changed_layer
}
# changed_layer: its archive is not what its digest says any more, and a sentence says so.
changed_layer() {
    local file
    file=$(find "$UNIONFSD_ROOT"/layers/*/diff/usr/share/large2)
    printf X | dd of="$file" bs=1 seek=100 conv=notrunc status=none
    refused "not as it was" image export --output changed.tar three && [ ! -e changed.tar ]
}
supervisors() { grep -zlxF -- "$UNIONFSD_ROOT" /proc/[0-9]*/cmdline 2>/dev/null | xargs -r grep -zlx supervise 2>/dev/null | cut -d/ -f3; }
# end_supervisor: the one that `start` left for this store, which would stay for a minute.
end_supervisor() {
    local process
    for process in $(supervisors); do kill "$process" 2>/dev/null; done
    for _ in {1..100}; do [ -n "$(supervisors)" ] || return 0; sleep 0.05; done
}
