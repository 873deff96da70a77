import LinuxSys
import Testing

@testable import UnionCore

/// Names made: plainly, over a whiteout, and with what a directory gives its children.
struct CreateTests {
    private static let user = Maker(uid: 1000, gid: 1001, umask: 0o027)

    private func everyKind(_ body: (NewObject, FileName) throws -> Void) throws {
        try body(.file(mode: 0o6666, flags: 2), "f")
        try body(.directory(mode: 0o1777), "d")
        try body(.node(mode: 0o010666, device: 0), "p")
        try body(.node(mode: 0o020666, device: 0x103), "c")
        try "to".utf8Name { target in try body(.symlink(target: target), "l") }
    }

    @Test func asTheCaller() throws {
        let s = try Sandbox()
        try s.build("l", [])
        try s.directory("u", mode: 0o777)
        let union = try TestUnion(s, ["l"])
        try everyKind { object, name in try union.create(object, name, as: Self.user) }
        for (name, mode) in [("f", 0o106640), ("d", 0o041750), ("p", 0o010640), ("c", 0o020640), ("l", 0o120777)]
            as [(FileName, UInt32)]
        {
            let status = try s.status("u" / name)
            #expect(status.uid == 1000 && status.gid == 1001, "\(name)")
            #expect(status.mode == mode, "\(name) has \(String(status.mode, radix: 8))")
        }
    }
    /// The layer lets only root write here: the kernel has checked the caller for us.
    @Test func forTheCallerWhereTheLayerRefusesThem() throws {
        let s = try Sandbox()
        try s.build("l", [])
        try s.directory("u", mode: 0o700)
        let union = try TestUnion(s, ["l"])
        try everyKind { object, name in try union.create(object, name, as: Self.user) }
        for name in try s.names("u") {
            let status = try s.status("u" / FileName(name))
            #expect(status.uid == 1000 && status.gid == 1001, "\(name)")
            if !status.isSymlink { #expect(status.mode & 0o777 & ~0o750 == 0, "\(name)") }
        }
        #expect(try s.status("u/f").permissions & 0o777 == 0o640)
    }
    @Test func takenNamesAndMarkers() throws {
        let s = try Sandbox()
        try s.build("l", [])
        let union = try TestUnion(s, ["l"])
        try union.file("f")
        try everyKind { object, _ in #expect(throws: Errno.exists) { try union.create(object, "f") } }
        for name: FileName in [".wh.x", ".wh.", ".wh..wh..opq"] {
            try everyKind { object, _ in #expect(throws: Errno.invalid) { try union.create(object, name) } }
        }
        #expect(throws: Errno.notPermitted) { try union.create(.node(mode: 0o020666, device: 0), "w") }
        #expect(try s.names("u") == ["f"] && s.names("w/work") == [])
        let plain = try TestUnion(s, ["l"]) { $0.whiteouts = .overlay }
        try plain.file(".wh.x")
        #expect(try s.names("u") == [".wh.x", "f"])
    }

    // ---- over a whiteout ----

    @Test(arguments: [0o755, 0o2775] as [UInt32], [false, true])
    func asWithoutTheWhiteout(_ mode: UInt32, _ hasACL: Bool) throws {
        // The same made twice: in a directory with whiteouts, and in one without.
        let s = try Sandbox()
        try s.build("l", ["with/"] + ["f", "d", "p", "c", "l"].map { "with/\($0)=below" })
        try s.build("u", ["with/", "without/"] + ["f", "d", "p", "c", "l"].map { "with/\($0)!" })
        for directory: FileName in ["u/with", "u/without"] {
            try s.setOwner(directory, 2000, 2001)
            if hasACL { try s.mark(directory, "system.posix_acl_default", CopyUpTests.acl) }
            try s.setMode(directory, mode | 0o007)
        }
        let union = try TestUnion(s, ["l"])
        #expect(try union.stack.lines() == ["with/", "without/"])
        for maker in [TestUnion.root, Self.user] {
            try everyKind { object, name in
                try union.create(object, "with" / name, as: maker)
                try union.create(object, "without" / name, as: maker)
            }
            let (with, without) = try (s.manifest("u/with", []), s.manifest("u/without", []))
            // A directory over a whiteout is opaque: what the whiteout hid stays hidden.
            #expect(try s.text("u/with/d", "trusted.overlay.opaque") == "y")
            #expect(
                with.dropFirst().map { $0.replacing(" trusted.overlay.opaque=[121]", with: "") }
                    == Array(without.dropFirst()))
            #expect(try s.names("w/work").filter { !$0.hasPrefix("#whiteout") } == [])
            for name in ["f", "p", "c", "l"] {
                try union.unlink("with" / FileName(name))
                try union.unlink("without" / FileName(name))
            }
            try union.rmdir("with/d")
            try union.rmdir("without/d")
            #expect(try union.stack.lines() == ["with/", "without/"])
        }
    }
    @Test func aDirectoryOverAMarkerShowsNothingOfBelow() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "d/old=1"])
        try s.build("u", [".wh.d="])
        let union = try TestUnion(s, ["l"])
        #expect(try union.stack.lines() == [])
        try union.create(.directory(mode: 0o755), "d")
        #expect(try union.stack.lines() == ["d/"])
    }

    // ---- links and files without a name ----

    @Test func linksOverWhiteoutsAndNames() throws {
        let s = try Sandbox()
        try s.build("l", ["gone=1", "f=2"])
        let union = try TestUnion(s, ["l"])
        try union.unlink("gone")
        try union.link("f", "gone")
        #expect(try union.stack.lines() == ["f=2", "gone=2"])
        #expect(try s.status("u/f").ino == s.status("u/gone").ino)
        #expect(throws: Errno.exists) { try union.link("f", "gone") }
        #expect(throws: Errno.invalid) { try union.link("f", ".wh.x") }
        #expect(try s.names("w/work").filter { !$0.hasPrefix("#whiteout") } == [])
    }
    @Test func temporaryFilesInherit() throws {
        let s = try Sandbox()
        try s.build("l", [])
        try s.build("u", ["d/"])
        try s.setOwner("u/d", 2000, 2001)
        try s.setMode("u/d", 0o2777)
        let union = try TestUnion(s, ["l"])
        for maker in [TestUnion.root, Self.user] {
            let file = try union.stack.createTemporary(in: try union.directory("d"), mode: 0o666, flags: 2, as: maker)
            let status = try file.fd.status()
            #expect(status.uid == maker.uid && status.gid == 2001 && status.nlink == 0)
            #expect(status.permissions == 0o666 & ~maker.umask)
        }
        #expect(try s.names("u/d") == [])
    }
    @Test func withoutAnUpperLayerNothingIsMade() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1"])
        let stack = try s.stack(["l"], upper: false)
        let f: FileName = "new"
        #expect(throws: Errno.readOnly) {
            try f.withRef { n in
                _ = try stack.createLocked(.directory(mode: 0o755), in: stack.root, n, as: TestUnion.root)
            }
        }
        #expect(throws: Errno.readOnly) {
            try f.withRef { n in try stack.unlinkLocked(in: stack.root, n, whiteout: true) }
        }
    }
}

extension String {
    func utf8Name<R>(_ body: (NameRef) throws -> R) throws -> R { try FileName(self).withRef { n in try body(n) } }
}
