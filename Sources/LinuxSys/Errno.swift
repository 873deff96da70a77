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
    public static let fileTooLarge = Errno(EFBIG)
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

/// The same for a call that goes to an object of a layer: what its mode forbids the owner is asked once more where the
/// mode does not count (`Process.overrideOwnModes`).
@inline(__always) @discardableResult
func checkedAsOwner(_ call: () -> Int) throws(Errno) -> Int {
    while true {
        var result = call()
        if result >= 0 { return result }
        if result == Int(-EINTR) { continue }
        if result == Int(-EACCES) { result = asOwner(call) }
        if result >= 0 { return result }
        throw Errno(Int32(truncatingIfNeeded: -result))
    }
}

/// -EACCES where nothing is to be had.
@inline(never) @_optimize(none)
private func asOwner(_ call: () -> Int) -> Int {
    withoutActuallyEscaping(call) { call in
        let errand = unsafe Unmanaged.passRetained(Errand(call))
        let result = unsafe cs_as_owner(performed, errand.toOpaque())
        unsafe errand.release()
        return result
    }
}
private final class Errand {
    let call: () -> Int
    init(_ call: @escaping () -> Int) { self.call = call }
}
private func performed(_ errand: UnsafeMutableRawPointer?) -> Int {
    guard let errand = unsafe errand else { return Int(-EACCES) }
    return unsafe Unmanaged<Errand>.fromOpaque(errand).takeUnretainedValue().call()
}

/// For calls that a signal may really interrupt, and for close(2), which must not be repeated.
@inline(__always) @discardableResult
func checkedOnce(_ call: () -> Int) throws(Errno) -> Int {
    let result = call()
    if result >= 0 { return result }
    throw Errno(Int32(truncatingIfNeeded: -result))
}
