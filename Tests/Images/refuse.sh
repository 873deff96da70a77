# shellcheck shell=bash disable=SC2154
# What must be refused: PART refuse of Tests/Images/run.

# refused WORDS COMMAND...: exit status 1, and a sentence that has these words (a regular expression) as the last line.
refused() {
    local words=$1 status=0
    shift
    unionfsd "$@" >refused.out 2>refused.err || status=$?
    is "$status" 1 || { tail -n 3 refused.err; return 1; }
    tail -n 1 refused.err | grep -Eq "^unionfsd: .*($words)" || { echo "it says:"; tail -n 3 refused.err; return 1; }
    # What an archive is called, or has in it, says nothing to a terminal.
    ! tr -d '\n\t' <refused.err | grep -q '[[:cntrl:]]' || { echo "it says, with control characters:"; cat -v refused.err; return 1; }
}
# harmless: what lies beside the archives is as it was, and the store has what it had.
harmless() { manifest "$PWD/outside" | diff outside.before - && store_tidy && is "$(jq -r '.[].id' images.json | sort | xargs)" "$images_before"; }
# refusal WORDS LIMIT SOURCE: what was taken all the same does not stand in the way of the next.
refusal() {
    local limit=() id status=0
    [ "$2" = - ] || limit=(--limit "$2")
    refused "$1" image import "${limit[@]}" "$3" && harmless || status=1
    if [ $status != 0 ]; then
        for id in $(unionfsd image ls --quiet); do [[ $images_before = *"$id"* ]] || unionfsd image rm --force "$id" >/dev/null; done
        quietly image import one.tar
    fi
    return $status
}
# taking SOURCE: taken, and gone again without a trace.
taking() { quietly image import --name taken "$1" && store_tidy && quietly unionfsd image rm taken && harmless; }
either() { if unionfsd image import --name taken "$1" >said 2>&1; then quietly unionfsd image rm taken && harmless; else refusal . - "$1"; fi; }

part_refuse() {
    heading "what is refused: one sentence, and nothing left behind"
    [ -e one.tar ] || there podman save -q -o one.tar one
    [ -e three.oci.tar ] || there podman save -q --format oci-archive -o three.oci.tar three
    store strict
    quietly image import one.tar
    images_before=$(unionfsd image ls --quiet | sort | xargs)
    mkdir outside hostile
    echo SECRET >outside/secret
    python3 "$here/hostile.py" refuse "$PWD/hostile" "$PWD/outside" >cases
    head -c $(($(stat -c %s three.oci.tar) / 2)) three.oci.tar >hostile/half.tar
    printf 'half of what podman saved\t%s\t-\tarchive\n' "$PWD/hostile/half.tar" >>cases
    manifest "$PWD/outside" >outside.before
    while IFS=$'\t' read -r name source limit says <&4; do
        case $says in
        taken) check "taken: $name" taking "$source" ;;
        *taken*) check "either way: $name" either "$source" ;;
        *) check "$name" refusal "$says" "$limit" "$source" ;;
        esac
    done 4<cases
    check "nothing on standard input" refusal "empty|archive|standard input" - -
    check "a --limit of nothing" refused "limit" image import --limit 0 one.tar
    for name in / a//b -x x/ 'a b' ../a "$(printf 'n%.0s' {1..300})"; do
        check "the name '${name:0:20}'" refused "no name for an image" image import "--name=$name" one.tar
    done
    check "and nothing of all this is left" harmless

    heading "attributes that speak to the overlay"
    python3 "$here/hostile.py" overlay overlay.tar
    check "are taken" quietly image import --name overlay overlay.tar
    layer=$UNIONFSD_ROOT/layers/$(layers_of overlay | sed 's/^sha256://')/diff
    getfattr -R -h -d -m - "$layer" 2>/dev/null >attributes
    check "and do not arrive" bash -c "! grep 'overlay' attributes"
    check "others do" is "$(grep -c '^user.mine="kept"' attributes)" 4
    # On top of an image that has what they would hide.
    mkdir mnt2 && unionfsd mount --lower "$layer" --lower "$UNIONFSD_ROOT/layers/$(layers_of one | sed 's/^sha256://')/diff" mnt2
    check "a directory is no more opaque than it was" test -e mnt2/etc/passwd
    check "a directory is not another" is "$(ls -A mnt2/moved)" ""
    check "a file has its own content" is "$(cat mnt2/file)" data
    check "a device 0/0 hides nothing" test -e mnt2/opt/l3
    check "a directory by a whiteout's name hides nothing" test -e mnt2/srv/replaced/old1
    unionfsd umount mnt2
    check "gone" quietly unionfsd image rm overlay
    check "nothing left" harmless
    rm -rf hostile
}
