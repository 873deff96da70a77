import LinuxSys
import Testing

/// Directories read, attributes of what cannot be opened, paths that try to leave, locks.
struct DescriptorTests {
    @Test(arguments: [64, 300, 32768])
    func aDirectoryIsReadWhole(_ bufferSize: Int) throws {
        let s = try Scratch()
        var expected: Set<FileName> = []
        for i in 0..<200 {
            let name = FileName("name-\(i)")
            try s.file(name)
            expected.insert(name)
        }
        try s.directory("d")
        try s.symlink("l", "x")
        expected.formUnion(["d", "l"])
        var seen: [FileName: FileKind] = [:]
        var reader = DirectoryReader(s.fd, bufferSize: bufferSize)
        for _ in 0..<2 {
            seen = [:]
            try reader.rewind()
            try reader.forEach { name, ino, kind in
                #expect(ino == (try? s.fd.status(name).ino))
                #expect(seen.updateValue(kind, forKey: name.owned) == nil)
                return true
            }
            #expect(Set(seen.keys) == expected)
        }
        #expect(seen["d"] == .directory && seen["l"] == .symlink && seen["name-1"] == .regular)
    }
    @Test func aReaderStopsWhenTold() throws {
        let s = try Scratch()
        for i in 0..<10 { try s.file(FileName("f\(i)")) }
        var count = 0
        var reader = DirectoryReader(s.fd)
        try reader.forEach { _, _, _ in
            count += 1
            return count < 3
        }
        #expect(count == 3)
    }
    @Test func aBufferTooSmallForANameIsAnError() throws {
        let s = try Scratch()
        try s.file(FileName(String(repeating: "n", count: 255)))
        var reader = DirectoryReader(s.fd, bufferSize: 64)
        #expect(throws: Errno.invalid) { try reader.forEach { _, _, _ in true } }
    }

    // ---- attributes ----

    @Test func attributesOfSymlinksThemselves() throws {
        let s = try Scratch()
        try s.file("f")
        try s.symlink("l", "f")
        try s.fd.setXattr(NameRef("l"), NameRef("trusted.note"), Array("link".utf8))
        #expect(try s.fd.xattrIfPresent(NameRef("l"), NameRef("trusted.note")) == Array("link".utf8))
        #expect(try s.fd.xattrIfPresent(NameRef("f"), NameRef("trusted.note")) == nil)
        #expect(throws: Errno.notPermitted) { try s.fd.setXattr(NameRef("l"), NameRef("user.note"), [1]) }
        try s.fd.removeXattr(NameRef("l"), NameRef("trusted.note"))
        #expect(throws: Errno.noData) { try s.fd.removeXattr(NameRef("l"), NameRef("trusted.note")) }
    }
    @Test func attributesOfHandles() throws {
        let s = try Scratch()
        try s.file("f")
        try s.symlink("l", "f")
        for name in [NameRef("f"), NameRef("l")] {
            let handle = try s.fd.openPath(name)
            try handle.fd.setXattr(NameRef.empty, NameRef("trusted.note"), [1, 2, 0, 3])
            #expect(try handle.fd.xattrIfPresent(NameRef.empty, NameRef("trusted.note")) == [1, 2, 0, 3])
            #expect(try s.fd.xattrIfPresent(name, NameRef("trusted.note")) == [1, 2, 0, 3])
            #expect(try handle.fd.listXattrs(NameRef.empty) == Array("trusted.note\0".utf8))
            try handle.fd.removeXattr(NameRef.empty, NameRef("trusted.note"))
            #expect(try handle.fd.listXattrs(NameRef.empty) == [])
        }
    }
    @Test func valuesOfAllLengths() throws {
        let s = try Scratch()
        try s.file("f")
        for length in [0, 1, 15, 16, 17, 255, 256, 257, 3000] {
            let value = [UInt8](repeating: 0x79, count: length)
            try s.fd.setXattr(NameRef("f"), NameRef("user.v"), value)
            #expect(try s.fd.xattrIfPresent(NameRef("f"), NameRef("user.v")) == value)
            // What is longer than the look is not the mark that is looked for.
            #expect(try s.fd.xattrFirstByte(NameRef("f"), NameRef("user.v")) == (length == 0 || length > 16 ? 0 : 0x79))
        }
        #expect(try s.fd.xattrFirstByte(NameRef("f"), NameRef("user.none")) == nil)
        #expect(throws: Errno.noEntry) { try s.fd.xattrIfPresent(NameRef("none"), NameRef("user.v")) }
    }

    // ---- paths ----

    @Test func nothingLeavesADirectory() throws {
        let s = try Scratch()
        try s.directory("in")
        try s.directory("in/d")
        try s.file("outside", "secret")
        try s.file("in/d/f", "inside")
        try s.symlink("in/up", "..")
        try s.symlink("in/abs", s.path)
        try s.symlink("in/same", "d")
        let root = try s.fd.openDirectory(NameRef("in"))
        func opened(_ path: FileName) -> Errno? {
            do throws(Errno) {
                _ = try path.withRef { (p) throws(Errno) in try root.fd.openBeneath(p, 0) }
                return nil
            } catch { return error }
        }
        #expect(opened("d/f") == nil && opened("d") == nil && opened("d/../d/f") == nil)
        for path: FileName in ["../outside", "d/../../outside", "/etc/passwd", ".."] {
            #expect(opened(path) == .crossDevice, "\(path)")
        }
        for path: FileName in ["up/outside", "abs/outside", "same/f", "up"] {
            #expect(opened(path) == .loop, "\(path)")
        }
        let magic = try FD.currentDirectory.open("/proc/self", OpenFlags.directory)
        #expect(throws: Errno.loop) { _ = try magic.fd.openBeneath(NameRef("cwd/etc"), 0) }
        #expect(throws: Errno.self) { _ = try root.fd.openDirectory(NameRef("up")) }
        let handle = try root.fd.openPath(NameRef("up"))
        #expect(try handle.fd.status().isSymlink)
    }
    @Test func handlesOutliveNames() throws {
        let s = try Scratch()
        try s.file("f", "text")
        let handle = try s.fd.openPath(NameRef("f"))
        try s.fd.unlink(NameRef("f"))
        let again = try handle.fd.reopen(0)
        #expect(try again.fd.readAll() == Array("text".utf8))
        #expect(try handle.fd.status().nlink == 0)
    }
    @Test func byFileHandle() throws {
        let s = try Scratch()
        try s.file("f", "text")
        let handle = try s.fd.handle(NameRef("f"))
        let again = try s.fd.open(handle: handle, 0)
        #expect(try again.fd.readAll() == Array("text".utf8))
        #expect(try again.fd.handle(NameRef.empty) == handle)
        #expect(throws: Errno.invalid) {
            _ = try s.fd.open(handle: FileHandle(type: 1, bytes: [UInt8](repeating: 0, count: 129)), 0)
        }
        #expect(throws: Errno.self) { _ = try s.fd.open(handle: FileHandle(type: 1, bytes: [1, 2, 3]), 0) }
        #expect(s.fd.filesystemUUID().count == 16)
    }
    @Test func aClonedTreeIsReadOnly() throws {
        let s = try Scratch()
        try s.file("f", "text")
        let tree = try s.path.withRef { p in try FD.cloneReadOnly(p) }
        #expect(throws: Errno.readOnly) { _ = try tree.fd.open(NameRef("f"), 1) }
        #expect(throws: Errno.readOnly) { try tree.fd.unlink(NameRef("f")) }
        let file = try tree.fd.open(NameRef("f"), 0)
        #expect(try file.fd.readAll() == Array("text".utf8))
    }

    // ---- names and locks ----

    @Test func namesChangePlaces() throws {
        let s = try Scratch()
        try s.file("a", "1")
        try s.directory("d")
        try s.fd.rename(NameRef("a"), to: s.fd, NameRef("d"), .exchange)
        #expect(try s.fd.status(NameRef("a")).isDirectory && s.fd.status(NameRef("d")).isRegular)
        #expect(throws: Errno.exists) { try s.fd.rename(NameRef("a"), to: s.fd, NameRef("d"), .noReplace) }
        try s.fd.rename(NameRef("d"), to: s.fd, NameRef("e"), .whiteout)
        let left = try s.fd.status(NameRef("d"))
        #expect(left.isCharacter && left.rdev == 0)
    }
    @Test func oneHolderOfALock() throws {
        let s = try Scratch()
        try s.file("f")
        let one = try s.fd.open(NameRef("f"), 0)
        let other = try s.fd.open(NameRef("f"), 0)
        try one.fd.lockExclusively()
        #expect(throws: Errno.tryAgain) { try other.fd.lockExclusively() }
        #expect(throws: Errno.tryAgain) { try other.fd.lockShared() }
        try one.fd.lockShared()
        try other.fd.lockShared()
        try one.fd.unlock()
        try other.fd.lockExclusively()
    }
    private final class Sum: @unchecked Sendable { var value = 0 }
    @Test func locksOfThreads() throws {
        let mutex = Mutex()
        let lock = RWLock()
        let done = Condition()
        let sum = Sum()
        let left = Sum()
        left.value = 6
        for _ in 0..<6 {
            _ = try Thread {
                for i in 0..<20_000 {
                    if i % 4 == 0 { lock.exclusive { sum.value += 1 } } else { lock.shared { _ = sum.value } }
                }
                mutex.locked { left.value -= 1 }
                done.broadcast()
            }
        }
        mutex.locked { while left.value > 0 { done.wait(mutex) } }
        #expect(sum.value == 30_000)
    }
}
