import Glibc

/// open(2): every kind of object with every combination of flags that means something.
let openCases: [Case] = [
    Case("open-flags", setup: openFixture) { scene in
        let targets: [Name] = [
            "f", "d", "sf", "sd", "dangling", "loop", "missing", "sock", "fifo", "f/", "d/", "d/.",
            "sf/", "sd/", "missing/", "f/x", "dangling/x", "",
        ]
        let extras: [Int32] = [
            0, O_NOFOLLOW, O_DIRECTORY, O_DIRECTORY | O_NOFOLLOW, O_PATH, O_PATH | O_NOFOLLOW, O_PATH | O_DIRECTORY,
            O_NOATIME, O_SYNC, O_DSYNC, O_APPEND, O_TRUNC, O_APPEND | O_TRUNC, O_CREAT, O_CREAT | O_NOFOLLOW,
            O_CREAT | O_EXCL, O_CREAT | O_TRUNC, O_CREAT | O_EXCL | O_TRUNC, O_CREAT | O_APPEND, O_CREAT | O_DIRECTORY,
            O_CREAT | O_PATH, O_EXCL, O_TMPFILE,
        ]
        // Reading comes first, so that on a prepared tree it reads what was not copied up yet.
        for access in [O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE] {
            for extra in extras {
                for target in targets {
                    tryOpen(scene, target, access | extra | O_NONBLOCK)
                }
            }
        }
    },

    Case("open-at") { make in
        make.dir("d")
        make.file("d/f", "inner")
        make.file("f", "outer")
    } body: { scene in
        scene.opened("d", O_RDONLY | O_DIRECTORY) { dir in
            for flags in [O_RDONLY, O_RDWR, O_RDWR | O_CREAT] {
                for name: Name in ["f", "../f", "./f", "../d/f", "none", "../none/f"] {
                    let fd = Sys.open(name, flags, 0o600, at: dir)
                    scene.ok("openat(d, \(name), \(openFlags(flags)))", fd)
                    if fd >= 0 { scene.contents(of: Int32(fd)) }
                    Sys.close(Int32(fd))
                }
            }
        }
        scene.opened("f", O_RDONLY) { file in
            scene.ok("openat(file, x)", Sys.open("x", O_RDONLY, at: file))
        }
        scene.ok("openat(bad descriptor)", Sys.open("x", O_RDONLY, at: 999))
    },

    Case("open-path-descriptor") { make in
        make.file("f", "content", mode: 0o640)
        make.symlink("f", "s")
        make.dir("d")
        make.file("d/x", "x")
    } body: { scene in
        scene.opened("f", O_PATH) { fd in
            scene.fstat(fd)
            scene.read(fd, 10)
            scene.write(fd, "x")
            scene.fchmod(fd, 0o600)
            scene.ftruncate(fd, 0)
            for flags in [O_RDONLY, O_RDWR, O_WRONLY | O_APPEND] {
                let again = Sys.reopen(fd, flags)
                scene.ok("reopen(\(openFlags(flags)))", again)
                if again >= 0 {
                    if flags != O_RDONLY { scene.write(Int32(again), "++") }
                    scene.contents(of: Int32(again))
                    Sys.close(Int32(again))
                }
            }
        }
        scene.opened("s", O_PATH | O_NOFOLLOW) { fd in
            scene.fstat(fd, "symlink")
            let (result, text) = Sys.readlink("", at: fd)
            scene.note("readlink of the descriptor", result < 0 ? show(result) : showBytes(text))
            scene.ok("reopen symlink", Sys.reopen(fd, O_RDONLY))
        }
        scene.opened("d", O_PATH | O_DIRECTORY) { fd in
            scene.result("getdents of O_PATH", Sys.entries(fd).0)
            let inner = Sys.open("x", O_RDWR, at: fd)
            scene.ok("openat(O_PATH directory)", inner)
            Sys.close(Int32(inner))
        }
    },

    Case("open-truncates") { make in
        for name in ["plain", "setid", "read", "append"] { make.file(Name(name.utf8), "some content", mode: 0o6755) }
        make.file("empty")
        make.file("readonly-mode", "some content", mode: 0o444)
    } body: { scene in
        scene.timeEffects("O_TRUNC", of: ["plain"]) { scene.opened("plain", O_WRONLY | O_TRUNC) { scene.fstat($0) } }
        scene.timeEffects("O_TRUNC", of: ["empty"]) { scene.opened("empty", O_WRONLY | O_TRUNC) { scene.fstat($0) } }
        scene.opened("read", O_RDONLY | O_TRUNC) { scene.fstat($0) }
        scene.opened("append", O_WRONLY | O_APPEND | O_TRUNC) { fd in
            scene.write(fd, "new")
            scene.fstat(fd)
        }
        scene.asUser(1000) { scene.opened("readonly-mode", O_RDONLY | O_TRUNC) { scene.fstat($0) } }
        scene.opened("setid", O_RDWR) { fd in
            scene.write(fd, "x")
            scene.fstat(fd)
        }
    },

    Case("open-many") { make in
        make.file("f", "content")
    } body: { scene in
        var all: [Int32] = []
        for _ in 0..<200 {
            let fd = Sys.open("f", O_RDWR)
            if fd >= 0 { all.append(Int32(fd)) }
        }
        scene.result("descriptors", all.count)
        for (index, fd) in all.enumerated() { _ = Sys.pwrite(fd, Array("\(index % 10)".utf8), at: Int64(index)) }
        scene.contents(of: all[0])
        for fd in all { Sys.close(fd) }
        scene.result("close twice", Sys.close(all[0]))
    },
]

private func openFixture(_ make: Maker) {
    make.file("f", "hello world")
    make.dir("d")
    make.file("d/x", "x")
    make.symlink("f", "sf")
    make.symlink("d", "sd")
    make.symlink("nowhere", "dangling")
    make.symlink("loop", "loop")
    make.node("fifo", kindFifo | 0o644)
    make.node("sock", kindSocket | 0o644)
}

/// One open, what came of it, and back to the beginning.
private func tryOpen(_ scene: Scene, _ target: Name, _ flags: Int32) {
    scene.opened(target, flags, 0o640) { fd in
        scene.fstat(fd)
        if flags & O_ACCMODE != O_RDONLY, flags & O_PATH == 0, flags & O_ACCMODE != O_ACCMODE, target != "fifo" {
            scene.write(fd, "HE")
        }
    }
    for made: Name in ["missing", "nowhere"] where Sys.status(made).0 >= 0 {
        scene.stat(made)
        scene.make.gone(made)
    }
    let (result, bytes) = readAndClose("f")
    if result >= 0, bytes != Array("hello world".utf8) {
        scene.note("f became", showBytes(bytes))
        let fd = Sys.open("f", O_WRONLY | O_TRUNC)
        _ = Sys.write(Int32(fd), Array("hello world".utf8))
        Sys.close(Int32(fd))
    }
}

private func readAndClose(_ name: Name) -> (Int, [UInt8]) {
    let fd = Sys.open(name, O_RDONLY)
    guard fd >= 0 else { return (fd, []) }
    defer { Sys.close(Int32(fd)) }
    return Sys.contents(Int32(fd))
}
