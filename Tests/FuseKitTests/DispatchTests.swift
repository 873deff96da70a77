import CShims
import Glibc
import LinuxSys
import Testing

@testable import FuseKit

/// Requests in, replies out, byte by byte, with no kernel.
@Suite struct DispatchTests {
    let fs = MemoryFileSystem()
    let dispatcher: Dispatcher
    init() {
        dispatcher = Dispatcher(fs, capacity: 1 << 20)
        dispatcher.extendedSetxattr = true
    }

    private func make(_ name: String, mode: UInt32 = 0o644) throws -> UInt64 {
        let r = try #require(
            dispatcher.answer(
                Wire.request(
                    FUSE_CREATE,
                    Wire.bytes(fuse_create_in(flags: 2, mode: 0o100000 | mode, umask: 0o22, open_flags: 0)),
                    Wire.name(name))))
        return try #require(r.load(fuse_entry_out.self)).nodeid
    }

    @Test func headerOfAReply() throws {
        let r = try #require(
            dispatcher.answer(Wire.request(FUSE_LOOKUP, unique: 0x8000_0000_0000_1234, Wire.name("none"))))
        #expect(r.errno == ENOENT)
        #expect(r.payload.isEmpty)
        // FUSE_UNIQUE_RESEND stays where it is: the kernel looks the request up by it.
        #expect(r.header.unique == 0x8000_0000_0000_1234)
    }

    @Test func createAndLookup() throws {
        let node = try make("file")
        #expect(fs.lastCaller?.umask == 0o22)
        #expect(fs.lastCaller?.uid == 1000)
        #expect(fs.lastCaller?.gid == 1001)
        #expect(fs.lastCaller?.pid == 42)
        let r = try #require(dispatcher.answer(Wire.request(FUSE_LOOKUP, Wire.name("file"))))
        #expect(r.errno == 0)
        #expect(r.payload.count == 128)
        let entry = try #require(r.load(fuse_entry_out.self))
        #expect(entry.nodeid == node)
        #expect(entry.attr.mode == 0o100644)
        #expect(entry.attr.mtime == 1_500_000_000)
        #expect(entry.attr.mtimensec == 456)
        #expect(fs.nodes[node]?.lookups == 2)
        _ = dispatcher.answer(Wire.request(FUSE_FORGET, node: node, Wire.bytes(fuse_forget_in(nlookup: 1))))
        #expect(fs.nodes[node]?.lookups == 1)
        let batch =
            Wire.bytes(fuse_batch_forget_in(count: 2, dummy: 0)) + Wire.bytes(fuse_forget_one(nodeid: node, nlookup: 1))
            + Wire.bytes(fuse_forget_one(nodeid: 999, nlookup: 5))
        #expect(dispatcher.answer(Wire.request(FUSE_BATCH_FORGET, node: 0, batch)) == nil)
        #expect(fs.nodes[node]?.lookups == 0)
    }

    @Test func createReplyHasTwoParts() throws {
        let r = try #require(
            dispatcher.answer(
                Wire.request(
                    FUSE_CREATE, Wire.bytes(fuse_create_in(flags: 0x8042, mode: 0o100600, umask: 0, open_flags: 0)),
                    Wire.name("x"))))
        #expect(r.payload.count == 144)
        #expect(r.load(fuse_open_out.self, at: 128)?.fh == 101)
        let t = try #require(
            dispatcher.answer(
                Wire.request(
                    FUSE_TMPFILE, Wire.bytes(fuse_create_in(flags: 2, mode: 0o100600, umask: 0, open_flags: 0)),
                    Wire.name("/"))))
        #expect(t.payload.count == 144)
        #expect(t.load(fuse_entry_out.self)?.attr.nlink == 0)
    }

    @Test func devices() throws {
        // new_encode_dev(major 0xabc, minor 0xdef12)
        let packed: UInt32 = 0x12 | 0xabc << 8 | 0xdef00 << 12
        let body = Wire.bytes(fuse_mknod_in(mode: 0o020600, rdev: packed, umask: 0, padding: 0)) + Wire.name("dev")
        let r = try #require(dispatcher.answer(Wire.request(FUSE_MKNOD, body)))
        #expect(r.load(fuse_entry_out.self)?.attr.rdev == packed)
        let node = try #require(r.load(fuse_entry_out.self)).nodeid
        #expect(fs.nodes[node]?.status.rdev == cs_makedev(0xabc, 0xdef12))
        let x = try #require(dispatcher.answer(Wire.request(FUSE_STATX, node: node, Wire.bytes(fuse_statx_in()))))
        #expect(x.payload.count == 288)
        let s = try #require(x.load(fuse_statx_out.self)).stat
        #expect(s.rdev_major == 0xabc && s.rdev_minor == 0xdef12)
        #expect(s.mask == 0xfff)
        #expect(s.btime.tv_sec == 1_000_000_000)
    }

    @Test func setattr() throws {
        let node = try make("f")
        var a = fuse_setattr_in()
        a.valid =
            FATTR_MODE | FATTR_UID | FATTR_SIZE | FATTR_MTIME | FATTR_ATIME | FATTR_ATIME_NOW | FATTR_KILL_SUIDGID
            | FATTR_FH
        a.mode = 0o104755
        a.uid = 77
        a.gid = 88
        a.size = 9
        a.mtime = UInt64(bitPattern: -3)
        a.mtimensec = 4
        let r = try #require(dispatcher.answer(Wire.request(FUSE_SETATTR, node: node, Wire.bytes(a))))
        let out = try #require(r.load(fuse_attr_out.self)).attr
        #expect(out.mode == 0o104755 && out.uid == 77 && out.gid == 1001 && out.size == 9)
        #expect(out.mtime == UInt64(bitPattern: -3) && out.mtimensec == 4 && out.atime == 7)
        #expect(fs.lastKill)
    }

    @Test func readWrite() throws {
        let node = try make("f")
        var w = fuse_write_in()
        w.fh = 1
        w.offset = 2
        w.size = 3
        w.write_flags = FUSE_WRITE_KILL_SUIDGID
        let r = try #require(
            dispatcher.answer(Wire.request(FUSE_WRITE, node: node, Wire.bytes(w), Array("abcdef".utf8))))
        #expect(r.load(fuse_write_out.self)?.size == 3)
        #expect(fs.lastKill)
        #expect(fs.nodes[node]?.data == [0, 0] + Array("abc".utf8))
        var rd = fuse_read_in()
        rd.offset = 1
        rd.size = 100
        #expect(
            dispatcher.answer(Wire.request(FUSE_READ, node: node, Wire.bytes(rd)))?.payload == [0] + Array("abc".utf8))
        rd.size = .max
        rd.offset = 4
        #expect(dispatcher.answer(Wire.request(FUSE_READ, node: node, Wire.bytes(rd)))?.payload == Array("c".utf8))
    }

    @Test func xattrs() throws {
        let node = try make("f")
        let long =
            Wire.bytes(fuse_setxattr_in(size: 2, flags: 0, setxattr_flags: 1, padding: 0)) + Wire.name("user.x")
            + Array("yz".utf8)
        #expect(dispatcher.answer(Wire.request(FUSE_SETXATTR, node: node, long))?.errno == 0)
        #expect(fs.nodes[node]?.xattrs.first?.value == Array("yz".utf8))
        dispatcher.extendedSetxattr = false
        let short = Wire.bytes(fuse_setxattr_compat_in(size: 1, flags: 0)) + Wire.name("user.x") + Array("w".utf8)
        #expect(dispatcher.answer(Wire.request(FUSE_SETXATTR, node: node, short))?.errno == 0)
        #expect(fs.nodes[node]?.xattrs.first?.value == Array("w".utf8))
        func get(_ size: UInt32) -> Reply? {
            dispatcher.answer(
                Wire.request(
                    FUSE_GETXATTR, node: node, Wire.bytes(fuse_getxattr_in(size: size, padding: 0)), Wire.name("user.x")
                ))
        }
        #expect(get(0)?.load(fuse_getxattr_out.self)?.size == 1)
        #expect(get(0)?.payload.count == 8)
        #expect(get(10)?.payload == Array("w".utf8))
        let list = Wire.bytes(fuse_getxattr_in(size: 3, padding: 0))
        #expect(dispatcher.answer(Wire.request(FUSE_LISTXATTR, node: node, list))?.errno == ERANGE)
    }

    @Test func directories() throws {
        let a = try make("a")
        _ = try make("bcdefghij")
        var rd = fuse_read_in()
        rd.size = 4096
        let r = try #require(dispatcher.answer(Wire.request(FUSE_READDIR, Wire.bytes(rd))))
        #expect(r.payload.count == 32 + 40)
        let first = try #require(r.load(fuse_dirent.self))
        #expect(first.ino == a && first.off == 1 && first.namelen == 1 && first.type == 8)
        #expect(Array(r.payload[24..<32]) == Array("a".utf8) + [0, 0, 0, 0, 0, 0, 0])
        rd.size = 71
        #expect(dispatcher.answer(Wire.request(FUSE_READDIR, Wire.bytes(rd)))?.payload.count == 32)
        rd.size = 4096
        let plus = try #require(dispatcher.answer(Wire.request(FUSE_READDIRPLUS, Wire.bytes(rd))))
        #expect(plus.payload.count == 160 + 168)
        #expect(plus.load(fuse_entry_out.self)?.nodeid == a)
        #expect(plus.load(fuse_dirent.self, at: 128)?.namelen == 1)
    }

    @Test func smallReplies() throws {
        let node = try make("f")
        #expect(dispatcher.answer(Wire.request(FUSE_STATFS))?.load(fuse_kstatfs.self)?.bavail == 400)
        #expect(dispatcher.answer(Wire.request(FUSE_STATFS))?.payload.count == 80)
        var l = fuse_lseek_in()
        l.whence = 4
        #expect(dispatcher.answer(Wire.request(FUSE_LSEEK, node: node, Wire.bytes(l)))?.errno == ENXIO)
        var c = fuse_copy_file_range_in()
        c.nodeid_out = node
        c.len = 10
        #expect(dispatcher.answer(Wire.request(FUSE_COPY_FILE_RANGE, node: node, Wire.bytes(c)))?.payload.count == 8)
        #expect(dispatcher.answer(Wire.request(FUSE_COPY_FILE_RANGE_64, node: node, Wire.bytes(c)))?.payload.count == 8)
        #expect(
            dispatcher.answer(Wire.request(FUSE_RELEASE, node: node, Wire.bytes(fuse_release_in())))?.payload.isEmpty
                == true)
        #expect(dispatcher.answer(Wire.request(FUSE_SYNCFS, Wire.bytes(UInt64(0))))?.errno == 0)
        #expect(dispatcher.answer(Wire.request(FUSE_INTERRUPT, Wire.bytes(UInt64(2))))?.errno == ENOSYS)
        #expect(dispatcher.answer(Wire.request(4000))?.errno == ENOSYS)
        #expect(dispatcher.answer(Wire.request(FUSE_NOTIFY_REPLY)) == nil)
        var i = fuse_ioctl_in()
        i.cmd = 0x8008_6601
        i.out_size = 8
        let r = try #require(dispatcher.answer(Wire.request(FUSE_IOCTL, node: node, Wire.bytes(i))))
        #expect(r.payload.count == 20 && r.load(fuse_ioctl_out.self)?.result == 0)
        #expect(
            dispatcher.answer(
                Wire.request(
                    FUSE_RENAME2, Wire.bytes(fuse_rename2_in(newdir: 1, flags: 1, padding: 0)), Wire.name("f"),
                    Wire.name("g")))?.errno == 0)
        #expect(
            dispatcher.answer(
                Wire.request(FUSE_RENAME, Wire.bytes(fuse_rename_in(newdir: 1)), Wire.name("g"), Wire.name("h")))?.errno
                == 0)
        #expect(
            dispatcher.answer(Wire.request(FUSE_LINK, Wire.bytes(fuse_link_in(oldnodeid: node)), Wire.name("i")))?
                .payload.count == 128)
        #expect(
            dispatcher.answer(Wire.request(FUSE_SYMLINK, Wire.name("s"), Wire.name("to/where")))?.payload.count == 128)
    }

    @Test func repliesTakenBack() throws {
        let node = try make("f")
        #expect(fs.nodes[node]?.lookups == 1)
        dispatcher.takeBack()
        #expect(fs.nodes[node]?.lookups == 0)
        #expect(fs.handles.isEmpty)
        dispatcher.takeBack()
        #expect(fs.nodes[node]?.lookups == 0)
        _ = dispatcher.answer(Wire.request(FUSE_LOOKUP, Wire.name("f")))
        dispatcher.takeBack()
        #expect(fs.nodes[node]?.lookups == 0)
        _ = dispatcher.answer(Wire.request(FUSE_OPEN, node: node, Wire.bytes(fuse_open_in(flags: 0, open_flags: 1))))
        #expect(fs.handles.count == 1)
        dispatcher.takeBack()
        #expect(fs.handles.isEmpty)
        _ = dispatcher.answer(Wire.request(FUSE_OPENDIR, Wire.bytes(fuse_open_in(flags: 0, open_flags: 0))))
        dispatcher.takeBack()
        #expect(fs.handles.isEmpty)
        _ = try make("longer name")
        dispatcher.takeBack()
        var rd = fuse_read_in()
        rd.size = 4096
        _ = dispatcher.answer(Wire.request(FUSE_READDIRPLUS, Wire.bytes(rd)))
        #expect(fs.nodes.values.map(\.lookups).reduce(0, +) == 2)
        dispatcher.takeBack()
        #expect(fs.nodes.values.map(\.lookups).reduce(0, +) == 0)
    }

    /// An error number that the kernel would refuse, leaving the caller to wait for ever.
    @Test func strangeErrors() throws {
        final class Strange: FileSystem, @unchecked Sendable {
            override func statfs(_ node: UInt64) throws(Errno) -> FilesystemStatus { throw Errno(node == 1 ? 512 : -2) }
        }
        let d = Dispatcher(Strange(), capacity: 4096)
        #expect(d.answer(Wire.request(FUSE_STATFS, node: 1))?.errno == EIO)
        #expect(d.answer(Wire.request(FUSE_STATFS, node: 2))?.errno == EIO)
        #expect(d.answer(Wire.request(FUSE_MKDIR, Wire.bytes(fuse_mkdir_in()), Wire.name("d")))?.errno == ENOSYS)
    }
}
