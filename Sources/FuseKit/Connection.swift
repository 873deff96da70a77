internal import CShims
public import LinuxSys

/// The line to the kernel beside requests and replies: what was agreed, backing files, notifications. Safe from any
/// thread. After the session's end everything answers ENODEV.
public final class Connection: @unchecked Sendable {
    public let agreement: Agreement
    /// The bytes of the kernel's INIT request: what a new worker needs to take the session over (`Session.resume`).
    public let initRequest: [UInt8]
    private let lock = RWLock()
    private var device: FD

    init(device: FD, agreement: Agreement, initRequest: [UInt8]) {
        self.device = device
        self.agreement = agreement
        self.initRequest = initRequest
    }

    /// Asked for and offered.
    public var agreed: Capabilities { agreement.flags }
    public var offered: Capabilities { agreement.offered }
    public var protocolMinor: UInt32 { agreement.minor }
    /// Longest WRITE and READ, in bytes.
    public var maxWrite: UInt32 { agreement.maxWrite }

    /// The session is over: the descriptor's number may soon mean another file.
    func close() { lock.exclusive { device = .none } }

    func withDevice(_ body: (Int32) -> Int) throws(Errno) -> Int {
        let result = lock.shared { device.isValid ? body(device.raw) : -Int(Errno.noDevice.code) }
        if result < 0 { throw Errno(Int32(truncatingIfNeeded: -result)) }
        return result
    }

    /// A file that opens can be passed through to (FUSE_DEV_IOC_BACKING_OPEN). The kernel keeps its own reference: `fd`
    /// may be closed afterwards. An id serves any number of opens. EPERM without CAP_SYS_ADMIN in the initial user
    /// namespace; ELOOP when the file's filesystem is stacked too deep.
    public func openBacking(_ fd: FD) throws(Errno) -> UInt32 {
        UInt32(truncatingIfNeeded: try withDevice { device in cs_fuse_backing_open(device, fd.raw) })
    }
    /// Opens that use the id go on. EPERM and ENOENT (the connection is gone) leave nothing to do.
    public func closeBacking(_ id: UInt32) {
        _ = try? withDevice { device in cs_fuse_backing_close(device, id) }
    }
}
