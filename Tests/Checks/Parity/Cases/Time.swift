import Glibc

/// utimensat(2): values, UTIME_NOW and UTIME_OMIT, permissions.
let timeCases: [Case] = [
    Case("utimens") { make in
        make.file("f", "x")
        make.dir("d")
        make.symlink("f", "s")
        make.symlink("gone", "dangling")
        make.node("p", kindFifo | 0o600)
    } body: { scene in
        let values: [Moment] = [
            Moment(1_000_000_000, 123_456_789), Moment(0, 0), Moment(1, 999_999_999),
            Moment(-1, 1), Moment(-1_000_000, 500_000_000), Moment(4_102_444_800, 7),
            Moment(10, 1_000_000_000), Moment(10, -1), .now, .omit,
        ]
        for name: Name in ["f", "d", "p", "s"] {
            for value in values {
                scene.utimens(name, value, Moment(77, 7))
                scene.times(name, access: true)
                scene.utimens(name, Moment(88, 8), value)
                scene.times(name, access: true)
                scene.utimens(name, value, .omit)
                scene.times(name, access: true)
            }
            scene.utimens(name, .omit, .omit)
            scene.times(name, access: true)
            scene.utimens(name, .now, .now)
            scene.times(name, access: true)
        }
        scene.utimens("s", values[0], values[0], follow: true)
        scene.times("f", access: true)
        for name: Name in ["none", "f/x", "f/", "dangling", ""] {
            scene.utimens(name, values[0], values[0], follow: true)
        }
    },

    Case("futimens") { make in
        make.file("f", "x")
        make.dir("d")
    } body: { scene in
        let value = Moment(1_234_567_890, 987_654_321)
        for (name, flags) in [("f", O_RDONLY), ("f", O_RDWR), ("d", O_RDONLY), ("f", O_PATH)] as [(Name, Int32)] {
            scene.opened(name, flags) { fd in
                scene.futimens(fd, value, .omit)
                scene.times(name, access: true)
                scene.futimens(fd, .omit, value)
                scene.times(name, access: true)
                scene.futimens(fd, .now, .now)
                scene.times(name, access: true)
            }
        }
        // Set between a write and the close: the write must not undo it afterwards.
        scene.opened("f", O_RDWR) { fd in
            scene.write(fd, "written before")
            scene.futimens(fd, value, value)
            scene.times("f", access: true)
        }
        scene.times("f", access: true)
        scene.result("sync", withFile("f", O_RDONLY) { Sys.fsync($0) })
        scene.times("f", access: true)
    },

    Case("utimens-as-user") { make in
        make.file("mine", "x", mode: 0o444, uid: 1000, gid: 1000)
        make.file("writable", "x", mode: 0o666)
        make.file("foreign", "x", mode: 0o644)
        make.dir("shut", mode: 0o700)
        make.file("shut/f", "x", mode: 0o666)
    } body: { scene in
        let value = Moment(1000, 1)
        scene.asUser(1000) {
            for name: Name in ["mine", "writable", "foreign", "shut/f"] {
                // Now: who may write. Anything else: the owner only.
                scene.utimens(name, .now, .now)
                scene.utimens(name, value, value)
                scene.utimens(name, .now, .omit)
                scene.utimens(name, .omit, .now)
                scene.utimens(name, .omit, .omit)
                scene.times(name, access: name == "mine")
            }
        }
    },

    Case("utimens-effects") { make in
        make.file("f", "x")
        make.dir("d")
        make.file("d/f", "x")
    } body: { scene in
        let value = Moment(1000, 1)
        scene.timeEffects("utimens", of: ["f", "."]) { scene.utimens("f", value, value) }
        scene.timeEffects("utimens omit", of: ["f"]) { scene.utimens("f", .omit, .omit) }
        scene.timeEffects("utimens below", of: ["d/f", "d"]) { scene.utimens("d/f", value, value) }
        scene.timeEffects("utimens atime only", of: ["d/f"]) { scene.utimens("d/f", Moment(5, 5), .omit) }
        scene.keepsIdentity("d/f") { scene.utimens("d/f", .now, .now) }
        // A directory's own time outlives copy-ups of what is in it, but not creations.
        scene.utimens("d", value, value)
        scene.chmod("d/f", 0o600)
        scene.times("d")
        scene.mkdir("d/new")
        scene.times("d")
    },

    Case("atime") { make in
        make.file("f", "x")
        make.times("f", seconds: 1000, nanoseconds: 1)
    } body: { scene in
        // relatime and noatime mounts differ in what reading does; O_NOATIME is the same on all.
        let before = Sys.status("f").1.atime
        scene.opened("f", O_RDONLY | O_NOATIME) { scene.read($0, 10) }
        scene.yes("atime stays", Sys.status("f").1.atime == before)
        scene.asUser(1000) { _ = scene.open("f", O_RDONLY | O_NOATIME) }
    },
]

private func withFile(_ name: Name, _ flags: Int32, _ body: (Int32) -> Int) -> Int {
    let fd = Sys.open(name, flags)
    guard fd >= 0 else { return fd }
    defer { Sys.close(Int32(fd)) }
    return body(Int32(fd))
}
