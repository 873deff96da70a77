import LinuxSys
import Testing

@testable import UnionCore

/// Names removed: a whiteout where a layer below has the name, and only there.
struct RemoveTests {
    @Test func whiteoutsWhereNeededAndNotOtherwise() throws {
        let s = try Sandbox()
        try s.build("a", ["both=1", "ina=1", "hidden!", "d/", "d/x=1"])
        try s.build("b", ["both=2", "inb=1", "hidden=2", "d/", "d/y=1"])
        let lowers = try ["a", "b"].map { try s.manifest(FileName($0), .untouched) }
        let union = try TestUnion(s, ["a", "b"])
        for name: FileName in ["both", "ina", "inb", "d/x", "d/y"] {
            try union.unlink(name)
            #expect(s.isWhiteout("u" / name), "\(name)")
        }
        for name: FileName in ["new", "hidden", "d/new"] {
            try union.file(name)
            try union.unlink(name)
            #expect(!s.exists("u" / name), "\(name)")
        }
        // Copied up first: the copy goes, the whiteout comes.
        try union.file("ina")
        try union.unlink("ina")
        #expect(s.isWhiteout("u/ina"))
        #expect(try union.stack.lines() == ["d/"])
        #expect(try s.kernel(["a", "b"]) { try s.lines($0) } == ["d/"])
        #expect(try ["a", "b"].map { try s.manifest(FileName($0), .untouched) } == lowers)
    }
    @Test func whiteoutsAreNamesOfOneInode() throws {
        let s = try Sandbox()
        try s.build("l", (0..<50).map { "f\($0)=" })
        let union = try TestUnion(s, ["l"])
        for i in 0..<50 { try union.unlink(FileName("f\(i)")) }
        #expect(Set(try (0..<50).map { try s.status(FileName("u/f\($0)")).ino }).count == 1)
        union.stack.close()
        #expect(try s.names("w/work") == [])
        #expect(try union.stack.lines() == [])
    }
    @Test func directoriesWithWhiteoutsInside() throws {
        let s = try Sandbox()
        try s.build("l", ["lower/", "merged/", "merged/f=1", "full/", "full/f=1"])
        let union = try TestUnion(s, ["l"])
        try union.unlink("merged/f")
        try union.rmdir("merged")
        try union.rmdir("lower")
        try union.create(.directory(mode: 0o755), "new")
        try union.rmdir("new")
        #expect(throws: Errno.notEmpty) { try union.rmdir("full") }
        try union.copyUp("full/f")
        #expect(throws: Errno.notEmpty) { try union.rmdir("full") }
        #expect(s.isWhiteout("u/merged") && s.isWhiteout("u/lower") && !s.exists("u/new"))
        #expect(try s.names("w/work").filter { !$0.hasPrefix("#whiteout") } == [])
        #expect(try union.stack.lines() == ["full/", "full/f=1"])
        #expect(try s.kernel(["l"]) { try s.lines($0) } == ["full/", "full/f=1"])
    }
    @Test func aPureUpperDirectoryWithLeftoverWhiteouts() throws {
        let s = try Sandbox()
        try s.build("l", [])
        try s.build("u", ["d/", "d/left!", "d/.wh.other="])
        let union = try TestUnion(s, ["l"])
        try union.rmdir("d")
        #expect(!s.exists("u/d"))
        #expect(try s.names("w/work") == [])
    }
    @Test func removedAndMadeAgain() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "d/old=1", "f=1"])
        let union = try TestUnion(s, ["l"])
        try union.unlink("d/old")
        try union.rmdir("d")
        try union.create(.directory(mode: 0o755), "d")
        try union.file("d/new")
        try union.unlink("f")
        try union.create(.directory(mode: 0o755), "f")
        #expect(try s.text("u/d", "trusted.overlay.opaque") == "y" && s.text("u/f", "trusted.overlay.opaque") == "y")
        #expect(try union.stack.lines() == ["d/", "d/new=", "f/"])
        // In an opaque directory nothing is below: no whiteouts.
        try union.unlink("d/new")
        #expect(try s.names("u/d") == [])
        #expect(try s.kernel(["l"]) { try s.lines($0) } == ["d/", "f/"])
    }
    @Test func whatIsNotThere() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1"])
        let union = try TestUnion(s, ["l"])
        let name: FileName = "none"
        #expect(try name.withRef { n in try union.stack.needsWhiteout(union.stack.root, n) } == false)
        #expect(throws: Errno.noEntry) {
            try name.withRef { n in try union.stack.unlinkLocked(in: union.stack.root, n, whiteout: false) }
        }
    }
    @Test func needsAWhiteoutAsTheLayersBelowHaveIt() throws {
        let s = try Sandbox()
        try s.build("a", ["w!", ".wh.m=", "x/", "x/gone="])
        try s.mark("a/x", "trusted.overlay.opaque", "x")
        try s.mark("a/x/gone", "trusted.overlay.whiteout", "y")
        try s.build("b", ["w=1", "m=1", "n=1", "x/", "x/gone=1", "x/there=1"])
        let union = try TestUnion(s, ["a", "b"])
        for (directory, name, needs) in [
            ("", "w", false), ("", "m", false), ("", "n", true), ("", "none", false),
            ("x", "gone", false), ("x", "there", true),
        ] as [(FileName, FileName, Bool)] {
            let parent = try union.directory(directory)
            #expect(try name.withRef { n in try union.stack.needsWhiteout(parent, n) } == needs, "\(name)")
        }
    }
}
