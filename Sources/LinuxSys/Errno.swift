internal import CShims
internal import Glibc

/// A kernel error number. Every system call below answers one of these or its result; there is no third way.
public struct Errno: Error, Equatable, Hashable, Sendable {
    public let code: Int32
    @inlinable public init(_ code: Int32) { self.code = code }

    public static let notPermitted = Errno(EPERM)
    public static let noEntry = Errno(ENOENT)
    public static let noProcess = Errno(ESRCH)
    public static let interrupted = Errno(EINTR)
    public static let io = Errno(EIO)
    public static let badDescriptor = Errno(EBADF)
    public static let tryAgain = Errno(EAGAIN)
    public static let noMemory = Errno(ENOMEM)
    public static let accessDenied = Errno(EACCES)
    public static let busy = Errno(EBUSY)
    public static let exists = Errno(EEXIST)
    public static let crossDevice = Errno(EXDEV)
    public static let noDevice = Errno(ENODEV)
    public static let notDirectory = Errno(ENOTDIR)
    public static let isDirectory = Errno(EISDIR)
    public static let invalid = Errno(EINVAL)
    public static let tooManyOpenFiles = Errno(EMFILE)
    public static let fileTableOverflow = Errno(ENFILE)
    public static let quotaExceeded = Errno(EDQUOT)
    public static let notTTY = Errno(ENOTTY)
    public static let noSpace = Errno(ENOSPC)
    public static let readOnly = Errno(EROFS)
    public static let tooManyLinks = Errno(EMLINK)
    public static let range = Errno(ERANGE)
    public static let nameTooLong = Errno(ENAMETOOLONG)
    public static let notImplemented = Errno(ENOSYS)
    public static let notEmpty = Errno(ENOTEMPTY)
    public static let loop = Errno(ELOOP)
    public static let noData = Errno(ENODATA)
    public static let overflow = Errno(EOVERFLOW)
    public static let notSupported = Errno(EOPNOTSUPP)
    public static let protocolNotSupported = Errno(EPROTONOSUPPORT)
    public static let stale = Errno(ESTALE)
    public static let tooBig = Errno(E2BIG)
    public static let timedOut = Errno(ETIMEDOUT)
    public static let deadlock = Errno(EDEADLK)
    public static let noDeviceOrAddress = Errno(ENXIO)

    /// The kernel's own sentence for the number, for messages to people.
    public var text: String {
        unsafe String(cString: strerror(code))
    }
}

/// The one funnel of results: a shim answers its result or -errno; EINTR is asked again.
@inline(__always) @discardableResult
func checked(_ call: () -> Int) throws(Errno) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        if result == Int(-EINTR) { continue }
        throw Errno(Int32(truncatingIfNeeded: -result))
    }
}

/// For calls that a signal may really interrupt, and for close(2), which must not be repeated.
@inline(__always) @discardableResult
func checkedOnce(_ call: () -> Int) throws(Errno) -> Int {
    let result = call()
    if result >= 0 { return result }
    throw Errno(Int32(truncatingIfNeeded: -result))
}
