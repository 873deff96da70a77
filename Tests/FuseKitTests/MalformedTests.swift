import CShims
import Glibc
import LinuxSys
import Testing

@testable import FuseKit

/// What no kernel sends. Nothing may trap or read beyond the message; every request gets one answer.
@Suite struct MalformedTests {
    private func dispatcher() -> Dispatcher {
        let d = Dispatcher(MemoryFileSystem(), capacity: 1 << 16)
        d.extendedSetxattr = true
        return d
    }

    @Test func noHeader() {
        let d = dispatcher()
        for length in 0..<40 {
            let message = [UInt8](repeating: 0xff, count: length)
            message.withLent { m in
                guard case .unreadable = d.handle(m) else { Issue.record("answered \(length) bytes"); return }
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
        #expect(d.answer(Wire.request(FUSE_RENAME, Wire.bytes(fuse_rename_in(newdir: 1)), Wire.name("a"), open))?.errno == EINVAL)
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
        #expect(d.answer(Wire.request(FUSE_BATCH_FORGET, Wire.bytes(fuse_batch_forget_in(count: .max, dummy: 0)))) == nil)
    }

    @Test func noise() {
        let d = dispatcher()
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let body = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = d.answer(Wire.request(UInt32.random(in: 0..<56, using: &random), node: 1, body))
        }
    }
}
