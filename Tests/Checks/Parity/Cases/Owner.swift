import Glibc

/// chown(2) and its forms.
let ownerCases: [Case] = [
    Case("chown") { make in
        make.file("f", "x")
        make.dir("d")
        make.symlink("f", "s")
        make.symlink("gone", "dangling")
        make.node("p", kindFifo | 0o600)
    } body: { scene in
        for name: Name in ["f", "d", "p", "s", "dangling"] {
            for (uid, gid) in [(1, 2), (-1, 3), (4, -1), (-1, -1), (0, 0), (65534, 65534), (4_000_000_000, 100_000)] {
                scene.chown(name, uid, gid)
                scene.stat(name)
            }
        }
        scene.chown("s", 11, 12, follow: true)
        scene.stat("f")
        for name: Name in ["none", "f/", "f/x", "d/", ""] { scene.chown(name, 1, 1) }
        scene.chown("dangling", 1, 1, follow: true)
    },

    Case("chown-clears-setid") { make in
        for mode in [0o4755, 0o2755, 0o2644, 0o6777, 0o7777] as [UInt32] {
            for name in ["owner", "group", "none", "same", "user"] {
                make.file("\(name)-\(String(mode, radix: 8))", "x", mode: mode)
            }
            make.dir("dir-\(String(mode, radix: 8))", mode: mode)
        }
    } body: { scene in
        for mode in ["4755", "2755", "2644", "6777", "7777"] {
            scene.chown("owner-\(mode)", 5, -1)
            scene.stat("owner-\(mode)")
            scene.chown("group-\(mode)", -1, 5)
            scene.stat("group-\(mode)")
            // Even when nothing changes; but not with two times -1.
            scene.chown("none-\(mode)", -1, -1)
            scene.stat("none-\(mode)")
            scene.chown("same-\(mode)", 0, 0)
            scene.stat("same-\(mode)")
            scene.chown("dir-\(mode)", 5, 5)
            scene.stat("dir-\(mode)")
        }
    },

    Case("fchown") { make in
        make.file("f", "x", mode: 0o6755)
        make.dir("d")
        make.symlink("f", "s")
    } body: { scene in
        for (name, flags) in [
            ("f", O_RDONLY), ("f", O_RDWR), ("d", O_RDONLY), ("f", O_PATH), ("s", O_PATH | O_NOFOLLOW),
        ] as [(Name, Int32)] {
            scene.opened(name, flags) { fd in
                scene.fchown(fd, 7, 8)
                scene.fstat(fd)
            }
        }
    },

    Case("chown-as-user") { make in
        make.file("mine", "x", mode: 0o6755, uid: 1000, gid: 1000)
        make.file("mine2", "x", mode: 0o6755, uid: 1000, gid: 1000)
        make.file("foreign", "x", mode: 0o666)
        make.dir("mydir", mode: 0o2775, uid: 1000, gid: 1000)
    } body: { scene in
        scene.asUser(1000, groups: [4242]) {
            for name: Name in ["mine", "foreign", "mydir"] {
                for (uid, gid) in [(-1, -1), (1000, -1), (-1, 4242), (1000, 1000), (-1, 4343), (0, -1), (1001, 1000)] {
                    scene.chown(name, uid, gid)
                    scene.stat(name)
                }
            }
            scene.chown("mine2", -1, 1000)
            scene.stat("mine2")
        }
    },

    Case("chown-drops-capability") { make in
        for name in ["owner", "group", "none", "write", "truncate"] {
            make.file(Name(name.utf8), "x", mode: 0o755)
            make.xattr(Name(name.utf8), "security.capability", capabilityNetRaw)
        }
    } body: { scene in
        scene.getxattr("owner", "security.capability")
        scene.chown("owner", 5, -1)
        scene.getxattr("owner", "security.capability")
        scene.chown("group", -1, 5)
        scene.getxattr("group", "security.capability")
        scene.chown("none", -1, -1)
        scene.getxattr("none", "security.capability")
        scene.opened("write", O_WRONLY) { scene.write($0, "y") }
        scene.getxattr("write", "security.capability")
        scene.truncate("truncate", 0)
        scene.getxattr("truncate", "security.capability")
    },

    Case("chown-times") { make in
        make.file("f", "x")
        make.dir("d")
        make.file("d/f", "x")
        make.symlink("x", "s")
    } body: { scene in
        scene.timeEffects("chown", of: ["f", "."]) { scene.chown("f", 3, 3) }
        scene.timeEffects("chown to the same", of: ["f"]) { scene.chown("f", 3, 3) }
        scene.timeEffects("chown of nothing", of: ["f"]) { scene.chown("f", -1, -1) }
        scene.timeEffects("chown below", of: ["d/f", "d"]) { scene.chown("d/f", 3, 3) }
        scene.timeEffects("chown of symlink", of: ["s", "."]) { scene.chown("s", 3, 3) }
        scene.keepsIdentity("d") { scene.chown("d", 3, 3) }
    },
]

/// cap_net_raw+ep as struct vfs_cap_data of revision 2 (capabilities(7)).
let capabilityNetRaw: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
