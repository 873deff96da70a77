import Glibc

/// Creating files: modes and umask, O_EXCL, O_TMPFILE and its publication, inheritance from setgid directories.
let createCases: [Case] = [
    Case("create-modes") { scene in
        for mask in [0, 0o022, 0o077, 0o777] as [UInt32] {
            for mode in [0, 0o644, 0o200, 0o755, 0o4755, 0o2755, 0o1777, 0o7777] as [UInt32] {
                umask(mask)
                scene.with("umask \(octal(mask))") {
                    scene.opened("f", O_RDWR | O_CREAT | O_EXCL, mode) { fd in
                        // The mode counts from the next open on; this descriptor may do what it was opened for.
                        scene.write(fd, "x")
                        scene.fstat(fd)
                    }
                    scene.mkdir("d", mode)
                    scene.stat("d")
                    scene.mknod("n", kindFifo | mode)
                    scene.stat("n")
                    scene.symlink("f", "s")
                    scene.stat("s")
                }
                for name: Name in ["f", "d", "n", "s"] { scene.make.gone(name) }
            }
        }
        umask(0)
    },

    Case("create-exclusive") { make in
        make.file("f", "there")
        make.dir("d")
        make.symlink("f", "s")
        make.symlink("gone", "dangling")
        make.node("p", kindFifo | 0o600)
    } body: { scene in
        for name: Name in ["f", "d", "s", "dangling", "p", "f/x", "d/new", "gone/x", ".", "..", "d/", "new/"] {
            _ = scene.open(name, O_RDWR | O_CREAT | O_EXCL, 0o600).map { Sys.close($0) }
        }
        // Through a dangling symlink, its target comes into being.
        _ = scene.open("dangling", O_RDWR | O_CREAT, 0o600).map { Sys.close($0) }
        scene.stat("gone")
        scene.stat("dangling")
    },

    Case("create-setgid-directory") { make in
        make.dir("plain", mode: 0o777)
        make.dir("setgid", mode: 0o2777, uid: 7, gid: 4242)
        make.dir("setgid/old", mode: 0o755)
    } body: { scene in
        func fill(_ who: Name) {
            for parent: Name in ["plain", "setgid", "setgid/old"] {
                scene.with("in \(parent)") {
                    scene.opened(parent.joined(Name("file-".utf8 + who.bytes)), O_CREAT | O_RDWR, 0o2775) {
                        scene.fstat($0)
                    }
                    scene.opened(parent.joined(Name("plain-".utf8 + who.bytes)), O_CREAT | O_RDWR, 0o664) {
                        scene.fstat($0)
                    }
                    let names = ["dir-", "fifo-", "link-"].map { parent.joined(Name($0.utf8 + who.bytes)) }
                    scene.mkdir(names[0], 0o755)
                    scene.mknod(names[1], kindFifo | 0o644)
                    scene.symlink("x", names[2])
                    for name in names { scene.stat(name) }
                    scene.opened(parent, O_TMPFILE | O_RDWR, 0o2770) { scene.fstat($0) }
                }
            }
        }
        fill("root")
        scene.asUser(1000) { fill("user") }
        scene.asUser(1001, gid: 1001, groups: [4242]) { fill("member") }
    },

    Case("tmpfile") { make in
        make.dir("d", mode: 0o777)
        make.file("d/there", "x")
        make.dir("e")
        make.file("f", "x")
    } body: { scene in
        for access in [O_RDONLY, O_WRONLY, O_RDWR] {
            for extra in [0, O_EXCL, O_CREAT, O_TRUNC, O_APPEND, O_PATH] {
                for name: Name in ["d", "f", "none", "d/there"] {
                    scene.opened(name, O_TMPFILE | access | extra, 0o640) { scene.fstat($0) }
                }
            }
        }
        scene.opened("d", O_TMPFILE | O_RDWR, 0o4755) { fd in
            scene.write(fd, "nameless")
            scene.fstat(fd)
            scene.list("d")
            scene.result("fchown", Sys.fchown(fd, 5, 6))
            scene.result("setxattr", Sys.setxattr("", "user.tmp", [1, 2], at: fd))
            scene.result("publish onto d/there", Sys.link(fd: fd, "d/there"))
            scene.result("publish", Sys.link(fd: fd, "d/new"))
            scene.fstat(fd)
            scene.result("publish again", Sys.link(fd: fd, "e/again"))
            scene.stat("e/again")
            scene.sameObject("d/new", "e/again")
            scene.write(fd, " no more")
        }
        scene.contents("d/new")
        scene.opened("d", O_TMPFILE | O_RDWR | O_EXCL, 0o600) { fd in
            scene.result("publish O_EXCL", Sys.link(fd: fd, "d/exclusive"))
        }
        scene.opened("d", O_TMPFILE | O_RDWR, 0o600) { fd in
            let path: Name = "/proc/self/fd/\(fd)"
            scene.result("publish through /proc", Sys.link(path, "e/proc", flags: AT_SYMLINK_FOLLOW))
        }
        scene.asUser(1000) {
            scene.opened("d", O_TMPFILE | O_RDWR, 0o600) { fd in
                scene.fstat(fd)
                let path: Name = "/proc/self/fd/\(fd)"
                scene.result("publish as user", Sys.link(path, "d/user", flags: AT_SYMLINK_FOLLOW))
            }
            _ = scene.open("e", O_TMPFILE | O_RDWR, 0o600)
        }
        scene.list("d")
    },

    Case("create-then-unlink-then-create") { make in
        make.file("old", "from before")
    } body: { scene in
        for round in 0..<3 {
            scene.unlink("old")
            scene.opened("old", O_CREAT | O_EXCL | O_RDWR, 0o600) { fd in
                scene.write(fd, "round \(round)")
                scene.fstat(fd)
            }
            scene.contents("old")
        }
        scene.list(".")
    },
]
