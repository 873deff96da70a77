# shellcheck shell=bash disable=SC2154
# Names, removal, death and company: PARTs remove, kill and parallel of Tests/Images/run.

saved() {
    local n
    for n in one two three; do [ -e $n.tar ] || there podman save -q -o $n.tar $n; done
    [ -e three.oci.tar ] || there podman save -q --format oci-archive -o three.oci.tar three
}
directories() { find "$UNIONFSD_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l; }

part_remove() {
    heading "names"
    saved
    store names
    for n in one two three; do quietly image import $n.tar; done
    check "tag" quietly unionfsd image tag one other:1
    check "one image, two names" is "$(unionfsd image inspect other:1 | jq -c .names)" '["localhost/one:latest","other:1"]'
    check "found by its digest, and by the beginning of it" is "$(id_of "$id_one") $(id_of "${id_one#sha256:}") $(id_of "${id_one:7:12}")" "$id_one $id_one $id_one"
    check "by its digest it is not removed while it has several names" refused "several names.*--force" image rm "$id_one"
    check "by a name that name goes" is "$(unionfsd image rm other:1)" "untagged other:1"
    check "the other stays" is "$(unionfsd image inspect one | jq -c .names)" '["localhost/one:latest"]'
    quietly unionfsd image tag one moving
    quietly unionfsd image tag two moving
    check "a name that is taken moves" is "$(id_of moving)" "$id_two"
    check "and its first image has it no more" is "$(unionfsd image inspect "$id_one" | jq -c .names)" '["localhost/one:latest"]'
    check "an import by a name that is taken" quietly image import --name moving three.tar
    check "takes it" is "$(id_of moving)" "$id_three"
    quietly unionfsd image tag one localhost/two
    check "an image without a name is there by its digest" is "$(id_of two) $(id_of "${id_two#sha256:}") $(unionfsd image inspect "$id_two" | jq -c .names)" "$id_one $id_two []"
    quietly unionfsd image tag "$id_two" localhost/two
    check "tag of nothing" refused "no image is called" image tag nothing new
    check "tag as what is no name" refused "no name for an image" image tag one 'UPPER case'
    check "rm of nothing" refused "no image is called" image rm nothing
    start=$(python3 "$here/hostile.py" twins "$PWD/twins")
    quietly image import twins/a && quietly image import twins/b
    check "digits that begin two digests are refused" refused "several images" image inspect "$start"
    check "in rm, too" refused "several images" image rm "$start"
    check "three digits are not enough" refused "no image is called" image inspect "${start:0:3}"
    check "both by their names" bash -c "[ '$(id_of twin:a)' != '$(id_of twin:b)' ]"
    check "one goes" quietly unionfsd image rm twin:a
    check "and the digits are enough" quietly unionfsd image inspect "$start"
    check "the layer that both had stays" is "$(layers_of twin:b | wc -l) $(directories)" "1 4"

    heading "layers go with the last image that has them"
    check "that image, too" quietly unionfsd image rm twin:b
    check "its layer is gone" is "$(directories)" 3
    check "the middle one goes" quietly unionfsd image rm two
    check "its layers are still another's" is "$(directories)" 3
    check "the tree of three is whole" tree_is three truth
    check "the largest goes with all its names" is "$(unionfsd image rm --force three | sort | xargs)" "removed $id_three untagged localhost/three:latest untagged moving:latest"
    check "two layers went" is "$(directories) $(layers_of one)" "1 $(cat layers.one)"
    check "nothing else is there" store_tidy

    heading "an image that a container has"
    check "create" quietly unionfsd create --name box one
    check "is not removed" refused "used by container box" image rm one
    check "not by force either" refused "used by container box" image rm --force "$id_one"
    check "it is all there" is "$(unionfsd image inspect one | jq -c .names) $(directories)" '["localhost/one:latest"] 1'
    quietly unionfsd image tag one second
    check "another name of it may go" is "$(unionfsd image rm second)" "untagged second:latest"
    check "the container goes" quietly unionfsd rm box
    check "and so may its image" quietly unionfsd image rm one
    end_supervisor
    check "the store is empty" is "$(directories) $(find "$UNIONFSD_ROOT/tmp" "$UNIONFSD_ROOT/containers" -mindepth 1 | wc -l) $(unionfsd image ls --quiet)" "0 0 "
    check "it takes images again" imports three "3 layers" 3 three.tar
}

part_kill() {
    heading "kill -9 of an import, 30 times (seed $seed)"
    saved
    store killed
    local began took wait i source died=0
    began=$(date +%s%N)
    imports three "3 layers" 3 three.tar
    took=$((($(date +%s%N) - began) / 1000))
    empty_store
    RANDOM=$((seed % 32768))
    for i in {1..30}; do
        case $((RANDOM % 3)) in 0) source=three.tar ;; 1) source=three.oci.tar ;; *) source=- ;; esac
        wait=$((took * (RANDOM % 1100) / 1000))
        case $source in
        -) "$BIN/unionfsd" image import --quiet - <three.tar >/dev/null 2>&1 & ;;
        *) "$BIN/unionfsd" image import --quiet $source >/dev/null 2>&1 </dev/null & ;;
        esac
        sleep "$(printf '%d.%06d' $((wait / 1000000)) $((wait % 1000000)))"
        kill -KILL $! 2>/dev/null && died=$((died + 1))
        wait $! 2>/dev/null || true
        # The seed alone does not bring the moment back, so it is said, too.
        survives || { not_ok "after ${wait} µs of $source"; FAILURES_OF_KILL=1; }
    done
    check "each time the store opens, the next import succeeds and takes away what was left" test -z "${FAILURES_OF_KILL:-}"
    check "many were at work ($died of 30)" test $died -gt 7
    check "what was imported last is whole" tree_is three truth
}
# survives: every second time with an image that has fewer layers, so that those of the killed one are nobody's.
survives() {
    unionfsd image ls >/dev/null || return
    if unionfsd image inspect three >/dev/null 2>&1; then
        # It was through: then all of it is there.
        layers_of three | diff layers.three - && tree_is three truth || return
    fi
    if [ $((i % 2)) = 0 ]; then quietly image import one.tar && store_tidy || return; fi
    quietly image import three.tar && store_tidy && layers_of three | diff layers.three - || return
    if [ $((i % 5)) = 0 ]; then tree_is three truth || return; fi
    if [ "$i" != 30 ]; then empty_store && store_tidy || return; fi
}

# together SOURCE...: imports of all of them at once.
together() {
    local source pids=() pid status=0 n=0
    for source; do
        n=$((n + 1))
        timeout 60 "$BIN/unionfsd" image import "$source" >"together.$n" 2>&1 </dev/null &
        pids+=($!)
    done
    n=0
    for pid in "${pids[@]}"; do n=$((n + 1)); wait "$pid" || { status=1; cat "together.$n"; }; done
    return $status
}
part_parallel() {
    heading "four imports at once"
    saved
    local i n pids
    for i in {1..10}; do
        store "new$i" && pids=()
        for n in 1 2 3 4; do unionfsd image ls >/dev/null & pids+=($!); done
        for n in "${pids[@]}"; do wait "$n" || OPENS_FAILED=1; done
    done
    check "four that open a store that is not there yet, ten times" test -z "${OPENS_FAILED:-}"
    for i in 1 2; do
        store together
        check "of the same image" together three.tar three.oci.tar three.tar three.oci.tar
        check "it is there once" is "$(unionfsd image ls --quiet) $(directories)" "$id_three 3"
        check "nothing is left" store_tidy
        empty_store
        check "of different ones" together one.tar two.tar three.oci.tar three.tar
        check "all are there" is "$(id_of one) $(id_of two) $(id_of three)" "$id_one $id_two $id_three"
        check "nothing is left" store_tidy
        check "the tree" tree_is three truth
    done
    store together
    quietly image import one.tar
    check "with removals in between" together_with_removals
    check "nothing is left" store_tidy
}
# An import that met a removal may say so and be tried again; it may not do anything else.
together_with_removals() {
    local n
    (for n in {1..5}; do timeout 60 "$BIN/unionfsd" image rm --force one >/dev/null 2>&1; timeout 60 "$BIN/unionfsd" image import one.tar >/dev/null 2>&1; done) &
    for n in {1..4}; do
        if ! image import three.oci.tar >together.said 2>&1; then
            grep -q 'was removed meanwhile: try again' together.said || { cat together.said; return 1; }
        fi
        unionfsd image rm --force three >/dev/null 2>&1 || true
    done
    wait $!
    image import three.tar >/dev/null 2>&1 && tree_is three truth
}
