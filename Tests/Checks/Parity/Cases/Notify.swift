import Glibc

/// inotify(7): the events of ordinary work, in their order.
let notifyCases: [Case] = [
    Case("notify-directory") { make in
        make.dir("d")
        make.file("d/old", "x")
        make.dir("d/sub")
    } body: { scene in
        let fd = Int32(Sys.inotify())
        scene.ok("watch", Sys.watch(fd, "d", everything))
        step(scene, fd, "create") { _ = Sys.open("d/new", O_CREAT | O_WRONLY, 0o600).closing }
        step(scene, fd, "mkdir") { scene.mkdir("d/dir") }
        step(scene, fd, "modify") { scene.opened("d/old", O_WRONLY) { scene.write($0, "y") } }
        step(scene, fd, "read") { scene.contents("d/old") }
        step(scene, fd, "chmod") { scene.chmod("d/old", 0o600) }
        step(scene, fd, "chown") { scene.chown("d/old", 1, 1) }
        step(scene, fd, "setxattr") { scene.setxattr("d/old", "user.x", "x") }
        step(scene, fd, "truncate") { scene.truncate("d/old", 0) }
        step(scene, fd, "rename within") { scene.rename("d/old", "d/renamed") }
        step(scene, fd, "rename out") { scene.rename("d/renamed", "out") }
        step(scene, fd, "rename in") { scene.rename("out", "d/in") }
        step(scene, fd, "link") { scene.link("d/in", "d/link") }
        step(scene, fd, "symlink") { scene.symlink("x", "d/symlink") }
        step(scene, fd, "unlink") { scene.unlink("d/link") }
        step(scene, fd, "rmdir") { scene.rmdir("d/sub") }
        step(scene, fd, "chmod of itself") { scene.chmod("d", 0o700) }
        step(scene, fd, "rename of itself") { scene.rename("d", "e") }
        step(scene, fd, "removal") { scene.result("rm -rf", removeTree("e")) }
    },

    // The watch is on the object, and must go on when its data move to another layer.
    Case("notify-file") { make in
        make.file("f", "x")
        make.file("replaced", "x")
        make.file("by", "x")
    } body: { scene in
        let fd = Int32(Sys.inotify())
        scene.ok("watch", Sys.watch(fd, "f", everything))
        step(scene, fd, "read") { scene.contents("f") }
        step(scene, fd, "chmod") { scene.chmod("f", 0o600) }
        step(scene, fd, "write") { scene.opened("f", O_WRONLY | O_APPEND) { scene.write($0, "y") } }
        step(scene, fd, "utimens") { scene.utimens("f", .now, .now) }
        step(scene, fd, "link") { scene.link("f", "g") }
        step(scene, fd, "write through the link") { scene.opened("g", O_WRONLY) { scene.write($0, "z") } }
        step(scene, fd, "unlink of one name") { scene.unlink("f") }
        step(scene, fd, "unlink of the other") { scene.unlink("g") }
        scene.ok("watch", Sys.watch(fd, "replaced", everything))
        step(scene, fd, "being replaced") { scene.rename("by", "replaced") }
    },
]

/// IN_ALL_EVENTS, which is not imported.
private let everything: UInt32 = 0xfff

private func step(_ scene: Scene, _ fd: Int32, _ what: String, _ body: () -> Void) {
    body()
    let names: [(Int32, String)] = [
        (IN_ACCESS, "access"), (IN_MODIFY, "modify"), (IN_ATTRIB, "attrib"), (IN_CLOSE_WRITE, "close-write"),
        (IN_CLOSE_NOWRITE, "close"),
        (IN_OPEN, "open"), (IN_MOVED_FROM, "moved-from"), (IN_MOVED_TO, "moved-to"), (IN_CREATE, "create"),
        (IN_DELETE, "delete"),
        (IN_DELETE_SELF, "delete-self"), (IN_MOVE_SELF, "move-self"), (IN_IGNORED, "ignored"), (Int32(IN_ISDIR), "dir"),
    ]
    let events = Sys.events(fd).map { event in
        names.filter { event.mask & UInt32($0.0) != 0 }.map(\.1).joined(separator: "|")
            + (event.name.isEmpty ? "" : ":\(event.name)")
    }
    scene.note("events of \(what)", events.joined(separator: " "))
}

extension Int {
    /// Closes what open(2) answered, for openings that are made for their effect.
    fileprivate var closing: Int {
        if self >= 0 { Sys.close(Int32(self)) }
        return self
    }
}
