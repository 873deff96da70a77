import LinuxSys
import Testing

@testable import UnionCore

/// `overlay.origin` and the index: the kernel's format, to the byte.
struct OriginTests {
    @Test func asTheKernelWritesThem() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1", "d/", "d/g=1", "h=2", "h==i", "l->x", "p|"])
        // First the kernel, into its own upper layer.
        _ = try s.options(["l"])
        let names: [FileName] = ["f", "d", "d/g", "h", "l", "p"]
        try s.kernel(["l"]) { (m) throws in for name in names { try s.setOwner(m / name, 5, 6) } }
        var kernels: [FileName: [UInt8]?] = [:]
        for name in names { kernels[name] = try s.xattr("u" / name, "trusted.overlay.origin") }
        let kernelIndex = try s.names("w/index")
        for tree: FileName in ["u", "w"] { try s.at(tree).withRef { p in try removeTree(FD.currentDirectory, p) } }

        let union = try TestUnion(s, ["l"])
        for name in names {
            try union.copyUp(name)
            let ours = try s.xattr("u" / name, "trusted.overlay.origin")
            #expect(ours != nil && ours == kernels[name], "\(name)")
        }
        #expect(try s.names("w/index") == kernelIndex && kernelIndex.count == 1)
    }

    @Test func encodedAndDecoded() throws {
        let handle = FileHandle(type: 1, bytes: [1, 2, 3, 4, 5, 6, 7, 8])
        let uuid = (0..<16).map { UInt8($0 + 100) }
        let origin = try #require(Origin(handle: handle, uuid: uuid))
        #expect(origin.bytes == [0, 0xfb, 29, 0, 1] + uuid + [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(Origin(found: origin.bytes) == origin)
        #expect(origin.handle == handle && Array(origin.uuid) == uuid)
        #expect(origin.indexName.description.hasPrefix("00fb1d00016465") && origin.indexName.count == 58)
        #expect(Origin(handle: FileHandle(type: 1, bytes: [UInt8](repeating: 0, count: 235)), uuid: uuid) == nil)
        #expect(Origin(handle: FileHandle(type: -1, bytes: []), uuid: uuid) == nil)
        #expect(Origin(handle: FileHandle(type: 255, bytes: []), uuid: uuid) == nil)
        #expect(Origin(handle: handle, uuid: [1]) == nil)
    }
    @Test func forgedOnesAreRefused() throws {
        let good = try #require(
            Origin(
                handle: FileHandle(type: 1, bytes: [1, 2, 3, 4, 5, 6, 7, 8]), uuid: [UInt8](repeating: 0, count: 16))
        ).bytes
        for length in 0..<good.count { #expect(Origin(found: Array(good[..<length])) == nil) }
        #expect(Origin(found: good + [0]) == nil)
        for (position, value) in [(0, 1), (1, 0xfa), (2, 0), (2, 255), (3, 1), (3, 8), (3, 0x80)] as [(Int, UInt8)] {
            var bad = good
            bad[position] = value
            #expect(Origin(found: bad) == nil, "\(position) \(value)")
        }
    }
    @Test func forgedOnesInALayerChangeNothing() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1", "victim=secret"])
        let union = try TestUnion(s, ["l"])
        try union.copyUp("f")
        let good = try #require(try s.xattr("u/f", "trusted.overlay.origin"))
        var values: [[UInt8]] = [[], [0], Array(good[..<10]), good + good, [UInt8](repeating: 0xff, count: 200)]
        for position in 0..<good.count {
            var bad = good
            bad[position] ^= 0x55
            values.append(bad)
        }
        for value in values {
            try s.mark("u/f", "trusted.overlay.origin", value)
            let found = try #require(try union.stack.find("f"))
            #expect(try found.isInUpper && found.status.ino == s.status("u/f").ino)
            #expect(try union.stack.lines() == ["f=1", "victim=secret"])
        }
    }

    // ---- hard links ----

    @Test func indexedLinksStayTogether() throws {
        let s = try Sandbox()
        try s.build("l", ["a=one", "a==b", "d/", "a==d/c", "other=x"])
        let union = try TestUnion(s, ["l"])
        try union.copyUp("a")
        let first = try #require(try union.stack.find("a"))
        let second = try #require(try union.stack.find("d/c"))
        #expect(first.nlink == 3 && second.nlink == 3 && first.ino == second.ino)
        #expect(second.isShownFromIndex && second.isInUpper && second.status.ino == first.status.ino)
        let entry = try #require(try s.names("w/index").first)
        let index = "w/index" / FileName(entry)
        #expect(try s.text(index, "trusted.overlay.nlink") == "U+1")
        #expect(try s.status(index).ino == s.status("u/a").ino)
        try s.file("u/a", Array("written".utf8))
        #expect(try union.stack.lines() == ["a=written", "b=written", "d/", "d/c=written", "other=x"])
        try union.copyUp("d/c")
        #expect(try s.text(index, "trusted.overlay.nlink") == "U+0")
        #expect(try s.status("u/d/c").ino == s.status("u/a").ino)

        // The kernel takes the index as its own, and counts the same.
        try s.kernel(["l"]) { (m) throws in
            #expect(try s.lines(m) == ["a=written", "b=written", "d/", "d/c=written", "other=x"])
            for name: FileName in ["a", "b", "d/c"] { #expect(try s.status(m / name).nlink == 3) }
            #expect(try s.status(m / "a").ino == first.ino && s.status(m / "b").ino == first.ino)
        }
        #expect(try s.names("w/index") == [entry])
    }
    @Test func namesGoOneByOne() throws {
        let s = try Sandbox()
        try s.build("l", ["a=one", "a==b", "a==c"])
        let union = try TestUnion(s, ["l"])
        try union.copyUp("a")
        try union.unlink("b")
        #expect(try union.stack.find("b") == nil)
        #expect(try union.stack.find("a")?.nlink == 2 && union.stack.find("c")?.nlink == 2)
        try s.kernel(["l"]) { (m) throws in
            #expect(try s.lines(m) == ["a=one", "c=one"])
            #expect(try s.status(m / "c").nlink == 2)
        }
        // The kernel made the work directory anew.
        let again = try TestUnion(s, ["l"])
        try again.unlink("a")
        #expect(try again.stack.find("c")?.nlink == 1)
        #expect(try s.names("w/index").count == 1)
        try again.unlink("c")
        #expect(try s.names("w/index") == [] && again.stack.lines() == [])
    }
    @Test func theKernelsIndexIsOurs() throws {
        let s = try Sandbox()
        try s.build("l", ["a=one", "a==b", "a==c"])
        _ = try s.options(["l"])
        try s.kernel(["l"]) { (m) throws in
            try s.file(m / "a", Array("two".utf8))
            try s.link(m / "b", m / "more")
        }
        let stack = try s.stack(["l"])
        #expect(try stack.lines() == ["a=two", "b=two", "c=two", "more=two"])
        for name: FileName in ["a", "b", "c", "more"] {
            #expect(try stack.find(name)?.nlink == 4, "\(name)")
            #expect(try stack.find(name)?.ino == s.status("l/a").ino)
        }
    }
    @Test func linkCountsThatMakeNoSense() throws {
        let s = try Sandbox()
        try s.build("l", ["a=one", "a==b"])
        let union = try TestUnion(s, ["l"])
        try union.copyUp("a")
        let index = "w/index" / FileName(try #require(try s.names("w/index").first))
        for value in ["", "U", "U+", "X+1", "U*1", "U+x", "U+12345678901234567890", "U-99", "L+-1", "U+99999999999"] {
            try s.mark(index, "trusted.overlay.nlink", value)
            _ = try union.stack.find("a")?.nlink
            _ = try union.stack.find("b")?.nlink
            #expect(try union.stack.lines() == ["a=one", "b=one"])
        }
    }
    @Test func withoutAnIndexLinksPart() throws {
        let s = try Sandbox()
        try s.build("l", ["a=one", "a==b"])
        let union = try TestUnion(s, ["l"]) { $0.index = .off }
        try union.copyUp("a")
        #expect(!s.exists("w/index"))
        let a = try #require(try union.stack.find("a"))
        let b = try #require(try union.stack.find("b"))
        // Two files now: they must not share a number.
        #expect(a.ino != b.ino && a.isInUpper && !b.isInUpper)
    }
}
