import Glibc

/// link(2), symlink(2), readlink(2).
let linkCases: [Case] = [
    Case("link") { make in
        make.file("f", "x")
        make.file("there", "y")
        make.dir("d")
        make.dir("e")
        make.file("d/inner", "inner")
        make.symlink("f", "s")
        make.symlink("gone", "dangling")
        make.symlink("d", "sd")
        make.node("p", kindFifo | 0o600)
        make.node("null", kindCharacter | 0o600, 0x103)
    } body: { scene in
        for (old, new) in [
            ("f", "l1"), ("f", "d/l2"), ("d/inner", "l3"), ("f", "there"), ("f", "f"), ("f", "d"), ("f", "s"),
            ("f", "dangling"), ("d", "ld"), ("none", "l4"), ("f", "none/l"), ("f", "f/l"), ("s", "ls"),
            ("dangling", "ldangling"), ("p", "lp"), ("null", "lnull"), ("f", "slash/"), ("f/", "l5"),
            ("sd", "lsd"), ("sd/", "l6"), ("", "l7"), ("f", ""), ("f", "."), (".", "l8"),
        ] as [(Name, Name)] {
            scene.link(old, new)
        }
        scene.link("s", "followed", flags: AT_SYMLINK_FOLLOW)
        scene.link("dangling", "followed2", flags: AT_SYMLINK_FOLLOW)
        scene.link("f", "bad", flags: 0x40000)
        for name: Name in ["f", "l1", "d/l2", "l3", "ls", "ldangling", "lp", "lnull", "followed"] { scene.stat(name) }
        scene.sameObject("f", "l1")
        scene.sameObject("f", "d/l2")
        scene.sameObject("s", "ls")
        scene.sameObject("d/inner", "l3")
        // What is done through one name shows under the other.
        scene.opened("l1", O_WRONLY | O_APPEND) { scene.write($0, " through l1") }
        scene.contents("d/l2")
        scene.chmod("d/l2", 0o600)
        scene.stat("f")
        scene.unlink("f")
        scene.stat("l1")
        scene.list("d")
    },

    Case("link-prepared") { make in
        make.file("a", "one object, three names")
        make.link("a", "b")
        make.dir("d")
        make.link("a", "d/c")
        make.file("two", "two names")
        make.link("two", "two2")
        make.symlink("x", "s1")
        make.link("s1", "s2")
        make.node("p1", kindFifo | 0o600)
        make.link("p1", "p2")
    } body: { scene in
        // In lower layers: hard links must stay together when one of them is copied up.
        func all() { for name: Name in ["a", "b", "d/c"] { scene.stat(name) } }
        all()
        scene.sameObject("a", "b")
        scene.sameObject("b", "d/c")
        scene.opened("b", O_WRONLY | O_APPEND) { scene.write($0, "+") }
        all()
        scene.sameObject("a", "b")
        scene.sameObject("b", "d/c")
        scene.contents("a")
        scene.contents("d/c")
        scene.link("d/c", "e")
        all()
        scene.unlink("a")
        all()
        scene.chmod("e", 0o640)
        all()
        scene.rename("b", "d/b")
        scene.stat("d/b")
        scene.unlink("e")
        scene.unlink("d/b")
        all()
        scene.unlink("two")
        scene.stat("two2")
        scene.chown("two2", 3, 4)
        scene.stat("two2")
        scene.chown("s1", 3, 4)
        scene.stat("s2")
        scene.chmod("p2", 0o666)
        scene.stat("p1")
    },

    Case("link-empty-path") { make in
        make.file("f", "x")
        make.dir("d")
        make.symlink("f", "s")
    } body: { scene in
        for (name, flags) in [("f", O_RDONLY), ("f", O_PATH), ("d", O_RDONLY), ("s", O_PATH | O_NOFOLLOW)]
            as [(Name, Int32)]
        {
            scene.opened(name, flags) { fd in
                scene.result(
                    "linkat(AT_EMPTY_PATH)",
                    Sys.link("", "new-\(name)-\(flags)", flags: AT_EMPTY_PATH, at: fd, newDir: AT_FDCWD))
                scene.result("linkat(empty)", Sys.link("", "none", at: fd, newDir: AT_FDCWD))
            }
        }
        scene.opened("f", O_RDWR) { fd in
            scene.unlink("f")
            scene.result(
                "linkat of the unlinked", Sys.link("", "revived", flags: AT_EMPTY_PATH, at: fd, newDir: AT_FDCWD))
            scene.fstat(fd)
        }
        scene.list(".")
    },

    // Objects from below in a directory that is new: each brings a number that the directory's own filesystem does
    // not know, and every listing must say it.
    Case("link-into-new-directory") { make in
        make.file("f", "x")
        make.file("g", "x")
        make.dir("old")
        make.file("old/x", "x")
    } body: { scene in
        scene.mkdir("new")
        scene.list("new")
        scene.rename("g", "new/moved")
        for place: Name in ["new", "old"] {
            scene.list(place)
            scene.link("f", place.joined("linked"))
            scene.list(place)
        }
    },

    Case("link-times") { make in
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        scene.timeEffects("link", of: ["f", "d", "."]) { scene.link("f", "d/l") }
        scene.timeEffects("link over existing", of: ["f", "d"]) { scene.link("f", "d/l") }
        scene.keepsIdentity("f") { scene.link("f", "d/l2") }
    },

    Case("symlink") { make in
        make.file("there", "x")
        make.dir("d")
    } body: { scene in
        let targets: [(Name, Name)] = [
            ("plain", "t"), ("relative", "../x/y"), ("absolute", "/nowhere/at/all"), ("dots", "../../../.."),
            ("bytes", Name([0xff, 0x0a, 0x80])),
            ("long255", .repeating(0x61, 255)), ("long1000", .repeating(0x62, 1000)),
            ("long4000", .repeating(0x63, 4000)),
            ("long4094", .repeating(0x64, 4094)), ("long4095", .repeating(0x65, 4095)),
            ("long4096", .repeating(0x66, 4096)), ("none", ""),
        ]
        for (name, target) in targets {
            scene.symlink(target, name)
            scene.stat(name)
            scene.readlink(name)
        }
        for name: Name in ["there", "d", "d/", "d/in", "gone/x", "there/x", "slash/", "", ".", "plain"] {
            scene.symlink("t", name)
        }
        scene.timeEffects("symlink", of: ["d"]) { scene.symlink("t", "d/times") }
        scene.list("d")
    },

    Case("readlink") { make in
        make.symlink("0123456789", "s")
        make.symlink(.repeating(0x61, 4095), "long")
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        for size in [0, 1, 9, 10, 11, 4096] { scene.readlink("s", size: size) }
        for size in [100, 4094, 4095, 4096, 5000] { scene.readlink("long", size: size) }
        for name: Name in ["f", "d", "none", "s/", "", "."] { scene.readlink(name) }
    },

    Case("symlink-walk") { make in
        make.dir("d")
        make.dir("d/e")
        make.file("d/e/f", "found")
        make.symlink("d", "to-d")
        make.symlink("e/f", "d/to-f")
        make.symlink("../to-d/e", "d/around")
        make.symlink("loop2", "loop1")
        make.symlink("loop1", "loop2")
        make.symlink("chain0", "chain1")
        make.symlink("d/e/f", "chain0")
        for i in 2...45 { make.symlink("chain\(i - 1)", "chain\(i)") }
    } body: { scene in
        // Between 20 and 40 links the kernel may count a retry of the walk twice, and then say ELOOP.
        for name: Name in [
            "to-d/e/f", "d/to-f", "to-d/to-f", "d/around/f", "to-d/around/../e/f", "loop1", "loop1/x", "chain1",
            "chain18", "chain40", "chain41", "to-d/", "to-d/.", "to-d/none",
        ] {
            scene.stat(name, flags: 0)
            scene.contents(name)
        }
        scene.chmod("to-d", 0o700)
        scene.stat("d")
        scene.chown("chain5", 3, 3, follow: true)
        scene.stat("d/e/f")
        scene.truncate("d/around/f", 2)
        scene.contents("d/e/f")
        scene.mkdir("to-d/e/new")
        scene.rename("to-d", "renamed")
        scene.stat("renamed")
        scene.stat("renamed/e", flags: 0)
    },

    Case("symlink-replaced") { make in
        make.symlink("old", "s")
        make.file("old", "old")
        make.file("new", "new")
    } body: { scene in
        scene.contents("s")
        scene.unlink("s")
        scene.symlink("new", "s")
        scene.readlink("s")
        scene.contents("s")
        scene.symlink("old", "tmp")
        scene.rename("tmp", "s")
        scene.readlink("s")
        scene.contents("s")
        scene.chown("s", 8, 9)
        scene.stat("s")
        scene.chmod("s", 0o600)
        scene.stat("old")
    },
]
