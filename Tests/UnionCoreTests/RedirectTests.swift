import LinuxSys
import Testing

@testable import UnionCore

/// Directories that the layers below keep under other names.
struct RedirectTests {
    private func view(_ s: Sandbox, _ lowers: [FileName]) throws -> [String] {
        try s.stack(lowers, upper: false).lines()
    }
    /// With a check that the kernel sees the same.
    private func both(_ s: Sandbox, _ lowers: [FileName]) throws -> [String] {
        let ours = try view(s, lowers)
        #expect(try s.kernel(lowers, upper: false, "redirect_dir=follow") { try s.lines($0) } == ours)
        return ours
    }

    @Test func relative() throws {
        let s = try Sandbox()
        try s.build("a", ["d/", "d/new/", "d/old!"])
        try s.mark("a/d/new", "trusted.overlay.redirect", "old")
        try s.build("b", ["d/", "d/old/", "d/old/f=1"])
        #expect(try both(s, ["a", "b"]) == ["d/", "d/new/", "d/new/f=1"])
    }
    @Test func absolute() throws {
        let s = try Sandbox()
        try s.build("a", ["new/", "p!"])
        try s.mark("a/new", "trusted.overlay.redirect", "/p/q")
        try s.build("b", ["p/", "p/q/", "p/q/f=1"])
        #expect(try both(s, ["a", "b"]) == ["new/", "new/f=1"])
    }
    @Test func overALayerThatHasNothing() throws {
        let s = try Sandbox()
        try s.build("a", ["new/", "rel/"])
        try s.mark("a/new", "trusted.overlay.redirect", "/p/q")
        try s.mark("a/rel", "trusted.overlay.redirect", "p")
        try s.build("b", ["other=1"])
        try s.build("c", ["p/", "p/q/", "p/q/f=1"])
        #expect(
            try both(s, ["a", "b", "c"]) == [
                "new/", "new/f=1", "other=1", "p/", "p/q/", "p/q/f=1", "rel/", "rel/q/", "rel/q/f=1",
            ])
    }
    @Test func chainedOverLayers() throws {
        let s = try Sandbox()
        try s.build("a", ["three/"])
        try s.mark("a/three", "trusted.overlay.redirect", "two")
        try s.build("b", ["two/", "two/b=1"])
        try s.mark("b/two", "trusted.overlay.redirect", "/x/one")
        try s.build("c", ["x/", "x/one/", "x/one/c=1"])
        try s.mark("c/x/one", "trusted.overlay.redirect", "zero")
        try s.build("d", ["x/", "x/zero/", "x/zero/d=1"])
        #expect(
            try both(s, ["a", "b", "c", "d"]).filter { $0.hasPrefix("three") } == [
                "three/", "three/b=1", "three/c=1", "three/d=1",
            ])
    }
    /// Refused wherever it leads, but of the last layer that the parent has it is not even read: as the kernel does.
    @Test func notFollowed() throws {
        let s = try Sandbox()
        try s.build("a", ["alone/", "alone/new/", "alone/new/f=1", "both/", "both/new/"])
        try s.mark("a/alone", "trusted.overlay.opaque", "y")
        try s.mark("a/alone/new", "trusted.overlay.redirect", "/p")
        try s.mark("a/both/new", "trusted.overlay.redirect", "/nowhere")
        try s.build("b", ["p/", "p/g=1", "both/"])
        let stack = try s.stack(["a", "b"], upper: false) { $0.redirectDir = .noFollow }
        #expect(try stack.names(try #require(try stack.find("alone/new")?.directory)).map { $0.0 } == ["f"])
        #expect(throws: Errno.notPermitted) { try stack.find("both/new") }
        try s.kernel(["a", "b"], upper: false, "redirect_dir=nofollow") { (_: FileName) throws in
            #expect(try s.status("m/alone/new/f").isRegular)
            #expect(throws: Errno.notPermitted) { try s.status("m/both/new") }
        }
    }
    /// A directory on the way of an absolute redirect was itself renamed further down.
    @Test(arguments: ["older", "/q/older"])
    func throughARedirectedParent(_ parents: String) throws {
        let s = try Sandbox()
        try s.build("a", ["new/"])
        try s.mark("a/new", "trusted.overlay.redirect", "/p/d")
        try s.build("b", ["p/", "p/d/", "p/d/b=1"])
        try s.mark("b/p", "trusted.overlay.redirect", parents)
        try s.build(
            "c",
            [
                "older/", "older/d/", "older/d/c=1", "q/", "q/older/", "q/older/d/", "q/older/d/q=1", "p/", "p/d/",
                "p/d/wrong=1",
            ])
        #expect(
            try both(s, ["a", "b", "c"]).filter { $0.hasPrefix("new") } == [
                "new/", "new/b=1", parents == "older" ? "new/c=1" : "new/q=1",
            ])
    }
    @Test func throughARedirectedParentThatLacksTheRest() throws {
        let s = try Sandbox()
        try s.build("a", ["new/"])
        try s.mark("a/new", "trusted.overlay.redirect", "/p/d")
        try s.build("b", ["p/"])
        try s.mark("b/p", "trusted.overlay.redirect", "older")
        try s.build("c", ["older/", "older/d/", "older/d/c=1", "p/", "p/d/", "p/d/wrong=1"])
        #expect(try both(s, ["a", "b", "c"]).filter { $0.hasPrefix("new") } == ["new/", "new/c=1"])
    }
    @Test func endsAtWhiteoutsAndOpaqueDirectories() throws {
        let s = try Sandbox()
        try s.build("a", ["one/", "two/", "three/"])
        for (name, path) in [("one", "/p/w"), ("two", "/o/d"), ("three", "/f/d")] as [(FileName, String)] {
            try s.mark("a" / name, "trusted.overlay.redirect", path)
        }
        try s.build("b", ["p/", "p/w!", "o/", "o/d/", "o/d/b=1", "f=a file"])
        try s.mark("b/o", "trusted.overlay.opaque", "y")
        try s.build("c", ["p/", "p/w/", "p/w/c=1", "o/", "o/d/", "o/d/c=1", "f/", "f/d/", "f/d/c=1"])
        #expect(
            try both(s, ["a", "b", "c"]).filter { !$0.hasPrefix("o/") } == [
                "f=a file", "one/", "p/", "three/", "two/", "two/b=1",
            ])
    }
    /// What was moved into an opaque directory has its own past: the mark ends the search for the directory only.
    @Test func outOfAnOpaqueDirectory() throws {
        let s = try Sandbox()
        try s.build("a", ["new/"])
        try s.mark("a/new", "trusted.overlay.redirect", "/o/p/d")
        try s.build("b", ["o/", "o/p/", "o/p/d/", "o/p/d/b=1"])
        try s.mark("b/o", "trusted.overlay.opaque", "y")
        try s.mark("b/o/p", "trusted.overlay.redirect", "/past")
        try s.build("c", ["o/", "o/p/", "o/p/d/", "o/p/d/hidden=1", "past/", "past/d/", "past/d/c=1"])
        #expect(try both(s, ["a", "b", "c"]).filter { $0.hasPrefix("new") } == ["new/", "new/b=1", "new/c=1"])
    }
    /// Not followed, and not shown as if there were none: EPERM, as overlayfs has it.
    @Test func notFollowedWhereSaid() throws {
        let s = try Sandbox()
        try s.build("a", ["new/", "other/", "other/x=1"])
        try s.mark("a/new", "trusted.overlay.redirect", "old")
        try s.build("b", ["new/", "new/same=1", "old/", "old/f=1"])
        let stack = try s.stack(["a", "b"], upper: false) { $0.redirectDir = .noFollow }
        #expect(throws: Errno.notPermitted) { try stack.look(stack.root, "new") }
        #expect(
            try stack.look(stack.root, "other")?.directory != nil && stack.look(stack.root, "old")?.directory != nil)
    }

    // ---- forged ----

    @Test(arguments: ["..", ".", "/..", "../outside", "x/y", "/", "//", "/p/../..", "/p//q", "/p/", "/./p", ""])
    func forgedOnesAreAsIfNotThere(_ value: String) throws {
        #expect(Redirect.validated(Array(value.utf8)) == nil)
        let s = try Sandbox()
        try s.build("outside", ["secret=1"])
        try s.build("a", ["d/"])
        try s.mark("a/d", "trusted.overlay.redirect", value)
        try s.build("b", ["d/", "d/f=1", "p/"])
        #expect(try view(s, ["a", "b"]) == ["d/", "d/f=1", "p/"])
    }
    @Test func absurdLengths() throws {
        let letters = [UInt8](repeating: 0x61, count: 5000)
        #expect(Redirect.validated(Array(letters[..<255])) != nil)
        #expect(Redirect.validated(Array(letters[..<256])) == nil)
        #expect(Redirect.validated([0x2f] + letters[..<256]) == nil)
        #expect(Redirect.validated([]) == nil)
        #expect(Redirect.validated([0x61, 0, 0x62]) == nil)
        let steps = Array(repeating: "/x", count: 2100).joined()
        #expect(Redirect.validated(Array(steps.utf8)) == nil)
        #expect(Redirect.validated(Array(steps.utf8.prefix(4096))) != nil)
        #expect(Redirect.validated([0xff, 0x0a]) == FileName(bytes: [0xff, 0x0a]))
    }
    @Test func toSymlinksAndFiles() throws {
        let s = try Sandbox()
        try s.build("outside", ["secret=1"])
        try s.build("a", ["one/", "two/", "three/"])
        try s.mark("a/one", "trusted.overlay.redirect", "link")
        try s.mark("a/two", "trusted.overlay.redirect", "/link/below")
        try s.mark("a/three", "trusted.overlay.redirect", "/file/x")
        try s.build("b", ["file=1"])
        try s.symlink("b/link", s.at("outside"))
        try s.build("outside", ["below/", "below/secret=1"])
        #expect(try view(s, ["a", "b"]).filter { !$0.hasPrefix("link") } == ["file=1", "one/", "three/", "two/"])
    }
    @Test func loopsEnd() throws {
        let s = try Sandbox()
        for layer in 0..<6 {
            let name = FileName("l\(layer)")
            try s.build(name, ["x/", "x/in\(layer)=", "y/", "y/yn\(layer)="])
            try s.mark(name / "x", "trusted.overlay.redirect", "y")
            try s.mark(name / "y", "trusted.overlay.redirect", "/x")
        }
        let all = try both(s, (0..<6).map { FileName("l\($0)") })
        #expect(
            all.filter { $0.hasPrefix("x/") } == ["x/", "x/in0=", "x/in2=", "x/in4=", "x/yn1=", "x/yn3=", "x/yn5="])
    }

    // ---- written ----

    @Test func forMove() {
        func move(_ same: Bool, _ ancestry: [(FileName, FileName?)]) -> FileName? {
            Redirect.forMove(sameParent: same, ancestry: ancestry.map { (name: $0.0, redirect: $0.1) })
        }
        #expect(move(true, [("d", nil), ("p", nil)]) == "d")
        #expect(move(true, [("d", "older"), ("p", nil)]) == "older")
        #expect(move(true, [("d", "/a/b"), ("p", nil)]) == "/a/b")
        #expect(move(false, [("d", "/a/b"), ("p", "q")]) == "/a/b")
        #expect(move(false, [("d", nil)]) == "/d")
        #expect(move(false, [("d", nil), ("p", nil), ("g", nil)]) == "/g/p/d")
        #expect(move(false, [("d", "o"), ("p", "q"), ("g", nil)]) == "/g/q/o")
        #expect(move(false, [("d", nil), ("p", "/x/y"), ("g", "ignored")]) == "/x/y/d")
        #expect(move(false, []) == nil)
        let long = FileName(String(repeating: "n", count: 255))
        #expect(move(false, Array(repeating: (long, nil), count: 15))?.count == 15 * 256)
        #expect(move(false, Array(repeating: (long, nil), count: 16)) == nil)
    }
    @Test func whatIsWrittenIsValid() throws {
        let long = FileName(String(repeating: "n", count: 255))
        let path: FileName? = Redirect.forMove(
            sameParent: false, ancestry: Array(repeating: (name: long, redirect: nil), count: 15))
        #expect(Redirect.validated(Array(try #require(path).bytes)) == path)
    }
}
