#!/usr/bin/python3
# Trees with hard links for Tests/Commit/run, random changes of them, and what two archives of trees say of each other.
#
#   trees.py make SEED ROOT            an image's root
#   trees.py change SEED ROOT N        N changes of a tree
#   trees.py same A.tar B.tar          the same names, contents, files of several names, metadata
#   trees.py told BEFORE.tar AFTER.tar DIFF    each difference is in what `unionfsd diff` said, and nothing else
import hashlib, os, random, shutil, stat, sys, tarfile

command = sys.argv[1]
names = [b"a", b"b", b"c", b"d", b"e", b"\xe4\xff", b"with blank", b"x" * 200]
directories = [b"", b"u", b"v", b"w", b"w/sub", b"w/sub/deep", b"x", b"x/y"]
is_root = os.geteuid() == 0

class Tree:
    def __init__(self, seed, root):
        self.random, self.root = random.Random(seed), os.fsencode(root)
        self.many = open("/proc/self/uid_map").read().split()[2] != "1"
    def at(self, path): return os.path.join(self.root, path)
    def all(self):
        found = []
        for place, inner, files in os.walk(self.root):
            inner.sort()
            found += [os.path.relpath(os.path.join(place, name), self.root) for name in sorted(inner + files)]
        return found
    def directory(self): return self.random.choice([b""] + [p for p in self.all() if os.path.isdir(self.at(p)) and not os.path.islink(self.at(p))])
    def new(self): return os.path.join(self.directory(), self.random.choice(names))
    def file(self): return self.pick(lambda mode: stat.S_ISREG(mode))
    def any(self): return self.pick(lambda mode: True)
    def leaf(self): return self.pick(lambda mode: not stat.S_ISDIR(mode))
    def pick(self, wanted):
        found = [p for p in self.all() if wanted(os.lstat(self.at(p)).st_mode)]
        # Those of several names are what this is about.
        shared = [p for p in found if not os.path.isdir(self.at(p)) and os.lstat(self.at(p)).st_nlink > 1]
        if shared and self.random.random() < 0.6: found = shared
        return self.random.choice(found) if found else None
    def bytes(self): return self.random.randbytes(self.random.choice([0, 1, 100, 5000, 70000]))
    def remove(self, path):
        path = self.at(path)
        if os.path.isdir(path) and not os.path.islink(path): shutil.rmtree(path)
        elif os.path.lexists(path): os.remove(path)

    def make(self):
        # Times of another day than the changes.
        for path in directories[1:]: os.makedirs(self.at(path))
        for path in directories:
            for name in self.random.sample(names, 3): self.create(os.path.join(path, name))
        for _ in range(25): self.link()
        for path in self.all()[::-1] + [b""]:
            when = self.random.randrange(10**9) * 10**9 + self.random.randrange(10**9)
            os.utime(self.at(path), ns=(when, when), follow_symlinks=False)

    def create(self, path):
        if os.path.lexists(self.at(path)): return
        kind = self.random.randrange(10)
        if kind == 0: os.symlink(self.random.choice([b"a", b"../b", b"/w/a", b"nowhere"]), self.at(path))
        elif kind == 1: os.mkfifo(self.at(path), 0o640)
        else:
            with open(self.at(path), "wb") as f: f.write(self.bytes())
            os.chmod(self.at(path), self.random.choice([0o600, 0o644, 0o755, 0o4755]))
    def link(self):
        path, new = self.leaf(), self.new()
        if path and not os.path.lexists(self.at(new)): os.link(self.at(path), self.at(new), follow_symlinks=False)

    def change(self, n):
        # Some more names, of what was removed before.
        for _ in range(n // 10): self.create(self.new())
        for _ in range(n // 5): self.link()
        for _ in range(n):
            try: self.step()
            except OSError as error: sys.exit(f"{error}")
        # Whatever was removed: one file of two names is there to be looked at.
        self.create(b"last")
        if not os.path.lexists(self.at(b"last too")) and os.path.lexists(self.at(b"last")) and not os.path.isdir(self.at(b"last")): os.link(self.at(b"last"), self.at(b"last too"), follow_symlinks=False)
    def step(self):
        r = self.random
        what = r.choices(["append", "write", "chmod", "chown", "xattr", "times", "link", "remove", "rename", "create", "mkdir", "remake", "rmtree", "kind", "cut", "moved", "replaced"],
                         [12, 4, 5, 4, 3, 3, 14, 8, 8, 6, 3, 1, 0.5, 1, 2, 1, 2])[0]
        path = self.file() if what in ["append", "write", "cut", "xattr"] else self.leaf() if what in ["link", "remove", "rename", "replaced"] else self.any()
        if path is None: return
        here = self.at(path)
        if what == "append":
            with open(here, "ab") as f: f.write(b"more\n")
        elif what == "write":
            with open(here, "wb") as f: f.write(self.bytes())
        elif what == "cut": os.truncate(here, r.choice([0, 10, 300000]))
        elif what == "chmod" and not os.path.islink(here): os.chmod(here, r.choice([0o700, 0o755, 0o711] if os.path.isdir(here) else [0o600, 0o644, 0o6755]))
        elif what == "chown" and self.many: os.lchown(here, r.choice([0, 33]), r.choice([0, 42]))
        elif what == "xattr": os.setxattr(here, b"user." + r.choice([b"one", b"two"]), r.randbytes(5))
        elif what == "times": os.utime(here, ns=(r.randrange(10**18), r.randrange(10**18)), follow_symlinks=False)
        elif what == "link": self.link()
        elif what == "remove": os.remove(here)
        elif what == "rename":
            new = self.new()
            if not os.path.lexists(self.at(new)): os.rename(here, self.at(new))
        elif what == "replaced":
            # One name of a file over another file.
            other = self.leaf()
            if other: os.rename(here, self.at(other))
        elif what == "create": self.create(self.new())
        elif what == "mkdir":
            new = self.new()
            if not os.path.lexists(self.at(new)): os.mkdir(self.at(new))
        elif what == "rmtree":
            path = self.directory()
            if path: self.remove(path)
        elif what == "remake":
            # With some of the names that were in it, down to a second level.
            path = self.directory()
            if not path: return
            inner = [p for p in os.listdir(self.at(path)) if os.path.isdir(os.path.join(self.at(path), p)) and not os.path.islink(os.path.join(self.at(path), p))]
            self.remove(path)
            os.mkdir(self.at(path))
            for name in inner: os.mkdir(os.path.join(self.at(path), name))
            self.create(os.path.join(path, r.choice(names)))
        elif what == "kind":
            path = r.choice([self.directory(), self.leaf() or b""])
            if not path: return
            was = os.path.isdir(self.at(path)) and not os.path.islink(self.at(path))
            self.remove(path)
            if was: self.create(path)
            else: os.mkdir(self.at(path))
        elif what == "moved":
            # A directory of the image does not rename: mv(1) copies it, and keeps its files of several names.
            path, new = self.directory(), self.new()
            if path and not os.path.lexists(self.at(new)) and not new.startswith(path + b"/"):
                os.system(f"mv -- '{os.fsdecode(self.at(path))}' '{os.fsdecode(self.at(new))}'") == 0 or sys.exit("mv fails")

def read(path):
    """name -> what it is; and name -> all names of that file."""
    files, groups = {}, {}
    with tarfile.open(path, encoding="utf-8", errors="surrogateescape") as tar:
        for m in tar:
            name = m.name.lstrip("./") or "."
            if m.islnk():
                target = m.linkname.lstrip("./")
                files[name] = files[target]
                groups[target].append(name)
                groups[name] = groups[target]
                continue
            content = hashlib.sha256(tar.extractfile(m).read()).hexdigest() if m.isreg() else ""
            xattrs = sorted((k.split(".", 2)[2] if k.startswith("SCHILY.xattr.") else k, v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr."))
            files[name] = (m.type, m.mode, m.uid, m.gid, int(m.mtime), m.size if m.isreg() else 0, content, m.linkname, m.devmajor, m.devminor, tuple(xattrs))
            groups[name] = [name]
    return files, {name: tuple(sorted(group)) for name, group in groups.items()}

# In a user namespace no other than a regular file can say where in the index it belongs (docs/semantics.md): names of others part at the mount after a copy-up, and nobody sees that one of them went.
def counted(entry): return entry[0] == tarfile.REGTYPE or os.environ.get("COUNTS") != "regular"

def same(a, b):
    (one, of_one), (two, of_two) = read(a), read(b)
    bad = []
    for name in sorted(set(one) | set(two)):
        if name not in one or name not in two: bad.append(f"{name!r}: only in {a if name in one else b}")
        elif one[name] != two[name]: bad.append(f"{name!r}: {one[name]} in {a}, {two[name]} in {b}")
        elif counted(one[name]) and of_one[name] != of_two[name]: bad.append(f"{name!r}: one file is {of_one[name]} in {a}, {of_two[name]} in {b}")
    return bad

def told(before, after, diff):
    (old, of_old), (new, of_new) = read(before), read(after)
    said, bad = {}, []
    for line in open(diff, "rb").read().decode("utf-8", "surrogateescape").split("\n"):
        if line:
            if line[2:] in said: bad.append(f"{line[2:]!r} is told twice")
            said[line[3:]] = line[0]
    above = lambda name: [name[:i] for i, c in enumerate(name) if c == "/"]
    for name in sorted((set(old) | set(new)) - {"."}):
        if name not in old:
            if said.get(name) != "A": bad.append(f"{name!r} is new: {said.get(name)}")
        elif name not in new:
            if said.get(name) != "D" and not any(said.get(p) == "D" or p in new and new[p][0] != tarfile.DIRTYPE for p in above(name)): bad.append(f"{name!r} is gone: {said.get(name)}")
        elif (old[name] != new[name] or counted(new[name]) and of_old[name] != of_new[name]) and said.get(name) != "C": bad.append(f"{name!r} is changed: {said.get(name)}")
    for name, kind in said.items():
        if kind == "A" and name in old or kind == "D" and (name in new or name not in old) or kind == "C" and (name not in old or name not in new): bad.append(f"{kind} {name!r} is not so")
    return bad

if command in ["make", "change"]:
    tree = Tree(int(sys.argv[2]), sys.argv[3])
    if command == "make": tree.make()
    else: tree.change(int(sys.argv[4]))
else:
    bad = {"same": same, "told": told}[command](*sys.argv[2:])
    if bad: print("\n".join(bad[:12]).encode("utf-8", "backslashreplace").decode())
    sys.exit(bool(bad))
