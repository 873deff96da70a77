import Glibc

/// Who may do what: access(2), and every operation as root, as the owner, as a member and as a stranger.
let permissionCases: [Case] = [
    Case("access", setup: permissionFixture) { scene in
        func all() {
            for name in permissionNames + ["none", "dangling", "d0/f", "d-x/f", "d-r/f", "f-644/x"] {
                for mode in [F_OK, R_OK, W_OK, X_OK, R_OK | W_OK | X_OK, 8] { scene.access(name, mode) }
                scene.access(name, R_OK, flags: AT_EACCESS)
                scene.access(name, W_OK, flags: AT_SYMLINK_NOFOLLOW)
            }
        }
        scene.with("root", all)
        scene.asUser(1000) { all() }
        scene.asUser(1001, gid: 1000) { all() }
        scene.asUser(1001, groups: [1000]) { all() }
        scene.asUser(1002) { all() }
    },

    Case("permission-open", setup: permissionFixture) { scene in
        func all() {
            for name in permissionNames + ["d0/f", "d-x/f", "d-r/f"] {
                for flags in [O_RDONLY, O_WRONLY, O_RDWR, O_PATH, O_RDONLY | O_DIRECTORY, O_RDONLY | O_NOATIME] {
                    _ = scene.open(name, flags).map { Sys.close($0) }
                }
            }
            for name: Name in ["d0", "d-x", "d-r", "d-777"] { scene.list(name) }
        }
        scene.asUser(1000) { all() }
        scene.asUser(1001, groups: [1000]) { all() }
        scene.asUser(1002) { all() }
        scene.with("root", all)
    },

    Case("permission-change", setup: permissionFixture) { scene in
        for uid in [1002, 1000] as [UInt32] {
            scene.asUser(uid) {
                for place: Name in ["d0", "d-x", "d-r", "d-777", "d-555", "sticky"] {
                    let (file, new) = (place.joined("f"), place.joined("new-\(uid)"))
                    _ = scene.open(new, O_CREAT | O_EXCL | O_RDWR, 0o600).map { Sys.close($0) }
                    scene.mkdir(place.joined("dir-\(uid)"))
                    scene.symlink("x", place.joined("sym-\(uid)"))
                    scene.mknod(place.joined("fifo-\(uid)"), kindFifo | 0o600)
                    scene.link(file, place.joined("link-\(uid)"))
                    scene.rename(file, place.joined("moved-\(uid)"))
                    scene.rename(place.joined("moved-\(uid)"), file)
                    scene.chmod(file, 0o644)
                    scene.chown(file, -1, Int(uid))
                    scene.truncate(file, 1)
                    scene.utimens(file, .now, .now)
                    scene.setxattr(file, "user.x", "x")
                    scene.unlink(file)
                    scene.rmdir(place.joined("sub"))
                    scene.unlink(new)
                }
            }
        }
        for place: Name in ["d0", "d-x", "d-r", "d-777", "d-555", "sticky"] { scene.list(place) }
    },

    Case("permission-sticky") { make in
        make.dir("s", mode: 0o1777)
        make.dir("owned", mode: 0o1777, uid: 1000, gid: 1000)
        for place: Name in ["s", "owned"] {
            for (name, uid) in [("root", 0), ("user", 1000), ("other", 1001)] {
                make.file(place.joined("f-\(name)"), "x", mode: 0o666, uid: uid, gid: uid)
                make.dir(place.joined("d-\(name)"), mode: 0o777, uid: uid, gid: uid)
            }
        }
        make.dir("target", mode: 0o777)
    } body: { scene in
        scene.asUser(1000) {
            for place: Name in ["s", "owned"] {
                for name: Name in ["f-other", "f-root", "f-user"] {
                    scene.opened(place.joined(name), O_WRONLY) { scene.write($0, "may") }
                    // fs.protected_regular: O_CREAT of another's file in a sticky directory.
                    _ = scene.open(place.joined(name), O_RDWR | O_CREAT, 0o600).map { Sys.close($0) }
                    scene.rename(place.joined(name), Name("target/".utf8 + name.bytes))
                    scene.unlink(place.joined(name))
                }
                for name: Name in ["d-other", "d-root", "d-user"] {
                    scene.rename(place.joined(name), place.joined("renamed"))
                    scene.rename(place.joined("renamed"), place.joined(name))
                    scene.rmdir(place.joined(name))
                }
            }
        }
        for name: Name in ["s", "owned", "target"] { scene.list(name) }
    },

    Case("permission-hard-links") { make in
        // fs.protected_hardlinks: one may not link what one may not write.
        make.file("root600", "x", mode: 0o600)
        make.file("root644", "x", mode: 0o644)
        make.file("root666", "x", mode: 0o666)
        make.file("setuid", "x", mode: 0o4777)
        make.node("fifo", kindFifo | 0o666)
        make.file("mine", "x", mode: 0o400, uid: 1000, gid: 1000)
        make.dir("d", mode: 0o777)
    } body: { scene in
        scene.asUser(1000) {
            for name: Name in ["root600", "root644", "root666", "setuid", "fifo", "mine"] {
                scene.link(name, Name("d/".utf8 + name.bytes))
            }
        }
        scene.list("d")
    },

    Case("permission-of-parents") { make in
        make.dir("a", mode: 0o755)
        make.dir("a/b", mode: 0o755)
        make.file("a/b/f", "x", mode: 0o666)
        make.file("a/b/g", "x", mode: 0o666)
    } body: { scene in
        // Changes of a parent's mode take effect at once, for what is open not at all.
        scene.asUser(1000) { scene.contents("a/b/f") }
        scene.chmod("a", 0o700)
        scene.asUser(1000) {
            scene.contents("a/b/f")
            scene.stat("a/b/g")
            scene.stat("a")
            scene.access("a/b", F_OK)
        }
        scene.chmod("a", 0o711)
        scene.asUser(1000) {
            scene.contents("a/b/f")
            scene.list("a")
            scene.opened("a/b/g", O_RDWR) { scene.write($0, "y") }
        }
    },
]

private let permissionNames: [Name] = [
    "f-000", "f-400", "f-200", "f-100", "f-644", "f-040", "f-004", "f-640", "f-755", "f-root", "f-root755", "d0", "d-x",
    "d-r", "d-777", "d-555", "sym",
]

private func permissionFixture(_ make: Maker) {
    for mode in ["000", "400", "200", "100", "644", "040", "004", "640", "755"] {
        make.file(Name("f-\(mode)".utf8), "x", mode: UInt32(mode, radix: 8) ?? 0, uid: 1000, gid: 1000)
    }
    make.file("f-root", "x", mode: 0o600)
    make.file("f-root755", "x", mode: 0o755)
    for (name, mode) in [
        ("d0", 0), ("d-x", 0o111), ("d-r", 0o444), ("d-777", 0o777), ("d-555", 0o555), ("sticky", 0o1777),
    ] as [(Name, UInt32)] {
        make.dir(name, mode: 0o755)
        make.file(name.joined("f"), "x", mode: 0o666)
        make.dir(name.joined("sub"), mode: 0o755)
        make.chmod(name, mode)
    }
    make.symlink("f-root", "sym")
    make.symlink("nowhere", "dangling")
}
