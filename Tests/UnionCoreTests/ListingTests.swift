import LinuxSys
import Testing
@testable import UnionCore

/// The names of a merged directory.
struct ListingTests {
    @Test func eachNameOnce() throws {
        let s = try Sandbox()
        try s.build("a", ["f=1", "d/", "w!"])
        try s.build("b", ["f=2", "d/", "w=2", "g|"])
        try s.build("c", ["f/", "d=3", "w=3", "l->x", "u=0"])
        let stack = try s.stack(["a", "b", "c"], upper: false)
        let names = try stack.names(stack.root)
        #expect(names.map { $0.0 } == ["d", "f", "g", "l", "u"])
        #expect(names.map { $0.1 } == [.directory, .regular, .fifo, .symlink, .regular])
    }
    @Test func markersHideBelowAndNotBeside() throws {
        let s = try Sandbox()
        try s.build("a", ["f=1", ".wh.f=", ".wh.g=", "x!", ".wh.x="])
        try s.build("b", ["f=2", "g=2", "h=2", ".wh.h="])
        try s.build("c", ["f=3", "g=3", "h=3", "x=3"])
        #expect(try s.stack(["a", "b", "c"], upper: false).lines() == ["f=1", "h=2"])
        // In a layer that is alone, too.
        #expect(try s.stack(["a"], upper: false).lines() == ["f=1"])
        #expect(try s.stack(["b"], upper: false).lines() == ["f=2", "g=2", "h=2"])
    }
    @Test func numbersAreThoseOfLookup() throws {
        let s = try Sandbox()
        try s.build("a", ["f=1", "d/"])
        try s.build("b", ["g=1", "d/"])
        let union = try TestUnion(s, ["a", "b"])
        try union.copyUp("g")
        try union.copyUp("d")
        try union.file("new")
        let stack = union.stack
        let listing = try MergedListing(stack.root, stack)
        for position in 0..<listing.count {
            let entry = try #require(listing[position])
            let name = listing.withName(entry) { $0.owned }
            let found = try #require(try stack.look(stack.root, name))
            #expect(entry.inoNeedsLookup || entry.ino == found.ino, "\(name)")
        }
        #expect(listing[-1] == nil && listing[listing.count] == nil)
        #expect(try stack.find("g")?.ino == s.status("b/g").ino)
    }
    @Test func manyNames() throws {
        let s = try Sandbox()
        try s.build("a", (0..<20_000).map { $0 % 4 == 0 ? "f\($0)!" : "f\($0)=" })
        try s.build("b", (0..<20_000).map { "f\($0)=" } + (0..<5_000).map { "g\($0)/" })
        let stack = try s.stack(["a", "b"], upper: false)
        let names = try stack.names(stack.root)
        #expect(names.count == 20_000)
        #expect(Set(names.map { $0.0 }).count == 20_000)
        #expect(names.filter { $0.1 == .directory }.count == 5_000)
        #expect(!names.contains { $0.0 == "f0" || $0.0 == "f19996" })
    }
    @Test func emptiness() throws {
        let s = try Sandbox()
        try s.build("a", ["w/", "w/f!", "w/.wh.g=", "full/", "one/", "one/f!", "x/", "x/f="])
        try s.mark("a/x", "trusted.overlay.opaque", "x")
        try s.mark("a/x/f", "trusted.overlay.whiteout", "")
        try s.build("b", ["w/", "w/f=1", "w/g=1", "full/", "full/f=", "one/", "one/f=1", "one/.wh.g=", "x/", "x/f=1"])
        try s.build("c", ["one/", "one/g=1"])
        let stack = try s.stack(["a", "b", "c"], upper: false)
        for (name, isEmpty) in [("w", true), ("full", false), ("one", true), ("x", true)] as [(FileName, Bool)] {
            #expect(try stack.isEmpty(try #require(try stack.find(name)?.directory)) == isEmpty, "\(name)")
        }
    }
    @Test func anEmptyNameNeverComes() throws {
        let s = try Sandbox()
        try s.build("a", [".wh.=", ".wh..wh.=", "f="])
        #expect(try s.stack(["a"], upper: false).lines() == ["f="])
    }
}
