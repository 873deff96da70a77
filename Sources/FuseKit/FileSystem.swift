public import LinuxSys

/// Who asked: the credentials that the kernel put into the request's header.
public struct Caller: Sendable {
    public var uid: UInt32, gid: UInt32
    public var pid: UInt32
    /// Only with create, mkdir, mknod and tmpfile; 0 elsewhere. Not applied to the mode (FUSE_DONT_MASK): a default ACL
    /// of the directory takes its place.
    public var umask: UInt32
    /// A process that died had this very request, and may have done what it asks for (FUSE_UNIQUE_RESEND).
    public var isResent = false
    public init(uid: UInt32, gid: UInt32, pid: UInt32, umask: UInt32) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.umask = umask
    }
}

/// The answer to what makes a name known: LOOKUP, MKDIR, LINK, … The kernel then holds one more lookup of the node,
/// until FORGET.
public struct Entry: Sendable {
    /// 0: there is no such name, and the kernel may remember that for `entrySeconds`.
    public var node: UInt64
    public var generation: UInt64
    public var attributes: FileStatus
    /// How long the kernel may believe attributes and name without asking.
    public var attributeSeconds: UInt32
    public var entrySeconds: UInt32
    public init(
        node: UInt64, generation: UInt64, attributes: FileStatus, attributeSeconds: UInt32, entrySeconds: UInt32
    ) {
        self.node = node
        self.generation = generation
        self.attributes = attributes
        self.attributeSeconds = attributeSeconds
        self.entrySeconds = entrySeconds
    }
    public static func absent(seconds: UInt32) -> Entry {
        Entry(node: 0, generation: 0, attributes: FileStatus(), attributeSeconds: 0, entrySeconds: seconds)
    }
}

public struct AttributeReply: Sendable {
    public var attributes: FileStatus
    public var seconds: UInt32
    public init(attributes: FileStatus, seconds: UInt32) {
        self.attributes = attributes
        self.seconds = seconds
    }
}

/// FUSE_SETATTR: what is nil stays.
public struct AttributeChange: Sendable {
    public var mode: UInt32?
    public var uid: UInt32?
    public var gid: UInt32?
    public var size: UInt64?
    /// `.now` for the time of the server.
    public var atime: Timestamp?
    public var mtime: Timestamp?
    public var ctime: Timestamp?
    /// FATTR_KILL_SUIDGID: a truncate by somebody without CAP_FSETID.
    public var killSuidGid = false
    public init() {}
    /// As the kernel writes back the times that it keeps itself (fuse_flush_times).
    public var isModificationTimeOnly: Bool {
        mode == nil && uid == nil && gid == nil && size == nil && atime == nil && mtime != nil
    }
    /// Nothing is to change: chown(2) with -1 twice, or a request to drop suid and sgid (ATTR_KILL_*, which is not
    /// passed on).
    public var isEmpty: Bool { mode == nil && uid == nil && gid == nil && size == nil && atime == nil && mtime == nil }
}

/// FOPEN_* of <linux/fuse.h>.
public struct OpenReplyFlags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let directIO = OpenReplyFlags(rawValue: 1 << 0)
    public static let keepCache = OpenReplyFlags(rawValue: 1 << 1)
    public static let nonSeekable = OpenReplyFlags(rawValue: 1 << 2)
    public static let cacheDirectory = OpenReplyFlags(rawValue: 1 << 3)
    public static let stream = OpenReplyFlags(rawValue: 1 << 4)
    public static let noFlush = OpenReplyFlags(rawValue: 1 << 5)
    public static let parallelDirectWrites = OpenReplyFlags(rawValue: 1 << 6)
    public static let passthrough = OpenReplyFlags(rawValue: 1 << 7)
}

public struct Opened: Sendable {
    /// Comes back with every request on this open file.
    public var handle: UInt64
    public var flags: OpenReplyFlags
    /// With `passthrough`: an id from `Connection.openBacking`.
    public var backing: UInt32
    public init(handle: UInt64, flags: OpenReplyFlags = [], backing: UInt32 = 0) {
        self.handle = handle
        self.flags = flags
        self.backing = backing
    }
}

public struct Created: Sendable {
    public var entry: Entry
    public var opened: Opened
    public init(entry: Entry, opened: Opened) {
        self.entry = entry
        self.opened = opened
    }
}

/// A filesystem: one method for each request of the kernel. What a method returns or throws *is* the reply: it cannot
/// be forgotten or sent twice, and it is sent when the method has returned and dropped its locks. Methods are called on
/// many threads at once. Names and buffers are lent until the method returns.
///
/// A class with methods to override and no protocol: C callbacks cannot be generic, and a call through a class costs
/// one indirect jump and no reference counting.
open class FileSystem: @unchecked Sendable {
    public init() {}

    /// INIT has been answered; `connection` says what was agreed. Before any other method.
    open func start(_ connection: Connection) {}
    /// The kernel let go (unmount) or the connection was aborted. After every other method.
    open func stop() {}
    /// Where a serving thread notes what it is in the middle of; nil: nowhere.
    open func slot(_ number: Int) -> InflightSlot? { nil }
    open var slotCount: Int { 0 }
    /// The kernel has taken back the requests that a process before this one had read: what that process had open for
    /// them can go. Before any of them is served again.
    open func takenOver() {}
    /// All that the process before had in hand is done.
    open func goesOn() {}
    /// What a request that was not answered has counted and opened is taken back.
    open func undo(_ slot: InflightSlot) {}
    /// A request is in the slot, from its arrival until its reply is complete.
    open func began(_ slot: InflightSlot) {}
    open func ended(_ slot: InflightSlot) {}
    /// A request was served: its opcode, the time from its arrival to its reply, whether it failed.
    open func served(opcode: UInt32, nanoseconds: UInt64, failed: Bool) {}

    // ---- names ----
    open func lookup(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        throw .notImplemented
    }
    /// No reply; also called by FuseKit for an entry whose reply the kernel no longer wanted.
    open func forget(_ node: UInt64, _ count: UInt64) {}
    open func mknod(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, device: UInt64, _ caller: Caller
    ) throws(Errno) -> Entry { throw .notImplemented }
    open func mkdir(_ parent: UInt64, _ name: NameRef, mode: UInt32, _ caller: Caller) throws(Errno) -> Entry {
        throw .notImplemented
    }
    open func symlink(_ parent: UInt64, _ name: NameRef, target: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        throw .notImplemented
    }
    open func link(_ node: UInt64, _ newParent: UInt64, _ newName: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        throw .notImplemented
    }
    open func unlink(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) { throw .notImplemented }
    open func rmdir(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) { throw .notImplemented }
    open func rename(
        _ parent: UInt64, _ name: NameRef, _ newParent: UInt64, _ newName: NameRef, flags: RenameFlags, _ caller: Caller
    ) throws(Errno) { throw .notImplemented }
    /// Bytes of the target.
    open func readlink(_ node: UInt64, into buffer: MutableBytes) throws(Errno) -> Int { throw .notImplemented }

    // ---- attributes ----
    open func getattr(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply { throw .notImplemented }
    /// FUSE_STATX (from Linux 6.6): `attributes` with its birth time. ENOSYS ends it for the connection.
    open func statx(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply { throw .notImplemented }
    open func setattr(
        _ node: UInt64, _ change: AttributeChange, handle: UInt64?, _ caller: Caller
    ) throws(Errno) -> AttributeReply { throw .notImplemented }
    open func access(_ node: UInt64, mask: UInt32, _ caller: Caller) throws(Errno) { throw .notImplemented }
    open func setxattr(
        _ node: UInt64, _ name: NameRef, _ value: Bytes, flags: UInt32, killSuidGid: Bool, _ caller: Caller
    ) throws(Errno) { throw .notImplemented }
    /// With an empty buffer: the length that the value has. ERANGE where it does not fit.
    open func getxattr(
        _ node: UInt64, _ name: NameRef, into buffer: MutableBytes, _ caller: Caller
    ) throws(Errno) -> Int { throw .notImplemented }
    open func listxattr(_ node: UInt64, into buffer: MutableBytes, _ caller: Caller) throws(Errno) -> Int {
        throw .notImplemented
    }
    open func removexattr(_ node: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) { throw .notImplemented }
    open func statfs(_ node: UInt64) throws(Errno) -> FilesystemStatus { throw .notImplemented }

    // ---- files ----
    /// `flags` as of open(2), without O_CREAT, O_EXCL, O_NOCTTY; O_TRUNC is in it only if ATOMIC_O_TRUNC was agreed.
    open func open(_ node: UInt64, flags: Int32, killSuidGid: Bool, _ caller: Caller) throws(Errno) -> Opened {
        throw .notImplemented
    }
    open func create(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, flags: Int32, _ caller: Caller
    ) throws(Errno) -> Created { throw .notImplemented }
    open func tmpfile(_ parent: UInt64, mode: UInt32, flags: Int32, _ caller: Caller) throws(Errno) -> Created {
        throw .notImplemented
    }
    open func read(_ node: UInt64, handle: UInt64, offset: UInt64, into buffer: MutableBytes) throws(Errno) -> Int {
        throw .notImplemented
    }
    /// `killSuidGid`: FUSE_WRITE_KILL_SUIDGID; the writer has no CAP_FSETID. `cached`: written back from the page
    /// cache.
    open func write(
        _ node: UInt64, handle: UInt64, offset: UInt64, _ data: Bytes, killSuidGid: Bool, cached: Bool, _ caller: Caller
    ) throws(Errno) -> Int { throw .notImplemented }
    open func flush(_ node: UInt64, handle: UInt64) throws(Errno) { throw .notImplemented }
    open func release(_ node: UInt64, handle: UInt64) {}
    open func fsync(_ node: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) { throw .notImplemented }
    open func fallocate(
        _ node: UInt64, handle: UInt64, mode: Int32, offset: Int64, length: Int64, _ caller: Caller
    ) throws(Errno) { throw .notImplemented }
    open func lseek(_ node: UInt64, handle: UInt64, offset: Int64, whence: Int32) throws(Errno) -> Int64 {
        throw .notImplemented
    }
    open func copyFileRange(
        from node: UInt64, handle: UInt64, offset: Int64, to toNode: UInt64, toHandle: UInt64, toOffset: Int64,
        length: UInt64, flags: UInt64, _ caller: Caller
    ) throws(Errno) -> Int { throw .notImplemented }
    /// Restricted ioctls: what `_IOR`/`_IOW` of the command say is already in `input` and fits `output`; the bytes of
    /// the output.
    open func ioctl(
        _ node: UInt64, handle: UInt64, command: UInt32, isDirectory: Bool, input: Bytes, output: MutableBytes,
        _ caller: Caller
    ) throws(Errno) -> Int { throw .notTTY }

    // ---- directories ----
    open func opendir(_ node: UInt64, flags: Int32) throws(Errno) -> Opened { throw .notImplemented }
    /// Adds entries from `offset` (0, or the offset of the last one seen) on, until one does not fit.
    open func readdir(_ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno) {
        throw .notImplemented
    }
    /// The same with attributes: each entry with a node id counts as a lookup.
    open func readdirplus(_ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno)
    { throw .notImplemented }
    open func releasedir(_ node: UInt64, handle: UInt64) {}
    open func fsyncdir(_ node: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) { throw .notImplemented }
    open func syncfs(_ node: UInt64) throws(Errno) { throw .notImplemented }
}
