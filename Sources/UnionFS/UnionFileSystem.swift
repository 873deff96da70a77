public import FuseKit
internal import Glibc
public import LinuxSys
public import MountState
public import UnionCore

/// The union as the kernel asks for it: FUSE's operations on layers. One file of operations for each group; this one
/// has what they share: how a node leads to its object on disk.
///
/// Locks, in order: directories (`DirectoryLocks`), a copy-up claim is never waited for with one of those held; then
/// the leaves: inode table, handle table, directory cache, each alone.
public final class UnionFileSystem: FileSystem, @unchecked Sendable {
    let stack: LayerStack
    let table: InodeTable
    let handles: HandleTable
    let directories: DirectoryCache
    let listings: ListingCache
    let push = ContentPush()
    let usage = UpperUsage()
    let locks: DirectoryLocks
    let claims: CopyUpClaims
    let redirects: RedirectLock
    let times: TimeLocks
    private let watch: LockWatch
    /// Of all serving threads: made once, as each is an object.
    let slots: [InflightSlot]
    let statistics: MountStatistics
    let policy: CachePolicy
    let owners: OwnerMapping
    let accessTimes: AccessTimes

    /// - Parameters:
    ///   - memory: where the records are. What a process before this one has there is taken over; nil: memory of this
    ///     process alone.
    ///   - inherited: descriptors that were open before the first process that served, and stay.
    public init(
        layers: LayerStack, options: MountOptions, statistics: MountStatistics, memory: UnionMemory? = nil,
        inherited: [Int32] = []
    ) throws(Errno) {
        stack = layers
        self.inherited = inherited
        self.statistics = statistics
        let openFileLimit = Process.raiseOpenFileLimit()
        policy = CachePolicy(options)
        owners = OwnerMapping(options)
        // The private mount remembers what a remount made of it.
        let rule =
            if layers.upperMount != nil, let flags = try layers.root.upper?.fd.filesystemStatus().flags {
                AccessTimeRule(statfs: flags)
            } else { AccessTimeRule(options.flags, isReadOnly: options.isReadOnly) }
        accessTimes = AccessTimes(rule, hasMount: layers.upperMount != nil)
        let region: RecordRegion
        if let memory { region = memory.region } else { region = try RecordRegion(slots: UnionMemory.slots) }
        self.region = region
        let isTakenOver = region.isUsed
        if isTakenOver {
            try region.tableJournal.undo()
            try region.handleJournal.undo()
        }
        slots = (0..<region.slotCount).compactMap { region.slot($0) }
        for slot in slots {
            slot.clearLocks()
            statistics.requestEnded(slot.number)
        }
        watch = LockWatch(slots: slots, patience: options.hangSeconds, statistics: statistics)
        locks = DirectoryLocks(watch)
        claims = CopyUpClaims(watch)
        redirects = RedirectLock(watch)
        times = TimeLocks(watch)
        let top = layers.root.parts.first
        guard let top else { throw .invalid }
        // As the kernel has it (ovl_get_root): the root shows the number of its topmost part, the upper's where there
        // is one.
        let status = try top.fd.status()
        table = InodeTable(
            region: region, rootIno: layers.number(status, ofLayer: top.layer, top.fd),
            rootLayer: top.layer, rootIsUpper: layers.hasUpper, rootIsMerged: layers.root.isMerged,
            isExported: options.nfsExport, statistics: statistics)
        handles = HandleTable(region: region, statistics: statistics)
        // Half for directories, the rest for open files and what a request needs for itself.
        directories = DirectoryCache(descriptors: Int(clamping: min(openFileLimit / 2, 16384)), statistics: statistics)
        listings = ListingCache(statistics: statistics)
        table.orphanLimit = max(Int(clamping: openFileLimit / 4), 16)
        super.init()
        if isTakenOver {
            let table = table
            handles.rebuild { table[$0.node].flags.contains(.inUse) && table[$0.node].generation == $0.generation }
            unusedBackings = table.rebuild(handles)
        }
        if !isTakenOver, let bytes = options.usage, layers.hasUpper { usage.begin(bytes: bytes) }
        let (cache, listings, usage) = (directories, listings, usage)
        table.onFree = { node in
            cache.remove(node)
            usage.lost(node)
            listings.remove(node)
        }
    }

    /// Called when a mount that was taken over is served again.
    public var onGoingOn: (@Sendable () -> Void)?
    /// Whether another process goes on when this one ends. Set before any request.
    public var hasGuardian: @Sendable () -> Bool {
        get { watch.hasGuardian }
        set { watch.hasGuardian = newValue }
    }
    /// Says what flags the mount has.
    public var onFollowMount: (@Sendable () -> MountFlags?)?
    let region: RecordRegion
    let inherited: [Int32]
    /// Of a process before this one, with no inode to use them.
    var unusedBackings: [UInt32] = []

    /// Set once, before any request.
    private(set) var connection: Connection?
    public override func start(_ connection: Connection) {
        self.connection = connection
        region.keep(connection.initRequest, hasRings: connection.agreed.contains(.ioUring))
        if region.serving < 0 { region.serving = 0 }
        passesThrough = connection.agreed.contains(.passthrough)
        writesBack = connection.agreed.contains(.writebackCache)
        table.onUnusedBacking = { id in connection.closeBacking(id) }
    }
    /// The kernel may read and write files of the layers itself.
    private(set) var passesThrough = false
    /// Writes collect in the kernel's page cache (`Writeback.swift`).
    private(set) var writesBack = false
    /// The kernel has attributes of this node that we changed on its behalf: it asks again. Attributes only, so that no
    /// lock is taken that an operation on the node may hold.
    ///
    /// One write(2); none for a directory of which the kernel has asked nothing since the last time.
    func attributesChanged(_ node: UInt32) {
        if table[node].kind == FileKind.directory.rawValue, !table.takeTold(node) { return }
        do throws(Errno) { try connection?.invalidateInode(table.id(node), offset: -1) } catch {
            // The session ends.
        }
    }

    /// The kernel keeps listings (FOPEN_CACHE_DIR): a name in this one has another number, of which nothing else tells.
    /// - Precondition: no directory's lock is held. The kernel takes the locks of its pages, which readdir(3) holds
    ///   only while it fills one from a reply that it has.
    func listingChanged(_ node: UInt32) {
        do throws(Errno) { try connection?.invalidateInode(table.id(node)) } catch {
            // The session ends.
        }
    }

    /// What fails half-way has changed something all the same: the copy that was made for it, or the first of several
    /// changes.
    private func toldIfFailed<R>(_ id: UInt64, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        do throws(Errno) { return try body() } catch {
            if let node = try? table.node(id), table[node].flags.contains(.upper) { attributesChanged(node) }
            throw error
        }
    }

    public override func slot(_ number: Int) -> InflightSlot? { region.slot(number) }
    public override var slotCount: Int { region.slotCount }
    public override func takenOver() { clearAway() }
    public override func goesOn() { onGoingOn?() }
    public override func undo(_ slot: InflightSlot) { undoRequest(slot) }

    public override func stop() { stack.close() }
    /// What this filesystem wants of the kernel, on top of what every one wants.
    public func wanted(_ wanted: Wanted) -> Wanted { policy.wanted(wanted, stack.options) }

    public override func began(_ slot: InflightSlot) { statistics.requestBegan(slot.number, at: slot.began) }
    public override func ended(_ slot: InflightSlot) { statistics.requestEnded(slot.number) }
    public override func served(opcode: UInt32, nanoseconds: UInt64, failed: Bool) {
        statistics.recordRequest(opcode: opcode, nanoseconds: nanoseconds, failed: failed)
    }

    // ---- the kernel's requests; each is in the file of its group (a method of an extension cannot override) ----

    public override func lookup(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        try serveLookup(parent, name, caller)
    }
    public override func forget(_ node: UInt64, _ count: UInt64) { serveForget(node, count) }
    public override func mknod(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, device: UInt64, _ caller: Caller
    ) throws(Errno) -> Entry {
        try making(parent) { () throws(Errno) in try serveMknod(parent, name, mode: mode, device: device, caller) }
    }
    public override func mkdir(_ parent: UInt64, _ name: NameRef, mode: UInt32, _ caller: Caller) throws(Errno) -> Entry
    { try making(parent) { () throws(Errno) in try serveMkdir(parent, name, mode: mode, caller) } }
    public override func symlink(
        _ parent: UInt64, _ name: NameRef, target: NameRef, _ caller: Caller
    ) throws(Errno) -> Entry {
        try making(parent) { () throws(Errno) in try serveSymlink(parent, name, target: target, caller) }
    }
    public override func link(
        _ node: UInt64, _ newParent: UInt64, _ newName: NameRef, _ caller: Caller
    ) throws(Errno) -> Entry {
        try linking(node, newParent) { () throws(Errno) in try serveLink(node, newParent, newName, caller) }
    }
    public override func unlink(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        try removing(parent, name) { () throws(Errno) in try serveUnlink(parent, name, caller) }
    }
    public override func rmdir(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        try removing(parent, name) { () throws(Errno) in try serveRmdir(parent, name, caller) }
    }
    public override func rename(
        _ parent: UInt64, _ name: NameRef, _ newParent: UInt64, _ newName: NameRef, flags: RenameFlags, _ caller: Caller
    ) throws(Errno) {
        try renaming(parent, name, newParent, newName, isExchange: flags.contains(.exchange)) { () throws(Errno) in
            try serveRename(parent, name, newParent, newName, flags: flags, caller)
        }
    }
    public override func readlink(_ node: UInt64, into buffer: MutableBytes) throws(Errno) -> Int {
        try serveReadlink(node, into: buffer)
    }
    public override func getattr(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply {
        try serveGetattr(node, handle: handle)
    }
    public override func statx(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply {
        try serveStatx(node, handle: handle)
    }
    public override func setattr(
        _ node: UInt64, _ change: AttributeChange, handle: UInt64?, _ caller: Caller
    ) throws(Errno) -> AttributeReply {
        try changing(node) { () throws(Errno) in
            try toldIfFailed(node) { () throws(Errno) in try serveSetattr(node, change, handle: handle, caller) }
        }
    }
    public override func access(_ node: UInt64, mask: UInt32, _ caller: Caller) throws(Errno) {
        try serveAccess(node, mask: mask, caller)
    }
    public override func setxattr(
        _ node: UInt64, _ name: NameRef, _ value: Bytes, flags: UInt32, killSuidGid: Bool, _ caller: Caller
    ) throws(Errno) {
        try changing(node) { () throws(Errno) in
            try toldIfFailed(node) { () throws(Errno) in
                try serveSetxattr(node, name, value, flags: flags, killSuidGid: killSuidGid, caller)
            }
        }
    }
    public override func getxattr(
        _ node: UInt64, _ name: NameRef, into buffer: MutableBytes, _ caller: Caller
    ) throws(Errno) -> Int {
        if Self.isUsageQuestion(node, name) { return try serveUsage(into: buffer, caller) }
        return try serveGetxattr(node, name, into: buffer)
    }
    public override func listxattr(_ node: UInt64, into buffer: MutableBytes, _ caller: Caller) throws(Errno) -> Int {
        try serveListxattr(node, into: buffer, caller)
    }
    public override func removexattr(_ node: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        try changing(node) { () throws(Errno) in
            try toldIfFailed(node) { () throws(Errno) in try serveRemovexattr(node, name, caller) }
        }
    }
    public override func statfs(_ node: UInt64) throws(Errno) -> FilesystemStatus { try serveStatfs(node) }
    public override func open(_ node: UInt64, flags: Int32, killSuidGid: Bool, _ caller: Caller) throws(Errno) -> Opened
    {
        if flags & (O_ACCMODE | O_TRUNC) == 0 {
            return try serveOpen(node, flags: flags, killSuidGid: killSuidGid, caller)
        }
        return try changing(node) { () throws(Errno) in
            try serveOpen(node, flags: flags, killSuidGid: killSuidGid, caller)
        }
    }
    public override func create(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, flags: Int32, _ caller: Caller
    ) throws(Errno) -> Created {
        try creating(parent) { () throws(Errno) in try serveCreate(parent, name, mode: mode, flags: flags, caller) }
    }
    public override func tmpfile(
        _ parent: UInt64, mode: UInt32, flags: Int32, _ caller: Caller
    ) throws(Errno) -> Created { try serveTmpfile(parent, mode: mode, flags: flags, caller) }
    public override func read(
        _ node: UInt64, handle: UInt64, offset: UInt64, into buffer: MutableBytes
    ) throws(Errno) -> Int { try serveRead(node, handle: handle, offset: offset, into: buffer) }
    public override func write(
        _ node: UInt64, handle: UInt64, offset: UInt64, _ data: Bytes, killSuidGid: Bool, cached: Bool, _ caller: Caller
    ) throws(Errno) -> Int {
        try serveWrite(node, handle: handle, offset: offset, data, killSuidGid: killSuidGid, cached: cached, caller)
    }
    public override func flush(_ node: UInt64, handle: UInt64) throws(Errno) { try serveFlush(node, handle: handle) }
    public override func release(_ node: UInt64, handle: UInt64) {
        closing(node) { serveRelease(node, handle: handle) }
    }
    public override func fsync(_ node: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) {
        try serveFsync(node, handle: handle, dataOnly: dataOnly)
    }
    public override func fallocate(
        _ node: UInt64, handle: UInt64, mode: Int32, offset: Int64, length: Int64, _ caller: Caller
    ) throws(Errno) { try serveFallocate(node, handle: handle, mode: mode, offset: offset, length: length, caller) }
    public override func lseek(_ node: UInt64, handle: UInt64, offset: Int64, whence: Int32) throws(Errno) -> Int64 {
        try serveLseek(node, handle: handle, offset: offset, whence: whence)
    }
    public override func copyFileRange(
        from node: UInt64, handle: UInt64, offset: Int64, to toNode: UInt64, toHandle: UInt64, toOffset: Int64,
        length: UInt64, flags: UInt64, _ caller: Caller
    ) throws(Errno) -> Int {
        try serveCopyFileRange(
            from: node, handle: handle, offset: offset, to: toNode, toHandle: toHandle, toOffset: toOffset,
            length: length, flags: flags, caller)
    }
    public override func ioctl(
        _ node: UInt64, handle: UInt64, command: UInt32, isDirectory: Bool, input: Bytes, output: MutableBytes,
        _ caller: Caller
    ) throws(Errno) -> Int {
        try serveIoctl(
            node, handle: handle, command: command, isDirectory: isDirectory, input: input, output: output, caller)
    }
    public override func opendir(_ node: UInt64, flags: Int32) throws(Errno) -> Opened {
        try serveOpendir(node, flags: flags)
    }
    public override func readdir(
        _ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList
    ) throws(Errno) { try serveReaddir(node, handle: handle, offset: offset, into: &list) }
    public override func readdirplus(
        _ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList
    ) throws(Errno) { try serveReaddirplus(node, handle: handle, offset: offset, into: &list) }
    public override func releasedir(_ node: UInt64, handle: UInt64) { serveReleasedir(node, handle: handle) }
    public override func fsyncdir(_ node: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) {
        try serveFsyncdir(node, handle: handle, dataOnly: dataOnly)
    }
    public override func syncfs(_ node: UInt64) throws(Errno) { try serveSyncfs(node) }
}
