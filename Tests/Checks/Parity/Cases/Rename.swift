import Glibc

/// rename(2) and renameat2(2): every kind onto every kind, with every flag.
let renameCases: [Case] = [
    renameMatrix("rename-onto", 0),
    renameMatrix("rename-noreplace", RENAME_NOREPLACE),
    renameMatrix("rename-exchange", RENAME_EXCHANGE),

    Case("rename-flags") { make in
        make.file("f", "f")
        make.file("g", "g")
    } body: { scene in
        for flags in [RENAME_NOREPLACE | RENAME_EXCHANGE, 0x80, RENAME_WHITEOUT | RENAME_EXCHANGE] as [UInt32] {
            scene.rename("f", "g", flags)
        }
        scene.contents("f")
        scene.contents("g")
    },

    Case("rename-whiteout") { make in
        make.file("f", "f")
    } body: { scene in
        scene.rename("f", "g", RENAME_WHITEOUT)
        scene.stat("f")
        scene.stat("g")
    },

    Case("rename-into-itself") { make in
        make.dir("d")
        make.dir("d/e")
        make.dir("d/e/f")
        make.file("d/file", "x")
    } body: { scene in
        for flags in [0, RENAME_NOREPLACE, RENAME_EXCHANGE] as [UInt32] {
            for (old, new) in [
                ("d", "d/new"), ("d", "d/e"), ("d", "d/e/new"), ("d/e", "d"), ("d/e/f", "d"), ("d", "d"), ("d/.", "x"),
                ("d/..", "x"), (".", "x"), ("d", "."), ("d", ".."), ("d/e", "d/e/."), ("", "x"), ("d", ""),
            ] as [(Name, Name)] {
                scene.rename(old, new, flags)
            }
        }
        scene.list(".")
    },

    Case("rename-slashes") { make in
        make.file("f", "x")
        make.dir("d")
        make.dir("full")
        make.file("full/x", "x")
        make.symlink("d", "sd")
        make.symlink("f", "sf")
    } body: { scene in
        for (old, new) in [
            ("f/", "x"), ("f", "x/"), ("sd/", "x"), ("sf/", "x"), ("f", "sd/"), ("d/", "d2"), ("d2", "d3/"),
            ("d3/", "full/"),
            ("full/", "sd/"), ("none/", "x"), ("f", "none/x"), ("f/x", "x"), ("f", "sf/x"),
        ] as [(Name, Name)] {
            scene.rename(old, new)
        }
        scene.list(".")
    },

    Case("rename-hard-links") { make in
        make.file("a", "x")
        make.link("a", "b")
        make.dir("d")
        make.link("a", "d/c")
        make.file("other", "y")
        make.link("other", "other2")
    } body: { scene in
        // Onto another name of the same object: nothing happens, and both names stay (POSIX).
        scene.rename("a", "b")
        scene.stat("a")
        scene.rename("a", "d/c")
        scene.rename("a", "b", RENAME_NOREPLACE)
        scene.rename("a", "b", RENAME_EXCHANGE)
        scene.rename("a", "a")
        scene.list(".")
        // Onto a name of another: that one loses a link.
        scene.rename("a", "other")
        scene.stat("other2")
        scene.stat("b")
        scene.sameObject("other", "b")
        scene.list(".")
    },

    Case("rename-across") { make in
        make.dir("a")
        make.dir("b")
        make.file("a/f", "f")
        make.dir("a/d")
        make.dir("a/d/deep")
        make.file("a/d/deep/x", "deep")
        make.symlink("f", "a/s")
        make.node("a/p", kindFifo | 0o600)
    } body: { scene in
        for name: Name in ["f", "d", "s", "p"] {
            scene.keepsIdentity(Name("a/".utf8 + name.bytes), as: Name("b/".utf8 + name.bytes)) {
                scene.timeEffects("rename", of: ["a", "b"]) {
                    scene.rename(Name("a/".utf8 + name.bytes), Name("b/".utf8 + name.bytes))
                }
            }
        }
        scene.list("a")
        scene.list("b")
        scene.contents("b/d/deep/x")
        scene.stat("a/d/deep")
        // The old name is free at once.
        scene.mkdir("a/d")
        scene.list("a/d")
        scene.rename("b/d", "a/d")
        scene.contents("a/d/deep/x")
        let (result, entries) = withDirectory("a/d") { Sys.allEntries($0) }
        scene.result("entries", result < 0 ? result : entries.count)
        scene.keepsIdentity("a/d/..", as: "a") {}
    },

    Case("rename-directory-contents") { make in
        make.dir("d")
        make.file("d/kept", "kept")
        make.file("d/gone", "gone")
        make.dir("d/sub")
        make.file("d/sub/f", "f")
        make.link("d/kept", "d/sub/link")
    } body: { scene in
        scene.unlink("d/gone")
        scene.rename("d", "e")
        scene.list("e")
        scene.contents("e/kept")
        scene.opened("e/kept", O_WRONLY | O_APPEND) { scene.write($0, "+more") }
        scene.opened("e/new", O_CREAT | O_RDWR, 0o600) { scene.write($0, "new") }
        scene.rename("e/sub", "sub")
        scene.contents("sub/f")
        scene.contents("sub/link")
        scene.rename("e", "sub/e")
        scene.contents("sub/e/kept")
        scene.mkdir("d")
        scene.list("d")
        scene.rename("sub/e", "d")
        scene.list("d")
        scene.chmod("d/kept", 0o600)
        scene.stat("sub/link")
    },

    Case("rename-open-file") { make in
        make.file("f", "content of f")
        make.file("g", "content of g")
        make.dir("d")
    } body: { scene in
        scene.opened("f", O_RDWR) { f in
            scene.opened("g", O_RDWR) { g in
                scene.rename("f", "g")
                scene.fstat(f, "f")
                scene.fstat(g, "g, replaced")
                scene.pread(g, 20, 0)
                scene.pwrite(g, "still here", 0)
                scene.pwrite(f, "written", 0)
                scene.contents("g")
                scene.rename("g", "d/g")
                scene.pwrite(f, "again", 0)
                scene.contents("d/g")
            }
        }
    },

    Case("rename-times") { make in
        make.file("f", "f")
        make.dir("d")
        make.file("target", "t")
        make.link("target", "target2")
    } body: { scene in
        scene.timeEffects("rename", of: ["."]) { scene.rename("f", "f2") }
        scene.timeEffects("rename of directory", of: ["."]) { scene.rename("d", "d2") }
        scene.timeEffects("being replaced", of: ["target2"]) { scene.rename("f2", "target") }
        scene.times("target")
    },

    Case("rename-sticky") { make in
        make.dir("sticky", mode: 0o1777)
        make.file("sticky/root", "x")
        make.file("sticky/user", "x", uid: 1000, gid: 1000)
        make.dir("sticky/rootdir", mode: 0o777)
        make.dir("mine", mode: 0o777, uid: 1000, gid: 1000)
        make.dir("mine/unwritable", mode: 0o555, uid: 1000, gid: 1000)
        make.dir("foreign", mode: 0o755)
        make.dir("mine/rootdir", mode: 0o755)
    } body: { scene in
        scene.asUser(1000) {
            for (old, new) in [
                ("sticky/root", "sticky/x"), ("sticky/user", "sticky/root"), ("sticky/rootdir", "mine/rootdir2"),
                ("sticky/user", "foreign/user"), ("mine/unwritable", "mine/renamed"),
                // Another parent means another `..`, which takes write permission in the directory
                // itself.
                ("mine/renamed", "sticky/renamed"), ("mine/rootdir", "mine/rootdir3"),
                ("mine/rootdir3", "sticky/rootdir3"),
                ("sticky/user", "sticky/user2"), ("sticky/user2", "mine/user"),
            ] as [(Name, Name)] {
                scene.rename(old, new)
            }
            scene.rename("sticky/root", "mine/user", RENAME_EXCHANGE)
        }
        scene.list("sticky")
        scene.list("mine")
    },
]

private let kinds = ["file", "empty-dir", "full-dir", "link", "fifo", "missing"]

/// One directory for each pair of kinds, so that in lower layers every rename is the first that touches its objects.
private func renameMatrix(_ name: String, _ flags: UInt32) -> Case {
    Case(name) { make in
        for old in kinds {
            for new in kinds {
                let place: Name = "\(old)-\(new)"
                make.dir(place)
                build(make, place.joined("old"), old)
                build(make, place.joined("new"), new)
            }
        }
    } body: { scene in
        for old in kinds {
            for new in kinds {
                let place: Name = "\(old)-\(new)"
                scene.with("\(place)") {
                    scene.rename(place.joined("old"), place.joined("new"), flags)
                    for name: Name in ["old", "new"] {
                        scene.stat(place.joined(name))
                        scene.contents(place.joined(name).joined("inner"))
                    }
                    scene.list(place)
                }
            }
        }
    }
}

private func build(_ make: Maker, _ name: Name, _ kind: String) {
    switch kind {
    case "file": make.file(name, "\(name)")
    case "empty-dir": make.dir(name)
    case "full-dir":
        make.dir(name)
        make.file(name.joined("inner"), "\(name)")
    case "link": make.symlink(name, name)
    case "fifo": make.node(name, kindFifo | 0o640)
    default: break
    }
}

private func withDirectory(_ name: Name, _ body: (Int32) -> (Int, [Sys.Entry])) -> (Int, [Sys.Entry]) {
    let fd = Sys.open(name, O_RDONLY | O_DIRECTORY)
    guard fd >= 0 else { return (fd, []) }
    defer { Sys.close(Int32(fd)) }
    return body(Int32(fd))
}
