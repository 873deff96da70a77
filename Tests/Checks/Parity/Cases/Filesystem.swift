import CShims
import Glibc

/// statfs(2), statx(2), identity of objects.
let filesystemCases: [Case] = [
    Case("statfs") { make in
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        for (name, flags) in [("f", O_RDONLY), ("d", O_RDONLY), (".", O_RDONLY), ("f", O_PATH)] as [(Name, Int32)] {
            scene.opened(name, flags) { fd in
                let (result, status) = Sys.statfs(fd)
                scene.result("fstatfs", result)
                scene.result("name length", Int(status.namelen))
                scene.yes("sizes", status.bsize > 0 && status.frsize > 0 && status.blocks > 0)
                scene.yes(
                    "free within all",
                    status.bavail <= status.bfree && status.bfree <= status.blocks && status.bfree > 0)
                scene.yes("files", status.files >= status.ffree && status.files > 0)
                scene.yes("read-only", status.flags & 1 != 0)
            }
        }
    },

    Case("statfs-follows-use") { scene in
        guard let here = scene.open(".", O_RDONLY), let fd = scene.open("big", O_CREAT | O_RDWR, 0o600) else { return }
        let before = Sys.statfs(here).1
        scene.fallocate(fd, 0, 0, 64 << 20)
        let after = Sys.statfs(here).1
        // Half of it: others use the disk meanwhile.
        scene.yes("space went", before.bfree * UInt64(before.frsize) > after.bfree * UInt64(after.frsize) + 32 << 20)
        scene.yes("st_blocks says so", Sys.status(fd: fd).1.blocks >= 64 << 11)
        Sys.close(fd)
        scene.unlink("big")
    },

    Case("statx") { make in
        make.file("f", "x")
        make.dir("d")
        make.symlink("f", "s")
    } body: { scene in
        for name: Name in ["f", "d", "s"] {
            let (result, status) = Sys.status(name)
            scene.result("statx(\(name))", result)
            scene.yes("has btime", status.mask & STATX_BTIME != 0)
            scene.yes("btime is no later than ctime", status.btime <= status.ctime)
            scene.yes("btime is set", status.btime.seconds > 0)
            scene.yes("blocksize", status.blksize >= 512)
        }
        let before = Sys.status("f").1
        scene.chmod("f", 0o600)
        scene.truncate("f", 100)
        let after = Sys.status("f").1
        scene.yes("btime stays", before.btime == after.btime)
        scene.note("blocks of a small file", "\(after.blocks)")
    },

    Case("identity") { make in
        make.file("f", "x")
        make.dir("d")
        make.dir("d/sub")
        make.file("d/sub/f", "x")
        make.symlink("x", "s")
        make.node("p", kindFifo | 0o600)
    } body: { scene in
        // Whatever is done to an object, it stays the object it was.
        let value = Moment(5, 5)
        for name: Name in ["f", "d/sub/f", "p"] {
            scene.keepsIdentity(name) { scene.chmod(name, 0o600) }
            scene.keepsIdentity(name) { scene.chown(name, 4, 4) }
            scene.keepsIdentity(name) { scene.utimens(name, value, value) }
        }
        scene.keepsIdentity("f") { scene.opened("f", O_RDWR) { scene.write($0, "y") } }
        scene.keepsIdentity("s") { scene.chown("s", 4, 4) }
        scene.keepsIdentity("d") { scene.mkdir("d/new") }
        scene.keepsIdentity("d/sub") { scene.chmod("d/sub", 0o700) }
        scene.keepsIdentity("d", as: "e") { scene.rename("d", "e") }
        scene.keepsIdentity("e/sub/f", as: "f2") { scene.rename("e/sub/f", "f2") }
        scene.keepsIdentity("s", as: "e/s") { scene.rename("s", "e/s") }
        let all: [Name] = [".", "f", "e", "e/sub", "e/new", "f2", "p", "e/s"]
        scene.result("distinct objects", Set(all.map { Sys.status($0).1.ino }).count)
        scene.result("devices", Set(all.map { Sys.status($0).1.dev }).count)
    },

    Case("identity-of-descriptors") { make in
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        for name: Name in ["f", "d"] {
            scene.opened(name, O_RDONLY) { fd in
                scene.yes("fstat agrees with stat", Sys.status(fd: fd).1.ino == Sys.status(name).1.ino)
                scene.chmod(name, 0o700)
                scene.fstat(fd)
                scene.yes("still", Sys.status(fd: fd).1.ino == Sys.status(name).1.ino)
                scene.rename(name, "moved")
                scene.yes("after rename", Sys.status(fd: fd).1.ino == Sys.status("moved").1.ino)
                scene.rename("moved", name)
            }
        }
    },

    Case("root-of-mount") { scene in
        // The case's directory lies somewhere in the mount; on the way up everything must have its place.
        scene.yes("a directory above", Sys.status("..").1.isDirectory)
        scene.yes("same device above", Sys.status("..").1.dev == Sys.status(".").1.dev)
    },
]
