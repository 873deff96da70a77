import Glibc

/// What makes a copy-up, one operation at a time on one object each, and what must come through it. On a fresh
/// directory these are ordinary operations; run on prepared objects (`--lower-prepared`) each is the first that
/// touches its object.
let copyUpCases: [Case] = [
    Case("copy-up-each", setup: copyUpFixture) { scene in
        for (what, act) in copyUpActions {
            for kind in copyUpKinds {
                let name: Name = "\(what)/\(kind)"
                scene.with("\(what) \(kind)") {
                    scene.keepsIdentity(name) { act(scene, name) }
                    scene.stat(name)
                    if kind == "file" || kind == "linked" { scene.contents(name) }
                    if kind == "linked" {
                        scene.stat("\(what)/linked2")
                        scene.contents("\(what)/linked2")
                        scene.sameObject(name, "\(what)/linked2")
                    }
                    scene.listxattr(name)
                }
            }
        }
    },

    Case("copy-up-opened-before") { make in
        for name in ["write", "append", "truncate", "unlink", "chmod", "rename", "map"] {
            make.file(Name(name.utf8), "content from before")
        }
    } body: { scene in
        // Readers that were there first see what writers do later.
        for name: Name in ["write", "append", "truncate", "unlink", "chmod", "rename", "map"] {
            scene.opened(name, O_RDONLY) { reader in
                scene.read(reader, 4)
                switch name {
                case "write": scene.opened(name, O_RDWR) { scene.pwrite($0, "CHANGED", 4) }
                case "append": scene.opened(name, O_WRONLY | O_APPEND) { scene.write($0, " and after") }
                case "truncate": scene.truncate(name, 6)
                case "unlink": scene.unlink(name)
                case "chmod": scene.chmod(name, 0)
                case "rename": scene.rename(name, "renamed")
                default:
                    scene.opened(name, O_RDWR) { fd in
                        scene.mapped("mmap", fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED) {
                            $0.store(Array("MAPPED".utf8), at: 4)
                        }
                    }
                }
                scene.read(reader, 100)
                scene.seek(reader, 0, SEEK_CUR)
                scene.seek(reader, 0, SEEK_END)
                scene.contents(of: reader)
                scene.fstat(reader)
                scene.fchmod(reader, 0o640)
                scene.fstat(reader)
            }
        }
    },

    Case("copy-up-keeps") { make in
        make.file("all", bytes: Array(repeating: 0x6b, count: 70_000), mode: 0o640, uid: 5, gid: 6)
        make.xattr("all", "user.a", "1")
        make.xattr("all", "trusted.b", "2")
        make.xattr("all", "security.capability", capabilityNetRaw)
        make.xattr("all", ACL.access, ACL.bytes([.owner(6), .user(1000, 6), .group(4), .mask(6), .other(0)]))
        make.times("all", seconds: 1_000_000_000, nanoseconds: 123_456_789)
        make.file("setid", "x", mode: 0o6755, uid: 5, gid: 6)
        make.times("setid", seconds: 1_000_000_001, nanoseconds: 1)
        make.sparse("sparse", size: 10 << 20, data: [(5 << 20, "island")])
        make.times("sparse", seconds: 1_000_000_002, nanoseconds: 2)
        make.dir("dir", mode: 0o2750, uid: 5, gid: 6)
        make.xattr("dir", "user.d", "3")
        make.xattr("dir", ACL.default, ACL.bytes([.owner(7), .user(1000, 6), .group(5), .mask(7), .other(4)]))
        make.dir("dir/sub", mode: 0o1700, uid: 7, gid: 8)
        make.file("dir/sub/f", "x")
        make.times("dir/sub/f", seconds: 1_000_000_003, nanoseconds: 3)
        make.times("dir/sub", seconds: 1_000_000_004, nanoseconds: 4)
        make.times("dir", seconds: 1_000_000_005, nanoseconds: 5)
    } body: { scene in
        func show(_ name: Name) {
            scene.stat(name)
            scene.times(name)
            scene.listxattr(name)
            for attribute: Name in ["user.a", "trusted.b", "security.capability", ACL.access, ACL.default, "user.d"] {
                scene.getxattr(name, attribute)
            }
        }
        // An xattr changes nothing else, and takes nothing away.
        for name: Name in ["all", "setid", "sparse"] {
            scene.setxattr(name, "user.new", "new")
            show(name)
            scene.contents(name)
        }
        scene.yes("sparse stays sparse", Sys.status("sparse").1.blocks < 1000)
        // The parents are copied up with the file, and keep what they have, times too.
        scene.setxattr("dir/sub/f", "user.new", "new")
        for name: Name in ["dir/sub/f", "dir/sub", "dir"] { show(name) }
    },

    Case("copy-up-in-new-place") { make in
        make.dir("a")
        make.dir("a/b")
        make.dir("a/b/c")
        make.file("a/b/c/f", "deep")
        make.file("a/b/g", "g")
    } body: { scene in
        // Copy-up below a directory that has moved.
        scene.rename("a/b", "moved")
        scene.opened("moved/c/f", O_WRONLY | O_APPEND) { scene.write($0, "er") }
        scene.contents("moved/c/f")
        scene.chmod("moved/g", 0o600)
        scene.mkdir("a/b")
        scene.list("a/b")
        scene.rename("moved/c", "a/b/c")
        scene.contents("a/b/c/f")
        scene.rename("a", "z")
        scene.opened("z/b/c/f", O_RDWR) { scene.write($0, "DEEP") }
        scene.contents("z/b/c/f")
        scene.list("z/b")
        scene.list("moved")
    },

    Case("copy-up-populated-directory") { make in
        make.dir("d")
        for index in 0..<20 { make.file("d/f\(index)", "\(index)") }
        make.dir("d/sub")
        make.file("d/sub/x", "x")
        make.dir("again")
        make.file("again/old", "x")
    } body: { scene in
        scene.rmdir("d")
        for index in 0..<20 { scene.unlink("d/f\(index)") }
        scene.rmdir("d")
        scene.unlink("d/sub/x")
        scene.rmdir("d/sub")
        // Nothing but whiteouts is left in it, which nobody may see.
        scene.list("d")
        scene.rmdir("d")
        scene.stat("d")
        scene.result("rm -rf", removeTree("again"))
        scene.mkdir("again", 0o711)
        scene.list("again")
        scene.stat("again/old")
        _ = scene.open("again/old", O_CREAT | O_EXCL | O_WRONLY, 0o600).map { Sys.close($0) }
        scene.contents("again/old")
        scene.result("rm -rf", removeTree("again"))
        scene.opened("again", O_CREAT | O_EXCL | O_WRONLY, 0o600) { scene.write($0, "a file now") }
        scene.contents("again")
    },

    Case("copy-up-by-two") { make in
        make.file("f", bytes: Array(repeating: 0x2e, count: 1 << 20))
    } body: { scene in
        // Several processes make the same copy at the same time, each for its own part.
        var children: [Int] = []
        for index in 0..<6 {
            let pid = Sys.fork()
            if pid == 0 {
                let fd = Sys.open("f", O_RDWR)
                let written =
                    fd < 0
                    ? fd
                    : Sys.pwrite(
                        Int32(fd), Array(repeating: UInt8(0x41 + index), count: 1000), at: Int64(index * 100_000))
                exit(written == 1000 ? 0 : 1)
            }
            children.append(pid)
        }
        for (index, pid) in children.enumerated() { scene.result("child \(index)", Sys.wait(Int32(pid))) }
        scene.stat("f")
        scene.contents("f")
    },

    Case("copy-up-as-user") { make in
        make.dir("d", mode: 0o755)
        make.dir("d/e", mode: 0o755)
        make.file("d/e/mine", "x", mode: 0o600, uid: 1000, gid: 1000)
        make.file("d/e/writable", "x", mode: 0o666)
        make.file("d/e/foreign", "x", mode: 0o644)
        make.dir("d/e/open", mode: 0o777)
    } body: { scene in
        // The directories above belong to root: making them in the upper layer is not the caller's doing.
        scene.asUser(1000) {
            for name: Name in ["mine", "writable", "foreign"] {
                let path = Name("d/e/".utf8 + name.bytes)
                scene.opened(path, O_WRONLY | O_APPEND) { scene.write($0, "+") }
                scene.chmod(path, 0o640)
                scene.stat(path)
            }
            scene.opened("d/e/open/new", O_CREAT | O_RDWR, 0o600) { scene.fstat($0) }
            scene.mkdir("d/e/open/dir")
            scene.stat("d/e/open/dir")
        }
        for name: Name in ["d", "d/e", "d/e/open"] { scene.stat(name) }
    },
]

private let copyUpKinds = ["file", "linked", "dir", "link", "fifo", "device"]

private func copyUpFixture(_ make: Maker) {
    for (what, _) in copyUpActions {
        let place = Name(what.utf8)
        make.dir(place)
        make.file(place.joined("file"), "content of \(what)", mode: 0o644, uid: 3, gid: 3)
        make.file(place.joined("linked"), "linked content", mode: 0o600)
        make.link(place.joined("linked"), place.joined("linked2"))
        make.dir(place.joined("dir"))
        make.file(place.joined("dir/inner"), "inner")
        make.symlink("file", place.joined("link"))
        make.node(place.joined("fifo"), kindFifo | 0o644)
        make.node(place.joined("device"), kindCharacter | 0o644, 0x103)
        make.xattr(place.joined("file"), "trusted.kept", "kept")
    }
}

/// By name, since that is the directory of the objects too.
private let copyUpActions: [(String, @Sendable (Scene, Name) -> Void)] = [
    ("chmod", { $0.chmod($1, 0o4711) }),
    ("chown", { $0.chown($1, 7, 8) }),
    ("chgrp", { $0.chown($1, -1, 8) }),
    ("utimens", { $0.utimens($1, Moment(9, 9), Moment(10, 10)) }),
    ("touch", { $0.utimens($1, .now, .now) }),
    ("setxattr", { $0.setxattr($1, "trusted.new", "new") }),
    ("removexattr", { $0.removexattr($1, "trusted.kept") }),
    ("acl", { $0.setxattr($1, ACL.access, ACL.bytes([.owner(6), .user(1000, 6), .group(4), .mask(6), .other(0)])) }),
    ("truncate", { $0.truncate($1, 3) }),
    ("extend", { $0.truncate($1, 5000) }),
    ("open-write", { scene, name in scene.opened(name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW) { _ in } }),
    ("open-trunc", { scene, name in scene.opened(name, O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOFOLLOW) { _ in } }),
    ("write", { scene, name in scene.opened(name, O_RDWR | O_NOFOLLOW) { scene.write($0, "WRITE") } }),
    (
        "append",
        { scene, name in scene.opened(name, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOFOLLOW) { scene.write($0, "APPEND") }
        }
    ),
    ("fallocate", { scene, name in scene.opened(name, O_RDWR | O_NOFOLLOW) { scene.fallocate($0, 0, 0, 6000) } }),
    (
        "map",
        { scene, name in
            scene.opened(name, O_RDWR | O_NOFOLLOW) { fd in
                scene.mapped("mmap", fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED) {
                    if Sys.status(fd: fd).1.isRegular { $0.store([0x4d], at: 1) }
                }
            }
        }
    ),
    ("fchmod", { scene, name in scene.opened(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) { scene.fchmod($0, 0o601) } }),
    ("fchown", { scene, name in scene.opened(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) { scene.fchown($0, 9, 9) } }),
    ("link", { scene, name in scene.link(name, Name(name.bytes + Array("-new".utf8))) }),
    (
        "rename",
        { scene, name in
            let other = Name(name.bytes + Array("-moved".utf8))
            scene.rename(name, other)
            scene.stat(other)
            scene.rename(other, name)
        }
    ),
    (
        "exchange",
        { scene, name in
            let other = Name(name.bytes + Array("-other".utf8))
            scene.make.file(other, "other")
            scene.rename(name, other, RENAME_EXCHANGE)
            scene.contents(name)
            scene.rename(name, other, RENAME_EXCHANGE)
        }
    ),
    (
        "flags",
        { scene, name in
            scene.opened(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) {
                scene.result("setflags", min(0, Sys.setflags($0, Sys.getflags($0).1 | FS_NODUMP_FL)))
            }
        }
    ),
]
