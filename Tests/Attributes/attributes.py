#!/usr/bin/env python3
"""Random work on a mount; after each step stat(2), and statx(2) asked for one field alone, must say of each object what its layer says of it, with the
caches as they are. Mappings, open files and children stay as they fall.

    attributes.py MNT UPPER LOWER [--seed N] [--seconds S] [--writeback]

Exit status 1, and the steps that led there, at the first difference. --writeback: sizes and times are the kernel's until it has written them back, so that the
mount is synced before each look, and ctime is not compared.
"""
import argparse, ctypes, errno, fcntl, mmap, os, random, stat, struct, sys, time, traceback

libc = ctypes.CDLL(None, use_errno=True)
MASKS = {"mode": 0x2, "nlink": 0x4, "uid": 0x8, "gid": 0x10, "mtime": 0x40, "ctime": 0x80, "size": 0x200, "blocks": 0x400}


def statx(path, mask):
    """The fields that a mask asks for."""
    buffer = ctypes.create_string_buffer(256)
    if libc.statx(-100, path.encode(), 0x100, mask, buffer) < 0:
        raise OSError(ctypes.get_errno(), path)
    raw = buffer.raw
    nlink, uid, gid = struct.unpack_from("=III", raw, 16)
    (mode,) = struct.unpack_from("=H", raw, 28)
    size, blocks = struct.unpack_from("=QQ", raw, 40)
    ctime = struct.unpack_from("=qI", raw, 96)
    mtime = struct.unpack_from("=qI", raw, 112)
    return {"mode": mode, "nlink": nlink, "uid": uid, "gid": gid, "size": size, "blocks": blocks,
            "mtime": mtime[0] * 10**9 + mtime[1], "ctime": ctime[0] * 10**9 + ctime[1]}


def whole(path):
    s = os.lstat(path)
    return {"mode": s.st_mode, "nlink": s.st_nlink, "uid": s.st_uid, "gid": s.st_gid, "size": s.st_size, "blocks": s.st_blocks,
            "mtime": s.st_mtime_ns, "ctime": s.st_ctime_ns}


class Run:
    def __init__(self, options):
        self.mnt, self.upper, self.lower = options.mnt, options.upper, options.lower
        self.writeback = options.writeback
        self.random = random.Random(options.seed)
        self.steps, self.looks, self.said = 0, 0, []
        self.files, self.maps = [], []
        self.serial = 0

    # ---- where the layers have a name ----

    def names(self, kind=None):
        found = []
        for at, directories, files in os.walk(self.mnt):
            here = os.path.relpath(at, self.mnt)
            for name in (directories if kind in (None, "dir") else []) + (files if kind in (None, "file") else []):
                found.append(os.path.normpath(os.path.join(here, name)))
        return sorted(found)

    def files_only(self):
        return [n for n in self.names("file") if stat.S_ISREG(os.lstat(os.path.join(self.mnt, n)).st_mode)]

    def layer(self, name):
        """The object's path in its layer; None where its number must be looked for in the index. (Lower directories are not renamed here.)"""
        upper = os.path.join(self.upper, name)
        if os.path.lexists(upper):
            return upper
        lower = os.path.join(self.lower, name)
        status = os.lstat(lower)
        if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
            return None
        return lower

    # ---- the comparison ----

    def compare(self, name):
        layer = self.layer(name)
        if layer is None:
            return
        path = os.path.join(self.mnt, name)
        fields = [f for f in MASKS if not (self.writeback and f == "ctime")]
        first = whole(layer)
        # A directory of several parts says 1; a file that had several names below is counted over the layers.
        if stat.S_ISDIR(first["mode"]) or first["nlink"] > 1 or self.had_links(name):
            fields.remove("nlink")
        one = self.random.choice(fields)
        shown = whole(path) if self.random.random() < 0.5 else None
        alone = statx(path, MASKS[one])
        if shown is None and self.random.random() < 0.3:
            shown = whole(path)
        if whole(layer) != first:
            return  # It is changing by itself: written back just now.
        self.looks += 1
        differences = [] if alone[one] == first[one] else [("statx", one, alone[one], first[one])]
        if shown:
            differences += [("stat", f, shown[f], first[f]) for f in fields if shown[f] != first[f]]
        if differences:
            raise AssertionError(name, differences)

    def had_links(self, name):
        try:
            return os.lstat(os.path.join(self.lower, name)).st_nlink > 1
        except OSError:
            return False

    # ---- the steps ----

    def fresh(self):
        self.serial += 1
        return "n%d" % self.serial

    def place(self):
        return self.random.choice(["."] + self.names("dir"))

    def at(self, name):
        return os.path.join(self.mnt, name)

    def step(self):
        kinds = ["write"] * 4 + ["store"] * 5 + ["map"] * 3 + ["open"] * 2 + ["close"] * 2 + ["unmap"] * 2 + ["child", "truncate", "allocate", "punch", "chmod", "chown", "times",
                 "setxattr", "removexattr", "flags", "link", "unlink", "rename", "replace", "create", "mkdir", "rmdir", "symlink", "fifo", "copyrange", "read", "list", "walk", "tmpfile",
                 "append", "msync", "fsync", "sleep", "readlink", "acl"]
        kind = self.random.choice(kinds)
        names = [n for n in getattr(self, "do_" + kind)() or [] if n is not None]
        self.said.append("%s %s" % (kind, " ".join(names)))
        del self.said[:-60]
        self.steps += 1
        if self.writeback:
            fd = os.open(self.mnt, os.O_RDONLY)
            libc.syncfs(fd)
            os.close(fd)
        everything = self.names()
        looked = set(names) | {os.path.dirname(n) or "." for n in names} | set(self.random.sample(everything, min(6, len(everything)))) | {"."}
        for name in sorted(looked):
            if os.path.lexists(self.at(name)):
                self.compare(name)

    def pick(self, only_files=True):
        found = self.files_only() if only_files else self.names()
        return self.random.choice(found) if found else None

    def do_write(self):
        if not self.files:
            return self.do_open()
        name, fd, writes = self.random.choice(self.files)
        if writes:
            os.pwrite(fd, os.urandom(self.random.choice([1, 100, 5000, 40000])), self.random.choice([0, 10, 4096, 100000]))
        return [name]

    def do_append(self):
        name = self.pick()
        fd = os.open(self.at(name), os.O_WRONLY | os.O_APPEND)
        os.write(fd, b"more\n")
        os.close(fd)
        return [name]

    def do_open(self):
        name = self.pick()
        flags = self.random.choice([os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR, os.O_RDWR | os.O_TRUNC, os.O_WRONLY | os.O_TRUNC])
        self.files.append((name, os.open(self.at(name), flags), flags & 3 != 0))
        if len(self.files) > 20:
            os.close(self.files.pop(0)[1])
        return [name]

    def do_close(self):
        if self.files:
            name, fd, _ = self.files.pop(self.random.randrange(len(self.files)))
            os.close(fd)
            return [name]

    def do_map(self):
        name = self.pick()
        fd = os.open(self.at(name), os.O_RDWR)
        length = os.fstat(fd).st_size
        if length > 0:
            self.maps.append((name, mmap.mmap(fd, min(length, 1 << 16), mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)))
        # Python's mapping has a descriptor of its own, which it closes with the mapping; a bare one is below.
        os.close(fd)
        if len(self.maps) > 12:
            self.maps.pop(0)[1].close()
        return [name]

    def store(self, mapping):
        size = mapping.size()
        if size == 0:
            return
        at = self.random.randrange(min(len(mapping), size))
        mapping[at] = self.random.randrange(256)

    def do_store(self):
        if not self.maps:
            return self.do_map()
        name, mapping = self.random.choice(self.maps)
        if self.random.random() < 0.5 and os.path.lexists(self.at(name)):
            whole(self.at(name))
        self.store(mapping)
        return [name if os.path.lexists(self.at(name)) else None]

    def do_child(self):
        if not self.maps:
            return
        name, mapping = self.random.choice(self.maps)
        if mapping.size() == 0:
            return
        child = os.fork()
        if child == 0:
            try:
                mapping[0] = 1
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        return [name]

    def do_unmap(self):
        """Most of all: a mapping without any descriptor, in a child of its own program."""
        name = self.pick()
        path = self.at(name)
        fd = os.open(path, os.O_RDWR)
        length = os.fstat(fd).st_size
        if length == 0:
            os.close(fd)
            return [name]
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
        libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        address = libc.mmap(None, 4096, 3, 1, fd, 0)
        order = self.random.choice(["close stat store", "stat close store", "stat store close", "close store", "stat close store stat"])
        for what in order.split():
            if what == "close":
                os.close(fd)
            elif what == "stat":
                whole(path) if self.random.random() < 0.5 else statx(path, MASKS["mtime"])
            else:
                time.sleep(0.005)
                ctypes.memset(address, self.random.randrange(256), 1)
        if self.random.random() < 0.3 and not self.writeback:
            self.compare(name)
        libc.munmap(address, 4096)
        return [name]

    def do_msync(self):
        if self.maps:
            name, mapping = self.random.choice(self.maps)
            mapping.flush()
            return [name]

    def do_fsync(self):
        if self.files:
            name, fd, _ = self.random.choice(self.files)
            os.fsync(fd)
            return [name]

    def do_truncate(self):
        name = self.pick()
        # Mapped pages beyond the end would be SIGBUS.
        if any(name == mapped for mapped, _ in self.maps):
            return [name]
        os.truncate(self.at(name), self.random.choice([0, 10, 5000, 200000]))
        return [name]

    def do_allocate(self):
        name = self.pick()
        fd = os.open(self.at(name), os.O_WRONLY)
        libc.fallocate(fd, self.random.choice([0, 1]), ctypes.c_long(self.random.choice([0, 50000])), ctypes.c_long(30000))
        os.close(fd)
        return [name]

    def do_punch(self):
        name = self.pick()
        fd = os.open(self.at(name), os.O_WRONLY)
        libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(8192))
        os.close(fd)
        return [name]

    def do_chmod(self):
        name = self.pick(only_files=False)
        if not os.path.islink(self.at(name)):
            # Who is not root must still get into a directory.
            modes = [0o755, 0o700, 0o711] if os.path.isdir(self.at(name)) else [0o644, 0o755, 0o700, 0o600]
            os.chmod(self.at(name), self.random.choice(modes))
        return [name]

    def do_chown(self):
        name = self.pick(only_files=False)
        if os.getuid() == 0:
            os.lchown(self.at(name), self.random.choice([0, 1, 2]), self.random.choice([0, 1, 2]))
        return [name]

    def do_times(self):
        name = self.pick(only_files=False)
        os.utime(self.at(name), ns=(self.random.randrange(10**18), self.random.randrange(10**18)), follow_symlinks=False)
        return [name]

    def do_setxattr(self):
        name = self.pick()
        os.setxattr(self.at(name), "user.test", os.urandom(self.random.choice([1, 200, 2000])))
        return [name]

    def do_removexattr(self):
        name = self.pick()
        try:
            os.removexattr(self.at(name), "user.test")
        except OSError as e:
            if e.errno != errno.ENODATA:
                raise
        return [name]

    def do_acl(self):
        name = self.pick()
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in [(1, 6, 0xffffffff), (2, 6, 3), (4, 4, 0xffffffff), (16, 6, 0xffffffff), (32, 4, 0xffffffff)])
        os.setxattr(self.at(name), "system.posix_acl_access", acl)
        return [name]

    def do_flags(self):
        """FS_NODUMP_FL, there and away."""
        name = self.pick()
        fd = os.open(self.at(name), os.O_RDONLY)
        try:
            flags = struct.unpack("l", fcntl.ioctl(fd, 0x80086601, struct.pack("l", 0)))[0]
            fcntl.ioctl(fd, 0x40086602, struct.pack("l", flags ^ 0x40))
        except OSError as e:
            if e.errno not in (errno.ENOTTY, errno.EOPNOTSUPP):
                raise
        finally:
            os.close(fd)
        return [name]

    def do_link(self):
        name, new = self.pick(), os.path.normpath(os.path.join(self.place(), self.fresh()))
        os.link(self.at(name), self.at(new))
        return [name, new]

    def do_unlink(self):
        name = self.pick()
        if len(self.files_only()) < 8:
            return self.do_create()
        os.unlink(self.at(name))
        return [os.path.dirname(name) or "."]

    def do_rename(self):
        name, new = self.pick(), os.path.normpath(os.path.join(self.place(), self.fresh()))
        os.rename(self.at(name), self.at(new))
        return [new, os.path.dirname(name) or "."]

    def do_replace(self):
        name, new = self.pick(), self.pick()
        if len(self.files_only()) > 8:
            os.rename(self.at(name), self.at(new))
        return [new, os.path.dirname(name) or "."]

    def do_create(self):
        name = os.path.normpath(os.path.join(self.place(), self.fresh()))
        flags = self.random.choice([os.O_WRONLY, os.O_RDWR]) | os.O_CREAT | os.O_EXCL
        fd = os.open(self.at(name), flags, 0o644)
        if self.random.random() < 0.7:
            os.write(fd, os.urandom(self.random.choice([10, 5000, 70000])))
        if flags & os.O_RDWR:
            whole(self.at(name))
        if self.random.random() < 0.5:
            self.files.append((name, fd, True))
        else:
            os.close(fd)
        return [name]

    def do_tmpfile(self):
        new = os.path.normpath(os.path.join(self.place(), self.fresh()))
        fd = os.open(self.at(os.path.dirname(new) or "."), os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(fd, b"x" * 5000)
        if libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, self.at(new).encode(), 0x400) < 0:
            raise OSError(ctypes.get_errno(), new)
        os.close(fd)
        return [new]

    def do_mkdir(self):
        name = os.path.normpath(os.path.join(self.place(), self.fresh()))
        os.mkdir(self.at(name))
        return [name]

    def do_rmdir(self):
        for name in self.names("dir"):
            if not os.listdir(self.at(name)):
                os.rmdir(self.at(name))
                return [os.path.dirname(name) or "."]

    def do_symlink(self):
        name = os.path.normpath(os.path.join(self.place(), self.fresh()))
        os.symlink("nowhere/at/all", self.at(name))
        return [name]

    def do_fifo(self):
        name = os.path.normpath(os.path.join(self.place(), self.fresh()))
        os.mkfifo(self.at(name))
        return [name]

    def do_readlink(self):
        for name in self.names():
            if os.path.islink(self.at(name)):
                os.readlink(self.at(name))
                return [name]

    def do_copyrange(self):
        name, other = self.pick(), self.pick()
        if name == other or any(other == mapped for mapped, _ in self.maps):
            return
        source, target = os.open(self.at(name), os.O_RDONLY), os.open(self.at(other), os.O_WRONLY)
        # Two names of one file: ranges must not overlap.
        if not os.path.samestat(os.fstat(source), os.fstat(target)):
            os.copy_file_range(source, target, 20000)
        os.close(source)
        os.close(target)
        return [name, other]

    def do_read(self):
        name = self.pick()
        with open(self.at(name), "rb") as file:
            file.read(100)
        return [name]

    def do_list(self):
        name = self.place()
        os.listdir(self.at(name))
        return [name]

    def do_walk(self):
        for name in self.names():
            whole(self.at(name))

    def do_sleep(self):
        time.sleep(self.random.choice([0.001, 0.01, 0.03]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mnt"), parser.add_argument("upper"), parser.add_argument("lower")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--writeback", action="store_true")
    options = parser.parse_args()
    print("seed", options.seed, flush=True)
    run = Run(options)
    end = time.monotonic() + options.seconds
    try:
        while time.monotonic() < end:
            run.step()
    except (AssertionError, OSError) as error:
        print("step %d: %r" % (run.steps, error))
        if isinstance(error, OSError):
            traceback.print_exc()
        print("\n".join(run.said[-25:]))
        return 1
    print("%d steps, %d looks, no difference" % (run.steps, run.looks))
    return 0


sys.exit(main())
