/// Why an object of a lower layer was copied to the upper one. The number is its place in the statistics file: a new
/// cause goes to the end, before `other`'s successors, and none is renumbered.
public enum CopyUpCause: UInt8, CaseIterable, Sendable {
    /// open(2) for writing, without O_TRUNC.
    case openWrite = 0
    /// truncate(2), or open(2) with O_TRUNC.
    case truncate = 1
    case chmod = 2
    case chown = 3
    case utimens = 4
    case setxattr = 5
    case removexattr = 6
    /// setxattr or removexattr of `system.posix_acl_*`.
    case acl = 7
    case rename = 8
    case link = 9
    case fallocate = 10
    /// FS_IOC_SETFLAGS and its like.
    case ioctl = 11
    case copyRange = 12
    /// The directory of something that was copied up or made.
    case parent = 13
    /// write(2) on a descriptor that was not opened through us for writing.
    case write = 14
    case other = 15

    /// As people and JSON see it.
    public var name: String {
        switch self {
        case .openWrite: "open_write"
        case .truncate: "truncate"
        case .chmod: "chmod"
        case .chown: "chown"
        case .utimens: "utimens"
        case .setxattr: "setxattr"
        case .removexattr: "removexattr"
        case .acl: "acl"
        case .rename: "rename"
        case .link: "link"
        case .fallocate: "fallocate"
        case .ioctl: "ioctl"
        case .copyRange: "copy_range"
        case .parent: "parent"
        case .write: "write"
        case .other: "other"
        }
    }
}

/// What was copied up, and for a regular file how. Numbered as `CopyUpCause` is.
public enum CopyUpKind: UInt8, CaseIterable, Sendable {
    /// A regular file whose bytes were copied (none of them for an empty one, or under O_TRUNC).
    case file = 0
    /// A regular file that shares its blocks with the lower one.
    case reflinkedFile = 1
    /// A regular file whose data stayed below (`metacopy=on`).
    case metadataOnlyFile = 2
    case directory = 3
    case symlink = 4
    /// FIFO, socket, device.
    case special = 5

    public var isFile: Bool { self == .file || self == .reflinkedFile || self == .metadataOnlyFile }
}

/// A number that goes up and down. Numbered as `CopyUpCause` is.
public enum Gauge: UInt8, CaseIterable, Sendable {
    case inodes = 0
    case openFiles = 1
    /// Memory of the listings of directories that are kept.
    case listingBytes = 2
    case cachedDescriptors = 3
    case indexEntries = 4
    /// Open files that still read the lower version of something copied up since.
    case staleReaders = 5
    /// Open files whose data the kernel moves without asking us.
    case passthroughFiles = 6
    /// How often the process that serves was started again after it died.
    case restarts = 7
    /// Microseconds from the last such death, or from the last stop for another program, to the first request served
    /// after it.
    case takeoverTime = 8
    /// How often its program was replaced by another (`unionfsd upgrade`).
    case upgrades = 9
    /// Names that were looked up and known: no layer was searched for them.
    case knownNames = 10
    /// How often a request waited for a lock that nobody would have given back.
    case hangs = 11

    public var name: String {
        switch self {
        case .inodes: "inodes"
        case .openFiles: "open_files"
        case .listingBytes: "listing_bytes"
        case .cachedDescriptors: "cached_descriptors"
        case .indexEntries: "index_entries"
        case .staleReaders: "stale_readers"
        case .passthroughFiles: "passthrough_files"
        case .restarts: "restarts"
        case .takeoverTime: "takeover_microseconds"
        case .upgrades: "upgrades"
        case .knownNames: "known_names"
        case .hangs: "hangs"
        }
    }
}
