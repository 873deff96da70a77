#!/usr/bin/python3
# Images in the forms that tools write, byte by byte, without these tools: forms.py DIR makes them all there. Each has a layer with the file `which`, which says what it is.
import gzip, hashlib, io, json, os, sys, tarfile

place = sys.argv[1]
os.makedirs(place, exist_ok=True)

def digest(data): return hashlib.sha256(data).hexdigest()
def packed(members, prefix=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(prefix + name)
            info.mode = 0o644
            if data is None: info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(data, int): info.type, info.mode = tarfile.DIRTYPE, data
            else: info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
    return out.getvalue()
def write(name, data):
    with open(os.path.join(place, name), "wb") as f: f.write(data)
def js(value): return json.dumps(value).encode()

def image(which, architecture="amd64", layers=None, **more):
    """The uncompressed layers, and the configuration of them."""
    layers = layers or [packed([("which", which.encode())])]
    config = dict({"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(l) for l in layers]}}, **more)
    if architecture is None: del config["architecture"]
    return layers, js(config)

# --- docker archives -----------------------------------------------------------------------------------------

def docker(config_name, layer_name, which, tag, compress=True, prefix="", listed=""):
    layers, config = image(which)
    blobs = [gzip.compress(l, mtime=0) if compress else l for l in layers]
    names = [layer_name(b) for b in blobs]
    manifest = js([{"Config": listed + config_name(config), "RepoTags": [tag], "Layers": [listed + n for n in names]}])
    return packed([(config_name(config), config)] + list(zip(names, blobs)) + [("manifest.json", manifest)], prefix)

write("crane.tar", docker(lambda c: "sha256:" + digest(c), lambda b: digest(b) + ".tar.gz", "crane", "crane:1"))
write("jib.tar", docker(lambda c: "config.json", lambda b: digest(b) + ".tar.gz", "jib", "jib:1"))
write("slash.tar", docker(lambda c: digest(c) + ".json", lambda b: digest(b) + "/layer.tar", "slash", "slash:1", False, "/", "/"))
write("dot.tar", docker(lambda c: digest(c) + ".json", lambda b: digest(b) + "/layer.tar", "dot", "dot:1", False, "./", "./"))
write("other-names.tar", docker(lambda c: "the-config", lambda b: "layer-one.tar", "other", "other:1", False))
write("wrong-config.tar", docker(lambda c: "sha256:" + "0" * 64, lambda b: digest(b) + ".tar.gz", "wrong", "wrong:1"))
write("no-image.tar", packed([("manifest.json", b'{"name": "a web application"}'), ("index.html", b"<p>")]))
write("no-json.tar", packed([("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), ("which", b"a root filesystem"), ("manifest.json", b"not json")]))
write("no-layer.tar", packed([("manifest.json", js([{"Config": "c.json", "RepoTags": None, "Layers": ["gone.tar"]}])), ("c.json", image("gone")[1])]))
write("before-1.10.tar", packed([("repositories", b"{}"), ("a" * 64 + "/VERSION", b"1.0"), ("a" * 64 + "/json", b"{}"), ("a" * 64 + "/layer.tar", packed([("which", b"old")]))]))
write("no-index.tar", packed([("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), ("blobs/sha256/" + "a" * 64, b"x")]))

# --- OCI layouts ---------------------------------------------------------------------------------------------

MANIFEST, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
class Layout:
    def __init__(self): self.blobs = {}
    def blob(self, data):
        self.blobs[digest(data)] = data
        return digest(data)
    def descriptor(self, data, kind, **more): return dict({"mediaType": kind, "digest": "sha256:" + self.blob(data), "size": len(data)}, **more)
    def image(self, which, architecture="amd64", config_type="application/vnd.oci.image.config.v1+json", **more):
        layers, config = image(which, architecture)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.descriptor(config, config_type),
                    "layers": [self.descriptor(l, "application/vnd.oci.image.layer.v1.tar") for l in layers]}
        return self.descriptor(js(manifest), MANIFEST, **more)
    def attestation(self, **more):
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.descriptor(b'{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:' + b"1" * 64 + b'"]}}',
                    "application/vnd.oci.image.config.v1+json"), "layers": [self.descriptor(b'{"predicate":1}', "application/vnd.in-toto+json")]}
        return self.descriptor(js(manifest), MANIFEST, platform={"architecture": "unknown", "os": "unknown"}, annotations={"vnd.docker.reference.type": "attestation-manifest"}, **more)
    def artifact(self, **more):
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.descriptor(b"{}", "application/vnd.dev.cosign.artifact.sig.v1+json"), "layers": [self.descriptor(b"signature", "application/x-signature")]}
        return self.descriptor(js(manifest), MANIFEST, **more)
    def index(self, entries, kind=INDEX, **more): return self.descriptor(js({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}), kind, **more)
    def save(self, name, entries, prefix="", marker=True):
        members = [("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')] if marker else []
        write(name, packed(members + [("blobs/sha256/" + d, data) for d, data in self.blobs.items()] + [("index.json", js({"schemaVersion": 2, "manifests": entries}))], prefix))

here = {"architecture": os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64"), "os": "linux"}
there = {"architecture": "s390x", "os": "linux"}
def named(name): return {"annotations": {"org.opencontainers.image.ref.name": name}}

l = Layout(); l.save("nested.tar", [l.index([l.index([l.index([l.image("else", platform=there), l.image("nested", platform=here)])])], **named("nested:1"))])
l = Layout(); l.save("attested.tar", [l.index([l.attestation(), l.image("attested", platform=here), l.attestation()], **named("attested:1"))])
l = Layout(); l.save("attested-top.tar", [l.image("attested-top", **named("attested-top:1")), l.attestation(), l.artifact(**named("sha256-1.sig"))])
l = Layout(); l.save("no-platform.tar", [l.index([l.attestation(), l.image("else", "s390x"), l.image("no-platform", here["architecture"])], **named("no-platform:1"))])
l = Layout(); l.save("no-words.tar", [l.index([l.image("no-words", None)], **named("no-words:1"))])
l = Layout(); l.save("no-type.tar", [dict({k: v for k, v in l.index([{k: v for k, v in l.image("no-type", platform=here).items() if k != "mediaType"}]).items() if k != "mediaType"}, **named("no-type:1"))])
l = Layout(); l.save("top-platforms.tar", [l.image("else", "s390x", platform=there, **named("top:1")), l.image("top", platform=here, **named("top:1"))])
l = Layout(); l.save("variants.tar", [l.index([l.image("v3", platform=dict(here, variant="v3")), l.image("variants", platform=here)], **named("variants:1"))])
l = Layout(); gone = l.image("gone", "s390x", platform=there); l.blobs = {}; l.save("partial.tar", [l.index([gone, l.image("partial", platform=here)], **named("partial:1"))])
l = Layout(); l.save("dot-layout.tar", [l.image("dot-layout", **named("dot-layout:1"))], "./")
l = Layout(); l.save("slash-layout.tar", [l.image("slash-layout", **named("slash-layout:1"))], "/")
l = Layout(); l.save("no-marker.tar", [l.image("no-marker", **named("no-marker:1"))], marker=False)
l = Layout(); l.save("else.tar", [l.index([l.image("else", "s390x", platform=there)], **named("else:1"))])
l = Layout(); l.save("only-attested.tar", [l.attestation()])
l = Layout()
bomb = l.image("bomb", platform=there)
for _ in range(12): bomb = l.index([bomb] * 12)
l.save("bomb.tar", [bomb])

# --- skopeo's dir: --------------------------------------------------------------------------------------------

l = Layout(); l.image("single"); manifest = [b for b in l.blobs.values() if b.startswith(b'{"schemaVersion"')][0]
write("single.tar", packed([("version", b"Directory Transport Version: 1.1\n"), ("manifest.json", manifest)] + [(d, b) for d, b in l.blobs.items() if b != manifest]))

# --- the root's attributes -----------------------------------------------------------------------------------

def rooted(name, layers):
    layers, config = image(name, layers=layers)
    write(name + ".tar", packed([("c.json", config)] + [(f"{i}.tar", l) for i, l in enumerate(layers)] + [("manifest.json", js([{"Config": "c.json", "RepoTags": [name + ":1"], "Layers": [f"{i}.tar" for i in range(len(layers))]}]))]))
above = packed([("which", b"above")])
rooted("closed", [packed([("./", 0o711), ("below", b"b")]), above])
rooted("open", [packed([("./", 0o755), ("below", b"c")]), above])
rooted("said", [packed([("./", 0o711), ("below", b"d")]), packed([("./", 0o750), ("which", b"said")]), above])
rooted("silent", [above])
