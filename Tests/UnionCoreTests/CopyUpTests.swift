import LinuxSys
import Testing

@testable import UnionCore

/// What a copy keeps of its lower object.
struct CopyUpTests {
    static let past = Timestamp(seconds: 1_000_000_007, nanoseconds: 123_456_789)
    static let later = Timestamp(seconds: 1_500_000_000, nanoseconds: 999_999_999)
    /// u::rw-, user 1000 rwx, g::r--, mask rwx, o::--- (struct posix_acl_xattr_entry).
    static let acl: [UInt8] =
        [2, 0, 0, 0] + entry(1, 6, UInt32.max) + entry(2, 7, 1000) + entry(4, 4, UInt32.max)
        + entry(0x10, 7, UInt32.max) + entry(0x20, 0, UInt32.max)
    static func entry(_ tag: UInt8, _ permissions: UInt8, _ id: UInt32) -> [UInt8] {
        [tag, 0, permissions, 0] + (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * UInt32($0))) }
    }
    /// cap_net_raw+ep (struct vfs_cap_data, revision 2).
    static let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0] + [UInt8](repeating: 0, count: 12)

    private func sameButForPlace(_ s: Sandbox, _ lower: FileName, _ upper: FileName) throws {
        let a = try s.status(lower)
        let b = try s.status(upper)
        #expect(a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && a.size == b.size && a.rdev == b.rdev)
        #expect(a.mtime == b.mtime && a.atime == b.atime)
        func own(_ name: FileName) throws -> [String: [UInt8]] {
            let all = try s.at(name).withRef { n in try Sandbox.attributes(FD.currentDirectory, n) }
            return Dictionary(uniqueKeysWithValues: all.filter { !$0.key.hasPrefix("trusted.overlay.") })
        }
        #expect(try own(lower) == own(upper))
    }
    private func dress(_ s: Sandbox, _ name: FileName, mode: UInt32) throws {
        try s.setOwner(name, 1234, 5678)
        try s.mark(name, "user.note", "of the user")
        try s.mark(name, "trusted.note", [0, 1, 2, 0xff])
        try s.mark(name, "system.posix_acl_access", Self.acl)
        // An ACL is a mode; the mask stands for the group.
        try s.setMode(name, mode)
        try s.setTimes(name, Self.later, Self.past)
    }

    @Test func aFile() throws {
        let s = try Sandbox()
        try s.build("l", ["f=content"])
        try dress(s, "l/f", mode: 0o6751)
        try s.mark("l/f", "security.capability", Self.capability)
        try s.mark("l/f", "user.long", [UInt8](repeating: 7, count: 2000))
        try s.mark("l/f", "user.empty", "")
        let lower = try s.manifest("l", .untouched)
        let staged = try TestUnion(s, ["l"]).copyUp("f")
        try sameButForPlace(s, "l/f", "u/f")
        #expect(try s.content("u/f") == "content")
        #expect(staged?.bytes == 7 && staged?.isReflinked == false)
        #expect(try s.manifest("l", .untouched) == lower)
        #expect(try s.names("w/work") == [] && s.names("w/index") == [])
    }
    @Test(arguments: [0o4755, 0o2755, 0o1777, 0o7000, 0, 0o200] as [UInt32])
    func everyMode(_ mode: UInt32) throws {
        let s = try Sandbox()
        try s.build("l", ["f=x", "d/", "p|"])
        for name: FileName in ["l/f", "l/d", "l/p"] {
            try s.setOwner(name, 12, 34)
            try s.setMode(name, mode)
        }
        let union = try TestUnion(s, ["l"])
        for name: FileName in ["f", "d", "p"] {
            try union.copyUp(name)
            try sameButForPlace(s, "l" / name, "u" / name)
        }
    }
    @Test func aDirectoryAndItsDefaultACL() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "d/inside=1"])
        try dress(s, "l/d", mode: 0o3770)
        try s.mark("l/d", "system.posix_acl_default", Self.acl)
        let union = try TestUnion(s, ["l"])
        try union.copyUp("d")
        try sameButForPlace(s, "l/d", "u/d")
        #expect(try s.names("u/d") == [])
        #expect(try union.stack.lines() == ["d/", "d/inside=1"])
    }
    @Test func symlinksAndSpecialFiles() throws {
        let s = try Sandbox()
        try s.build("l", ["p|"])
        try s.symlink("l/l", FileName("/no/such/" + String(repeating: "t", count: 3000)))
        try s.node("l/c", mode: 0o020640, device: 0x1_2345)
        try s.node("l/b", mode: 0o060604, device: 0x703)
        try s.node("l/s", mode: 0o140755)
        let union = try TestUnion(s, ["l"])
        for name: FileName in ["l", "p", "c", "b", "s"] {
            let own = "l" / name
            try s.setOwner(own, 11, 22)
            try s.mark(own, "trusted.note", "kept")
            try s.setTimes(own, Self.later, Self.past)
            try union.copyUp(name)
            try sameButForPlace(s, own, "u" / name)
        }
        #expect(try s.at("u/l").withRef { n in try FD.currentDirectory.readLink(n) }.count == 3009)
        #expect(try s.names("w/work") == [])
    }
    @Test func timesOfTheParentStay() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "d/e/", "d/e/f=1", "d/e/p|"])
        for name: FileName in ["l/d/e", "l/d"] { try s.setTimes(name, Self.later, Self.past) }
        try s.directory("u")
        try s.setTimes("u", Self.past, Self.past)
        let union = try TestUnion(s, ["l"])
        try union.copyUp("d/e/f")
        try union.copyUp("d/e/p")
        for name: FileName in ["u/d", "u/d/e"] { #expect(try s.status(name).mtime == Self.past) }
        #expect(try s.status("u").mtime == Self.past)
    }

    // ---- data ----

    private func sparse(_ s: Sandbox, _ name: FileName, _ pieces: [(Int64, [UInt8])], length: Int64) throws {
        try s.file(name, [])
        let file = try FD.currentDirectory.open(s.at(name), 2)
        for (offset, bytes) in pieces { _ = try bytes.withLent { try file.fd.write($0, at: offset) } }
        try file.fd.truncate(length)
    }
    @Test(arguments: [0, 1, 2, 3])
    func holesStayHoles(_ shape: Int) throws {
        let s = try Sandbox()
        try s.directory("l")
        let block = [UInt8](repeating: 0xab, count: 4096)
        let mega: Int64 = 1 << 20
        let shapes: [([(Int64, [UInt8])], Int64)] = [
            ([(mega, block)], 8 * mega), ([(0, block), (4 * mega, block)], 4 * mega + 4096), ([], 5 * mega),
            ([(3 * mega - 10, [1, 2, 3])], 3 * mega - 7),
        ]
        try sparse(s, "l/f", shapes[shape].0, length: shapes[shape].1)
        try TestUnion(s, ["l"]).copyUp("f")
        let lower = try s.status("l/f")
        let upper = try s.status("u/f")
        #expect(lower.size == upper.size && upper.blocks <= lower.blocks)
        let a = try s.bytes("l/f")
        let b = try s.bytes("u/f")
        #expect(a == b)
    }
    @Test func manyMegabytes() throws {
        let s = try Sandbox()
        try s.directory("l")
        var random = Generator(state: 5)
        try s.file("l/f", (0..<(3 << 20) + 17).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        #expect(try TestUnion(s, ["l"]).copyUp("f")?.bytes == (3 << 20) + 17)
        let a = try s.bytes("l/f")
        let b = try s.bytes("u/f")
        #expect(a == b)
    }
    @Test(arguments: [0, 1, 4096, 99_999, 100_000, 200_000] as [UInt64])
    func noMoreThanThePrefix(_ limit: UInt64) throws {
        let s = try Sandbox()
        try s.directory("l")
        try s.file("l/f", (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        let staged = try TestUnion(s, ["l"]).copyUp("f", extent: .prefix(limit))
        let copied = try s.bytes("u/f")
        let wanted = Int(min(limit, 100_000))
        #expect(staged?.bytes == UInt64(wanted))
        #expect(copied == (0..<wanted).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    }
    @Test func aReflinkIsAskedForOnceWhereThereAreNone() throws {
        let s = try Sandbox()
        try s.build("l", ["a=1", "b=2"])
        let faults = FaultPlan(.cloneData, .io, atTime: Int.max)
        let union = try TestUnion(s, ["l"], faults: faults)
        let first = try #require(try union.copyUp("a"))
        try union.copyUp("b")
        #expect(faults.reached == (first.isReflinked ? 2 : 1))
    }
    @Test func withoutTemporaryNamesLeftWhenDropped() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "l->x", "f=1"])
        let stack = try s.stack(["l"])
        for name: FileName in ["d", "l", "f"] {
            let found = try #require(try stack.find(name))
            try name.withRef { n in
                _ = try stack.stageCopy(
                    CopyUpSource(directory: stack.layers[1].root.fd, name: n, layer: 1, status: found.status),
                    extent: .all, indexed: false)
            }
        }
        #expect(try s.names("w/work") == [] && s.names("u") == [])
    }
    @Test func nothingIsReplacedByPublishing() throws {
        let s = try Sandbox()
        try s.build("l", ["f=lower", "d/"])
        let stack = try s.stack(["l"])
        for name: FileName in ["f", "d"] {
            let found = try #require(try stack.find(name))
            try name.withRef { n in
                let staged = try stack.stageCopy(
                    CopyUpSource(directory: stack.layers[1].root.fd, name: n, layer: 1, status: found.status),
                    extent: .all, indexed: false)
                try s.file("u" / name, Array("first".utf8))
                #expect(throws: Errno.exists) { try stack.publishLocked(staged, in: stack.layers[0].root, n) }
            }
            #expect(try s.content("u" / name) == "first")
        }
        #expect(try s.names("w/work") == [])
    }
    @Test func overlaysOwnAttributesStayBehind() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "d/x=1"])
        try s.mark("l/d", "trusted.overlay.opaque", "y")
        try s.mark("l/d", "trusted.overlay.redirect", "elsewhere")
        try s.mark("l/d", "user.fuseoverlayfs.opaque", "y")
        // A nested overlay's, escaped: the object's own.
        try s.mark("l/d", "trusted.overlay.overlay.opaque", "y")
        try TestUnion(s, ["l"]).copyUp("d")
        #expect(
            try s.xattr("u/d", "trusted.overlay.opaque") == nil && s.xattr("u/d", "trusted.overlay.redirect") == nil)
        #expect(try s.xattr("u/d", "user.fuseoverlayfs.opaque") == nil)
        #expect(try s.text("u/d", "trusted.overlay.overlay.opaque") == "y")
    }
    @Test func theNumberStays() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1", "d/", "d/g=1", "l->x", "p|"])
        let union = try TestUnion(s, ["l"])
        for name: FileName in ["f", "d", "d/g", "l", "p"] {
            let before = try #require(try union.stack.find(name)).ino
            try union.copyUp(name)
            let after = try #require(try union.stack.find(name))
            #expect(try after.isInUpper && after.ino == before && before == s.status("l" / name).ino, "\(name)")
        }
        #expect(try s.text("u", "trusted.overlay.impure") == "y")
        // After a remount, too.
        let again = try s.stack(["l"])
        #expect(try again.find("d/g")?.ino == s.status("l/d/g").ino)
        #expect(again.root.upper?.isImpure == true)
    }
}
