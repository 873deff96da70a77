import Glibc

/// POSIX ACLs (acl(5)), as their extended attributes: effect on the mode, on access, inheritance with umask.
let aclCases: [Case] = [
    Case("acl-values") { make in
        make.file("f", "x", mode: 0o640)
        make.dir("d", mode: 0o750)
        make.symlink("f", "s")
    } body: { scene in
        let values: [(String, [UInt8])] = [
            ("minimal", ACL.bytes([.owner(6), .group(4), .other(0)])),
            ("user", ACL.bytes([.owner(6), .user(1000, 6), .group(4), .mask(6), .other(0)])),
            ("group", ACL.bytes([.owner(7), .group(5), .namedGroup(4242, 7), .mask(5), .other(4)])),
            ("no mask", ACL.bytes([.owner(6), .user(1000, 6), .group(4), .other(0)])),
            ("no other", ACL.bytes([.owner(6), .group(4)])),
            ("twice", ACL.bytes([.owner(6), .owner(7), .group(4), .other(0)])),
            ("empty", [2, 0, 0, 0]), ("short", [2, 0]), ("bad version", [9, 0, 0, 0]), ("nothing", []),
        ]
        for name: Name in ["f", "d", "s", "none"] {
            for attribute in [ACL.access, ACL.default] {
                for (what, value) in values {
                    scene.with(what) {
                        scene.setxattr(name, attribute, value)
                        scene.getxattr(name, attribute)
                        scene.getxattr(name, attribute, size: 8)
                        scene.stat(name)
                    }
                }
                scene.listxattr(name)
                scene.removexattr(name, attribute)
                scene.getxattr(name, attribute)
                scene.removexattr(name, attribute)
                scene.stat(name)
            }
        }
    },

    Case("acl-and-chmod") { make in
        make.file("f", "x", mode: 0o640)
        make.xattr("f", ACL.access, ACL.bytes([.owner(6), .user(1000, 6), .group(4), .mask(6), .other(0)]))
    } body: { scene in
        for mode in [0o600, 0o777, 0o070, 0o4755] as [UInt32] {
            // chmod changes the mask, not the group's entry.
            scene.chmod("f", mode)
            scene.getxattr("f", ACL.access)
            scene.stat("f")
        }
        scene.setxattr("f", ACL.access, ACL.bytes([.owner(7), .user(1000, 1), .group(0), .mask(1), .other(2)]))
        scene.stat("f")
        scene.chown("f", 5, 5)
        scene.getxattr("f", ACL.access)
    },

    Case("acl-access") { make in
        make.file("user", "x", mode: 0o600)
        make.xattr("user", ACL.access, ACL.bytes([.owner(6), .user(1000, 6), .group(0), .mask(6), .other(0)]))
        make.file("masked", "x", mode: 0o600)
        make.xattr("masked", ACL.access, ACL.bytes([.owner(6), .user(1000, 6), .group(0), .mask(4), .other(0)]))
        make.file("group", "x", mode: 0o600)
        make.xattr("group", ACL.access, ACL.bytes([.owner(6), .group(0), .namedGroup(4242, 2), .mask(7), .other(0)]))
        make.file("denied", "x", mode: 0o666)
        make.xattr("denied", ACL.access, ACL.bytes([.owner(6), .user(1000, 0), .group(6), .mask(6), .other(6)]))
        make.dir("d", mode: 0o700)
        make.xattr("d", ACL.access, ACL.bytes([.owner(7), .user(1000, 7), .group(0), .mask(7), .other(0)]))
        make.file("d/f", "x", mode: 0o644)
    } body: { scene in
        for (uid, groups) in [(1000, []), (1000, [4242]), (1001, []), (1001, [4242])] as [(UInt32, [UInt32])] {
            scene.asUser(uid, groups: groups) {
                for name: Name in ["user", "masked", "group", "denied", "d", "d/f"] {
                    for mode in [R_OK, W_OK, X_OK, R_OK | W_OK] { scene.access(name, mode) }
                    _ = scene.open(name, O_RDONLY).map { Sys.close($0) }
                    _ = scene.open(name, O_WRONLY).map { Sys.close($0) }
                }
                scene.mkdir("d/by-\(uid)-\(groups.count)")
                scene.setxattr("user", ACL.access, ACL.bytes([.owner(7), .group(7), .other(7)]))
            }
        }
    },

    Case("acl-default") { make in
        make.dir("d", mode: 0o777)
        make.xattr(
            "d", ACL.default,
            ACL.bytes([.owner(7), .user(1000, 6), .group(5), .namedGroup(4242, 7), .mask(7), .other(4)]))
        make.dir("minimal", mode: 0o777)
        make.xattr("minimal", ACL.default, ACL.bytes([.owner(7), .group(5), .other(0)]))
        make.dir("d/old")
    } body: { scene in
        for mask in [0, 0o022, 0o077, 0o777] as [UInt32] {
            umask(mask)
            for parent: Name in ["d", "minimal", "d/old"] {
                scene.with("umask \(octal(mask)) in \(parent)") {
                    let suffix = String(mask, radix: 8)
                    let names = ["file", "exec", "dir", "fifo", "link"].map { parent.joined("\($0)\(suffix)") }
                    scene.opened(names[0], O_CREAT | O_RDWR, 0o666) { scene.fstat($0) }
                    scene.opened(names[1], O_CREAT | O_RDWR, 0o755) { scene.fstat($0) }
                    scene.mkdir(names[2], 0o777)
                    scene.mknod(names[3], kindFifo | 0o666)
                    scene.symlink("x", names[4])
                    for name in names {
                        scene.stat(name)
                        scene.getxattr(name, ACL.access)
                        scene.getxattr(name, ACL.default)
                    }
                    scene.mkdir(names[2].joined("inner"), 0o700)
                    scene.getxattr(names[2].joined("inner"), ACL.access)
                    scene.getxattr(names[2].joined("inner"), ACL.default)
                    scene.opened(parent, O_TMPFILE | O_RDWR, 0o666) { fd in
                        scene.fstat(fd, "tmpfile")
                        let (result, value) = Sys.getxattr("", ACL.access, at: fd)
                        scene.note("acl of tmpfile", result < 0 ? show(result) : hex(value))
                    }
                }
            }
        }
        umask(0)
    },

    Case("acl-kept") { make in
        make.file("f", "x", mode: 0o640)
        make.xattr("f", ACL.access, ACL.bytes([.owner(6), .user(1000, 6), .group(4), .mask(6), .other(0)]))
        make.dir("d", mode: 0o750)
        make.xattr("d", ACL.default, ACL.bytes([.owner(7), .user(1000, 6), .group(5), .mask(7), .other(4)]))
        make.file("d/f", "x")
    } body: { scene in
        scene.opened("f", O_WRONLY | O_APPEND) { scene.write($0, "more") }
        scene.getxattr("f", ACL.access)
        scene.rename("f", "d/moved")
        scene.getxattr("d/moved", ACL.access)
        scene.rename("d", "e")
        scene.getxattr("e", ACL.default)
        scene.opened("e/new", O_CREAT | O_RDWR, 0o660) { scene.fstat($0) }
        scene.getxattr("e/new", ACL.access)
        scene.chown("e/f", 5, 5)
        scene.getxattr("e/f", ACL.access)
    },
]

/// The value of `system.posix_acl_*`: version 2, then entries of tag, permissions, id (linux/posix_acl_xattr.h).
enum ACL {
    static let access: Name = "system.posix_acl_access"
    static let `default`: Name = "system.posix_acl_default"

    enum Entry {
        case owner(UInt16), user(UInt32, UInt16), group(UInt16), namedGroup(UInt32, UInt16), mask(UInt16), other(UInt16)
    }

    static func bytes(_ entries: [Entry]) -> [UInt8] {
        var out: [UInt8] = [2, 0, 0, 0]
        for entry in entries {
            let (tag, permissions, id): (UInt16, UInt16, UInt32) =
                switch entry {
                case .owner(let p): (0x01, p, .max)
                case .user(let id, let p): (0x02, p, id)
                case .group(let p): (0x04, p, .max)
                case .namedGroup(let id, let p): (0x08, p, id)
                case .mask(let p): (0x10, p, .max)
                case .other(let p): (0x20, p, .max)
                }
            for value in [tag, permissions] { out += [UInt8(value & 0xff), UInt8(value >> 8)] }
            for shift in [0, 8, 16, 24] as [UInt32] { out.append(UInt8((id >> shift) & 0xff)) }
        }
        return out
    }
}
