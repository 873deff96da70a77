internal import CShims
internal import LinuxSys

/// From a request's bytes to the reply's. Every opcode but INIT and DESTROY is decoded here and not by libfuse: libfuse
/// 3.14 does not know TMPFILE, STATX, SYNCFS and COPY_FILE_RANGE_64, it hides FUSE_OPEN_KILL_SUIDGID and
/// FUSE_SETXATTR_ACL_KILL_SGID, and it allocates for every request. INIT, DESTROY and the mount stay with it, because
/// there its knowledge of old kernels and of fusermount3 is worth having.
///
/// One dispatcher per receiving thread, with one reply buffer that lasts as long as the thread. No I/O here: a test
/// feeds bytes and looks at bytes, and another transport (io_uring) needs nothing else.
@safe
final class Dispatcher {
    enum Outcome {
        /// The whole reply, header included, in the reply buffer until the next request.
        case reply(Bytes, failed: Bool)
        /// The kernel waits for nothing (FORGET and its like).
        case silent
        /// INIT or DESTROY: the library's business.
        case library
        /// No header that could be believed: there is nobody to answer to.
        case unreadable
    }

    let filesystem: FileSystem
    /// FUSE_SETXATTR has the long form (FUSE_SETXATTR_EXT was agreed). Set by INIT, before any other request.
    var extendedSetxattr = false
    /// What to take back when the kernel does not take the reply.
    var undo = Undo.nothing
    /// Room for a reply's payload, at a page boundary. The header lies directly before it, so that one write(2) sends
    /// both.
    let payload: MutableBytes
    private let frame: MutableBytes
    /// Nil where the memory is somebody else's.
    private let memory: UnsafeMutableRawPointer?

    static let pageSize = 4096
    static let headerSize = MemoryLayout<fuse_out_header>.size

    /// `capacity`: the longest payload. Memory that no reply needed is never touched.
    init(_ filesystem: FileSystem, capacity: Int) {
        self.filesystem = filesystem
        let length = Dispatcher.pageSize + max(capacity, 1 << 16)
        let own = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: Dispatcher.pageSize)
        unsafe memory = own
        let whole = unsafe MutableBytes(UnsafeMutableRawBufferPointer(start: own, count: length))
        payload = whole.dropping(Dispatcher.pageSize)
        frame = whole.dropping(Dispatcher.pageSize - Dispatcher.headerSize)
    }
    /// Replies go into `area`: a page, in whose end the header is written, and the payload.
    init(_ filesystem: FileSystem, replies area: MutableBytes) {
        self.filesystem = filesystem
        unsafe memory = nil
        payload = area.dropping(Dispatcher.pageSize)
        frame = area.dropping(Dispatcher.pageSize - Dispatcher.headerSize)
    }
    deinit { unsafe memory?.deallocate() }

    /// - Parameter isAgain: a process before this one had it, where the kernel does not say so.
    func handle(_ message: Bytes, isAgain: Bool = false) -> Outcome {
        undo = .nothing
        guard var request = Request(message) else { return malformed(message) }
        if isAgain { request.isResent = true }
        switch request.header.opcode {
        case FUSE_INIT, FUSE_DESTROY:
            return .library
        case FUSE_FORGET:
            if let forget = request.body.rest.load(fuse_forget_in.self) {
                filesystem.forget(request.node, forget.nlookup)
            }
            return .silent
        case FUSE_BATCH_FORGET:
            batchForget(&request)
            return .silent
        case FUSE_NOTIFY_REPLY:
            return .silent
        default:
            break
        }
        WaitingCaller.begin(request.header.pid)
        do throws(Errno) {
            let length = try route(&request)
            return .reply(
                finish(request.header.unique, length: max(0, min(length, payload.count)), error: 0), failed: false)
        } catch {
            undo = .nothing
            return .reply(finish(request.header.unique, length: 0, error: error.code), failed: true)
        }
    }

    /// A header whose length is wrong still says whom to answer.
    private func malformed(_ message: Bytes) -> Outcome {
        guard let header = message.load(fuse_in_header.self) else { return .unreadable }
        switch header.opcode {
        case FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_NOTIFY_REPLY: return .silent
        default: return .reply(finish(header.unique, length: 0, error: Errno.io.code), failed: true)
        }
    }

    /// Writes the header before the payload. The kernel refuses an error beyond 511 with EINVAL and leaves the caller
    /// waiting (fuse_dev_do_write), so such a one becomes EIO.
    func finish(_ unique: UInt64, length: Int, error: Int32) -> Bytes {
        let code = error == 0 || (1...511).contains(error) ? error : Errno.io.code
        let total = Dispatcher.headerSize + length
        frame.store(fuse_out_header(len: UInt32(truncatingIfNeeded: total), error: -code, unique: unique))
        return frame.prefix(total).readOnly
    }

    /// A reply that was complete when its process died, for the request as it comes again.
    func repeated(_ length: Int, _ unique: UInt64) -> Bytes {
        let reply = frame.prefix(min(max(length, Dispatcher.headerSize), frame.count))
        guard let header = reply.readOnly.load(fuse_out_header.self) else {
            return finish(unique, length: 0, error: Errno.io.code)
        }
        frame.store(fuse_out_header(len: UInt32(truncatingIfNeeded: reply.count), error: header.error, unique: unique))
        return reply.readOnly
    }

    /// A reply that only says EIO, for the request of a reply that the kernel refused.
    func ioError(insteadOf reply: Bytes) -> Bytes {
        finish(reply.load(fuse_out_header.self)?.unique ?? 0, length: 0, error: Errno.io.code)
    }

    /// The payload's length. An opcode that is not known, or that nobody answers, is ENOSYS, which the kernel
    /// remembers.
    private func route(_ r: inout Request) throws(Errno) -> Int {
        switch r.header.opcode {
        case FUSE_LOOKUP: return try lookup(&r)
        case FUSE_GETATTR: return try getattr(&r)
        case FUSE_SETATTR: return try setattr(&r)
        case FUSE_READLINK: return try readlink(&r)
        case FUSE_SYMLINK: return try symlink(&r)
        case FUSE_MKNOD: return try mknod(&r)
        case FUSE_MKDIR: return try mkdir(&r)
        case FUSE_UNLINK: return try unlink(&r)
        case FUSE_RMDIR: return try rmdir(&r)
        case FUSE_RENAME: return try rename(&r)
        case FUSE_RENAME2: return try rename2(&r)
        case FUSE_LINK: return try link(&r)
        case FUSE_OPEN: return try open(&r)
        case FUSE_READ: return try read(&r)
        case FUSE_WRITE: return try write(&r)
        case FUSE_STATFS: return try statfs(&r)
        case FUSE_RELEASE: return try release(&r)
        case FUSE_FSYNC: return try fsync(&r)
        case FUSE_SETXATTR: return try setxattr(&r)
        case FUSE_GETXATTR: return try getxattr(&r)
        case FUSE_LISTXATTR: return try listxattr(&r)
        case FUSE_REMOVEXATTR: return try removexattr(&r)
        case FUSE_FLUSH: return try flush(&r)
        case FUSE_OPENDIR: return try opendir(&r)
        case FUSE_READDIR: return try readdir(&r)
        case FUSE_READDIRPLUS: return try readdirplus(&r)
        case FUSE_RELEASEDIR: return try releasedir(&r)
        case FUSE_FSYNCDIR: return try fsyncdir(&r)
        case FUSE_ACCESS: return try access(&r)
        case FUSE_CREATE: return try create(&r)
        case FUSE_TMPFILE: return try tmpfile(&r)
        case FUSE_IOCTL: return try ioctl(&r)
        case FUSE_FALLOCATE: return try fallocate(&r)
        case FUSE_LSEEK: return try lseek(&r)
        case FUSE_COPY_FILE_RANGE: return try copyFileRange(&r, wide: false)
        case FUSE_COPY_FILE_RANGE_64: return try copyFileRange(&r, wide: true)
        case FUSE_STATX: return try statx(&r)
        case FUSE_SYNCFS: return try syncfs(&r)
        // ENOSYS makes the kernel stop sending these (fc->no_interrupt): long work looks by itself whether its caller
        // was killed (`WaitingCaller`), other signals interrupt nothing, and a request that was not yet read is the
        // kernel's to take back.
        case FUSE_INTERRUPT: throw .notImplemented
        default: throw .notImplemented
        }
    }

    private func batchForget(_ r: inout Request, skipping done: UInt32 = 0) {
        guard let batch = try? r.body.take(fuse_batch_forget_in.self) else { return }
        var number: UInt32 = 0
        while number < batch.count, let one = try? r.body.take(fuse_forget_one.self) {
            if number >= done { filesystem.forget(one.nodeid, one.nlookup) }
            number += 1
        }
    }

    /// What is left of a FORGET of which a process before this one did so many entries.
    func forget(_ message: Bytes, skipping done: UInt32) {
        guard var request = Request(message) else { return }
        if request.header.opcode == FUSE_BATCH_FORGET { return batchForget(&request, skipping: done) }
        guard request.header.opcode == FUSE_FORGET, done == 0, let forget = request.body.rest.load(fuse_forget_in.self)
        else { return }
        filesystem.forget(request.node, forget.nlookup)
    }
}
