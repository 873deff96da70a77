import CShims
import Glibc
import LinuxSys
import Testing

@testable import FuseKit

/// What no kernel sends. Nothing may trap or read beyond the message; every request gets one answer.
@Suite struct MalformedTests {
    /// Takes everything, keeps nothing, and answers lengths that cannot be.
    private final class Tame: FileSystem, @unchecked Sendable {
        private let entry = Entry(
            node: 5, generation: 0, attributes: FileStatus(), attributeSeconds: 0, entrySeconds: 0)
        override func lookup(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) -> Entry { entry }
        override func symlink(
            _ parent: UInt64, _ name: NameRef, target: NameRef, _ caller: Caller
        ) throws(Errno) -> Entry { entry }
        override func rename(
            _ parent: UInt64, _ name: NameRef, _ newParent: UInt64, _ newName: NameRef, flags: RenameFlags,
            _ caller: Caller
        ) throws(Errno) {}
        override func read(
            _ node: UInt64, handle: UInt64, offset: UInt64, into buffer: MutableBytes
        ) throws(Errno) -> Int { .max }
        override func readlink(_ node: UInt64, into buffer: MutableBytes) throws(Errno) -> Int { -1 }
        override func write(
            _ node: UInt64, handle: UInt64, offset: UInt64, _ data: Bytes, killSuidGid: Bool, cached: Bool,
            _ caller: Caller
        ) throws(Errno) -> Int {
            data.array.count
        }
        override func setxattr(
            _ node: UInt64, _ name: NameRef, _ value: Bytes, flags: UInt32, killSuidGid: Bool, _ caller: Caller
        ) throws(Errno) {
            _ = value.array
        }
        override func getxattr(
            _ node: UInt64, _ name: NameRef, into buffer: MutableBytes, _ caller: Caller
        ) throws(Errno) -> Int { .max }
        override func listxattr(_ node: UInt64, into buffer: MutableBytes, _ caller: Caller) throws(Errno) -> Int {
            .min
        }
        override func ioctl(
            _ node: UInt64, handle: UInt64, command: UInt32, isDirectory: Bool, input: Bytes, output: MutableBytes,
            _ caller: Caller
        ) throws(Errno) -> Int {
            .max
        }
        override func copyFileRange(
            from node: UInt64, handle: UInt64, offset: Int64, to toNode: UInt64, toHandle: UInt64, toOffset: Int64,
            length: UInt64, flags: UInt64, _ caller: Caller
        ) throws(Errno) -> Int {
            .min
        }
        override func readdirplus(
            _ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList
        ) throws(Errno) {
            while list.addPlus(NameRef("name"), entry, ino: 5, kind: .regular, next: 1) {}
        }
    }
    private func dispatcher() -> Dispatcher {
        let d = Dispatcher(Tame(), capacity: 1 << 16)
        d.extendedSetxattr = true
        return d
    }

    @Test func noHeader() {
        let d = dispatcher()
        for length in 0..<40 {
            let message = [UInt8](repeating: 0xff, count: length)
            message.withLent { m in
                guard case .unreadable = d.handle(m) else {
                    Issue.record("answered \(length) bytes")
                    return
                }
            }
        }
    }

    @Test func wrongLength() {
        let d = dispatcher()
        var message = Wire.request(FUSE_LOOKUP, unique: 9, Wire.name("x"))
        message.append(0)
        #expect(d.answer(message)?.errno == EIO)
        #expect(d.answer(message)?.header.unique == 9)
        #expect(d.answer(Array(message.dropLast(2)))?.errno == EIO)
        // An extension longer than the message.
        var extended = Wire.request(FUSE_LOOKUP, Wire.name("x"))
        extended[36] = 0xff
        #expect(d.answer(extended)?.errno == EIO)
    }

    /// Each request cut at each length, and filled with each of a few bytes.
    @Test func shortBodies() {
        let d = dispatcher()
        let silent: Set<UInt32> = [FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_NOTIFY_REPLY, FUSE_INIT, FUSE_DESTROY]
        for opcode: UInt32 in 0...60 {
            for length in 0..<100 {
                for fill: UInt8 in [0, 1, 0x41, 0xff] {
                    let message = Wire.request(opcode, [UInt8](repeating: fill, count: length))
                    #expect((d.answer(message) == nil) == silent.contains(opcode), "\(opcode) \(length) \(fill)")
                }
            }
        }
    }

    @Test func namesWithoutEnd() {
        let d = dispatcher()
        let open = Array("name".utf8)
        #expect(d.answer(Wire.request(FUSE_LOOKUP, open))?.errno == EINVAL)
        #expect(d.answer(Wire.request(FUSE_LOOKUP, Wire.name("")))?.errno == EINVAL)
        #expect(d.answer(Wire.request(FUSE_LOOKUP, Wire.name("a/b")))?.errno == EINVAL)
        #expect(d.answer(Wire.request(FUSE_LOOKUP))?.errno == EINVAL)
        #expect(d.answer(Wire.request(FUSE_SYMLINK, Wire.name("a"), open))?.errno == EINVAL)
        #expect(
            d.answer(Wire.request(FUSE_RENAME, Wire.bytes(fuse_rename_in(newdir: 1)), Wire.name("a"), open))?.errno
                == EINVAL)
        #expect(d.answer(Wire.request(FUSE_GETXATTR, Wire.bytes(fuse_getxattr_in()), open))?.errno == EINVAL)
    }

    @Test func lengthsThatLie() {
        let d = dispatcher()
        var w = fuse_write_in()
        w.size = 100
        #expect(d.answer(Wire.request(FUSE_WRITE, Wire.bytes(w), [1, 2, 3]))?.errno == EINVAL)
        w.size = .max
        #expect(d.answer(Wire.request(FUSE_WRITE, Wire.bytes(w), [1, 2, 3]))?.errno == EINVAL)
        let x = Wire.bytes(fuse_setxattr_in(size: 5, flags: 0, setxattr_flags: 0, padding: 0))
        #expect(d.answer(Wire.request(FUSE_SETXATTR, x, Wire.name("user.a"), [1]))?.errno == EINVAL)
        var i = fuse_ioctl_in()
        i.in_size = 4
        #expect(d.answer(Wire.request(FUSE_IOCTL, Wire.bytes(i), [1]))?.errno == EINVAL)
        #expect(
            d.answer(Wire.request(FUSE_BATCH_FORGET, Wire.bytes(fuse_batch_forget_in(count: .max, dummy: 0)))) == nil)
    }

    @Test func noise() {
        let d = dispatcher()
        var random = SystemRandomNumberGenerator()
        for _ in 0..<4_000 {
            let body = (0..<Int.random(in: 0..<200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = d.answer(Wire.request(UInt32.random(in: 0..<56, using: &random), node: 1, body))
            d.takeBack()
        }
    }
}
