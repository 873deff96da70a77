internal import LinuxSys
internal import UnionCore

/// The live inodes of a mount and their names. Node ids are an index with the index's generation, never reused.
///
/// One mutex guards the structure: names, hashes, life and death. It is a leaf: held for some tens of nanoseconds, never over a
/// system call (but the close of a forgotten orphan) and never with another lock taken inside. Fields of a record that its holder
/// (a request on that node) needs are read without it: the kernel does not forget a node that it asks about.
final class InodeTable: @unchecked Sendable {
    private let region: RecordRegion
    private let nodes: RecordArray<NodeRecord>
    private let dentries: RecordArray<DentryRecord>
    private var heap: NameHeap
    private let mutex = Mutex()
    private var names = HashIndex()
    private var numbers = HashIndex()
    private var freeNodes: [UInt32] = []
    private var freeDentries: [UInt32] = []
    private var nextNode: UInt32 = 2
    private var nextDentry: UInt32 = 1
    private var live = 1

    static let root: UInt32 = 1

    init(region: RecordRegion, rootIno: UInt64, rootLayer: Int, rootIsUpper: Bool) {
        self.region = region
        nodes = region.nodes
        dentries = region.dentries
        heap = region.heap
        var record = NodeRecord()
        record.ino = rootIno
        record.lookups = 1
        record.layer = UInt16(truncatingIfNeeded: rootLayer)
        record.kind = FileKind.directory.rawValue
        record.flags = rootIsUpper ? [.inUse, .upper] : [.inUse]
        nodes[Self.root] = record
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
        guard index != 0, index < nodes.capacity, record.generation == UInt32(truncatingIfNeeded: id >> 32), record.flags.contains(.inUse) else {
            throw .stale
        }
        return index
    }
    @inline(__always)
    subscript(node: UInt32) -> NodeRecord { nodes[node] }

    // ---- names ----

    private func find(_ parent: UInt32, _ name: NameRef) -> UInt32 {
        let hash = name.hash(seed: UInt64(parent))
        var at = names[names.slot(hash)]
        while at != 0 {
            let d = dentries[at]
            if d.parent == parent, d.hash == UInt32(truncatingIfNeeded: hash), Int(d.nameLength) == name.count,
               heap.name(d.name, length: Int(d.nameLength)).equals(name) { return at }
            at = d.nextInHash
        }
        return 0
    }

    /// The node of a name that is known; nil says nothing about the layers.
    func child(_ parent: UInt32, _ name: NameRef) -> UInt32? {
        mutex.locked {
            let d = find(parent, name)
            return d == 0 ? nil : dentries[d].node
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
    private func addNameLocked(_ node: UInt32, _ parent: UInt32, _ name: NameRef, inUpper: Bool) throws(Errno) {
        let index: UInt32
        if let free = freeDentries.popLast() { index = free } else {
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
        nodes[parent].children += 1
    }

    private func growNamesLocked() {
        // The chains use only the low half of the hash that stands in the record: enough for 4 billion slots.
        for head in names.doubled() {
            var at = head
            while at != 0 {
                let next = dentries[at].nextInHash
                let slot = names.slot(UInt64(dentries[at].hash))
                dentries[at].nextInHash = names[slot]
                names[slot] = at
                at = next
            }
        }
    }

    /// - Precondition: the mutex is held.
    private func removeNameLocked(_ index: UInt32) {
        let d = dentries[index]
        guard d.node != 0 else { return }
        let slot = names.slot(UInt64(d.hash))
        if names[slot] == index { names[slot] = d.nextInHash } else {
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
        if nodes[d.node].firstName == index { nodes[d.node].firstName = d.nextName } else {
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
        nodes[d.parent].children -= 1
        freeIfUnusedLocked(d.parent)
    }

    // ---- life ----

    /// The node that a lookup found: the known one of that name or, for files with several names, of that inode number; else a new
    /// one. One more lookup is counted.
    func enter(_ parent: UInt32, _ name: NameRef, _ found: Found, isIdentifiedByNumber: Bool,
               mayHaveOtherNames: Bool) throws(Errno) -> UInt32 {
        try mutex.locked { () throws(Errno) in
            let known = find(parent, name)
            if known != 0 {
                let node = dentries[known].node
                nodes[node].lookups += 1
                return node
            }
            let inUpper = found.isInUpper && !found.isShownFromIndex
            var node: UInt32 = 0
            if isIdentifiedByNumber { node = withNumberLocked(found.ino, kind: found.status.kind) }
            if node == 0 { node = try makeLocked(found, isIdentifiedByNumber: isIdentifiedByNumber && mayHaveOtherNames) }
            do throws(Errno) { try addNameLocked(node, parent, name, inUpper: inUpper) } catch {
                freeIfUnusedLocked(node)
                throw error
            }
            nodes[node].lookups += 1
            return node
        }
    }
    /// Something new in the upper layer; without a name for O_TMPFILE, whose descriptor is then the table's to close.
    func enterNew(_ parent: UInt32, _ name: NameRef?, kind: FileKind, ino: UInt64, orphan: FD = .none) throws(Errno) -> UInt32 {
        try mutex.locked { () throws(Errno) in
            if let name {
                // Under a name that is made, nothing can be known but what a crash of ours forgot to remove.
                let stale = find(parent, name)
                if stale != 0 { removeNameLocked(stale) }
            }
            let node = try takeLocked()
            var record = NodeRecord()
            record.generation = nodes[node].generation
            record.ino = ino
            record.kind = kind.rawValue
            record.flags = [.inUse, .upper]
            record.orphan = orphan.raw
            nodes[node] = record
            live += 1
            if let name {
                do throws(Errno) { try addNameLocked(node, parent, name, inUpper: true) } catch {
                    freeIfUnusedLocked(node)
                    throw error
                }
            }
            nodes[node].lookups = 1
            return node
        }
    }

    private func takeLocked() throws(Errno) -> UInt32 {
        if let free = freeNodes.popLast() { return free }
        guard nextNode < nodes.capacity else { throw .noMemory }
        nextNode += 1
        return nextNode - 1
    }

    private func makeLocked(_ found: Found, isIdentifiedByNumber: Bool) throws(Errno) -> UInt32 {
        let node = try takeLocked()
        var record = NodeRecord()
        record.generation = nodes[node].generation
        record.ino = found.ino
        record.kind = found.status.kind.rawValue
        record.layer = UInt16(truncatingIfNeeded: found.layer)
        record.flags = .inUse
        if found.isInUpper { record.flags.insert(.upper) }
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
            if found.isInUpper { record.flags.insert(.indexed) }
        }
        nodes[node] = record
        live += 1
        if isIdentifiedByNumber { addNumberLocked(node) }
        return node
    }

    /// The kernel forgot `count` lookups.
    func forget(_ node: UInt32, _ count: UInt64) {
        mutex.locked {
            nodes[node].lookups -= min(count, nodes[node].lookups)
            freeIfUnusedLocked(node)
        }
    }

    /// Called with each node that is gone, under the mutex: its cached directory is dropped.
    var onFree: (@Sendable (UInt32) -> Void)?

    private func freeIfUnusedLocked(_ first: UInt32) {
        var node = first
        // Up through the parents that only their children kept.
        while node != 0, node != Self.root {
            let record = nodes[node]
            guard record.flags.contains(.inUse), record.lookups == 0, record.children == 0 else { return }
            // First out of use, so that losing its names does not come back here for itself.
            nodes[node].flags.remove(.inUse)
            if record.flags.contains(.hashed) { removeNumberLocked(node) }
            var parent: UInt32 = 0
            while nodes[node].firstName != 0 {
                let above = dentries[nodes[node].firstName].parent
                detachNameLocked(nodes[node].firstName)
                // Several names may stand in several directories: all but the last are looked after here.
                if parent != 0, parent != above { freeIfUnusedLocked(parent) }
                parent = above
            }
            if record.orphan >= 0 { FD(raw: record.orphan).close() }
            if record.indexName != 0 { heap.remove(record.indexName, length: Int(record.indexNameLength)) }
            onFree?(node)
            var empty = NodeRecord()
            empty.generation = record.generation &+ 1
            nodes[node] = empty
            freeNodes.append(node)
            live -= 1
            node = parent
        }
    }
    /// Removes a name without looking after its parent, which the caller does.
    private func detachNameLocked(_ index: UInt32) {
        let parent = dentries[index].parent
        nodes[parent].children += 1
        removeNameLocked(index)
        nodes[parent].children -= 1
    }

    // ---- inode numbers, for files with several names ----

    private func withNumberLocked(_ ino: UInt64, kind: FileKind) -> UInt32 {
        var at = numbers[numbers.slot(Self.mixed(ino))]
        while at != 0 {
            if nodes[at].ino == ino, nodes[at].kind == kind.rawValue { return at }
            at = nodes[at].nextInHash
        }
        return 0
    }
    private func addNumberLocked(_ node: UInt32) {
        if numbers.isFull {
            for head in numbers.doubled() {
                var at = head
                while at != 0 {
                    let next = nodes[at].nextInHash
                    let slot = numbers.slot(Self.mixed(nodes[at].ino))
                    nodes[at].nextInHash = numbers[slot]
                    numbers[slot] = at
                    at = next
                }
            }
        }
        let slot = numbers.slot(Self.mixed(nodes[node].ino))
        nodes[node].nextInHash = numbers[slot]
        nodes[node].flags.insert(.hashed)
        numbers[slot] = node
        numbers.added()
    }
    private func removeNumberLocked(_ node: UInt32) {
        let slot = numbers.slot(Self.mixed(nodes[node].ino))
        if numbers[slot] == node { numbers[slot] = nodes[node].nextInHash } else {
            var at = numbers[slot]
            while at != 0 {
                if nodes[at].nextInHash == node {
                    nodes[at].nextInHash = nodes[node].nextInHash
                    break
                }
                at = nodes[at].nextInHash
            }
        }
        nodes[node].flags.remove(.hashed)
        numbers.removed()
    }
    private static func mixed(_ ino: UInt64) -> UInt64 {
        let h = ino &* 0x9e37_79b9_7f4a_7c15
        return h ^ h >> 32
    }

    // ---- changes that an operation made on disk ----

    /// Where a name's object is, with the version that says whether it still is.
    struct Location {
        var parent: UInt32 = 0
        var name = NameBuffer()
        var layer = 0
        var version: UInt32 = 0
        var isUpper = false
    }
    /// One of the names of a node; nil where none is known. For a file in the index any that the upper layer has comes first.
    func locate(_ node: UInt32, _ location: inout Location) -> Bool {
        mutex.locked {
            let record = nodes[node]
            guard record.firstName != 0 else { return false }
            let d = dentries[record.firstName]
            location.parent = d.parent
            location.name.set(heap.name(d.name, length: Int(d.nameLength)))
            location.layer = Int(record.layer)
            location.version = record.version
            location.isUpper = record.flags.contains(.upper)
            return true
        }
    }
    func indexName(_ node: UInt32, _ name: inout NameBuffer) -> Bool {
        mutex.locked {
            let record = nodes[node]
            guard record.indexName != 0 else { return false }
            name.set(heap.name(record.indexName, length: Int(record.indexNameLength)))
            return true
        }
    }
    func ownedIndexName(_ node: UInt32) -> FileName? {
        mutex.locked {
            let record = nodes[node]
            return record.indexName == 0 ? nil : heap.name(record.indexName, length: Int(record.indexNameLength)).owned
        }
    }
    /// Own name and parent, for the way up to the root.
    func nameAndParent(_ node: UInt32) -> (name: FileName, parent: UInt32)? {
        mutex.locked {
            let record = nodes[node]
            guard record.firstName != 0 else { return nil }
            let d = dentries[record.firstName]
            return (heap.name(d.name, length: Int(d.nameLength)).owned, d.parent)
        }
    }
    func version(_ node: UInt32) -> UInt32 { nodes[node].version }

    func copiedUp(_ node: UInt32, _ parent: UInt32, _ name: NameRef, indexed: Bool) {
        mutex.locked {
            nodes[node].layer = 0
            nodes[node].flags.insert(.upper)
            if indexed { nodes[node].flags.insert(.indexed) }
            nodes[node].version &+= 1
            let d = find(parent, name)
            if d != 0 { dentries[d].flags |= DentryRecord.inUpper }
        }
    }
    /// An inode without names was copied up: `fd` stands for the copy from now on.
    func orphanCopiedUp(_ node: UInt32, _ fd: FD) {
        let old = mutex.locked {
            let old = nodes[node].orphan
            nodes[node].orphan = fd.raw
            nodes[node].layer = 0
            nodes[node].flags.insert(.upper)
            nodes[node].version &+= 1
            return old
        }
        _ = old // Kept open: a request may be using its number. A lower file that is unlinked, open and then changed is rare.
    }
    func noteNameInUpper(_ parent: UInt32, _ name: NameRef) {
        mutex.locked {
            let d = find(parent, name)
            if d != 0 { dentries[d].flags |= DentryRecord.inUpper }
        }
    }

    /// A name was removed on disk. `orphan` stands for the inode if this was the last name known; else, or where nobody knows the
    /// node, it is closed. `isGone`: no name is left at all.
    func removed(_ parent: UInt32, _ name: NameRef, orphan: consuming OwnedFD, isGone: Bool) {
        let fd = orphan.release()
        let leftOver = mutex.locked { () -> FD in
            let d = find(parent, name)
            guard d != 0 else { return fd }
            let node = dentries[d].node
            if nodes[node].unionLinks > 0 { nodes[node].unionLinks -= 1 }
            removeNameLocked(d)
            if isGone { nodes[node].flags.insert(.unlinked) }
            guard nodes[node].firstName == 0, nodes[node].lookups > 0, nodes[node].orphan < 0 else { return fd }
            nodes[node].orphan = fd.raw
            nodes[node].version &+= 1
            return FD.none
        }
        leftOver.close()
    }

    /// A name moved on disk; what stood at the new one was removed before (`removed`).
    func renamed(_ parent: UInt32, _ name: NameRef, _ newParent: UInt32, _ newName: NameRef) throws(Errno) {
        try mutex.locked { () throws(Errno) in
            let d = find(parent, name)
            guard d != 0 else { return }
            let node = dentries[d].node
            let stale = find(newParent, newName)
            if stale != 0 { removeNameLocked(stale) }
            nodes[node].lookups += 1
            defer { nodes[node].lookups -= 1 }
            removeNameLocked(d)
            try addNameLocked(node, newParent, newName, inUpper: true)
        }
    }
    func exchanged(_ parent: UInt32, _ name: NameRef, _ newParent: UInt32, _ newName: NameRef) {
        mutex.locked {
            let a = find(parent, name)
            let b = find(newParent, newName)
            guard a != 0, b != 0 else {
                if a != 0 { removeNameLocked(a) }
                if b != 0 { removeNameLocked(b) }
                return
            }
            let one = dentries[a].node
            let other = dentries[b].node
            guard one != other else { return }
            nodes[one].lookups += 1
            nodes[other].lookups += 1
            nodes[parent].lookups += 1
            nodes[newParent].lookups += 1
            removeNameLocked(a)
            removeNameLocked(b)
            // Two blocks were freed just now: these cannot fail.
            do throws(Errno) {
                try addNameLocked(one, newParent, newName, inUpper: true)
                try addNameLocked(other, parent, name, inUpper: true)
            } catch { }
            nodes[one].lookups -= 1
            nodes[other].lookups -= 1
            nodes[parent].lookups -= 1
            nodes[newParent].lookups -= 1
        }
    }
    /// One more name was made on disk, and one more lookup is counted.
    func linked(_ node: UInt32, _ parent: UInt32, _ name: NameRef) throws(Errno) {
        try mutex.locked { () throws(Errno) in
            let stale = find(parent, name)
            if stale != 0 { removeNameLocked(stale) }
            try addNameLocked(node, parent, name, inUpper: true)
            nodes[node].lookups += 1
            nodes[node].flags.remove(.unlinked)
            if nodes[node].unionLinks > 0 { nodes[node].unionLinks += 1 }
            if !nodes[node].flags.contains(.hashed) { addNumberLocked(node) }
        }
    }
    func noteLostCapabilities(_ node: UInt32) { mutex.locked { _ = nodes[node].flags.insert(.lostCapabilities) } }
    /// Whether they were, since this was last asked.
    func takeLostCapabilities(_ node: UInt32) -> Bool {
        guard nodes[node].flags.contains(.lostCapabilities) else { return false }
        return mutex.locked { nodes[node].flags.remove(.lostCapabilities) != nil }
    }
    /// One more lookup of a node that is known, for a reply that names it.
    func count(_ node: UInt32) { mutex.locked { nodes[node].lookups += 1 } }
}
