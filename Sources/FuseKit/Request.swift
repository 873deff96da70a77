internal import CShims
internal import Glibc
internal import LinuxSys

/// One request as it lies in the receive buffer. What is taken from it is lent until the buffer is read into again.
struct Request {
    let header: fuse_in_header
    var body: RequestBody

    /// nil when there is not even a header, or when the header's length is not the message's (fuse_dev_do_read writes
    /// both): then nothing in it can be believed.
    init?(_ message: Bytes) {
        guard let header = message.load(fuse_in_header.self), Int(header.len) == message.count else { return nil }
        // Extensions (FUSE_SECURITY_CTX, FUSE_CREATE_SUPP_GROUP) stand at the end; none is asked for, none is read.
        let end = message.count - Int(header.total_extlen) * 8
        guard end >= MemoryLayout<fuse_in_header>.size else { return nil }
        self.header = header
        isResent = header.unique & FUSE_UNIQUE_RESEND != 0
        body = RequestBody(rest: message.prefix(end).dropping(MemoryLayout<fuse_in_header>.size))
    }

    var node: UInt64 { header.nodeid }
    /// Some process before this one had it.
    var isResent = false
    func caller(umask: UInt32 = 0) -> Caller {
        var caller = Caller(uid: header.uid, gid: header.gid, pid: header.pid, umask: umask)
        caller.isResent = isResent
        return caller
    }
}

/// Reads a request's body from front to back. Whatever is missing is EINVAL, the answer to a malformed request.
struct RequestBody {
    private(set) var rest: Bytes
    init(rest: Bytes) { self.rest = rest }

    @inline(__always)
    mutating func take<T: BitwiseCopyable>(_ type: T.Type) throws(Errno) -> T {
        guard let value = rest.load(type) else { throw .invalid }
        rest = rest.dropping(MemoryLayout<T>.size)
        return value
    }
    /// Bytes up to a NUL that must be there.
    mutating func text() throws(Errno) -> NameRef {
        let buffer = unsafe rest.buffer
        guard let base = buffer.baseAddress, let end = unsafe memchr(base, 0, buffer.count) else { throw .invalid }
        let length = unsafe UnsafeRawPointer(end) - base
        rest = rest.dropping(length + 1)
        return unsafe NameRef(base: base.assumingMemoryBound(to: CChar.self), count: length)
    }
    /// One component of a path: the kernel never sends anything else, and what goes into openat(2) is worth a second
    /// look.
    mutating func name() throws(Errno) -> NameRef {
        let name = try text()
        if name.isEmpty || name.hasSlash { throw .invalid }
        return name
    }
    /// Exactly so many bytes.
    mutating func data(_ length: UInt32) throws(Errno) -> Bytes {
        guard Int(length) <= rest.count else { throw .invalid }
        let bytes = rest.prefix(Int(length))
        rest = rest.dropping(Int(length))
        return bytes
    }
}
