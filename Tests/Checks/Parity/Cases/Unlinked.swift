import Glibc

/// What was unlinked while open: still there for who holds it, in every respect.
let unlinkedCases: [Case] = [
    Case("unlinked-file") { make in
        make.file("f", "0123456789", mode: 0o644)
        make.xattr("f", "user.x", "kept")
    } body: { scene in
        scene.opened("f", O_RDWR) { fd in
            scene.unlink("f")
            useUnlinked(scene, fd)
        }
        scene.list(".")
    },

    Case("unlinked-reader") { make in
        make.file("f", "0123456789")
    } body: { scene in
        scene.opened("f", O_RDONLY) { fd in
            scene.unlink("f")
            scene.opened("f", O_CREAT | O_EXCL | O_RDWR, 0o600) { scene.write($0, "another one of that name") }
            scene.contents(of: fd)
            scene.fstat(fd)
            scene.fchmod(fd, 0o600)
            scene.fstat(fd)
            scene.contents("f")
            scene.stat("f")
        }
    },

    Case("unlinked-by-rename") { make in
        make.file("victim", "0123456789")
        make.file("winner", "winner")
    } body: { scene in
        scene.opened("victim", O_RDWR) { fd in
            scene.rename("winner", "victim")
            useUnlinked(scene, fd)
        }
        scene.contents("victim")
    },

    Case("unlinked-one-of-two") { make in
        make.file("a", "0123456789")
        make.link("a", "b")
    } body: { scene in
        scene.opened("a", O_RDWR) { fd in
            scene.unlink("a")
            scene.fstat(fd)
            scene.write(fd, "through the descriptor")
            scene.contents("b")
            scene.chmod("b", 0o600)
            scene.fstat(fd)
            scene.unlink("b")
            scene.fstat(fd)
            scene.contents(of: fd)
        }
    },

    Case("unlinked-reopen") { make in
        make.file("f", "0123456789", mode: 0o600)
    } body: { scene in
        scene.opened("f", O_RDONLY) { fd in
            scene.unlink("f")
            for flags in [O_RDONLY, O_RDWR, O_WRONLY | O_TRUNC] {
                let again = Sys.reopen(fd, flags)
                scene.ok("reopen(\(openFlags(flags)))", again)
                if again >= 0 {
                    if flags & O_ACCMODE != O_RDONLY { scene.write(Int32(again), "new") }
                    scene.fstat(Int32(again))
                    Sys.close(Int32(again))
                }
            }
            scene.contents(of: fd)
            scene.result("link back", Sys.link("/proc/self/fd/\(fd)", "back", flags: AT_SYMLINK_FOLLOW))
        }
        scene.list(".")
    },

    Case("unlinked-path-descriptor") { make in
        make.file("f", "0123456789")
        make.symlink("f", "s")
        make.dir("d")
        make.node("p", kindFifo | 0o600)
    } body: { scene in
        for (name, directory) in [("f", false), ("s", false), ("p", false), ("d", true)] as [(Name, Bool)] {
            scene.opened(name, O_PATH | O_NOFOLLOW) { fd in
                directory ? scene.rmdir(name) : scene.unlink(name)
                let (result, status) = Sys.status(fd: fd)
                scene.note("fstat", result < 0 ? show(result) : "nlink \(status.nlink) \(kindName(status.mode))")
            }
        }
    },

    Case("unlinked-directory") { make in
        make.dir("d")
        make.dir("d/sub")
        make.file("d/sub/f", "x")
    } body: { scene in
        scene.opened("d/sub", O_RDONLY | O_DIRECTORY) { fd in
            scene.opened("d/sub/f", O_RDWR) { file in
                scene.result("rm -rf", removeTree("d"))
                let (result, status) = Sys.status(fd: fd)
                scene.note("fstat of directory", result < 0 ? show(result) : "nlink \(status.nlink)")
                scene.result("entries", Sys.allEntries(fd).1.count { !$0.isDot })
                scene.ok("openat", Sys.open("f", O_RDONLY, at: fd))
                scene.ok("openat of ..", Sys.open("..", O_RDONLY, at: fd))
                scene.result("mkdirat", Sys.mkdir("x", 0o700, at: fd))
                scene.write(file, "y")
                scene.contents(of: file)
                scene.mkdir("d")
                scene.mkdir("d/sub")
                scene.list("d/sub")
                scene.result("entries of the old one", Sys.allEntries(fd).1.count { !$0.isDot })
            }
        }
    },
]

private func useUnlinked(_ scene: Scene, _ fd: Int32) {
    scene.fstat(fd)
    scene.contents(of: fd)
    scene.pwrite(fd, "WRITTEN", 5)
    scene.contents(of: fd)
    scene.ftruncate(fd, 8)
    scene.fstat(fd)
    scene.fchmod(fd, 0o4711)
    scene.fstat(fd)
    scene.fchown(fd, 5, 6)
    scene.fstat(fd)
    scene.futimens(fd, Moment(1000, 5), Moment(2000, 6))
    let status = Sys.status(fd: fd).1
    scene.note("times", status.atime.text + " " + status.mtime.text)
    scene.result("fsetxattr", Sys.setxattr("", "user.y", [1], at: fd))
    let (result, names) = Sys.listxattr("", at: fd)
    scene.note("flistxattr", result < 0 ? show(result) : names.map(\.description).joined(separator: ","))
    scene.result("fremovexattr", Sys.removexattr("", "user.y", at: fd))
    scene.fallocate(fd, 0, 0, 100)
    scene.fstat(fd)
    scene.result("fsync", Sys.fsync(fd))
    scene.result("flock", Sys.flock(fd, LOCK_EX))
    let again = Sys.reopen(fd, O_RDWR)
    scene.ok("reopen", again)
    if again >= 0 {
        scene.pwrite(Int32(again), "again", 0)
        Sys.close(Int32(again))
    }
    scene.pread(fd, 10, 0)
    scene.mapped("mmap", fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED) { map in
        map.store([0x21], at: 0)
        scene.pread(fd, 10, 0)
    }
}
