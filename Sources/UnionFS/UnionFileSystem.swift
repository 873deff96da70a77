public import FuseKit
internal import Glibc
public import LinuxSys
public import MountState
public import UnionCore

/// The union as the kernel asks for it: FUSE's operations on layers. One file of operations for each group; this one has what they share:
/// how a node leads to its object on disk.
///
/// Locks, in order: directories (`DirectoryLocks`), a copy-up claim is never waited for with one of those held; then the leaves: inode
/// table, handle table, directory cache, each alone.
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
    ///   - memory: where the records are. What a process before this one has there is taken over; nil: memory of this process alone.
    ///   - inherited: descriptors that were open before the first process that served, and stay.
    public init(layers: LayerStack, options: MountOptions, statistics: MountStatistics, memory: UnionMemory? = nil, inherited: [Int32] = []) throws(Errno) {
        stack = layers
        self.inherited = inherited
        self.statistics = statistics
        let openFileLimit = Process.raiseOpenFileLimit()
        policy = CachePolicy(options)
        owners = OwnerMapping(options)
        // The private mount remembers what a remount made of it.
        let rule = if layers.upperMount != nil, let flags = try layers.root.upper?.fd.filesystemStatus().flags { AccessTimeRule(statfs: flags) } else { AccessTimeRule(options.flags, isReadOnly: options.isReadOnly) }
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
        // As the kernel has it (ovl_get_root): the root shows the number of its topmost part, the upper's where there is one.
        let status = try top.fd.status()
        table = InodeTable(region: region, rootIno: layers.number(status, ofLayer: top.layer, top.fd),
                           rootLayer: top.layer, rootIsUpper: layers.hasUpper, rootIsMerged: layers.root.isMerged, isExported: options.nfsExport, statistics: statistics)
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
    /// The kernel has attributes of this node that we changed on its behalf: it asks again. Attributes only, so that no lock is taken that an
    /// operation on the node may hold.
    ///
    /// One write(2); none for a directory of which the kernel has asked nothing since the last time.
    func attributesChanged(_ node: UInt32) {
        if table[node].kind == FileKind.directory.rawValue, !table.takeTold(node) { return }
        do throws(Errno) { try connection?.invalidateInode(table.id(node), offset: -1) } catch { /* The session ends. */ }
    }

    /// The kernel keeps listings (FOPEN_CACHE_DIR): a name in this one has another number, of which nothing else tells.
    /// - Precondition: no directory's lock is held. The kernel takes the locks of its pages, which readdir(3) holds only while it fills one from a reply that it has.
    func listingChanged(_ node: UInt32) {
        do throws(Errno) { try connection?.invalidateInode(table.id(node)) } catch { /* The session ends. */ }
    }

    /// What fails half-way has changed something all the same: the copy that was made for it, or the first of several changes.
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

    public override func lookup(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) -> Entry { try serveLookup(parent, name, caller) }
    public override func forget(_ node: UInt64, _ count: UInt64) { serveForget(node, count) }
    public override func mknod(_ parent: UInt64, _ name: NameRef, mode: UInt32, device: UInt64, _ caller: Caller) throws(Errno) -> Entry { try making(parent) { () throws(Errno) in try serveMknod(parent, name, mode: mode, device: device, caller) } }
    public override func mkdir(_ parent: UInt64, _ name: NameRef, mode: UInt32, _ caller: Caller) throws(Errno) -> Entry { try making(parent) { () throws(Errno) in try serveMkdir(parent, name, mode: mode, caller) } }
    public override func symlink(_ parent: UInt64, _ name: NameRef, target: NameRef, _ caller: Caller) throws(Errno) -> Entry { try making(parent) { () throws(Errno) in try serveSymlink(parent, name, target: target, caller) } }
    public override func link(_ node: UInt64, _ newParent: UInt64, _ newName: NameRef, _ caller: Caller) throws(Errno) -> Entry { try linking(node, newParent) { () throws(Errno) in try serveLink(node, newParent, newName, caller) } }
    public override func unlink(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) { try removing(parent, name) { () throws(Errno) in try serveUnlink(parent, name, caller) } }
    public override func rmdir(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) { try removing(parent, name) { () throws(Errno) in try serveRmdir(parent, name, caller) } }
    public override func rename(_ parent: UInt64, _ name: NameRef, _ newParent: UInt64, _ newName: NameRef, flags: RenameFlags, _ caller: Caller) throws(Errno) {
        try renaming(parent, name, newParent, newName, isExchange: flags.contains(.exchange)) { () throws(Errno) in try serveRename(parent, name, newParent, newName, flags: flags, caller) }
    }
    public override func readlink(_ node: UInt64, into buffer: MutableBytes) throws(Errno) -> Int { try serveReadlink(node, into: buffer) }
    public override func getattr(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply { try serveGetattr(node, handle: handle) }
    public override func statx(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply { try serveStatx(node, handle: handle) }
    public override func setattr(_ node: UInt64, _ change: AttributeChange, handle: UInt64?, _ caller: Caller) throws(Errno) -> AttributeReply { try changing(node) { () throws(Errno) in try toldIfFailed(node) { () throws(Errno) in try serveSetattr(node, change, handle: handle, caller) } } }
    public override func access(_ node: UInt64, mask: UInt32, _ caller: Caller) throws(Errno) { try serveAccess(node, mask: mask, caller) }
    public override func setxattr(_ node: UInt64, _ name: NameRef, _ value: Bytes, flags: UInt32, killSuidGid: Bool, _ caller: Caller) throws(Errno) {
        try changing(node) { () throws(Errno) in try toldIfFailed(node) { () throws(Errno) in try serveSetxattr(node, name, value, flags: flags, killSuidGid: killSuidGid, caller) } }
    }
    public override func getxattr(_ node: UInt64, _ name: NameRef, into buffer: MutableBytes, _ caller: Caller) throws(Errno) -> Int {
        if Self.isUsageQuestion(node, name) { return try serveUsage(into: buffer, caller) }
        return try serveGetxattr(node, name, into: buffer)
    }
    public override func listxattr(_ node: UInt64, into buffer: MutableBytes, _ caller: Caller) throws(Errno) -> Int { try serveListxattr(node, into: buffer, caller) }
    public override func removexattr(_ node: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) { try changing(node) { () throws(Errno) in try toldIfFailed(node) { () throws(Errno) in try serveRemovexattr(node, name, caller) } } }
    public override func statfs(_ node: UInt64) throws(Errno) -> FilesystemStatus { try serveStatfs(node) }
    public override func open(_ node: UInt64, flags: Int32, killSuidGid: Bool, _ caller: Caller) throws(Errno) -> Opened {
        if flags & (O_ACCMODE | O_TRUNC) == 0 { return try serveOpen(node, flags: flags, killSuidGid: killSuidGid, caller) }
        return try changing(node) { () throws(Errno) in try serveOpen(node, flags: flags, killSuidGid: killSuidGid, caller) }
    }
    public override func create(_ parent: UInt64, _ name: NameRef, mode: UInt32, flags: Int32, _ caller: Caller) throws(Errno) -> Created { try creating(parent) { () throws(Errno) in try serveCreate(parent, name, mode: mode, flags: flags, caller) } }
    public override func tmpfile(_ parent: UInt64, mode: UInt32, flags: Int32, _ caller: Caller) throws(Errno) -> Created { try serveTmpfile(parent, mode: mode, flags: flags, caller) }
    public override func read(_ node: UInt64, handle: UInt64, offset: UInt64, into buffer: MutableBytes) throws(Errno) -> Int { try serveRead(node, handle: handle, offset: offset, into: buffer) }
    public override func write(_ node: UInt64, handle: UInt64, offset: UInt64, _ data: Bytes, killSuidGid: Bool, cached: Bool, _ caller: Caller) throws(Errno) -> Int { try serveWrite(node, handle: handle, offset: offset, data, killSuidGid: killSuidGid, cached: cached, caller) }
    public override func flush(_ node: UInt64, handle: UInt64) throws(Errno) { try serveFlush(node, handle: handle) }
    public override func release(_ node: UInt64, handle: UInt64) { closing(node) { serveRelease(node, handle: handle) } }
    public override func fsync(_ node: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) { try serveFsync(node, handle: handle, dataOnly: dataOnly) }
    public override func fallocate(_ node: UInt64, handle: UInt64, mode: Int32, offset: Int64, length: Int64, _ caller: Caller) throws(Errno) { try serveFallocate(node, handle: handle, mode: mode, offset: offset, length: length, caller) }
    public override func lseek(_ node: UInt64, handle: UInt64, offset: Int64, whence: Int32) throws(Errno) -> Int64 { try serveLseek(node, handle: handle, offset: offset, whence: whence) }
    public override func copyFileRange(from node: UInt64, handle: UInt64, offset: Int64, to toNode: UInt64, toHandle: UInt64, toOffset: Int64, length: UInt64, flags: UInt64, _ caller: Caller) throws(Errno) -> Int { try serveCopyFileRange(from: node, handle: handle, offset: offset, to: toNode, toHandle: toHandle, toOffset: toOffset, length: length, flags: flags, caller) }
    public override func ioctl(_ node: UInt64, handle: UInt64, command: UInt32, isDirectory: Bool, input: Bytes, output: MutableBytes, _ caller: Caller) throws(Errno) -> Int { try serveIoctl(node, handle: handle, command: command, isDirectory: isDirectory, input: input, output: output, caller) }
    public override func opendir(_ node: UInt64, flags: Int32) throws(Errno) -> Opened { try serveOpendir(node, flags: flags) }
    public override func readdir(_ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno) { try serveReaddir(node, handle: handle, offset: offset, into: &list) }
    public override func readdirplus(_ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno) { try serveReaddirplus(node, handle: handle, offset: offset, into: &list) }
    public override func releasedir(_ node: UInt64, handle: UInt64) { serveReleasedir(node, handle: handle) }
    public override func fsyncdir(_ node: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) { try serveFsyncdir(node, handle: handle, dataOnly: dataOnly) }
    public override func syncfs(_ node: UInt64) throws(Errno) { try serveSyncfs(node) }

    // ---- from a node to its object ----

    /// The parts of a directory, from the cache or looked up anew down from the nearest ancestor that is there.
    func merged(_ node: UInt32) throws(Errno) -> MergedDirectory {
        if node == InodeTable.root { return stack.root }
        if let cached = directories.find(node) { return cached }
        var left = 8
        while true {
            do throws(Errno) { return try lookedUp(node) } catch {
                // An ancestor was renamed on the way: from the start.
                left -= 1
                guard error == .stale, left > 0 else { throw error }
            }
        }
    }

    private func lookedUp(_ node: UInt32) throws(Errno) -> MergedDirectory {
        // The chain of names up to a directory that is known, then down again: each is held until the next is open, so that this ends even if
        // the cache keeps nothing.
        var chain: [UInt32] = []
        var at = node
        var above: MergedDirectory?
        while above == nil {
            chain.append(at)
            guard let next = table.nameAndParent(at)?.parent else { throw .noEntry }
            at = next
            above = at == InodeTable.root ? stack.root : directories.find(at)
        }
        var parent = at
        guard var current = above else { throw .noEntry }
        while let next = chain.popLast() {
            current = try reopen(next, in: parent, current)
            parent = next
        }
        return current
    }

    private func reopen(_ node: UInt32, in expected: UInt32, _ above: MergedDirectory) throws(Errno) -> MergedDirectory {
        // Shared with the parent's names held: a copy-up of this directory, which replaces what we find, holds them exclusively.
        try locks.shared(expected) { () throws(Errno) in
            guard let (name, parent) = table.nameAndParent(node), parent == expected else { throw .stale }
            let directory = current(parent, above) ?? above
            let found = try name.withRef { (n) throws(Errno) in try stack.lookup(directory, n, in: listings.find(parent)?.find(n)?.layers ?? .all)?.directory }
            guard let found else { throw .stale }
            directories.putIfAbsent(node, found)
            return directories.find(node) ?? found
        }
    }

    /// The parts of a directory as they are now, where `known` was right a moment ago: the cache's, or `known` itself if no copy-up made it
    /// old. Nil: look again. A cache too small for the work makes it slow, never endless.
    private func current(_ node: UInt32, _ known: MergedDirectory) -> MergedDirectory? {
        if node == InodeTable.root { return stack.root }
        if let cached = directories.find(node) { return cached }
        return known.hasUpper == table[node].flags.contains(.upper) ? known : nil
    }

    /// With a directory's names held still, and its parts as they are then. An error with the lock held exclusively may have left more changed than was noted.
    func withDirectory<R>(_ node: UInt32, exclusive: Bool, _ body: (borrowing HeldDirectory) throws(Errno) -> R) throws(Errno) -> R {
        while true {
            let ensured = try merged(node)
            var outcome: R?
            func once() throws(Errno) {
                guard let directory = current(node, ensured) else { return }
                outcome = try body(HeldDirectory(node: node, parts: directory, isExclusive: exclusive))
            }
            if exclusive {
                try locks.exclusive(node) { () throws(Errno) in
                    do throws(Errno) { try once() } catch {
                        listings.remove(node)
                        throw error
                    }
                }
            } else { try locks.shared(node, once) }
            if let outcome { return outcome }
        }
    }

    /// The same for two directories, both exclusively.
    func withDirectories(_ a: UInt32, _ b: UInt32, _ more: (UInt32, UInt32) = (0, 0),
                         _ body: (borrowing HeldDirectory, borrowing HeldDirectory) throws(Errno) -> Void) throws(Errno) {
        var isDone = false
        while !isDone {
            let (one, other) = (try merged(a), try merged(b))
            try locks.exclusive(a, b, more.0, more.1) { () throws(Errno) in
                guard let first = current(a, one), let second = current(b, other) else { return }
                do throws(Errno) {
                    try body(HeldDirectory(node: a, parts: first, isExclusive: true), HeldDirectory(node: b, parts: second, isExclusive: true))
                } catch {
                    listings.remove(a)
                    listings.remove(b)
                    throw error
                }
                isDone = true
            }
        }
    }

    /// The same with an answer, for one directory or two.
    func withDirectories<R>(ifDifferent a: UInt32, _ b: UInt32, _ body: (borrowing HeldDirectory, borrowing HeldDirectory) throws(Errno) -> R) throws(Errno) -> R {
        if a == b { return try withDirectory(a, exclusive: true) { (directory) throws(Errno) in try body(directory, directory) } }
        var answer: R?
        while true {
            try withDirectories(a, b) { (one, other) throws(Errno) in answer = try body(one, other) }
            if let answer { return answer }
        }
    }

    /// Lends the object of a node: a directory of its layer and its name there, or a descriptor and the empty name.
    func withObject<R>(_ node: UInt32, _ body: (FD, NameRef, Int) throws(Errno) -> R) throws(Errno) -> R {
        while true {
            let record = table[node]
            if record.orphan >= 0 { return try body(FD(raw: record.orphan), NameRef.empty, Int(record.layer)) }
            if record.kind == FileKind.directory.rawValue {
                let directory: MergedDirectory
                do throws(Errno) { directory = try merged(node) } catch {
                    // Its name may just have gone, and the descriptor come in its place.
                    if table[node].orphan >= 0 { continue }
                    throw error
                }
                guard let top = directory.parts.first else { throw .stale }
                return try withExtendedLifetime(directory) { () throws(Errno) in try body(top.fd, NameRef.empty, top.layer) }
            }
            if record.flags.contains(.indexed), let index = stack.index {
                var name = NameBuffer()
                guard table.indexName(node, &name) else { throw .stale }
                return try name.withRef { (n) throws(Errno) in try body(index.fd, n, 0) }
            }
            var location = InodeTable.Location()
            guard table.locate(node, &location) else {
                // Its last name may just have gone, and the descriptor come in its place.
                if table[node].orphan >= 0 { continue }
                throw .noEntry
            }
            let found = try withDirectory(location.parent, exclusive: false) { (directory) throws(Errno) -> R? in
                // Moved or copied up since: look again.
                guard table.version(node) == location.version else { return nil }
                guard let part = directory.part(inLayer: location.layer) else { throw .stale }
                return try location.name.withRef { (n) throws(Errno) in try body(part.fd, n, location.layer) }
            }
            if let found { return found }
        }
    }

    // ---- attributes ----

    /// What stat(2) shows: the object's own, but the union's number, link count and owner. Of what a layer has: never twice.
    func shown(_ status: FileStatus, _ node: UInt32) -> FileStatus {
        table.seen(node, status)
        var status = status
        let record = table[node]
        status.ino = record.ino
        if record.flags.contains(.unlinked) {
            status.nlink = 0
        } else if status.isDirectory {
            // 0: what stands in for one that something is mounted over.
            if record.flags.contains(.merged) || status.nlink == 0 { status.nlink = 1 }
        } else if record.indexName != 0 {
            status.nlink = record.unionLinks
        }
        if !owners.isIdentity {
            status.uid = owners.seen(uid: status.uid)
            status.gid = owners.seen(gid: status.gid)
        }
        if record.showsOldVersion { status.size = record.oldSize }
        if stack.options.staticNlink, status.isDirectory, status.nlink > 0 { status.nlink = 1 }
        if record.flags.contains(.metacopy) {
            status.blocks = record.dataBlocks == NodeRecord.unknownBlocks ? (status.size &+ 511) / 512 : record.dataBlocks
        }
        return status
    }
    func attributes(_ node: UInt32) throws(Errno) -> FileStatus { shown(try objectStatus(node), node) }
    /// As its layer has it.
    func objectStatus(_ node: UInt32) throws(Errno) -> FileStatus {
        try withObject(node) { (fd, name, layer) throws(Errno) in try stack.status(fd, name, layer: layer) }
    }
    func entry(_ node: UInt32, _ status: FileStatus) -> Entry {
        Entry(node: table.id(node), generation: UInt64(table.instance), attributes: shown(status, node), attributeSeconds: settledSeconds(knownSeconds(node), node, status), entrySeconds: policy.seconds)
    }

    /// Again, once, for what failed for want of something that we can give back: descriptors of the cache; room on the disk that removed files
    /// still have, as the kernel forgets them a moment after rm(1) has returned.
    func withResources<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        do throws(Errno) { return try body() } catch {
            switch error {
            case .tooManyOpenFiles, .fileTableOverflow:
                // Others take what is given back, too; and what was removed is closed a moment later, when the kernel has forgotten it.
                for _ in 0..<20 {
                    directories.drain()
                    if !table.waitForOrphans(milliseconds: 4) { Clock.sleep(milliseconds: 1) }
                    do throws(Errno) { return try body() } catch {
                        guard error == .tooManyOpenFiles || error == .fileTableOverflow else { throw error }
                    }
                }
                directories.drain()
            case .noSpace, .quotaExceeded:
                if !table.waitForOrphans(milliseconds: 50) { throw error }
            default: throw error
            }
            return try body()
        }
    }
}
