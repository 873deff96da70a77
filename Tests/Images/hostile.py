#!/usr/bin/python3
# Makes archives that must be refused, or taken without harm.
#
#   hostile.py refuse DIR OUTSIDE     archives in DIR that try to reach OUTSIDE; prints a line for each: name, file, limit or -, what the refusal says (a regular expression), or `taken`
#   hostile.py opaque FILE            a layer with opaque directories
#   hostile.py twins DIR              two docker-archives, directories, whose images' digests begin alike; prints the four digits
import gzip, hashlib, io, json, lzma, os, sys, tarfile

def member(name, kind=tarfile.REGTYPE, data=b"", link="", pax=None, mode=0o644, device=(0, 0)):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mode = kind, len(data), link, 0o755 if kind == tarfile.DIRTYPE else mode
    info.devmajor, info.devminor = device
    info.pax_headers = pax or {}
    return info, data
def directory(name, **k): return member(name, tarfile.DIRTYPE, **k)
def symlink(name, to): return member(name, tarfile.SYMTYPE, link=to)
def hardlink(name, to): return member(name, tarfile.LNKTYPE, link=to)
def tar(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members: archive.addfile(info, io.BytesIO(data))
    return out.getvalue()
def digest(data): return hashlib.sha256(data).hexdigest()
def write(path, data):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "wb") as f: f.write(data)
    return path
def text(value): return value if isinstance(value, bytes) else json.dumps(value).encode()

def layout(path, layers, config=None, manifest=None, index=None, blobs=None):
    """An OCI layout. The functions change what it is made of before digests are taken, `blobs` after."""
    files = {}
    def add(data):
        files[digest(data)] = data
        return {"digest": "sha256:" + digest(data), "size": len(data)}
    document = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(l) for l in layers]}}
    entries = [dict(add(l), mediaType="application/vnd.oci.image.layer.v1.tar") for l in layers]
    document = config(document) if config else document
    body = {"schemaVersion": 2, "config": dict(add(text(document)), mediaType="application/vnd.oci.image.config.v1+json"), "layers": entries}
    body = manifest(body) if manifest else body
    top = {"schemaVersion": 2, "manifests": [dict(add(text(body)), mediaType="application/vnd.oci.image.manifest.v1+json", annotations={"org.opencontainers.image.ref.name": "hostile"})]}
    top = index(top) if index else top
    if blobs: blobs(files, body, top)
    for name, data in files.items():
        if data is not None: write(f"{path}/blobs/sha256/{name}", data)
    os.makedirs(f"{path}/blobs/sha256", exist_ok=True)
    write(f"{path}/index.json", text(top))
    write(f"{path}/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    return path
def docker(path, layer, config=None, entry=None):
    body = text(config if config is not None else {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer)]}})
    name = digest(body) + ".json"
    write(f"{path}/{name}", body)
    write(f"{path}/{digest(layer)}.tar", layer)
    whole = {"Config": name, "RepoTags": ["hostile:1"], "Layers": [digest(layer) + ".tar"]}
    whole.update(entry or {})
    write(f"{path}/manifest.json", text([whole]))
    return path

def refuse(place, outside):
    up = "../" * 20 + outside.lstrip("/")
    good = tar(directory("etc"), member("etc/file", data=b"good\n"))
    out = []
    def case(name, path, says, limit="-"): out.append("\t".join([name, path, str(limit), says]))
    # ---- layers: each as a root filesystem and within a layout
    climbs, leads = "climbs out of the archive", "leads out of the archive"
    layers = {
        "a path with ..": (climbs, member(up + "/evil", data=b"e")),
        "a path with .. in the middle": (climbs, directory("a"), member("a/../../evil", data=b"e")),
        "a path that is ..": (climbs, directory("..")),
        "a directory with .. at its end": (climbs, directory("a"), directory("a/..")),
        "a whiteout with ..": (climbs, member(up + "/.wh.secret")),
        "a file through an absolute symlink": (leads, symlink("link", outside), member("link/evil", data=b"e")),
        "a file through a relative symlink": (leads, directory("a"), symlink("a/link", up), member("a/link/evil", data=b"e")),
        "a file through two symlinks": (leads, symlink("one", "two"), symlink("two", outside), member("one/evil", data=b"e")),
        "a file through a symlink to /": (leads, symlink("root", "/"), member("root" + outside + "/evil", data=b"e")),
        "a file through a symlink to ..": (leads, directory("a"), symlink("a/up", ".."), symlink("a/up2", "up/.."), member("a/up2/evil", data=b"e")),
        "a new directory through a symlink": (leads, symlink("link", outside), directory("link/new")),
        "a file below what a symlink has not": (leads, symlink("link", outside), member("link/new/deeper/evil", data=b"e")),
        "a symlink through a symlink": (leads, symlink("link", outside), symlink("link/evil", "/etc/passwd")),
        "a device through a symlink": (leads, symlink("link", outside), member("link/evil", tarfile.CHRTYPE, device=(1, 3))),
        "a fifo through a symlink": (leads, symlink("link", outside), member("link/evil", tarfile.FIFOTYPE)),
        "a whiteout through a symlink": (leads, symlink("link", outside), member("link/.wh.secret")),
        "an opaque mark through a symlink": (leads, symlink("link", outside), member("link/.wh..wh..opq")),
        "a hard link through a symlink": (leads, symlink("link", outside), hardlink("link/evil", "link")),
        "a hard link with ..": (climbs, hardlink("evil", up + "/secret")),
        "a hard link to what a symlink leads to": (leads, symlink("link", outside), hardlink("evil", "link/secret")),
        "a hard link to an absolute path": ("is a link to", hardlink("evil", outside + "/secret")),
        "a hard link to nothing": ("is a link to", hardlink("evil", "nothing")),
        "a hard link to a directory": ("link", directory("d"), hardlink("evil", "d")),
        "a hard link to the root": ("link to the archive's root", hardlink("evil", ".")),
        "a symlink that goes round": ("symbolic link|symlink", symlink("a", "b"), symlink("b", "a"), member("a/evil", data=b"e")),
        "a name of 256 bytes": ("more than 255 bytes", member("n" * 256, data=b"e")),
        "a path that speaks to a terminal": (climbs, member("../\x1b]0;evil\x07\x1b[31m", data=b"e")),
        "a path of 8000 bytes": ("long", member("/".join(["p" * 200] * 40), data=b"e")),
        # Taken, with no harm done.
        "absolute paths": ("taken", member("/" + outside.lstrip("/") + "/evil", data=b"e")),
        "a file in place of a symlink": ("taken", symlink("link", outside + "/secret"), member("link", data=b"e")),
        "a directory in place of a symlink": ("taken", symlink("link", outside), directory("link"), member("link/evil", data=b"e")),
        "a hard link to a symlink, and a file in its place": ("taken", symlink("link", outside + "/secret"), hardlink("other", "link"), member("other", data=b"e", mode=0o777)),
        "a mode for a symlink": ("taken", symlink("link", outside + "/secret"), hardlink("other", "link")),
        "names that are whiteouts of nothing": ("taken", member(".wh."), member(".wh.."), member(".wh..."), member(".wh..wh.plnk"), member(".wh..wh.aufs")),
    }
    for n, (name, (says, *members)) in enumerate(layers.items()):
        data = tar(*members)
        case(name, write(f"{place}/layer{n}.tar", data), says)
        case(name + ", in an image", layout(f"{place}/layer{n}", [good, data]), says)
    # A directory that was there when its times were noted, and is a symlink when they are set.
    info, _ = directory("d")
    info.mtime = 1
    case("a directory that becomes a symlink", write(f"{place}/becomes.tar", tar((info, b""), symlink("d", outside))), "taken|d")

    # ---- digests
    def flip(files, name):
        data = files[name]
        # In a file's contents, where there is one.
        files[name] = data[:1026] + b"X" + data[1027:] if len(data) > 1200 else data[:-2] + b" }"
    hexes = lambda body: (body["layers"][0]["digest"][7:], body["config"]["digest"][7:])
    wrong = "not what its digest says|unpacks to|is not what"
    case("a layer that is not what its digest says", layout(f"{place}/digest1", [good], blobs=lambda f, b, i: flip(f, hexes(b)[0])), wrong)
    case("a configuration that is not", layout(f"{place}/digest2", [good], blobs=lambda f, b, i: flip(f, hexes(b)[1])), wrong)
    case("a manifest that is not", layout(f"{place}/digest3", [good], blobs=lambda f, b, i: flip(f, i["manifests"][0]["digest"][7:])), wrong)
    case("a layer of another size", layout(f"{place}/digest4", [good], manifest=lambda m: dict(m, layers=[dict(m["layers"][0], size=5)])), wrong)
    case("a layer that unpacks to something else", layout(f"{place}/digest5", [good], config=lambda c: dict(c, rootfs={"type": "layers", "diff_ids": ["sha256:" + "a" * 64]})), wrong)
    case("the same in a docker-archive", docker(f"{place}/digest6", good, config={"os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "a" * 64]}}), wrong)
    case("a docker-archive's configuration by another name", docker(f"{place}/digest7", good, entry={"Config": "b" * 64 + ".json"}), wrong)
    write(f"{place}/digest7/{'b' * 64}.json", b"{}")
    case("a second layer that is not what its digest says", layout(f"{place}/digest8", [good, tar(member("two", data=b"2" * 900))], blobs=lambda f, b, i: flip(f, b["layers"][1]["digest"][7:])), wrong)
    case("bytes behind a layer's end", layout(f"{place}/digest9", [good], blobs=lambda f, b, i: f.update({hexes(b)[0]: good + b"more"})), wrong)

    # ---- what is no archive, or not all of one
    large = tar(directory("etc"), member("etc/a", data=os.urandom(200000)), member("etc/b", data=os.urandom(200000)))
    broken = "archive|Truncated|truncated"
    case("a truncated tar file", write(f"{place}/cut.tar", large[:250000]), broken)
    case("a tar file cut within a header", write(f"{place}/cut2.tar", large[:700]), broken)
    case("a truncated gzip file", write(f"{place}/cut.tar.gz", gzip.compress(large)[:150000]), broken)
    case("a truncated xz file", write(f"{place}/cut.tar.xz", lzma.compress(large)[:150000]), broken)
    case("a gzip file that is damaged", write(f"{place}/bad.tar.gz", (lambda z: z[:100000] + bytes(50) + z[100050:])(gzip.compress(large))), broken)
    case("a text", write(f"{place}/text", b"this is no archive\n" * 40), broken)
    case("a short text", write(f"{place}/short", b"x"), broken)
    case("noise", write(f"{place}/noise", bytes((i * 7919 + i * i * 31) % 251 for i in range(70000))), broken)
    case("a program", "/bin/true", broken)
    case("a text with gzip around it", write(f"{place}/text.gz", gzip.compress(b"this is no archive\n" * 40)), broken)
    case("an empty file", write(f"{place}/empty", b""), "empty|archive")
    case("an empty file with gzip around it", write(f"{place}/empty.gz", gzip.compress(b"")), "empty|archive")
    case("an archive of nothing", write(f"{place}/zeros", bytes(10240)), "taken|.")
    case("a file that is not there", f"{place}/nothing", "No such file")
    case("a device", "/dev/null", "neither a file nor a directory")
    case("a layer that is a text", layout(f"{place}/nolayer", [b"this is no archive\n" * 40]), broken)
    case("a layer that is cut, with the digest of what is left", layout(f"{place}/cutlayer", [large[:250000]]), broken)
    case("a header with a wrong sum", write(f"{place}/sum.tar", large[:1024] + b"Q" + large[1025:]), "archive|taken")

    # ---- documents
    json_ = "JSON"
    case("a configuration that is no JSON", layout(f"{place}/doc1", [good], config=lambda c: b"this is no JSON"), json_)
    case("a configuration that is a list", layout(f"{place}/doc2", [good], config=lambda c: [1]), json_)
    case("a configuration without layers", layout(f"{place}/doc3", [good], config=lambda c: {"os": "linux"}), json_)
    case("a configuration with a layer more", layout(f"{place}/doc4", [good], config=lambda c: dict(c, rootfs={"type": "layers", "diff_ids": c["rootfs"]["diff_ids"] * 2})), "has 1 layer.* names 2")
    case("a configuration of 17 MiB", layout(f"{place}/doc5", [good], config=lambda c: dict(c, author="a" * (17 << 20))), "too long")
    case("a configuration of a hundred thousand brackets", layout(f"{place}/doc6", [good], config=lambda c: b"[" * 100000), json_)
    case("an image for windows", layout(f"{place}/doc7", [good], config=lambda c: dict(c, os="windows")), "for windows")
    case("a manifest that is no JSON", layout(f"{place}/doc8", [good], manifest=lambda m: b"{"), json_)
    case("an index that is no JSON", layout(f"{place}/doc9", [good], index=lambda i: b"\xff\xfe"), json_)
    case("an index with nothing in it", layout(f"{place}/doc10", [good], index=lambda i: dict(i, manifests=[])), "no image in it")
    case("an index whose digest is a path", layout(f"{place}/doc11", [good], index=lambda i: dict(i, manifests=[dict(i["manifests"][0], digest="sha256:../../../secret")])), "not a sha256 digest|JSON")
    case("a layer whose digest is a path", layout(f"{place}/doc12", [good], manifest=lambda m: dict(m, layers=[dict(m["layers"][0], digest="sha256:" + up + "/secret")])), "not a sha256 digest|JSON")
    case("a digest of another kind", layout(f"{place}/doc13", [good], config=lambda c: dict(c, rootfs={"type": "layers", "diff_ids": ["sha512:" + "a" * 128]})), "not a sha256 digest|JSON")
    case("a name that is none", layout(f"{place}/doc14", [good], index=lambda i: dict(i, manifests=[dict(i["manifests"][0], annotations={"org.opencontainers.image.ref.name": "../../evil:1"})])), "no name for an image")
    case("an image for other machines", layout(f"{place}/doc15", [good], index=lambda i: dict(i, manifests=[dict(i["manifests"][0], mediaType="application/vnd.oci.image.index.v1+json")])), "JSON|kind of machine")
    for what, pick in [("layer", lambda b, i: hexes(b)[0]), ("configuration", lambda b, i: hexes(b)[1]), ("manifest", lambda b, i: i["manifests"][0]["digest"][7:])]:
        case(f"a {what} that is missing", layout(f"{place}/missing-{what}", [good], blobs=lambda f, b, i, pick=pick: f.update({pick(b, i): None})), "No such file")
    case("a second image whose layer is missing", layout(f"{place}/missing2", [good], index=lambda i: dict(i, manifests=i["manifests"] + [dict(i["manifests"][0], digest="sha256:" + "c" * 64)])), "No such file")
    case("a docker-archive whose layer is missing", docker(f"{place}/missing3", good, entry={"Layers": ["nothing.tar"]}), "No such file")
    case("a docker-archive without an image", docker(f"{place}/missing4", good), "no image in it")
    write(f"{place}/missing4/manifest.json", b"[]")

    # ---- layouts that lead out: to an image that is whole there
    out_of = "leads out of the image"
    layout(f"{outside}/layout", [good])
    for n, target in enumerate([f"{outside}/layout/blobs", up + "/layout/blobs"]):
        path = layout(f"{place}/blobs{n}", [good])
        os.rename(f"{path}/blobs", f"{place}/blobs{n}.away")
        os.symlink(target, f"{path}/blobs")
        case("blobs that are a symlink, " + ("relative" if n else "absolute"), path, out_of)
    def symlinked(name, pick):
        path = layout(f"{place}/{name}", [good], blobs=lambda f, b, i: f.update({pick(b, i): None}))
        blob = next(f for f in os.listdir(f"{outside}/layout/blobs/sha256") if not os.path.exists(f"{path}/blobs/sha256/{f}"))
        os.symlink(f"{outside}/layout/blobs/sha256/{blob}", f"{path}/blobs/sha256/{blob}")
        return path
    case("a layer that is a symlink", symlinked("blobs2", lambda b, i: hexes(b)[0]), out_of)
    case("a configuration that is a symlink", symlinked("blobs3", lambda b, i: hexes(b)[1]), out_of)
    path = layout(f"{place}/blobs4", [good])
    blob = f"{path}/blobs/sha256/{digest(good)}"
    os.remove(blob)
    os.mkfifo(blob)
    case("a layer that is a fifo", path, "layer|image")
    write(f"{outside}/layer.tar", good)
    case("a docker-archive whose layer is elsewhere", docker(f"{place}/docker1", good, entry={"Layers": [up + "/layer.tar"]}), out_of)
    case("a docker-archive whose layer is at an absolute path", docker(f"{place}/docker2", good, entry={"Layers": [outside + "/layer.tar"]}), "cannot be read as an image: .*outside/layer.tar.*No such file")  # from the image's directory
    write(f"{outside}/config.json", text({"os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(good)]}}))
    case("a docker-archive whose configuration is elsewhere", docker(f"{place}/docker3", good, entry={"Config": up + "/config.json"}), out_of)
    path = docker(f"{place}/docker4", good)
    os.remove(f"{path}/{digest(good)}.tar")
    os.symlink(f"{outside}/layer.tar", f"{path}/{digest(good)}.tar")
    case("a docker-archive whose layer is a symlink", path, out_of)
    # The same as archives: what is unpacked first must not be what the way leads through later.
    body = text({"os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(good)]}})
    manifest = text([{"Config": digest(body) + ".json", "RepoTags": ["hostile:1"], "Layers": ["blobs/layer.tar"]}])
    head = [member("manifest.json", data=manifest), member(digest(body) + ".json", data=body)]
    case("an archive that writes through its symlink", write(f"{place}/outer1.tar", tar(*head, symlink("blobs", outside), member("blobs/evil", data=b"e"))), leads)
    case("an archive that reads through its symlink", write(f"{place}/outer2.tar", tar(*head, symlink("blobs", outside))), out_of)
    case("an archive whose layer is a hard link", write(f"{place}/outer3.tar", tar(*head, directory("blobs"), hardlink("blobs/layer.tar", up + "/layer.tar"))), climbs)
    case("an archive with .. in it", write(f"{place}/outer4.tar", tar(*head, directory("blobs"), member("blobs/../../evil", data=b"e"))), climbs)

    # ---- bombs: 2 GiB of zeros
    info, _ = member("zeros")
    info.size = 2 << 30
    block = gzip.compress(bytes(64 << 20))
    bomb = gzip.compress(info.tobuf(tarfile.PAX_FORMAT)) + block * 32 + gzip.compress(bytes(1024))
    case("a bomb", write(f"{place}/bomb.tar.gz", bomb), "more than 1073741824 bytes", 1)
    case("a bomb in an image", layout(f"{place}/bomb", [bomb], config=lambda c: dict(c, rootfs={"type": "layers", "diff_ids": ["sha256:" + "a" * 64]})), "more than 1073741824 bytes", 1)
    print("\n".join(out))

def opaque(path):
    # A marker says something of the layers below, wherever it stands: never of what its own layer brings.
    write(path, tar(directory("opt"), directory("opt/new"), member("opt/new/.wh..wh..opq"), member("opt/new/only", data=b"o\n"),
                    directory("srv/replaced"), member("srv/replaced/first", data=b"f\n"), member("srv/replaced/.wh..wh..opq"), member("srv/replaced/last", data=b"l\n"),
                    # Directories that this archive says nothing of: they stay as the layers below have them.
                    member("tmp/new", data=b"n\n"), member("var/mail/new", data=b"n\n")))

def overlay(path):
    """Attributes by which overlay filesystems keep their accounts, in both spellings of tar's, and one that is anybody's."""
    names = [f"{space}.overlay.{name}" for space in ["trusted", "user"] for name in ["redirect", "opaque", "metacopy", "origin", "whiteout", "nlink", "impure", "protattr", "overlay.opaque"]]
    names += ["user.fuseoverlayfs." + name for name in ["opaque", "origin", "override_stat", "nlink"]]
    def pax(value): return {"SCHILY.xattr." + name: value for name in names} | {"SCHILY.xattr.user.mine": "kept"} | {"LIBARCHIVE.xattr." + name: "eQ==" for name in names}
    write(path, tar(directory(".", pax=pax("y")), directory("etc", pax=pax("y")), directory("moved", pax=pax("/etc")), member("file", data=b"data\n", pax=pax("/etc/motd")), symlink("link", "x"),
                    member("opt", tarfile.CHRTYPE), directory("srv"), member("srv/.wh.replaced/way", data=b"w\n")))

def twins(place):
    layer, seen, n = tar(member("twin", data=b"t\n")), {}, 0
    while True:
        config = {"os": "linux", "author": str(n), "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer)]}}
        start = digest(text(config))[:4]
        if start in seen: break
        seen[start] = config
        n += 1
    for name, one in [("a", seen[start]), ("b", config)]: docker(f"{place}/{name}", layer, one, {"RepoTags": [f"twin:{name}"]})
    print(start)

{"refuse": refuse, "opaque": opaque, "overlay": overlay, "twins": twins}[sys.argv[1]](*sys.argv[2:])
