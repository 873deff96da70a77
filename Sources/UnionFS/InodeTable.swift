internal import LinuxSys
internal import MountState
internal import UnionCore

/// The live inodes of a mount and their names. Node ids are an index with a generation that no two nodes have, so that
/// none is ever reused.
///
/// One mutex guards the structure: names, hashes, life and death. It is a leaf: held for some tens of nanoseconds,
/// never over a system call and never with another lock taken inside. Fields of a record that its holder (a request on
/// that node) needs are read without it: the kernel does not forget a node that it asks about.
final class InodeTable: @unchecked Sendable {
    let region: RecordRegion
    let nodes: RecordArray<NodeRecord>
    let dentries: RecordArray<DentryRecord>
    var heap: NameHeap
    let mutex: RecordLock
    /// One record: where the tables end.
    let header: RecordArray<TableHeader>
    var names = HashIndex()
    /// By inode number: InodeTable+Numbers.swift.
    var numbers = HashIndex()
    var freeNodes: [UInt32] = []
    var freeDentries: [UInt32] = []
    var nextNode: UInt32 {
        get { header[0].nextNode }
        set { header[0].nextNode = newValue }
    }
    var nextDentry: UInt32 {
        get { header[0].nextDentry }
        set { header[0].nextDentry = newValue }
    }
    /// InodeTable+Trim.swift: the pages to go on with, and how many nodes were freed since.
    var nodeTrim: UInt32 = 1, dentryTrim: UInt32 = 1, freedSinceTrim = 0
    /// Shown to the command line, kept as it changes so that it is right when nobody serves any more.
    var live = 1 { didSet { statistics?.setGauge(.inodes, live) } }
    let statistics: MountStatistics?
    /// Files whose backing is known to the kernel and that nobody has open.
    var idleBackings = [(node: UInt32, generation: UInt32)](repeating: (0, 0), count: 512)
    var idleHand = 0
    /// Out of the table, and still to be closed.
    var leaving: [Gone] = []
    /// Inodes that a descriptor of ours keeps though their names are gone.
    var orphans = 0
    /// As many as there may be but for what is open (`UnionFileSystem.holdOn`).
    var orphanLimit = Int.max
    /// Called with each node that is gone: its cached directory is dropped.
    var onFree: (@Sendable (UInt32) -> Void)?
    /// Called with the id of a backing that nobody needs any more, no lock held.
    var onUnusedBacking: (@Sendable (UInt32) -> Void)?

    /// File handles can be opened: nodes with a name stay though the kernel has forgotten them
    /// (`InodeTable+Export.swift`).
    let isExported: Bool
    /// From so many on those that were forgotten go after all.
    var mostLive = RecordRegion.nodeCapacity - 65536
    var evictionHand: UInt32 = 2
    var isEvicting = false

    static let root: UInt32 = 1

    init(
        region: RecordRegion, rootIno: UInt64, rootLayer: Int, rootIsUpper: Bool, rootIsMerged: Bool = false,
        isExported: Bool = false, statistics: MountStatistics? = nil
    ) {
        self.isExported = isExported
        self.region = region
        self.statistics = statistics
        statistics?.setGauge(.inodes, 1)
        nodes = region.nodes
        dentries = region.dentries
        heap = region.heap
        header = region.tableHeader
        mutex = RecordLock(region.tableJournal)
        if region.isUsed { return }
        var record = NodeRecord()
        record.ino = rootIno
        record.lookups = 1
        record.layer = UInt16(truncatingIfNeeded: rootLayer)
        record.kind = FileKind.directory.rawValue
        record.flags = rootIsUpper ? [.inUse, .upper, .told] : [.inUse, .told]
        if rootIsMerged { record.flags.insert(.merged) }
        mutex.locked {
            nodes[Self.root] = record
            header[0] = TableHeader(
                nextNode: 2, nextDentry: 1, instance: isExported ? UInt32.random(in: 1...UInt32.max) : 0)
        }
    }

    var count: Int { mutex.locked { live } }

    // ---- node ids ----

    /// FUSE's root is 1, which is index 1 with generation 0.
    func id(_ node: UInt32) -> UInt64 { UInt64(nodes[node].generation) << 32 | UInt64(node) }

    /// ESTALE for an id that is no live node's.
    @inline(__always)
    func node(_ id: UInt64) throws(Errno) -> UInt32 {
        let index = UInt32(truncatingIfNeeded: id)
        let record = nodes[index]
        guard index != 0, index < nodes.capacity, record.generation == UInt32(truncatingIfNeeded: id >> 32),
            record.flags.contains(.inUse)
        else {
            throw .stale
        }
        return index
    }
    @inline(__always)
    subscript(node: UInt32) -> NodeRecord { nodes[node] }

    // ---- names ----

    func find(_ parent: UInt32, _ name: NameRef) -> UInt32 {
        let hash = name.hash(seed: UInt64(parent))
        var at = names[names.slot(hash)]
        while at != 0 {
            let d = dentries[at]
            if d.parent == parent, d.hash == UInt32(truncatingIfNeeded: hash), Int(d.nameLength) == name.count,
                heap.name(d.name, length: Int(d.nameLength)).equals(name)
            {
                return at
            }
            at = d.nextInHash
        }
        return 0
    }

    /// The node of a name that is known; nil says nothing about the layers.
    func openUpperNodes() -> [UInt32] {
        mutex.locked {
            guard nextNode > 2 else { return [] }
            return (1..<nextNode).filter { node in
                let record = nodes[node]
                return record.flags.isSuperset(of: [.inUse, .upper])
                    && (record.cachedOpens > 0 || record.passthroughOpens > 0)
            }
        }
    }
    func child(_ parent: UInt32, _ name: NameRef) -> UInt32? {
        mutex.locked {
            let d = find(parent, name)
            return d == 0 ? nil : dentries[d].node
        }
    }
    /// The same with one lookup counted, in one step: it cannot be forgotten in between.
    func childCounted(_ parent: UInt32, _ name: NameRef) -> UInt32? {
        mutex.locked {
            let d = find(parent, name)
            if d == 0 { return nil }
            let node = dentries[d].node
            nodes[node].lookups += 1
            Inflight.counted(node, mutex.journal)
            return node
        }
    }
    /// Does the upper layer have this very name of an indexed file?
    func nameIsInUpper(_ parent: UInt32, _ name: NameRef) -> Bool {
        mutex.locked {
            let d = find(parent, name)
            return d != 0 && dentries[d].flags & DentryRecord.inUpper != 0
        }
    }

    /// - Precondition: the mutex is held, and the name is not there.
    func addNameLocked(_ node: UInt32, _ parent: UInt32, _ name: NameRef, inUpper: Bool) throws(Errno) {
        let index: UInt32
        if let free = freeDentries.popLast() {
            index = free
        } else {
            guard nextDentry < dentries.capacity else { throw .noMemory }
            index = nextDentry
            nextDentry += 1
        }
        let block = heap.add(name)
        guard block != 0 else {
            freeDentries.append(index)
            throw .noMemory
        }
        if names.isFull { growNamesLocked() }
        let hash = name.hash(seed: UInt64(parent))
        let slot = names.slot(hash)
        var d = DentryRecord()
        d.parent = parent
        d.node = node
        d.name = block
        d.nameLength = UInt16(truncatingIfNeeded: name.count)
        d.hash = UInt32(truncatingIfNeeded: hash)
        d.flags = inUpper ? DentryRecord.inUpper : 0
        d.nextInHash = names[slot]
        d.nextName = nodes[node].firstName
        dentries[index] = d
        names[slot] = index
        names.added()
        nodes[node].firstName = index
        nodes[node].version &+= 1
        nodes[parent].children &+= 1
    }

    private func growNamesLocked() {
        // The chains use only the low half of the hash that stands in the record: enough for 4 billion slots.
        for head in names.doubled() {
            var at = head
            while at != 0 {
                let next = dentries[at].nextInHash
                let slot = names.slot(UInt64(dentries[at].hash))
                dentries[unsaved: at].nextInHash = names[slot]
                names[slot] = at
                at = next
            }
        }
    }

    /// - Precondition: the mutex is held.
    func removeNameLocked(_ index: UInt32) {
        let d = dentries[index]
        guard d.node != 0 else { return }
        let slot = names.slot(UInt64(d.hash))
        if names[slot] == index {
            names[slot] = d.nextInHash
        } else {
            var at = names[slot]
            while at != 0 {
                if dentries[at].nextInHash == index {
                    dentries[at].nextInHash = d.nextInHash
                    break
                }
                at = dentries[at].nextInHash
            }
        }
        names.removed()
        if nodes[d.node].firstName == index {
            nodes[d.node].firstName = d.nextName
        } else {
            var at = nodes[d.node].firstName
            while at != 0 {
                if dentries[at].nextName == index {
                    dentries[at].nextName = d.nextName
                    break
                }
                at = dentries[at].nextName
            }
        }
        nodes[d.node].version &+= 1
        heap.remove(d.name, length: Int(d.nameLength))
        dentries[index] = DentryRecord()
        freeDentries.append(index)
        nodes[d.parent].children &-= 1
        freeIfUnusedLocked(d.parent)
    }

    // ---- life ----

    /// The node that a lookup found: the known one of that name or, for files with several names, of that inode number;
    /// else a new one. One more lookup is counted.
    func enter(
        _ parent: UInt32, _ name: NameRef, _ found: Found, isIdentifiedByNumber: Bool,
        mayHaveOtherNames: Bool
    ) throws(Errno) -> UInt32 {
        try changing { () throws(Errno) in
            let known = find(parent, name)
            if known != 0 {
                let node = dentries[known].node
                nodes[node].lookups += 1
                Inflight.counted(node, mutex.journal)
                return node
            }
            let inUpper = found.isInUpper && !found.isShownFromIndex
            var node: UInt32 = 0
            if isIdentifiedByNumber { node = withNumberLocked(found.ino, kind: found.status.kind) }
            if node == 0 {
                node = try makeLocked(found, isIdentifiedByNumber: isIdentifiedByNumber && mayHaveOtherNames)
            }
            do throws(Errno) { try addNameLocked(node, parent, name, inUpper: inUpper) } catch {
                freeIfUnusedLocked(node)
                throw error
            }
            nodes[node].lookups += 1
            Inflight.counted(node, mutex.journal)
            return node
        }
    }
    /// Something new in the upper layer; without a name for O_TMPFILE, whose descriptor is then the table's to close.
    func enterNew(
        _ parent: UInt32, _ name: NameRef?, kind: FileKind, ino: UInt64, orphan: FD = .none
    ) throws(Errno) -> UInt32 {
        try changing { () throws(Errno) in
            if let name {
                // Under a name that is made, nothing can be known but what a crash of ours forgot to remove.
                let stale = find(parent, name)
                if stale != 0 { removeForgottenNameLocked(stale) }
            }
            let node = try takeLocked()
            var record = NodeRecord()
            record.generation = takeGenerationLocked()
            record.ino = ino
            record.kind = kind.rawValue
            record.flags = [.inUse, .upper]
            if kind == .directory { record.flags.insert(.told) }
            record.orphan = orphan.raw
            if orphan.isValid { orphans += 1 }
            nodes[node] = record
            live += 1
            if let name {
                do throws(Errno) { try addNameLocked(node, parent, name, inUpper: true) } catch {
                    freeIfUnusedLocked(node)
                    throw error
                }
            }
            nodes[node].lookups = 1
            Inflight.counted(node, mutex.journal)
            return node
        }
    }

    /// One for each node that is made: the record of a free index may be gone. 0 is the root's; after 4 billion nodes
    /// they come again.
    private func takeGenerationLocked() -> UInt32 {
        let last = header[0].lastGeneration
        header[0].lastGeneration = last == UInt32.max ? 1 : last + 1
        return header[0].lastGeneration
    }

    private func takeLocked() throws(Errno) -> UInt32 {
        if isExported, live >= mostLive { evictLocked() }
        if let free = freeNodes.popLast() { return free }
        guard nextNode < nodes.capacity else { throw .noMemory }
        nextNode += 1
        return nextNode - 1
    }

    private func makeLocked(_ found: Found, isIdentifiedByNumber: Bool) throws(Errno) -> UInt32 {
        let node = try takeLocked()
        var record = NodeRecord()
        record.generation = takeGenerationLocked()
        record.ino = found.ino
        record.kind = found.status.kind.rawValue
        record.layer = UInt16(truncatingIfNeeded: found.layer)
        record.flags = .inUse
        if found.status.isDirectory { record.flags.insert(.told) }
        if found.isInUpper { record.flags.insert(.upper) }
        if found.isMerged { record.flags.insert(.merged) }
        if found.status.isRegular, !found.isInUpper || found.isMetacopy, found.status.isWorthPassthrough {
            record.flags.insert(.large)
        }
        if found.status.size == 0 || found.status.size > UInt64(ContentPush.limit) { record.flags.insert(.notPushed) }
        if found.isDataUnseen { record.flags.insert(.dataUnseen) }
        if found.isMetacopy {
            record.flags.insert(.metacopy)
            record.dataBlocks = found.dataBlocks ?? NodeRecord.unknownBlocks
        }
        if let name = found.indexName {
            let block = name.withRef { heap.add($0) }
            if block == 0 {
                freeNodes.append(node)
                throw .noMemory
            }
            record.indexName = block
            record.indexNameLength = UInt8(truncatingIfNeeded: name.count)
            record.unionLinks = found.nlink
            record.lowerLinks = found.lowerLinks
            if found.isIndexed { record.flags.insert(.indexed) }
        }
        nodes[node] = record
        live += 1
        if isIdentifiedByNumber { addNumberLocked(node) }
        return node
    }
}

extension FileStatus {
    /// From 128 KiB on, and programs from a page on: what is gained by each reader of a smaller one is less than what
    /// its readers lose who want to see a later copy-up (docs/performance.md).
    fileprivate var isWorthPassthrough: Bool { size >= 128 << 10 || mode & 0o111 != 0 && size >= 4096 }
}
