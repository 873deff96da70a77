import Glibc

/// chmod(2) and its forms; suid, sgid and sticky bits.
let modeCases: [Case] = [
    Case("chmod") { make in
        make.file("f", "x")
        make.dir("d")
        make.symlink("f", "s")
        make.symlink("gone", "dangling")
        make.node("p", kindFifo | 0o600)
        make.node("null", kindCharacter | 0o600, 0x103)
    } body: { scene in
        for name: Name in ["f", "d", "p", "null", "s"] {
            for mode in [0, 0o777, 0o4755, 0o2755, 0o2644, 0o1777, 0o7777, 0o644, 0o17_7644] as [UInt32] {
                scene.chmod(name, mode)
                scene.stat(name, flags: 0)
            }
        }
        for name: Name in ["none", "dangling", "f/", "d/", "f/x", ""] { scene.chmod(name, 0o700) }
        scene.result("fchmodat(nofollow)", Sys.chmodNoFollow("s", 0o600))
        scene.result("fchmodat(nofollow) of file", Sys.chmodNoFollow("f", 0o600))
        scene.stat("s")
        scene.stat("f")
    },

    Case("fchmod") { make in
        make.file("f", "x")
        make.dir("d")
        make.file("unreadable", "secret", mode: 0)
    } body: { scene in
        for (name, flags) in [("f", O_RDONLY), ("f", O_RDWR), ("d", O_RDONLY), ("f", O_PATH), ("unreadable", O_RDONLY)]
            as [(Name, Int32)]
        {
            scene.opened(name, flags) { fd in
                for mode in [0o600, 0o4711, 0] as [UInt32] {
                    scene.fchmod(fd, mode)
                    scene.fstat(fd)
                }
            }
        }
        // The descriptor keeps the rights it was opened with.
        scene.asUser(0) {
            scene.opened("f", O_RDWR) { fd in
                scene.fchmod(fd, 0)
                scene.result("become", Sys.become(uid: 1000, gid: 1000, groups: []))
                scene.write(fd, "still")
                scene.contents(of: fd)
                _ = scene.open("f", O_RDONLY)
            }
        }
    },

    Case("chmod-as-user") { make in
        make.file("mine", "x", uid: 1000, gid: 1000)
        make.file("other-group", "x", uid: 1000, gid: 4242)
        make.file("foreign", "x", mode: 0o666)
        make.dir("mydir", uid: 1000, gid: 4242)
    } body: { scene in
        for groups in [[], [4242]] as [[UInt32]] {
            scene.asUser(1000, groups: groups) {
                for name: Name in ["mine", "other-group", "foreign", "mydir"] {
                    // Of a group one is not in, sgid is taken away silently.
                    for mode in [0o2755, 0o4755, 0o1755, 0o600] as [UInt32] {
                        scene.chmod(name, mode)
                        scene.stat(name)
                    }
                }
            }
        }
    },

    Case("setid-cleared-by-write") { make in
        for name in ["suid", "sgid", "both", "locking", "root", "mapped"] {
            let mode: UInt32 = name == "suid" ? 0o4777 : name == "sgid" ? 0o2777 : name == "locking" ? 0o2767 : 0o6777
            make.file(Name(name.utf8), "0123456789", mode: mode)
        }
    } body: { scene in
        scene.opened("root", O_WRONLY) { scene.write($0, "x") }
        scene.stat("root")
        scene.asUser(1000) {
            for name: Name in ["suid", "sgid", "both", "locking"] {
                scene.opened(name, O_WRONLY) { fd in
                    scene.write(fd, "")
                    scene.stat(name)
                    scene.write(fd, "x")
                    scene.stat(name)
                }
            }
            scene.truncate("root", 5)
            scene.stat("root")
        }
    },

    Case("chmod-times") { make in
        make.file("f", "x")
        make.dir("d")
        make.file("d/f", "x")
    } body: { scene in
        scene.timeEffects("chmod", of: ["f", "."]) { scene.chmod("f", 0o600) }
        scene.timeEffects("chmod to the same", of: ["f"]) { scene.chmod("f", 0o600) }
        scene.timeEffects("chmod of directory", of: ["d", "."]) { scene.chmod("d", 0o700) }
        scene.timeEffects("chmod below", of: ["d/f", "d", "."]) { scene.chmod("d/f", 0o700) }
        scene.keepsIdentity("d/f") { scene.chmod("d/f", 0o711) }
    },
]
