# shellcheck shell=bash
# A store on a union of ours, as an engine in a container has it: neither a device 0/0 nor a `.wh.` name can be made there. Sourced by run.

part_nested() {
    heading "a store on a union, $who"
    [ "$who" = root ] || { echo "an ordinary user's union is in a namespace of its own: Tests/Layers"; return 0; }
    local outer=$SCRATCH/outer names
    mkdir -p "$outer"/{lower,upper,work,mnt} image/{one,two}/d
    "$BIN/unionfsd" mount --lower "$outer/lower" --upper "$outer/upper" --work "$outer/work" "$outer/mnt"
    # The second layer takes away what the first has.
    for i in 1 2 3 4; do echo "$i" >"image/one/d/f$i"; done
    mkdir image/one/gone && echo x >image/one/gone/x && echo kept >image/one/kept
    tar -C image/one -cf one.tar . && touch image/two/d/.wh.f1 image/two/.wh.gone && echo new >image/two/d/new && tar -C image/two -cf two.tar .
    python3 - <<'PY'
import hashlib, json, tarfile, io
layers = [open(f, "rb").read() for f in ("one.tar", "two.tar")]
ids = ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}}).encode()
with tarfile.open("nested.tar", "w") as t:
    for name, data in [("c.json", config), ("0.tar", layers[0]), ("1.tar", layers[1]), ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["nested:1"], "Layers": ["0.tar", "1.tar"]}]).encode())]:
        m = tarfile.TarInfo(name)
        m.size = len(data)
        t.addfile(m, io.BytesIO(data))
PY
    local as=(env UNIONFSD_ROOT="$outer/mnt/store" UNIONFSD_RUN_DIR="$SCRATCH/run-nested") store=$outer/mnt/store
    check "an image whose layers remove things" quiet u image import nested.tar
    check "a container" quiet u create --name inner nested:1 true
    check "its mount" quiet u start inner
    names() { (cd "$1" && find . -mindepth 1 ! -path './dev*' ! -path './proc*' ! -path './sys*' ! -path './etc*' -printf '%P\n' | sort | xargs); }
    check "shows what the image is" is "$(names "$(merged inner)")" "d d/f2 d/f3 d/f4 d/new kept"
    rm "$(merged inner)/d/f2" "$(merged inner)/kept" && mv "$(merged inner)/d/f3" "$(merged inner)/d/moved"
    check "shows what was removed and moved" is "$(names "$(merged inner)")" "d d/f4 d/moved d/new"
    check "diff" is "$(u diff inner | sort | xargs)" "A /d/moved C /d D /d/f2 D /d/f3 D /kept"
    check "commit" quiet u commit inner nested:2
    check "a container of that" quiet u create --name second nested:2 true
    check "its mount" quiet u start second
    check "has it all" is "$(names "$(merged second)")" "d d/f4 d/moved d/new"
    check "the commit's archive is in the form of others" quiet u image export nested:2 -o out.tar
    names=$(python3 -c '
import json, tarfile
t = tarfile.open("out.tar")
read = lambda n: json.load(t.extractfile(n))
index = read("index.json")
manifest = read("blobs/" + index["manifests"][0]["digest"].replace(":", "/"))
top = tarfile.open(fileobj=t.extractfile("blobs/" + manifest["layers"][-1]["digest"].replace(":", "/")))
print(" ".join(sorted(n.removeprefix("./") for n in top.getnames() if ".wh." in n)))')
    check "with its whiteouts" is "$names" ".wh.kept d/.wh.f2 d/.wh.f3"
    end
    check "the union below goes" until_true umount "$outer/mnt"
}
