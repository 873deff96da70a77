# shellcheck shell=bash disable=SC2154
# Images as tools write them, and what is none. Sourced by run.

# imported FILE NAME WHICH: one image of that name, with that file in it.
imported() {
    local said
    said=$(u image import -q "forms/$1") || return
    is "$(wc -l <<<"$said") $(u image inspect "$2" | jq -r .id)" "1 $said" && is "$(inside cat "$(layers_of "$2")/which")" "$3"
}
root_of() { u create --name r "$1" >/dev/null && u start r >/dev/null && in_tree r stat -c '%a' . && u rm -f r >/dev/null; }
part_forms() {
    heading "$who: forms of images"
    [ -d forms ] || python3 "$here/forms.py" forms
    chmod -R a+rX forms
    check "$who: crane, ko, kaniko" imported crane.tar crane:1 crane
    check "$who: Jib" imported jib.tar jib:1 jib
    check "$who: names with a slash at the beginning" imported slash.tar slash:1 slash
    check "$who: names with a dot" imported dot.tar dot:1 dot
    check "$who: names that nobody else uses" imported other-names.tar other:1 other
    check "$who: an index in an index in an index" imported nested.tar nested:1 nested
    check "$who: attestations beside an image" imported attested.tar attested:1 attested
    check "$who: at the top, with a signature" imported attested-top.tar attested-top:1 attested-top
    check "$who: entries without a platform" imported no-platform.tar no-platform:1 no-platform
    check "$who: and a configuration without one" imported no-words.tar no-words:1 no-words
    check "$who: descriptors without a type" imported no-type.tar no-type:1 no-type
    check "$who: one name for several machines in index.json" imported top-platforms.tar top:1 top
    check "$who: a processor of any kind before a later one" imported variants.tar variants:1 variants
    check "$who: what is for other machines need not be there" imported partial.tar partial:1 partial
    check "$who: a layout, names with a dot" imported dot-layout.tar dot-layout:1 dot-layout
    check "$who: a layout, names with a slash" imported slash-layout.tar slash-layout:1 slash-layout
    check "$who: a layout without oci-layout" imported no-marker.tar no-marker:1 no-marker
    check "$who: what skopeo writes to dir:, as a tar file" bash -c '[ "$("$@" image import -q -n single:1 forms/single.tar | wc -l)" = 1 ]' sh "${as[@]}" "$BIN/unionfsd"
    check "$who: which it is" is "$(inside cat "$(layers_of single:1)/which")" single
    rm -rf forms/single && mkdir forms/single && tar -C forms/single -xf forms/single.tar && chmod -R a+rX forms/single
    check "$who: as a directory" bash -c '"$@" image import -n single:2 forms/single | grep -q "1 layer, 0 new"' sh "${as[@]}" "$BIN/unionfsd"
    rm -rf forms/crane && mkdir forms/crane && tar -C forms/crane -xf forms/crane.tar && chmod -R a+rX forms/crane
    check "$who: a directory in crane's form" imported crane crane:1 crane
    u image ls -q | sort >before
    check "$who: a configuration that is not its digest" refused 'not what its digest says' u image import forms/wrong-config.tar
    check "$who: another manifest.json" refused 'has a manifest.json.*cannot be read as an image.*--rootfs' u image import -n x forms/no-image.tar
    check "$who: beside a root filesystem" refused 'has a manifest.json.*cannot be read as an image.*--rootfs' u image import -n x forms/no-json.tar
    rm -rf forms/no-json && mkdir forms/no-json && tar -C forms/no-json -xf forms/no-json.tar && chmod -R a+rX forms/no-json
    check "$who: in a directory, too" refused 'has a manifest.json.*cannot be read as an image.*--rootfs' u image import -n x forms/no-json
    check "$who: from standard input" bash -c '! timeout 60 "${@}" image import -n x - <forms/no-image.tar 2>said && grep -q "cannot be read as an image" said' sh "${as[@]}" "$BIN/unionfsd"
    check "$who: an image without one of its layers" refused 'gone.tar' u image import forms/no-layer.tar
    check "$who: what Docker saved before 1.10" refused 'before version 1.10' u image import -n x forms/before-1.10.tar
    check "$who: a layout without an index" refused 'without its index.json' u image import -n x forms/no-index.tar
    check "$who: an image for other machines alone" refused 'not for this kind of machine: it has s390x' u image import forms/else.tar
    check "$who: nothing but an attestation" refused 'has no image in it' u image import forms/only-attested.tar
    check "$who: indexes without end" refused 'no end' u image import forms/bomb.tar
    u image ls -q | sort >after
    check "$who: nothing came of any" cmp before after
    check "$who: a root filesystem all the same" bash -c '[ "$("$@" image import -q --rootfs -n forced:1 forms/no-json.tar | wc -l)" = 1 ]' sh "${as[@]}" "$BIN/unionfsd"
    check "$who: which it is" is "$(inside cat "$(layers_of forced:1)/which")" "a root filesystem"
    for name in closed open said silent; do quiet u image import -q forms/$name.tar; done
    check "$who: the root is as the layer has it that says something of it" is "$(root_of closed:1) $(root_of said:1)" "711 750"
    check "$who: the same layer over another image" is "$(root_of open:1) $(root_of silent:1)" "755 755"
    # shellcheck disable=SC2046
    u image ls -q | xargs "${as[@]}" "$BIN/unionfsd" image rm -f >/dev/null
}
