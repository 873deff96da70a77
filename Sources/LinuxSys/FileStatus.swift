internal import CShims
internal import Glibc

public struct Timestamp: Equatable, Sendable {
    public var seconds: Int64
    public var nanoseconds: UInt32
    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
    /// utimensat(2)'s two special values.
    public static let now = Timestamp(seconds: 0, nanoseconds: UInt32(UTIME_NOW_))
    public static let omit = Timestamp(seconds: 0, nanoseconds: UInt32(UTIME_OMIT_))
}
// Function-like casts in the C headers hide these two from the importer.
private let UTIME_NOW_ = 0x3fff_ffff
private let UTIME_OMIT_ = 0x3fff_fffe

public enum FileKind: UInt8, Sendable {
    case unknown = 0
    case fifo = 1
    case character = 2
    case directory = 4
    case block = 6
    case regular = 8
    case symlink = 10
    case socket = 12

    /// `d_type` of readdir(3), which is `mode >> 12`.
    public init(mode: UInt32) { self = FileKind(rawValue: UInt8((mode >> 12) & 15)) ?? .unknown }
    public var modeBits: UInt32 { UInt32(rawValue) << 12 }
}

/// What statx(2) tells, without what nobody here needs. Plain data.
public struct FileStatus: Sendable {
    public var ino: UInt64 = 0
    public var dev: UInt64 = 0
    public var rdev: UInt64 = 0
    public var size: UInt64 = 0
    /// Of 512 bytes.
    public var blocks: UInt64 = 0
    /// 0 where the kernel does not tell (before 5.8).
    public var mountID: UInt64 = 0
    public var mode: UInt32 = 0
    public var nlink: UInt32 = 0
    public var uid: UInt32 = 0
    public var gid: UInt32 = 0
    public var blockSize: UInt32 = 0
    public var hasBirthTime = false
    /// STATX_ATTR_*.
    public var attributes: UInt64 = 0
    public var atime = Timestamp(seconds: 0, nanoseconds: 0)
    public var mtime = Timestamp(seconds: 0, nanoseconds: 0)
    public var ctime = Timestamp(seconds: 0, nanoseconds: 0)
    public var btime = Timestamp(seconds: 0, nanoseconds: 0)

    public init() {}

    public var kind: FileKind { FileKind(mode: mode) }
    /// Immutable or append-only (STATX_ATTR_IMMUTABLE, STATX_ATTR_APPEND): nothing may be removed from such a
    /// directory.
    public var isProtected: Bool { attributes & 0x30 != 0 }
    public var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    public var isRegular: Bool { mode & 0o170000 == 0o100000 }
    public var isSymlink: Bool { mode & 0o170000 == 0o120000 }
    public var isCharacter: Bool { mode & 0o170000 == 0o020000 }
    public var permissions: UInt32 { mode & 0o7777 }
}

extension FD {
    /// One statx(2); the empty name means the descriptor itself. Symlinks are never followed.
    public func status(_ name: NameRef) throws(Errno) -> FileStatus {
        var c = cs_status()
        let flags = AT_SYMLINK_NOFOLLOW | (name.isEmpty ? AT_EMPTY_PATH_ : 0)
        try checkedAsOwner { unsafe cs_statx(raw, name.base, flags, &c) }
        return FileStatus(c)
    }
    public func status() throws(Errno) -> FileStatus { try status(NameRef.empty) }

    /// For paths that a person typed: follows symlinks.
    public static func statusFollowing(_ path: NameRef) throws(Errno) -> FileStatus {
        var c = cs_status()
        try checkedAsOwner { unsafe cs_statx(AT_FDCWD, path.base, 0, &c) }
        return FileStatus(c)
    }
}
let AT_EMPTY_PATH_: Int32 = 0x1000

extension FileStatus {
    fileprivate init(_ c: cs_status) {
        ino = c.ino
        dev = c.dev
        rdev = c.rdev
        size = c.size
        blocks = c.blocks
        mountID = c.mask & UInt32(CS_STATX_MNT_ID) != 0 ? c.mnt_id : 0
        mode = c.mode
        nlink = c.nlink
        uid = c.uid
        gid = c.gid
        blockSize = c.blksize
        hasBirthTime = c.mask & UInt32(CS_STATX_BTIME) != 0
        attributes = c.attributes
        atime = Timestamp(seconds: c.atime_s, nanoseconds: c.atime_ns)
        mtime = Timestamp(seconds: c.mtime_s, nanoseconds: c.mtime_ns)
        ctime = Timestamp(seconds: c.ctime_s, nanoseconds: c.ctime_ns)
        btime = Timestamp(seconds: c.btime_s, nanoseconds: c.btime_ns)
    }
}

/// The parts of a device number in the C library's 64-bit form (gnu_dev_major, gnu_dev_minor).
public enum DeviceNumber {
    public static func make(major: UInt32, minor: UInt32) -> UInt64 {
        UInt64(major & 0xfff) << 8 | UInt64(major & 0xffff_f000) << 32 | UInt64(minor & 0xff) | UInt64(
            minor & 0xffff_ff00) << 12
    }
    public static func major(_ device: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: (device >> 8) & 0xfff | (device >> 32) & 0xffff_f000)
    }
    public static func minor(_ device: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: device & 0xff | (device >> 12) & 0xffff_ff00)
    }
}

/// statfs(2).
public struct FilesystemStatus: Sendable {
    public var blocks: UInt64 = 0, free: UInt64 = 0, available: UInt64 = 0, files: UInt64 = 0, filesFree: UInt64 = 0
    /// The magic number of the filesystem type.
    public var type: UInt64 = 0
    /// f_fsid: of the filesystem, on btrfs of the subvolume; 0 where it has none.
    public var id: UInt64 = 0
    public var blockSize: UInt32 = 0, fragmentSize: UInt32 = 0, nameMax: UInt32 = 0, flags: UInt32 = 0
    public init() {}
}

extension FD {
    public func filesystemStatus() throws(Errno) -> FilesystemStatus {
        var c = cs_statfs()
        try checkedAsOwner { unsafe cs_fstatfs(raw, &c) }
        var s = FilesystemStatus()
        s.blocks = c.blocks
        s.free = c.bfree
        s.available = c.bavail
        s.files = c.files
        s.filesFree = c.ffree
        s.type = c.type
        s.id = c.fsid
        s.blockSize = c.bsize
        s.fragmentSize = c.frsize
        s.nameMax = c.namelen
        s.flags = c.flags
        return s
    }
}
