internal import CShims

/// MOUNT_ATTR_* of mount_setattr(2).
public struct MountAttributes: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = MountAttributes(rawValue: 0x01)
    public static let noAccessTime = MountAttributes(rawValue: 0x10)
    public static let strictAccessTime = MountAttributes(rawValue: 0x20)
    public static let noDirAccessTime = MountAttributes(rawValue: 0x80)
    /// MOUNT_ATTR__ATIME: one field of three bits, to be cleared as a whole before one is set (0 is relatime); and the
    /// flag for directories beside it.
    static let accessTimes: UInt64 = 0x70 | 0x80
}

extension FD {
    /// The tree at a path as a private mount of its own, nothing mounted below it in view (open_tree(2),
    /// OPEN_TREE_CLONE), with these flags and the access times of no other. Needs CAP_SYS_ADMIN over the mount
    /// namespace; EPERM where flags of the mount are locked, as in the mount namespace of an ordinary user for what was
    /// mounted before (MNT_LOCK_ATIME).
    public static func cloneTree(_ path: NameRef, _ attributes: MountAttributes) throws(Errno) -> OwnedFD {
        OwnedFD(
            adopting: Int32(
                try checked { unsafe cs_open_tree_clone(path.base, attributes.rawValue, MountAttributes.accessTimes) }))
    }
    /// The same, read-only: what is opened through it cannot write, and reading moves no access time (touch_atime asks
    /// for write access).
    public static func cloneReadOnly(_ path: NameRef) throws(Errno) -> OwnedFD {
        do throws(Errno) { return try cloneTree(path, [.readOnly, .noAccessTime]) } catch {
            guard error == .notPermitted else { throw error }
            return OwnedFD(
                adopting: Int32(
                    try checked { unsafe cs_open_tree_clone(path.base, MountAttributes.readOnly.rawValue, 0) }))
        }
    }
    /// The access times of a mount that `cloneTree` made.
    public func setAccessTimes(_ attributes: MountAttributes) throws(Errno) {
        try checked { cs_mount_setattr(raw, attributes.rawValue, MountAttributes.accessTimes) }
    }
    /// A command without an argument, for a FUSE filesystem of ours.
    public func ioctl(_ command: UInt32) throws(Errno) { try checked { cs_ioctl(raw, command) } }
    /// What readdir(3) does to a directory's access time, by the flags of the mount that this descriptor was opened
    /// through. An openat, a getdents and a close.
    public func touchDirectory() throws(Errno) { try checked { cs_read_directory_once(raw) } }
}
