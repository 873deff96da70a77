import LinuxSys
import Testing

@testable import UnionCore

/// Names moved, and what is written down about it: the same that the kernel's overlayfs reads.
struct RenameTests {
    /// Ours, the kernel's view of the same upper layer, and what was expected: all one. The lower layer is as it was.
    private func check(_ words: [String], _ expected: [String], _ steps: (TestUnion, Sandbox) throws -> Void) throws {
        let s = try Sandbox()
        try s.build("l", words)
        let lower = try s.manifest("l", .untouched)
        let union = try TestUnion(s, ["l"])
        try steps(union, s)
        #expect(try union.stack.lines() == expected)
        union.stack.close()
        #expect(try s.names("w/work") == [])
        #expect(try s.kernel(["l"]) { try s.lines($0) } == expected)
        #expect(try s.stack(["l"]).lines() == expected)
        #expect(try s.manifest("l", .untouched) == lower)
    }

    @Test func files() throws {
        try check(["a=1", "d/", "d/b=2"], ["d/", "d/a=1", "e=2"]) { u, s in
            try u.rename("a", "d/a")
            try u.rename("d/b", "e")
            #expect(s.isWhiteout("u/a") && s.isWhiteout("u/d/b"))
        }
    }
    @Test func newFilesLeaveNothing() throws {
        try check(["d/"], ["d/", "d/m="]) { u, s in
            try u.file("n")
            try u.rename("n", "d/m")
            #expect(!s.exists("u/n"))
        }
    }
    @Test func overNamesAndWhiteouts() throws {
        try check(["a=1", "b=2", "c=3", "gone=4"], ["b=1", "gone=3"]) { u, s in
            try u.rename("a", "b")
            try u.unlink("gone")
            try u.rename("c", "gone")
            #expect(s.isWhiteout("u/a") && s.isWhiteout("u/c"))
        }
    }
    @Test func aNewFileOverAWhiteout() throws {
        try check(["gone=4"], ["gone="]) { u, s in
            try u.unlink("gone")
            try u.file("n")
            try u.rename("n", "gone")
            #expect(!s.exists("u/n"))
        }
    }
    @Test func mergedDirectoriesInTheirParent() throws {
        try check(["d/", "d/f=1", "d/e/", "d/e/g=2"], ["x/", "x/e/", "x/e/g=2", "x/f=1"]) { u, s in
            try u.rename("d", "x")
            #expect(try s.text("u/x", "trusted.overlay.redirect") == "d")
            #expect(s.isWhiteout("u/d"))
        }
    }
    @Test func mergedDirectoriesElsewhere() throws {
        try check(["p/", "p/d/", "p/d/f=1", "q/"], ["p/", "q/", "q/x/", "q/x/f=1", "q/x/new="]) { u, s in
            try u.rename("p/d", "q/x")
            #expect(try s.text("u/q/x", "trusted.overlay.redirect") == "/p/d")
            try u.file("q/x/new")
        }
    }
    @Test func movedAgainAndAgain() throws {
        try check(["p/", "p/d/", "p/d/f=1", "q/"], ["end/", "p/", "q/"]) { u, _ in
            try u.rename("p/d", "p/e")
            try u.rename("p/e", "q/e")
            try u.rename("q/e", "end")
            try u.unlink("end/f")
        }
    }
    @Test func aParentMovesThenItsChild() throws {
        try check(["p/", "p/d/", "p/d/f=1"], ["r/", "x/", "x/f=1"]) { u, s in
            try u.rename("p", "r")
            try u.rename("r/d", "x")
            #expect(try s.text("u/x", "trusted.overlay.redirect") == "/p/d")
        }
    }
    @Test func thereAndBack() throws {
        try check(["d/", "d/f=1"], ["d/", "d/f=1"]) { u, _ in
            try u.rename("d", "x")
            try u.rename("x", "d")
        }
    }
    @Test func aNewDirectoryWhereALowerOneWas() throws {
        try check(["d/", "d/old=1"], ["d/", "d/in=", "x/", "x/old=1"]) { u, s in
            try u.rename("d", "x")
            try u.create(.directory(mode: 0o755), "n")
            try u.file("n/in")
            try u.rename("n", "d")
            #expect(try s.text("u/d", "trusted.overlay.opaque") == "y")
        }
    }
    @Test func overAnEmptiedDirectory() throws {
        try check(["d/", "d/f=1", "e/", "e/g=2"], ["e/", "e/f=1"]) { u, s in
            try u.unlink("e/g")
            try u.rename("d", "e")
            #expect(s.isWhiteout("u/d"))
            #expect(try s.names("u/e") == [])
        }
    }
    @Test func aNewDirectoryOverAnEmptiedOne() throws {
        try check(["e/", "e/g=2", "e/h=3"], ["e/", "e/in="]) { u, s in
            try u.unlink("e/g")
            try u.unlink("e/h")
            try u.create(.directory(mode: 0o700), "n")
            try u.file("n/in")
            try u.rename("n", "e")
            #expect(try s.status("u/e").permissions == 0o700)
        }
    }
    @Test func exchangeOfEverything() throws {
        try check(
            ["ad/", "ad/in=1", "af=1", "al->x", "ap|", "bd/", "bd/out=2", "bf=2"],
            ["ad/", "ad/out=2", "af=2", "al|", "ap->x", "bd/", "bd/in=1", "bf=1"]
        ) { u, _ in
            try u.rename("af", "bf", exchange: true)
            try u.rename("ad", "bd", exchange: true)
            try u.rename("al", "ap", exchange: true)
        }
    }
    @Test func exchangeOfAFileAndADirectory() throws {
        try check(["f=1", "p/", "p/d/", "p/d/in=1"], ["f/", "f/in=1", "p/", "p/d=1"]) { u, s in
            try u.rename("f", "p/d", exchange: true)
            #expect(try s.text("u/f", "trusted.overlay.redirect") == "/p/d")
        }
    }
    @Test func exchangeWithSomethingNew() throws {
        try check(["d/", "d/old=1"], ["d/", "d/in=", "n/", "n/old=1"]) { u, s in
            try u.create(.directory(mode: 0o755), "n")
            try u.file("n/in")
            try u.rename("n", "d", exchange: true)
            #expect(
                try s.text("u/d", "trusted.overlay.opaque") == "y" && s.text("u/n", "trusted.overlay.redirect") == "d")
        }
    }
    @Test func markersCannotBeNames() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1"])
        let union = try TestUnion(s, ["l"])
        #expect(throws: Errno.invalid) { try union.rename("f", ".wh.f") }
        #expect(try union.stack.lines() == ["f=1"])
    }
    /// An upper layer that another program wrote where it could make no devices: `.wh.NAME` beside a directory says
    /// opaque.
    @Test func aMergedDirectoryWhereAMarkerStands() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "d/f=1", "x=0"])
        try s.build("u", [".wh.x="])
        let union = try TestUnion(s, ["l"])
        #expect(try union.stack.lines() == ["d/", "d/f=1"])
        try union.rename("d", "x")
        #expect(try union.stack.lines() == ["x/", "x/f=1"])
    }
    @Test func directoriesWithAnyName() throws {
        let s = try Sandbox()
        let odd = FileName(bytes: [0xff, 0x0a, 0x20])
        let long = FileName(String(repeating: "n", count: 255))
        try s.build("l", ["q/"])
        for name in [odd, long] { try s.build("l" / name, ["f=1"]) }
        let union = try TestUnion(s, ["l"])
        try union.rename(odd, "q/a")
        try union.rename(long, "q/b")
        #expect(try s.xattr("u/q/a", "trusted.overlay.redirect") == [0x2f, 0xff, 0x0a, 0x20])
        #expect(try union.stack.lines() == ["q/", "q/a/", "q/a/f=1", "q/b/", "q/b/f=1"])
        #expect(try s.kernel(["l"]) { try s.lines($0) } == ["q/", "q/a/", "q/a/f=1", "q/b/", "q/b/f=1"])
    }
}
