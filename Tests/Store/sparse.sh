# shellcheck shell=bash disable=SC2154
# Files with holes: what they cost, and who reads them. Sourced by run.

# within SECONDS COMMAND...: it succeeds, and takes no longer.
within() {
    local began took limit=$1
    shift
    began=$(date +%s%N)
    quiet "$@" || return
    took=$((($(date +%s%N) - began) / 1000000))
    [ $took -le $((limit * 1000)) ] || { echo "took $took ms"; return 1; }
}
# Where the data of a file are, as SEEK_DATA and SEEK_HOLE tell.
extents() {
    python3 -c '
import os, sys
f, at, out = os.open(sys.argv[1], os.O_RDONLY), 0, []
while True:
    try: at = os.lseek(f, at, os.SEEK_DATA)
    except OSError: break
    end = os.lseek(f, at, os.SEEK_HOLE)
    out.append(f"{at}+{end - at}")
    at = end
print(os.fstat(f).st_size, *out)' "$1"
}
written() { u export -o - s >s.tar; }

part_sparse() {
    heading "$who: sparse files"
    local new python=$SCRATCH/sparse.py
    rm -rf thin && mkdir thin && echo small >thin/small && tar -C thin --format=posix --owner=0 --group=0 -cf thin.tar . && chmod 644 thin.tar
    quiet u image import -q --name thin:1 thin.tar || return
    u create --name s thin:1 >/dev/null && u start s >/dev/null
    in_tree s bash -euc 'truncate -s 8G large; printf begin | dd of=large conv=notrunc status=none; printf middle | dd of=large bs=1 seek=5000000000 conv=notrunc status=none; printf end >>large
        ln large large2; truncate -s 2G nothing; truncate -s 100M half; head -c 3000000 /dev/urandom | dd of=half bs=1M seek=40 conv=notrunc status=none
        truncate -s 20M many; for i in $(seq 0 39); do printf x | dd of=many bs=1 seek=$((i * 500000)) conv=notrunc status=none; done; truncate -s 1M few; printf x >>few'
    check "$who: commit of 8 GiB of holes" within 3 u commit s thin:2
    check "$who: that takes no more room than it has" test "$(du -sm "$(layers_of thin:2 | tail -n 1)" | cut -f1)" -lt 6
    check "$who: nor the recipe of its archive" test "$(du -sk "$(dirname "$(layers_of thin:2 | tail -n 1)")/recipe" | cut -f1)" -lt 64
    u create --name t thin:2 >/dev/null && u start t >/dev/null
    new=$(layers_of thin:2 | tail -n 1)
    for name in large nothing half few; do check "$who: $name: the same holes" is "$(extents "$new/$name")" "$(extents "$(dirname "$store/containers/$(u inspect s | jq -r .container.id)/diff/x")/$name")"; done
    check "$who: and contents" is "$(in_tree t bash -c 'head -c 5 large; dd if=large bs=1 skip=5000000000 count=6 status=none; tail -c 3 large; stat -c " %s %h" large')" "beginmiddleend 8589934595 2"
    check "$who: byte for byte, where that is quick" inside cmp "$(merged s)/half" "$(merged t)/half"
    check "$who: in many pieces" inside cmp "$(merged s)/many" "$(merged t)/many"
    check "$who: export" within 3 written
    check "$who: is small" test "$(stat -c %s s.tar)" -lt 6000000
    rm -rf untarred && mkdir untarred && tar -C untarred -xf s.tar
    check "$who: tar(1) reads it" is "$(extents untarred/large)" "$(extents "$new/large")"
    check "$who: names and all" is "$(find untarred -type f -printf '%P %n\n' | sort | paste -sd' ')" "few 1 half 1 large 2 large2 2 many 1 nothing 1 small 1"
    check "$who: contents" bash -c "cmp untarred/half '$new/half' && cmp untarred/many '$new/many' && cmp untarred/few '$new/few' && [ \$(tail -c 3 untarred/large) = end ]"
    cat >"$python" <<'PY'
import hashlib, sys, tarfile
with tarfile.open(sys.argv[1]) as tar:
    members = {m.name.removeprefix("./"): m for m in tar}
    print(members["large"].size, members["nothing"].size, hashlib.sha256(tar.extractfile(members["half"]).read()).hexdigest())
    f = tar.extractfile(members["large"])
    f.seek(5000000000)
    print(f.read(6), members["large2"].linkname)
PY
    check "$who: Python's tarfile reads it" is "$(python3 "$python" s.tar | paste -sd' ')" "8589934595 2147483648 $(sha256sum <"$new/half" | cut -d' ' -f1) b'middle' $(tar -tvf s.tar | sed -n 's/.* link to //p')"
    check "$who: cp out" within 3 copy_out
    check "$who: its holes are holes" is "$(extents "$work/large")" "$(extents "$new/large")"
    check "$who: and in again" within 3 copy_in
    # Byte for byte the archive that it was.
    rm -rf layout2 && install -d -m 777 layout2
    check "$who: image export" quiet u image export --directory --uncompressed -o layout2/out thin:2
    check "$who: the layer is the very archive" test -e "layout2/out/blobs/sha256/$(basename "$(dirname "$new")")"
    check "$who: skopeo reads the layout" quiet skopeo copy -q oci:layout2/out:thin:2 dir:copied2-"$who"
    # What tar(1) makes of one, with the data of the file once on the disk and not again in the recipe.
    rm -rf sp && mkdir sp && truncate -s 60M sp/file && head -c 3000000 /dev/urandom | dd of=sp/file bs=1M seek=20 conv=notrunc status=none && truncate -s 30M sp/empty && tar -C sp --sparse --format=posix --owner=0 --group=0 -cf sp.tar . && chmod 644 sp.tar
    tar -C sp --sparse --format=posix --sparse-version=0.1 --owner=0 --group=0 -cf sp01.tar . && chmod 644 sp01.tar
    for form in sp sp01; do
        check "$who: $form: import" quiet u image import -q --name $form:1 $form.tar
        check "$who: $form: the same" bash -c "cmp sp/file '$(layers_of $form:1)/file' && cmp sp/empty '$(layers_of $form:1)/empty'"
        rm -rf layout3 && install -d -m 777 layout3
        check "$who: $form: out again it is the very archive" bash -c "${as[*]@Q} '$BIN/unionfsd' image export --directory --uncompressed -o layout3/out $form:1 >/dev/null && cmp $form.tar layout3/out/blobs/sha256/\$(sha256sum <$form.tar | cut -d' ' -f1)"
    done
    check "$who: the data are not in the recipe" test "$(stat -c %s "$(dirname "$(layers_of sp:1)")/recipe")" -lt 20000
    check "$who: as zeros, for who cannot write sparse files again" zeros
    u rm -f s t >/dev/null
    u image ls -q | xargs "${as[@]}" "$BIN/unionfsd" image rm -f >/dev/null
    rm -rf untarred copied2-* layout2 layout3 s.tar
}
zeros() {
    in_tree s rm large large2 nothing again && quiet u commit --no-sparse s thin:3 && rm -rf layout4 && install -d -m 777 layout4 && quiet u image export --directory --uncompressed -o layout4/out thin:3 &&
        test "$(stat -c %s "layout4/out/blobs/sha256/$(basename "$(dirname "$(layers_of thin:3 | tail -n 1)")")")" -gt 100000000 && rm -rf layout4
}
copy_out() { work=$SCRATCH/sparse-$who && rm -rf "$work" && install -d -o $owner "$work" && (cd "$work" && u cp s:/large .); }
copy_in() { (cd "$work" && u cp large s:/again); }
