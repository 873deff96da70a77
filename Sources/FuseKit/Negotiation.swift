internal import CShims

/// FUSE_INIT's flags (include/uapi/linux/fuse.h), those of `flags2` shifted up by 32.
public struct Capabilities: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let asyncRead = Capabilities(rawValue: FUSE_ASYNC_READ)
    public static let atomicTruncate = Capabilities(rawValue: FUSE_ATOMIC_O_TRUNC)
    /// LOOKUP of `.` and `..` by node id: a file handle is found again (fuse_get_dentry, fuse_get_parent).
    public static let exportSupport = Capabilities(rawValue: FUSE_EXPORT_SUPPORT)
    public static let bigWrites = Capabilities(rawValue: FUSE_BIG_WRITES)
    public static let dontMask = Capabilities(rawValue: FUSE_DONT_MASK)
    public static let ioctlOnDirectories = Capabilities(rawValue: FUSE_HAS_IOCTL_DIR)
    public static let autoInvalidateData = Capabilities(rawValue: FUSE_AUTO_INVAL_DATA)
    public static let readdirPlus = Capabilities(rawValue: FUSE_DO_READDIRPLUS)
    public static let readdirPlusAuto = Capabilities(rawValue: FUSE_READDIRPLUS_AUTO)
    public static let asyncDirectIO = Capabilities(rawValue: FUSE_ASYNC_DIO)
    public static let writebackCache = Capabilities(rawValue: FUSE_WRITEBACK_CACHE)
    /// The kernel takes ENOSYS to OPEN as "no OPEN and no RELEASE from now on". Said by the kernel, nothing to agree
    /// on.
    public static let noOpenSupport = Capabilities(rawValue: FUSE_NO_OPEN_SUPPORT)
    public static let parallelDirectoryOperations = Capabilities(rawValue: FUSE_PARALLEL_DIROPS)
    public static let posixACL = Capabilities(rawValue: FUSE_POSIX_ACL)
    public static let maxPages = Capabilities(rawValue: FUSE_MAX_PAGES)
    public static let cacheSymlinks = Capabilities(rawValue: FUSE_CACHE_SYMLINKS)
    /// The same for OPENDIR and RELEASEDIR.
    public static let noOpendirSupport = Capabilities(rawValue: FUSE_NO_OPENDIR_SUPPORT)
    public static let explicitInvalidation = Capabilities(rawValue: FUSE_EXPLICIT_INVAL_DATA)
    public static let handleKillPrivV2 = Capabilities(rawValue: FUSE_HANDLE_KILLPRIV_V2)
    public static let setxattrExtended = Capabilities(rawValue: FUSE_SETXATTR_EXT)
    public static let initExtended = Capabilities(rawValue: FUSE_INIT_EXT)
    public static let expireOnly = Capabilities(rawValue: FUSE_HAS_EXPIRE_ONLY)
    public static let directIOAllowMmap = Capabilities(rawValue: FUSE_DIRECT_IO_ALLOW_MMAP)
    public static let passthrough = Capabilities(rawValue: FUSE_PASSTHROUGH)
    public static let noExportSupport = Capabilities(rawValue: FUSE_NO_EXPORT_SUPPORT)
    public static let resend = Capabilities(rawValue: FUSE_HAS_RESEND)
    public static let idmappedMounts = Capabilities(rawValue: FUSE_ALLOW_IDMAP)
    public static let ioUring = Capabilities(rawValue: FUSE_OVER_IO_URING)

    var bits: UInt64 { rawValue }
}

/// What is asked of the kernel. It is agreed on only where the kernel offered it.
///
/// Never asked for: POSIX_LOCKS and FLOCK_LOCKS, so that the kernel keeps all locks itself: they cost no request and
/// survive the death of a worker. AUTO_INVAL_DATA: we own the layers, the page cache is dropped when we say so.
/// CREATE_SUPP_GROUP and SECURITY_CTX: nothing here reads them. SPLICE: read and write only.
public struct Wanted: Sendable {
    public enum ReaddirPlus: Sendable { case never, adaptive, always }

    public var readdirPlus = ReaddirPlus.adaptive
    /// Lookups and reads of one directory at the same time. Without it the kernel holds a lock per directory.
    public var parallelDirectoryOperations = true
    public var asyncRead = true
    public var asyncDirectIO = true
    /// ACLs are checked by the kernel (it implies default_permissions) and kept as extended attributes by the
    /// filesystem.
    public var posixACL = true
    /// The filesystem drops setuid, setgid and security.capability itself when `killSuidGid` says so; the kernel saves
    /// a GETXATTR for each write(2).
    public var handleKillPrivV2 = true
    /// The umask comes with the request and is not applied to the mode: a default ACL takes its place.
    public var dontMask = true
    public var cacheSymlinks = true
    /// O_TRUNC comes with OPEN and no SETATTR before it. Only for a filesystem whose `open` truncates.
    public var atomicTruncate = false
    /// Cached data is dropped by notifications alone, not because size or mtime changed.
    public var explicitInvalidation = true
    /// Shared mmap of files with `OpenReplyFlags.directIO`.
    public var directIOAllowMmap = true
    /// File handles open again (open_by_handle_at(2)): only for a filesystem that serves LOOKUP of `.` and `..`. Else
    /// they are told and cannot be opened.
    public var exportSupport = false
    /// Writes collect in the page cache. Excludes passthrough, which then is not asked for (process_init_reply ignores
    /// it).
    public var writebackCache = false
    public var passthrough = false
    /// 1: backing files on filesystems that do not stack (ext4, xfs); something may be stacked on this mount. 2: on
    /// overlayfs too, and nothing on this mount (FILESYSTEM_MAX_STACK_DEPTH).
    public var maxStackDepth: UInt32 = 1
    /// Id-mapped mounts of this mount; needs default_permissions.
    public var idmappedMounts = false
    /// Only for a transport that serves it.
    public var ioUring = false

    /// Longest WRITE and READ, in bytes: 1 MiB is what the kernel's fs.fuse.max_pages_limit allows unless raised.
    public var maxWrite: UInt32 = 1 << 20
    /// Requests in flight for which nobody waits (readahead, writeback). 0: the kernel's own choice.
    public var maxBackground: UInt16 = 64
    /// Granularity of times in nanoseconds.
    public var timeGranularity: UInt32 = 1
    public init() {}

    var flags: Capabilities {
        // FUSE_INIT_EXT opens flags2. What only says that the kernel can do something is confirmed; that costs nothing.
        var f: Capabilities = [
            .bigWrites, .maxPages, .setxattrExtended, .initExtended, .ioctlOnDirectories,
            .noOpenSupport, .noOpendirSupport, .expireOnly, .resend,
        ]
        switch readdirPlus {
        case .never: break
        case .adaptive: f.formUnion([.readdirPlus, .readdirPlusAuto])
        case .always: f.insert(.readdirPlus)
        }
        if parallelDirectoryOperations { f.insert(.parallelDirectoryOperations) }
        if asyncRead { f.insert(.asyncRead) }
        if asyncDirectIO { f.insert(.asyncDirectIO) }
        if posixACL { f.insert(.posixACL) }
        if handleKillPrivV2 { f.insert(.handleKillPrivV2) }
        if dontMask { f.insert(.dontMask) }
        if cacheSymlinks { f.insert(.cacheSymlinks) }
        if atomicTruncate { f.insert(.atomicTruncate) }
        if explicitInvalidation { f.insert(.explicitInvalidation) }
        if directIOAllowMmap { f.insert(.directIOAllowMmap) }
        f.insert(exportSupport ? .exportSupport : .noExportSupport)
        if writebackCache { f.insert(.writebackCache) }
        if passthrough, !writebackCache { f.insert(.passthrough) }
        if idmappedMounts { f.insert(.idmappedMounts) }
        if ioUring { f.insert(.ioUring) }
        return f
    }

    /// Whole pages, at least one, and no more than `max_pages` can tell.
    var clampedMaxWrite: UInt32 { min(max(maxWrite & ~4095, 4096), 65535 * 4096) }
}

/// What the kernel said in FUSE_INIT.
struct Offer {
    var major: UInt32, minor: UInt32, maxReadahead: UInt32
    var flags: Capabilities

    /// nil for a body too short to be an INIT of the versions we serve.
    init?(_ request: Request) {
        guard let a = request.body.rest.load(fuse_init_in.self) else { return nil }
        major = a.major
        minor = a.minor
        maxReadahead = a.max_readahead
        var bits = UInt64(a.flags)
        if bits & FUSE_INIT_EXT != 0,
            let high = request.body.rest.load(UInt32.self, at: MemoryLayout<fuse_init_in>.size)
        {
            bits |= UInt64(high) << 32
        }
        flags = Capabilities(rawValue: bits)
    }
}

/// What both sides keep to from INIT's reply on.
public struct Agreement: Sendable {
    /// Asked for and offered.
    public let flags: Capabilities
    /// All that the kernel offered.
    public let offered: Capabilities
    public let minor: UInt32
    /// Longest WRITE, and READ, in bytes.
    public let maxWrite: UInt32
    let maxReadahead: UInt32
    let maxStackDepth: UInt32
    let maxBackground: UInt16
    let timeGranularity: UInt32

    init(_ offer: Offer, _ wanted: Wanted) {
        flags = wanted.flags.intersection(offer.flags)
        offered = offer.flags
        minor = min(offer.minor, FUSE_KERNEL_MINOR_VERSION)
        // Without FUSE_MAX_PAGES (before Linux 4.20) a request has 32 pages.
        maxWrite = flags.contains(.maxPages) ? wanted.clampedMaxWrite : min(wanted.clampedMaxWrite, 32 * 4096)
        maxReadahead = offer.maxReadahead
        maxStackDepth = flags.contains(.passthrough) ? min(max(wanted.maxStackDepth, 1), 2) : 0
        maxBackground = wanted.maxBackground
        timeGranularity = wanted.timeGranularity
    }

    /// INIT's reply. libfuse's own is replaced whole: it knows a part of the flags, and a different part in each
    /// version.
    var reply: fuse_init_out {
        var out = fuse_init_out()
        out.major = FUSE_KERNEL_VERSION
        out.minor = minor
        out.max_readahead = maxReadahead
        out.flags = UInt32(truncatingIfNeeded: flags.bits)
        out.flags2 = UInt32(truncatingIfNeeded: flags.bits >> 32)
        out.max_background = maxBackground
        out.congestion_threshold = maxBackground / 4 * 3
        out.max_write = maxWrite
        out.time_gran = timeGranularity
        out.max_pages = UInt16(truncatingIfNeeded: maxWrite / 4096)
        out.max_stack_depth = maxStackDepth
        return out
    }
}
