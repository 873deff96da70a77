import FuseKit
import Glibc
import LinuxSys
import Testing

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Every open is passed through to one file.
private final class PassingFileSystem: MemoryFileSystem, @unchecked Sendable {
    private let backing: FD
    private var id: UInt32 = 0
    init(_ backing: FD) { self.backing = backing }
    override func start(_ connection: Connection) {
        super.start(connection)
        if connection.agreed.contains(.passthrough) { id = (try? connection.openBacking(backing)) ?? 0 }
    }
    override func open(_ id: UInt64, flags: Int32, killSuidGid: Bool, _ caller: Caller) throws(Errno) -> Opened {
        Opened(handle: 1, flags: .passthrough, backing: self.id)
    }
    override func create(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, flags: Int32, _ caller: Caller
    ) throws(Errno) -> Created {
        var created = try super.create(parent, name, mode: mode, flags: flags, caller)
        if id != 0 { created.opened = Opened(handle: 1, flags: .passthrough, backing: id) }
        return created
    }
}

/// A small filesystem, really mounted: needs root and /dev/fuse.
@Suite(.serialized, .enabled(if: geteuid() == 0))
struct MountTests {
    @Test func namesAndData() throws {
        let fs = MemoryFileSystem()
        let end = try withMount(fs) { root, session in
            try root.makeDirectory(NameRef("dir"), mode: 0o750)
            let file = try root.open(NameRef("file"), O_RDWR | O_CREAT | O_EXCL, mode: 0o640)
            #expect(try file.fd.status().mode == 0o100640)
            #expect(try bytes("hello world").withLent { (b) throws(Errno) in try file.fd.write(b, at: 0) } == 11)
            var buffer = [UInt8](repeating: 0, count: 64)
            #expect(try buffer.withLentMutable { (b) throws(Errno) in try file.fd.read(into: b, at: 6) } == 5)
            #expect(buffer.prefix(5) == bytes("world")[...])
            try root.rename(NameRef("file"), to: root, NameRef("renamed"))
            #expect(throws: Errno.noEntry) { try root.status(NameRef("file")) }
            #expect(throws: Errno.exists) { try root.rename(NameRef("renamed"), to: root, NameRef("dir"), .noReplace) }
            try root.makeSymlink(NameRef("link"), target: NameRef("a/b/c"))
            #expect(try root.readLink(NameRef("link")) == "a/b/c")
            try root.link(NameRef("renamed"), to: root, NameRef("hard"))
            #expect(try root.status(NameRef("hard")).nlink == 2)
            try root.makeNode(NameRef("device"), mode: 0o020600, device: 0x0123_4567)
            #expect(try root.status(NameRef("device")).rdev == 0x0123_4567)

            var seen: [String] = []
            let again = try root.openDirectory(NameRef.dot)
            var reader = DirectoryReader(again.fd)
            try reader.forEach { (name, _, kind) throws(Errno) in
                seen.append("\(name.owned)\(kind == .directory ? "/" : "")")
                return true
            }
            #expect(seen.sorted() == ["device", "dir/", "hard", "link", "renamed"])

            try root.unlink(NameRef("hard"))
            try root.removeDirectory(NameRef("dir"))
            #expect(try root.status(NameRef("renamed")).nlink == 1)
            #expect(fs.lock.locked { fs.lastCaller?.uid } == 0)
        }
        #expect(end == .unmounted)
        #expect(fs.stopped)
        // Everything that was opened was released, but what the kernel could no longer send after the unmount.
        #expect(fs.counts[14, default: 0] + fs.counts[35, default: 0] >= 1)
    }

    @Test func attributes() throws {
        let fs = MemoryFileSystem()
        _ = try withMount(fs) { root, _ in
            let file = try root.open(NameRef("f"), O_RDWR | O_CREAT, mode: 0o644)
            let s = try root.status(NameRef("f"))
            #expect(s.hasBirthTime)
            #expect(s.btime == Timestamp(seconds: 1_000_000_000, nanoseconds: 123))
            #expect(s.mtime == Timestamp(seconds: 1_500_000_000, nanoseconds: 456))
            try root.changeMode(NameRef("f"), 0o600)
            try root.changeOwner(NameRef("f"), uid: 12, gid: 34)
            try root.setTimes(NameRef("f"), access: .omit, modification: Timestamp(seconds: -5, nanoseconds: 9))
            let t = try root.status(NameRef("f"))
            #expect(t.mode == 0o100600 && t.uid == 12 && t.gid == 34)
            #expect(t.mtime == Timestamp(seconds: -5, nanoseconds: 9))

            try file.fd.setXattr(NameRef.empty, NameRef("user.a"), bytes("value"))
            try file.fd.setXattr(NameRef.empty, NameRef("user.big"), [UInt8](repeating: 7, count: 65536))
            #expect(try file.fd.xattrIfPresent(NameRef.empty, NameRef("user.a")) == bytes("value"))
            #expect(try file.fd.xattrIfPresent(NameRef.empty, NameRef("user.big"))?.count == 65536)
            #expect(try file.fd.xattrIfPresent(NameRef.empty, NameRef("user.none")) == nil)
            #expect(try file.fd.listXattrs(NameRef.empty) == bytes("user.a\0user.big\0"))
            try file.fd.removeXattr(NameRef.empty, NameRef("user.a"))
            #expect(try file.fd.listXattrs(NameRef.empty) == bytes("user.big\0"))

            #expect(try root.filesystemStatus().available == 400)
            #expect(try file.fd.fileFlags() == 0)
            try file.fd.setFileFlags(0x20)
            #expect(try file.fd.fileFlags() == 0x20)
        }
        #expect(fs.counts[52, default: 0] >= 1) // STATX
        #expect(fs.counts[39, default: 0] >= 2) // IOCTL
    }

    @Test func contents() throws {
        let fs = MemoryFileSystem()
        _ = try withMount(fs) { root, _ in
            let a = try root.open(NameRef("a"), O_RDWR | O_CREAT, mode: 0o644)
            let big = (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            try a.fd.writeAll(big)
            var back = [UInt8](repeating: 0, count: big.count)
            #expect(try back.withLentMutable { (b) throws(Errno) in try a.fd.read(into: b, at: 0) } == big.count)
            #expect(back == big)
            #expect(try a.fd.seek(0, 4 /* SEEK_HOLE */) == big.count)
            #expect(try a.fd.seek(10, 3 /* SEEK_DATA */) == 10)
            try a.fd.allocate(mode: 0, offset: 0, length: 3_100_000)
            #expect(try a.fd.status().size == 3_100_000)
            #expect(throws: Errno.notSupported) { try a.fd.allocate(mode: 3, offset: 0, length: 4096) }
            let b = try root.open(NameRef("b"), O_RDWR | O_CREAT, mode: 0o644)
            #expect(try b.fd.copyRange(from: a.fd, sourceOffset: 1, offset: 0, length: 100_000) == 100_000)
            var part = [UInt8](repeating: 0, count: 100_000)
            _ = try part.withLentMutable { (m) throws(Errno) in try b.fd.read(into: m, at: 0) }
            #expect(part[...] == big[1...100_000])
            try a.fd.truncate(5)
            #expect(try a.fd.status().size == 5)
            try a.fd.sync()
            let nameless = try root.open(NameRef.dot, OpenFlags.temporaryFile | O_RDWR, mode: 0o600)
            #expect(try nameless.fd.status().nlink == 0)
            #expect(try bytes("x").withLent { (m) throws(Errno) in try nameless.fd.write(m, at: 0) } == 1)
        }
        #expect(fs.counts[51] == 1) // TMPFILE
        #expect(fs.counts[47, default: 0] + fs.counts[53, default: 0] >= 1)
    }

    @Test func whatWasAgreed() throws {
        let fs = MemoryFileSystem()
        var options = SessionOptions()
        options.source = "a,b\\c"
        options.wanted.passthrough = true
        _ = try withMount(fs, options) { _, session in
            let connection = try #require(session.connection)
            #expect(
                connection.agreed.isSuperset(of: [
                    .parallelDirectoryOperations, .posixACL, .handleKillPrivV2, .setxattrExtended, .maxPages,
                ]))
            #expect(connection.maxWrite == 1 << 20)
            #expect(connection.agreed.isSubset(of: connection.offered))
            #expect(connection.initRequest.count >= 56)
            let table = try FD.currentDirectory.open(NameRef("/proc/self/mounts"), O_RDONLY)
            let mounts = String(decoding: try table.fd.readAll(), as: UTF8.self)
            let line = mounts.split(separator: "\n").first { $0.contains("fusekit-test-") }
            #expect(line?.hasPrefix("a,b\\134c ") == true)
            #expect(line?.contains(" fuse.unionfsd rw,nosuid,nodev,") == true)
            #expect(line?.contains("default_permissions,allow_other") == true)
        }
    }

    @Test func notificationsAndBacking() throws {
        let fs = MemoryFileSystem()
        var options = SessionOptions()
        options.wanted.passthrough = true
        _ = try withMount(fs, options) { root, session in
            let connection = try #require(session.connection)
            let file = try root.open(NameRef("f"), O_RDWR | O_CREAT, mode: 0o644)
            let node = try file.fd.status().ino
            try bytes("old").withLent { (b) throws(Errno) in _ = try file.fd.write(b, at: 0) }
            try connection.invalidateInode(node)
            try connection.invalidateEntry(1, NameRef("f"))
            try connection.expireEntry(1, NameRef("f"))
            try connection.invalidateInode(4711)
            #expect(try bytes("page").withLent { (b) throws(Errno) in try connection.store(node, offset: 0, b) })
            #expect(
                try bytes("page").withLent { (b) throws(Errno) in try connection.store(4711, offset: 0, b) } == false)
            try connection.deleteEntry(1, child: node, NameRef("f"))
            if connection.agreed.contains(.passthrough) {
                let backing = try FD.currentDirectory.open(
                    NameRef("/tmp"), OpenFlags.temporaryFile | O_RDWR, mode: 0o600)
                let id = try connection.openBacking(backing.fd)
                #expect(id > 0)
                connection.closeBacking(id)
            }
        }
        #expect(throws: Errno.noDevice) { try fs.connection?.invalidateInode(1) }
    }

    /// Reads and writes go to the backing file, and no WRITE and no READ comes.
    @Test func passthrough() throws {
        let backing = try FD.currentDirectory.open(NameRef("/tmp"), OpenFlags.temporaryFile | O_RDWR, mode: 0o600)
        let fs = PassingFileSystem(backing.fd)
        var options = SessionOptions()
        options.wanted.passthrough = true
        _ = try withMount(fs, options) { root, session in
            guard session.connection?.agreed.contains(.passthrough) == true else { return }
            let file = try root.open(NameRef("f"), O_RDWR | O_CREAT, mode: 0o644)
            #expect(try bytes("through").withLent { (b) throws(Errno) in try file.fd.write(b, at: 0) } == 7)
            let again = try root.open(NameRef("f"), O_RDONLY)
            var buffer = [UInt8](repeating: 0, count: 16)
            #expect(try buffer.withLentMutable { (b) throws(Errno) in try again.fd.read(into: b, at: 0) } == 7)
            #expect(try backing.fd.status().size == 7)
            #expect(fs.lock.locked { fs.counts[16] == nil && fs.counts[15] == nil })
        }
    }

    @Test func stopAndTakeOver() throws {
        let fs = MemoryFileSystem()
        let second = MemoryFileSystem()
        // Not over io_uring, where the kernel's entries point to memory of the first one.
        var options = SessionOptions()
        options.transport = .device
        let end = try withMount(fs, options) { root, session in
            let connection = try #require(session.connection)
            let device = try session.device.duplicate()
            session.requestStop()
            while !fs.lock.locked({ fs.stopped }) { usleep(1000) }
            // The kernel keeps the connection; another session goes on with it.
            let next = Session(filesystem: second, options: options)
            try next.resume(device, initRequest: connection.initRequest)
            let serving = try LinuxSys.Thread { _ = try? next.run() }
            try root.makeDirectory(NameRef("after"), mode: 0o755)
            #expect(second.lock.locked { second.nodes.count } == 2)
            next.requestStop()
            serving.join()
        }
        #expect(end == .stopped)
    }

    /// The connection is cut while a request is being served: its reply finds nobody, and what it promised is taken
    /// back.
    @Test func abortedRequest() throws {
        final class Slow: MemoryFileSystem, @unchecked Sendable {
            override func create(
                _ parent: UInt64, _ name: NameRef, mode: UInt32, flags: Int32, _ caller: Caller
            ) throws(Errno) -> Created {
                let created = try super.create(parent, name, mode: mode, flags: flags, caller)
                usleep(200_000)
                return created
            }
        }
        let fs = Slow()
        let end = try withMount(fs) { root, session in
            let link = FileName("/proc/self/fd/\(root.raw)")
            let path = try link.withRef { (p) throws(Errno) in try FD.currentDirectory.readLink(p) }
            let cutter = try LinuxSys.Thread {
                usleep(100_000)
                // Aborts the connection (fuse_umount_begin), then finds it busy.
                _ = path.withRef { unsafe umount2($0.pointer, 1 /* MNT_FORCE */) }
            }
            _ = try? root.open(NameRef("slow"), O_RDWR | O_CREAT, mode: 0o600)
            cutter.join()
        }
        #expect(end == .unmounted)
        #expect(fs.lock.locked { fs.nodes[2]?.lookups } == 0)
        #expect(fs.handles.count <= 1) // the root directory's own
    }

    @Test func refusedMounts() {
        let session = Session(filesystem: MemoryFileSystem())
        do {
            try session.mount(at: "/nonexistent/mount/point")
            Issue.record("mounted")
        } catch {
            #expect(error.errno == .noEntry)
            #expect(error.text.contains("/nonexistent/mount/point"))
        }
        #expect(throws: SessionError.self) { try session.run() }
    }

    @Test func manyThreads() throws {
        let fs = MemoryFileSystem()
        var options = SessionOptions()
        options.threads = 8
        let threads = 4
        _ = try withMount(fs, options) { root, _ in
            let done = Mutex()
            nonisolated(unsafe) var errors = 0
            var running: [Worker] = []
            for t in 0..<threads {
                let w = Worker()
                w.thread = try LinuxSys.Thread {
                    for i in 0..<200 {
                        do {
                            let name = FileName("t\(t)-\(i)")
                            try name.withRef { (n) throws(Errno) in
                                let f = try root.open(n, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
                                _ = try [UInt8](repeating: UInt8(i), count: 5000).withLent { (b) throws(Errno) in
                                    try f.fd.write(b, at: 0)
                                }
                                _ = try root.status(n)
                                if i % 2 == 0 { try root.unlink(n) }
                            }
                        } catch { done.locked { unsafe errors += 1 } }
                    }
                }
                running.append(w)
            }
            for w in running { w.thread.take()?.join() }
            #expect(unsafe errors == 0)
            #expect(fs.lock.locked { fs.nodes[1]?.children.count } == threads * 100)
        }
        #expect(fs.failures >= threads * 200) // LOOKUP before CREATE
    }
    private final class Worker: @unchecked Sendable { var thread: LinuxSys.Thread? }
}
