import LinuxSys
import Testing

@testable import UnionCore

/// What a name stands for, over every form of whiteout and opaque directory.
struct LookupTests {
    private func view(
        _ sandbox: Sandbox, _ lowers: [FileName], _ change: (inout MountOptions) -> Void = { _ in }
    ) throws -> [String] {
        try sandbox.stack(lowers, upper: false, change).lines()
    }

    // ---- whiteouts ----

    @Test func aDeviceHides() throws {
        let s = try Sandbox()
        try s.build("a", ["f!", "d!", "only!"])
        try s.build("b", ["f=1", "g=2", "d/", "d/x=3"])
        #expect(try view(s, ["a", "b"]) == ["g=2"])
    }
    @Test func otherDevicesDoNot() throws {
        let s = try Sandbox()
        try s.build("a", [])
        try s.node("a/f", mode: 0o020644, device: 0x103)
        try s.node("a/b", mode: 0o060644, device: 0)
        try s.build("b", ["f=1"])
        #expect(try view(s, ["a", "b"]) == ["b?", "f?"])
    }
    @Test(arguments: [
        (MountOptions.Whiteouts.both, ["g=2"]), (.oci, ["g=2"]),
        (.overlay, [".wh.d=", ".wh.f=", "d/", "d/x=3", "f=1", "g=2"]),
    ])
    func markerNames(_ how: MountOptions.Whiteouts, _ expected: [String]) throws {
        let s = try Sandbox()
        try s.build("a", [".wh.f=", ".wh.d="])
        try s.build("b", ["f=1", "g=2", "d/", "d/x=3"])
        #expect(try view(s, ["a", "b"]) { $0.whiteouts = how } == expected)
    }
    @Test func aNameBesideItsMarkerIsSeen() throws {
        let s = try Sandbox()
        // OCI: removed and made again in the same layer. A directory is then opaque.
        try s.build("a", [".wh.f=", "f=new", ".wh.d=", "d/", "d/new=1"])
        try s.build("b", ["f=old", "d/", "d/old=1"])
        #expect(try view(s, ["a", "b"]) == ["d/", "d/new=1", "f=new"])
    }
    @Test func xattrWhiteoutsCountInMarkedDirectoriesOnly() throws {
        let s = try Sandbox()
        try s.build("a", ["x/", "x/gone=", "x/kept=", "x/full=data"])
        try s.build("b", ["x/", "x/gone=1", "x/kept=1", "x/full=1", "x/below=1", "y/", "y/gone=1"])
        for file: FileName in ["a/x/gone", "a/x/full"] { try s.mark(file, "trusted.overlay.whiteout", "y") }
        try s.mark("a/x", "trusted.overlay.opaque", "x")
        let expected = ["x/", "x/below=1", "x/full=data", "x/kept=", "y/", "y/gone=1"]
        #expect(try view(s, ["a", "b"]) == expected)
        #expect(try s.kernel(["a", "b"], upper: false, "") { try s.lines($0) } == expected)
        // The kernel lists such a name in an unmarked directory and then does not find it.
        try s.build("a", ["y/", "y/gone="])
        try s.mark("a/y/gone", "trusted.overlay.whiteout", "y")
        #expect(try view(s, ["a", "b"]).last == "y/gone=")
    }

    // ---- opaque ----

    @Test(
        arguments: ["trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque", ".wh..wh..opq"]
            as [FileName])
    func anOpaqueDirectoryHides(_ form: FileName) throws {
        let s = try Sandbox()
        try s.build("a", ["d/", "d/new=1", "d/sub/"])
        try s.build("b", ["d/", "d/old=1", "d/sub/", "d/sub/old=1"])
        if form.bytes.first == 0x2e { try s.file("a/d" / form, []) } else { try s.mark("a/d", form, "y") }
        #expect(try view(s, ["a", "b"]) == ["d/", "d/new=1", "d/sub/"])
    }
    @Test(arguments: ["n", "", "yes and more than that", "x"])
    func otherValuesAreNotOpaque(_ value: String) throws {
        let s = try Sandbox()
        try s.build("a", ["d/", "d/new=1"])
        try s.build("b", ["d/", "d/old=1"])
        try s.mark("a/d", "trusted.overlay.opaque", value)
        #expect(try view(s, ["a", "b"]) == ["d/", "d/new=1", "d/old=1"])
    }
    @Test func anOpaqueDirectoryInTheMiddle() throws {
        let s = try Sandbox()
        try s.build("a", ["d/", "d/a=1"])
        try s.build("b", ["d/", "d/b=1"])
        try s.build("c", ["d/", "d/c=1"])
        try s.mark("b/d", "trusted.overlay.opaque", "y")
        #expect(try view(s, ["a", "b", "c"]) == ["d/", "d/a=1", "d/b=1"])
    }
    @Test func markersAreNoNames() throws {
        let s = try Sandbox()
        try s.build("a", ["d/", "d/.wh..wh..opq=", "d/.wh..wh.plnk=", "d/.wh.=", "d/x=1"])
        let stack = try s.stack(["a"], upper: false)
        #expect(try stack.lines() == ["d/", "d/x=1"])
        for name: FileName in ["d/.wh..wh..opq", "d/.wh..wh.plnk", "d/.wh."] { #expect(try stack.find(name) == nil) }
    }

    // ---- kinds over kinds ----

    /// Each of three layers has nothing, a file, a directory, an opaque directory, a whiteout, a symlink or a fifo: as
    /// the kernel has it.
    @Test func everyKindOverEveryKindOverEveryKind() throws {
        let s = try Sandbox()
        let kinds = 7
        for layer in 0..<3 {
            let name = FileName("l\(layer)")
            try s.build(name, [])
            for combination in 0..<(kinds * kinds * kinds) {
                let own = name / FileName("n\(combination)")
                switch combination / [1, kinds, kinds * kinds][layer] % kinds {
                case 0: break
                case 1: try s.file(own, Array("l\(layer)".utf8))
                case 2: try s.build(own, ["in\(layer)=", "both=\(layer)"])
                case 3:
                    try s.build(own, ["in\(layer)=", "both=\(layer)"])
                    try s.mark(own, "trusted.overlay.opaque", "y")
                case 4: try s.node(own, mode: 0o020000)
                case 5: try s.symlink(own, FileName("l\(layer)"))
                default: try s.node(own, mode: 0o010644)
                }
            }
        }
        let ours = try view(s, ["l0", "l1", "l2"])
        let kernels = try s.kernel(["l0", "l1", "l2"], upper: false, "") { try s.lines($0) }
        #expect(ours.count > 500)
        #expect(ours == kernels)
    }

    @Test func mergedDirectoriesHaveAllParts() throws {
        let s = try Sandbox()
        for layer in ["a", "b", "c"] { try s.build(FileName(layer), ["d/", "d/\(layer)=1", "d/both=\(layer)"]) }
        let stack = try s.stack(["a", "b", "c"])
        let found = try #require(try stack.find("d"))
        #expect(found.directory?.parts.map { $0.layer } == [1, 2, 3])
        #expect(found.nlink == 1 && found.layer == 1 && !found.isInUpper)
        #expect(try stack.lines() == ["d/", "d/a=1", "d/b=1", "d/both=a", "d/c=1"])
    }
    @Test func aFileCutsWhatIsBelowIt() throws {
        let s = try Sandbox()
        try s.build("a", ["d/", "d/a=1"])
        try s.build("b", ["d=file"])
        try s.build("c", ["d/", "d/c=1"])
        #expect(try view(s, ["a", "b", "c"]) == ["d/", "d/a=1"])
    }

    // ---- hostile layers ----

    @Test func namesOfAnyBytes() throws {
        let s = try Sandbox()
        let names =
            [
                [0xff, 0xfe], [0x0a], [0x20], [0x5c], [0x2a], Array("e\u{301}".utf8), Array("\u{e9}".utf8),
                [UInt8](repeating: 0x61, count: 255), [0x2e, 0x77, 0x68],
            ] as [[UInt8]]
        try s.build("a", [])
        try s.build("b", [])
        for (i, name) in names.enumerated() { try s.file((i % 2 == 0 ? "a" : "b") / FileName(bytes: name), [1]) }
        let stack = try s.stack(["a", "b"], upper: false)
        let listed = try stack.names(stack.root).map { $0.0 }
        #expect(Set(listed) == Set(names.map { FileName(bytes: $0) }))
        for name in names { #expect(try stack.look(stack.root, FileName(bytes: name)) != nil) }
        #expect(throws: Errno.nameTooLong) { try stack.look(stack.root, FileName(String(repeating: "a", count: 256))) }
    }
    @Test func symlinksInTheWayAreNotFollowed() throws {
        let s = try Sandbox()
        try s.build("outside", ["d/", "d/secret=1"])
        try s.build("b", ["d/", "d/f=1"])
        try s.build("a", [])
        try s.symlink("a/d", s.at("outside/d"))
        try s.symlink("a/up", "../outside/d")
        let stack = try s.stack(["a", "b"], upper: false)
        #expect(try stack.lines() == ["d->\(s.at("outside/d"))", "up->../outside/d"])
        #expect(try stack.find("d")?.directory == nil)
        #expect(try stack.find("d/secret") == nil)
    }
    @Test func layersAreNotTouchedByLooking() throws {
        let s = try Sandbox()
        try s.build("a", ["d/", "d/x=1", "d/w!", "l->d"])
        try s.build("b", ["d/", "d/w=1", "d/y=2"])
        let before = try ["a", "b"].map { try s.manifest(FileName($0), .untouched) }
        _ = try view(s, ["a", "b"])
        #expect(try ["a", "b"].map { try s.manifest(FileName($0), .untouched) } == before)
    }
}
