internal import CShims
internal import Glibc

/// A descriptor that somebody else owns. Copyable, two instructions wide, never closed through this type.
public struct FD: Equatable, Hashable, Sendable {
    public let raw: Int32
    @inlinable public init(raw: Int32) { self.raw = raw }
    /// Keeps the owner of this descriptor alive up to here: it closes with its last use.
    @inline(never) public func touch() {}
    /// The current directory, for paths that a person typed.
    public static let currentDirectory = FD(raw: AT_FDCWD)
    public static let none = FD(raw: -1)
    public var isValid: Bool { raw >= 0 || raw == AT_FDCWD }

    /// For what keeps descriptors in plain records: closes by number. Each such place says who else may hold it.
    public func close() {
        if raw >= 0 { _ = cs_close(raw) }
    }
}

/// A descriptor that is closed exactly once, when its owner goes.
public struct OwnedFD: ~Copyable, Sendable {
    private let raw: Int32
    public init(adopting raw: Int32) { self.raw = raw }
    deinit { if raw >= 0 { _ = cs_close(raw) } }

    @inlinable public var fd: FD { FD(raw: number) }
    public var number: Int32 { raw }

    /// Hands the descriptor over to a plain record that will close it.
    public consuming func release() -> FD {
        let number = raw
        discard self
        return FD(raw: number)
    }
}

extension FD {
    public func duplicate() throws(Errno) -> OwnedFD {
        OwnedFD(adopting: Int32(try checked { cs_dup_cloexec(raw) }))
    }
    /// Stays open over execve(2).
    public func keepOverExecute() throws(Errno) { try checked { cs_keep_over_exec(raw) } }
    public func setNonBlocking(_ on: Bool) throws(Errno) {
        try checked { cs_set_nonblock(raw, on ? 1 : 0) }
    }
    /// flock(2) with LOCK_NB; `busy` (EAGAIN as `tryAgain`) when another open file holds it.
    public func lockExclusively() throws(Errno) { try checked { cs_flock(raw, LOCK_EX | LOCK_NB) } }
    public func lockShared() throws(Errno) { try checked { cs_flock(raw, LOCK_SH | LOCK_NB) } }
    /// Waits for it.
    public func awaitLock() throws(Errno) { try checked { cs_flock(raw, LOCK_EX) } }
    public func unlock() throws(Errno) { try checked { cs_flock(raw, LOCK_UN) } }
}

/// Locks of single bytes (fcntl(2), record locks). They are the process's own, and say who has them: gone with the
/// process, or as soon as it closes any descriptor of that file.
extension FD {
    /// For itself alone. EAGAIN: another process has it.
    public func takeByte(_ offset: Int) throws(Errno) { try checked { cs_lock_byte(raw, offset, 1, 0) } }
    public func shareByte(_ offset: Int) throws(Errno) { try checked { cs_lock_byte(raw, offset, 0, 0) } }
    public func releaseByte(_ offset: Int) throws(Errno) { try checked { cs_unlock_byte(raw, offset) } }
    /// Some other process that has this byte, alone or with others. ESRCH: it is of another process namespace.
    public func byteHolder(_ offset: Int) throws(Errno) -> Int32? {
        let pid = Int32(truncatingIfNeeded: try checked { cs_byte_holder(raw, offset) })
        return pid == 0 ? nil : pid
    }
}
