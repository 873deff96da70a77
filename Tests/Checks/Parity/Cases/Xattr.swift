import Glibc

/// The extended attribute calls: namespaces, flags, small buffers, limits.
let xattrCases: [Case] = [
    Case("xattr") { make in
        make.file("f", "x")
        make.dir("d")
        make.symlink("f", "s")
        make.node("p", kindFifo | 0o600)
        make.node("null", kindCharacter | 0o600, 0x103)
    } body: { scene in
        let attributes: [Name] = [
            "user.a", "trusted.a", "security.a", "system.a", "user.", "user", "", "nospace.a", "User.a", "user.\u{fc}",
            Name(Array("user.".utf8) + [0xff, 0x0a]), "trusted.overlay", "trusted.other.overlay",
        ]
        for name: Name in ["f", "d", "s", "p", "null", "none"] {
            scene.listxattr(name)
            for attribute in attributes {
                scene.getxattr(name, attribute)
                scene.removexattr(name, attribute)
                scene.setxattr(name, attribute, "replace", XATTR_REPLACE)
                scene.setxattr(name, attribute, "create", XATTR_CREATE)
                scene.setxattr(name, attribute, "create", XATTR_CREATE)
                scene.setxattr(name, attribute, "replaced", XATTR_REPLACE)
                scene.setxattr(name, attribute, "set")
                scene.setxattr(name, attribute, "both", XATTR_CREATE | XATTR_REPLACE)
                scene.setxattr(name, attribute, "bad flags", 8)
                scene.getxattr(name, attribute)
            }
            scene.listxattr(name)
            for attribute in attributes { scene.removexattr(name, attribute) }
            scene.listxattr(name)
        }
    },

    Case("xattr-buffers") { make in
        make.file("f", "x")
        make.xattr("f", "user.ten", "0123456789")
        make.xattr("f", "user.empty", "")
        make.xattr("f", "user.second", "x")
    } body: { scene in
        for attribute: Name in ["user.ten", "user.empty", "user.none"] {
            for size in [0, 1, 9, 10, 11, 65536] { scene.getxattr("f", attribute, size: size) }
        }
        for size in [0, 1, 8, 30, 31, 32, 33, 65536] {
            let (result, _) = Sys.listxattr("f", size: size)
            scene.note("listxattr size \(size)", show(result))
        }
        scene.listxattr("f")
    },

    Case("xattr-limits") { make in
        make.file("f", "x")
    } body: { scene in
        for length in [249, 250, 251, 300] {
            let name = Name(Array("user.".utf8) + Array(repeating: 0x61, count: length))
            scene.setxattr("f", name, "v")
            scene.getxattr("f", name)
            scene.removexattr("f", name)
        }
        for length in [0, 1, 255, 1000, 3000, 65536, 65537, 1 << 20] {
            scene.setxattr("f", "user.long", Array(repeating: 0x62, count: length))
            scene.getxattr("f", "user.long")
        }
        scene.removexattr("f", "user.long")
        // Few enough to leave room for what a union filesystem writes beside them.
        for index in 0..<20 { scene.setxattr("f", "user.number\(index)", "\(index)") }
        scene.listxattr("f")
    },

    Case("xattr-descriptor") { make in
        make.file("f", "x")
        make.dir("d")
        make.symlink("f", "s")
    } body: { scene in
        for (name, flags) in [
            ("f", O_RDONLY), ("f", O_RDWR), ("d", O_RDONLY), ("f", O_PATH), ("s", O_PATH | O_NOFOLLOW),
        ] as [(Name, Int32)] {
            scene.opened(name, flags) { fd in
                for attribute: Name in ["user.x", "trusted.x"] {
                    scene.result("fsetxattr(\(attribute))", Sys.setxattr("", attribute, [1, 2, 3], at: fd))
                    let (result, value) = Sys.getxattr("", attribute, at: fd)
                    scene.note("fgetxattr(\(attribute))", result < 0 ? show(result) : hex(value))
                    let (listed, names) = Sys.listxattr("", at: fd)
                    scene.note(
                        "flistxattr", listed < 0 ? show(listed) : names.map(\.description).joined(separator: ","))
                    scene.result("fremovexattr(\(attribute))", Sys.removexattr("", attribute, at: fd))
                }
            }
        }
    },

    Case("xattr-as-user") { make in
        make.file("mine", "x", uid: 1000, gid: 1000)
        make.file("foreign", "x")
        make.file("writable", "x", mode: 0o666)
        make.dir("sticky", mode: 0o1777)
        make.symlink("mine", "s")
        for name in ["mine", "foreign", "writable"] {
            make.xattr(Name(name.utf8), "trusted.t", "hidden")
            make.xattr(Name(name.utf8), "user.u", "seen")
        }
        make.file("secret", "x", mode: 0o600)
        make.xattr("secret", "user.u", "secret")
    } body: { scene in
        scene.asUser(1000) {
            for name: Name in ["mine", "foreign", "writable", "secret", "sticky", "s"] {
                scene.listxattr(name)
                for attribute: Name in ["user.u", "user.new", "trusted.t", "security.x", "security.capability"] {
                    scene.getxattr(name, attribute)
                    scene.setxattr(name, attribute, "value")
                    scene.removexattr(name, attribute)
                }
            }
        }
    },

    Case("xattr-effects") { make in
        make.file("f", "x")
        make.dir("d")
        make.file("d/f", "x")
        make.file("kept", "x")
        make.xattr("kept", "user.a", "1")
        make.xattr("kept", "user.b", "2")
        make.xattr("kept", "trusted.c", "3")
        make.xattr("kept", "security.capability", capabilityNetRaw)
        make.dir("keptdir")
        make.xattr("keptdir", "user.a", "1")
    } body: { scene in
        scene.timeEffects("setxattr", of: ["f", "."]) { scene.setxattr("f", "user.a", "x") }
        scene.timeEffects("setxattr of the same", of: ["f"]) { scene.setxattr("f", "user.a", "x") }
        scene.timeEffects("removexattr", of: ["f"]) { scene.removexattr("f", "user.a") }
        scene.timeEffects("removexattr of none", of: ["f"]) { scene.removexattr("f", "user.a") }
        scene.timeEffects("setxattr below", of: ["d/f", "d"]) { scene.setxattr("d/f", "user.a", "x") }
        scene.keepsIdentity("d/f") { scene.setxattr("d/f", "user.b", "x") }
        // Changing one attribute, or anything else, keeps the others.
        scene.removexattr("kept", "user.b")
        scene.listxattr("kept")
        scene.chmod("kept", 0o700)
        scene.rename("kept", "keptdir/moved")
        for attribute: Name in ["user.a", "user.b", "trusted.c", "security.capability"] {
            scene.getxattr("keptdir/moved", attribute)
        }
        scene.rename("keptdir", "keptdir2")
        scene.listxattr("keptdir2")
        scene.setxattr("keptdir2", "user.b", "2")
        scene.listxattr("keptdir2")
    },

    Case("xattr-capability") { make in
        make.file("f", "x", mode: 0o755)
        make.dir("d")
    } body: { scene in
        scene.setxattr("f", "security.capability", capabilityNetRaw)
        scene.getxattr("f", "security.capability")
        scene.setxattr("f", "security.capability", "not a capability")
        scene.setxattr("f", "security.capability", capabilityNetRaw, XATTR_CREATE)
        scene.removexattr("f", "security.capability")
        scene.getxattr("f", "security.capability")
        scene.setxattr("d", "security.capability", capabilityNetRaw)
        scene.getxattr("d", "security.capability")
    },

    // The names that overlayfs keeps to itself; nested, they are escaped (overlayfs.rst, "Nesting overlayfs mounts").
    Case("xattr-overlay", freshOnly: "what it makes are marks of an upper layer") { make in
        make.file("f", "x")
        make.dir("d")
        make.file("d/f", "x")
    } body: { scene in
        for name: Name in ["f", "d"] {
            for attribute: Name in [
                "trusted.overlay.opaque", "trusted.overlay.x", "user.overlay.opaque", "user.overlay.origin",
                "trusted.overlay.overlay.x", "user.fuseoverlayfs.opaque", "trusted.overlay.",
                "trusted.overlay.redirect",
            ] {
                scene.getxattr(name, attribute)
                scene.setxattr(name, attribute, "y")
                scene.getxattr(name, attribute)
                scene.listxattr(name)
                scene.list("d")
                scene.removexattr(name, attribute)
                scene.getxattr(name, attribute)
            }
        }
    },
]
