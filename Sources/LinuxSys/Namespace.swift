internal import CShims
internal import Glibc

public struct RenameFlags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let noReplace = RenameFlags(rawValue: 1)
    public static let exchange = RenameFlags(rawValue: 2)
    public static let whiteout = RenameFlags(rawValue: 4)
}

/// Names made, moved and removed: one system call each.
extension FD {
    public func makeDirectory(_ name: NameRef, mode: UInt32) throws(Errno) {
        try checkedAsOwner { unsafe cs_mkdirat(raw, name.base, mode) }
    }
    /// `mode` with the type bits.
    public func makeNode(_ name: NameRef, mode: UInt32, device: UInt64 = 0) throws(Errno) {
        try checkedAsOwner { unsafe cs_mknodat(raw, name.base, mode, device) }
    }
    public func makeSymlink(_ name: NameRef, target: NameRef) throws(Errno) {
        try checkedAsOwner { unsafe cs_symlinkat(target.base, raw, name.base) }
    }
    /// Another name for `name` of this directory. A symlink is linked itself.
    public func link(_ name: NameRef, to directory: FD, _ newName: NameRef) throws(Errno) {
        try checkedAsOwner { unsafe cs_linkat(raw, name.base, directory.raw, newName.base, 0) }
    }
    /// A name for the file behind this descriptor (an O_TMPFILE, or O_PATH of a file that still has names).
    public func linkSelf(to directory: FD, _ newName: NameRef) throws(Errno) {
        try checkedAsOwner { unsafe cs_link_fd(raw, directory.raw, newName.base) }
    }
    public func unlink(_ name: NameRef) throws(Errno) {
        try checkedAsOwner { unsafe cs_unlinkat(raw, name.base, 0) }
    }
    public func removeDirectory(_ name: NameRef) throws(Errno) {
        try checkedAsOwner { unsafe cs_unlinkat(raw, name.base, AT_REMOVEDIR_) }
    }
    public func rename(_ name: NameRef, to directory: FD, _ newName: NameRef, _ flags: RenameFlags = []) throws(Errno) {
        try checkedAsOwner { unsafe cs_renameat2(raw, name.base, directory.raw, newName.base, flags.rawValue) }
    }
    /// Bytes of the target; a full buffer may mean a cut one.
    public func readLink(_ name: NameRef, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try checkedAsOwner {
            unsafe cs_readlinkat(raw, name.base, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
    }
    public func readLink(_ name: NameRef) throws(Errno) -> FileName {
        var bytes = [UInt8](repeating: 0, count: 4097)
        let n = try unsafe bytes.withMutableBytes { (b) throws(Errno) in try unsafe readLink(name, into: b) }
        return FileName(bytes: bytes[0..<n])
    }
}
private let AT_REMOVEDIR_: Int32 = 0x200

/// Ownership, mode and times of a name, or with the empty name of the descriptor itself. Symlinks are never followed.
extension FD {
    /// UInt32.max leaves an id as it is.
    public func changeOwner(_ name: NameRef, uid: UInt32, gid: UInt32) throws(Errno) {
        let flags = AT_SYMLINK_NOFOLLOW | (name.isEmpty ? AT_EMPTY_PATH_ : 0)
        try checkedAsOwner { unsafe cs_fchownat(raw, name.base, uid, gid, flags) }
    }
    public func changeMode(_ name: NameRef, _ mode: UInt32) throws(Errno) {
        try checkedAsOwner { unsafe cs_chmod_at(raw, name.base, mode) }
    }
    public func setTimes(_ name: NameRef, access: Timestamp, modification: Timestamp) throws(Errno) {
        var times = (
            timespec(tv_sec: Int(access.seconds), tv_nsec: Int(access.nanoseconds)),
            timespec(tv_sec: Int(modification.seconds), tv_nsec: Int(modification.nanoseconds))
        )
        let flags = AT_SYMLINK_NOFOLLOW | (name.isEmpty ? AT_EMPTY_PATH_ : 0)
        try checkedAsOwner {
            unsafe withUnsafePointer(to: &times) { p in
                unsafe UnsafeRawPointer(p).withMemoryRebound(to: timespec.self, capacity: 2) {
                    unsafe cs_utimensat(raw, name.base, $0, flags)
                }
            }
        }
    }
    public func checkAccess(_ name: NameRef, _ mode: Int32, effective: Bool) throws(Errno) {
        try checkedAsOwner {
            unsafe cs_faccessat2(raw, name.base, mode, (effective ? 0x200 : 0) | (name.isEmpty ? AT_EMPTY_PATH_ : 0))
        }
    }
}
