import Glibc

/// FS_IOC_GETFLAGS and FS_IOC_SETFLAGS (ioctl_iflags(2)): append-only and immutable objects.
let flagCases: [Case] = [
    Case("flags") { make in
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        for (name, access) in [("f", O_RDONLY), ("f", O_RDWR), ("d", O_RDONLY)] as [(Name, Int32)] {
            scene.opened(name, access) { fd in
                for flags in [0, FS_NODUMP_FL, FS_NOATIME_FL, FS_SYNC_FL, FS_NODUMP_FL | FS_APPEND_FL, 0] as [UInt32] {
                    let (result, old) = Sys.getflags(fd)
                    scene.note("getflags", result < 0 ? show(result) : String(old & visible, radix: 16))
                    scene.result("setflags(\(String(flags, radix: 16)))", Sys.setflags(fd, old & ~visible | flags))
                }
                let (result, now) = Sys.getflags(fd)
                scene.note("getflags", result < 0 ? show(result) : String(now & visible, radix: 16))
            }
        }
        scene.opened("f", O_PATH) { scene.result("getflags of O_PATH", Sys.getflags($0).0) }
        scene.asUser(1000) {
            scene.opened("f", O_RDONLY) { scene.result("setflags as user", Sys.setflags($0, FS_NODUMP_FL)) }
        }
    },

    Case("flags-append") { make in
        make.file("f", "start")
        make.dir("d")
        make.file("d/old", "x")
    } body: { scene in
        scene.flagged("f", FS_APPEND_FL) {
            for flags in [O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_APPEND | O_TRUNC] {
                _ = scene.open("f", flags).map { Sys.close($0) }
            }
            scene.opened("f", O_WRONLY | O_APPEND) { fd in
                scene.write(fd, "+")
                scene.ftruncate(fd, 0)
                scene.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1)
            }
            changeAll(scene, "f")
        }
        scene.flagged("d", FS_APPEND_FL) {
            scene.unlink("d/old")
            scene.rename("d/old", "d/new")
            scene.mkdir("d/dir")
            scene.rmdir("d/dir")
            scene.rename("d", "e")
            scene.rmdir("d")
        }
        scene.contents("f")
        scene.list("d")
    },

    Case("flags-immutable") { make in
        make.file("f", "start")
        make.dir("d")
        make.file("d/old", "x")
    } body: { scene in
        scene.flagged("f", FS_IMMUTABLE_FL) {
            for flags in [O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_RDONLY | O_TRUNC] {
                _ = scene.open("f", flags).map { Sys.close($0) }
            }
            scene.contents("f")
            changeAll(scene, "f")
            scene.access("f", W_OK)
        }
        scene.flagged("d", FS_IMMUTABLE_FL) {
            scene.mkdir("d/dir")
            scene.unlink("d/old")
            scene.link("f", "d/link")
            scene.rename("d/old", "moved")
            scene.rename("f", "d/f")
            changeAll(scene, "d")
            scene.opened("d/old", O_RDWR) { scene.write($0, "may") }
        }
        scene.list("d")
    },
]

/// The flags that every filesystem means the same by; ext4 adds some of its own (extents, index).
private let visible = FS_SYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL

private func changeAll(_ scene: Scene, _ name: Name) {
    scene.chmod(name, 0o700)
    scene.chown(name, 5, 5)
    scene.utimens(name, Moment(5, 5), Moment(5, 5))
    scene.utimens(name, .now, .now)
    scene.setxattr(name, "user.x", "x")
    scene.truncate(name, 1)
    scene.link(name, "linked")
    scene.rename(name, "renamed")
    scene.unlink(name)
    scene.stat(name)
}

extension Scene {
    /// Sets a flag while `body` runs. Always taken off again: what keeps it cannot be cleaned up.
    fileprivate func flagged(_ name: Name, _ flag: UInt32, _ body: () -> Void) {
        guard let fd = open(name, O_RDONLY) else { return }
        let old = Sys.getflags(fd).1
        result("set \(String(flag, radix: 16))", Sys.setflags(fd, old | flag))
        note("flags", String(Sys.getflags(fd).1 & visible, radix: 16))
        body()
        result("unset", Sys.setflags(fd, old))
        Sys.close(fd)
    }
}
