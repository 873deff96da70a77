internal import CFuse
internal import CShims
internal import Glibc
internal import LinuxSys

/// libfuse: it parses mount options, mounts (itself as root, else through fusermount3), and answers INIT and DESTROY.
/// Its own receive loop and its decoding of everything else are not used (see Dispatch.swift).
///
/// INIT's reply comes through the `writev` hook, where it is replaced by what we negotiated. Reads never go through
/// libfuse.
@safe
final class Library {
    private var session: OpaquePointer?
    /// The descriptor of /dev/fuse. libfuse owns it and closes it with the session, or earlier, when it unmounts.
    private(set) var device = FD.none
    private let maxRead: UInt32
    /// What INIT's reply is to say. None: INIT's reply goes nowhere, the kernel had one long ago (a session taken
    /// over).
    private var agreement: Agreement?
    private var isReplay = false
    private var replyError: Errno?
    private var repliedInit = false

    init(_ options: SessionOptions) throws(SessionError) {
        maxRead = options.wanted.clampedMaxWrite
        unsafe cf_set_log(cs_log_capture())
        Library.dropMessages()
        var ops = fuse_lowlevel_ops()
        // libfuse refuses INIT when this is not what the mount option says (_do_init).
        unsafe ops.`init` = { userdata, connection in
            guard let userdata = unsafe userdata else { return }
            unsafe connection?.pointee.max_read = unsafe Library.of(userdata).maxRead
        }
        let name: FileName = "unionfsd"
        let flag: FileName = "-o"
        unsafe session = name.withRef { n in
            unsafe flag.withRef { f in
                unsafe options.libraryOptions.withRef { o in
                    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [n, f, o].map {
                        unsafe UnsafeMutablePointer(mutating: $0.pointer)
                    }
                    unsafe arguments.append(nil)
                    return unsafe arguments.withUnsafeMutableBufferPointer { a in
                        unsafe cf_session_new(3, a.baseAddress, &ops, Unmanaged.passUnretained(self).toOpaque())
                    }
                }
            }
        }
        if unsafe session == nil { throw Library.failure(.invalid, "options refused") }
    }
    deinit { if let session = unsafe session { unsafe fuse_session_destroy(session) } }

    private static func of(_ userdata: UnsafeMutableRawPointer) -> Library {
        unsafe Unmanaged<Library>.fromOpaque(userdata).takeUnretainedValue()
    }

    // ---- the mount ----

    func mount(at path: FileName) throws(SessionError) {
        Library.dropMessages()
        let result = path.withRef { p in unsafe fuse_session_mount(session, p.pointer) }
        if result != 0 {
            // libfuse says nothing itself when fusermount3 has spoken, on standard error.
            throw Library.failure(.notPermitted, "mount refused")
        }
        try attach(FD(raw: unsafe fuse_session_fd(session)))
    }

    /// Takes a descriptor of /dev/fuse over, mounted by somebody else.
    func adopt(_ fd: consuming OwnedFD) throws(SessionError) {
        // Our reads block; whoever polled it before may have set it otherwise.
        try? fd.fd.setNonBlocking(false)
        try attach(fd.release())
    }

    private func attach(_ fd: FD) throws(SessionError) {
        var io = fuse_custom_io()
        unsafe io.writev = { _, vectors, count, userdata in
            guard let vectors = unsafe vectors, count > 0, let userdata = unsafe userdata else { return -1 }
            return unsafe Library.of(userdata).reply(UnsafeBufferPointer(start: vectors, count: Int(count)))
        }
        // Demanded by libfuse, never called: the receive loop is ours.
        unsafe io.read = { _, _, _, _ in
            errno = ENOSYS
            return -1
        }
        let result = unsafe cf_session_custom_io(session, &io, fd.raw)
        if result != 0 { throw Library.failure(Errno(-result), "custom transport refused") }
        device = fd
    }

    /// Through fusermount3 where mount(2) is not allowed. Closes the descriptor: no thread may use it any more.
    func unmount() {
        device = .none
        unsafe fuse_session_unmount(session)
    }

    // ---- INIT and DESTROY ----

    /// Answers INIT. `agreement` nil: only tells libfuse, the kernel has its answer.
    func initialize(_ message: Bytes, _ agreement: Agreement?) throws(Errno) {
        self.agreement = agreement
        isReplay = agreement == nil
        replyError = nil
        repliedInit = false
        process(message)
        self.agreement = nil
        isReplay = false
        if let replyError { throw replyError }
        if !repliedInit { throw .io }
    }

    func process(_ message: Bytes) {
        var buffer = unsafe fuse_buf()
        unsafe buffer.size = message.count
        unsafe buffer.mem = UnsafeMutableRawPointer(mutating: message.buffer.baseAddress)
        unsafe buffer.fd = -1
        unsafe fuse_session_process_buf(session, &buffer)
    }

    /// Answers the number of bytes written, or -1 with errno, as writev(2).
    private func reply(_ vectors: UnsafeBufferPointer<iovec>) -> Int {
        var total = 0
        for i in 0..<vectors.count { unsafe total += vectors[i].iov_len }
        guard let first = unsafe vectors.first, unsafe first.iov_len >= MemoryLayout<fuse_out_header>.size,
            var header = unsafe first.iov_base?.loadUnaligned(as: fuse_out_header.self)
        else { return -1 }
        let result: Int
        if header.error == 0, vectors.count == 2, header.unique != 0, let agreement {
            var out = agreement.reply
            let size = MemoryLayout<fuse_init_out>.size
            header.len = UInt32(MemoryLayout<fuse_out_header>.size + size)
            unsafe result = cs_write_parts(
                cs_thread_channel(), &header, MemoryLayout<fuse_out_header>.size, &out, size, nil, 0)
            repliedInit = true
        } else if isReplay {
            result = total
            repliedInit = header.error == 0
        } else {
            unsafe result = cs_writev(
                cs_thread_channel(), vectors.baseAddress, Int32(truncatingIfNeeded: vectors.count))
            if header.error != 0 { replyError = Errno(-header.error) }
        }
        if result >= 0 { return result }
        replyError = Errno(Int32(truncatingIfNeeded: -result))
        errno = Int32(truncatingIfNeeded: -result)
        return -1
    }

    // ---- what libfuse has to say ----

    private static func dropMessages() { _ = cs_log_take(nil, 0) }

    /// libfuse's words and the errno of that moment, or the defaults.
    static func failure(_ fallback: Errno, _ text: String) -> SessionError {
        var words = [UInt8](repeating: 0, count: 1024)
        let code = unsafe words.withMutableBytes { b in
            unsafe cs_log_take(b.baseAddress?.assumingMemoryBound(to: CChar.self), b.count)
        }
        var said = String(decoding: words.prefix { $0 != 0 }, as: UTF8.self)
        while said.last?.isNewline == true { said.removeLast() }
        return SessionError(errno: code > 0 ? Errno(code) : fallback, text: said.isEmpty ? text : said)
    }
}
