internal import LinuxSys
internal import UnionCore

/// What operations tell the table after they changed the disk, and where a node's object is found.
extension InodeTable {
    /// Where a name's object is, with the version that says whether it still is.
    struct Location {
        var parent: UInt32 = 0
        var name = NameBuffer()
        var layer = 0
        var version: UInt32 = 0
        var isUpper = false
    }
    /// One of the names of a node; nil where none is known. For a file in the index any that the upper layer has comes
    /// first.
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

    /// `dataBlocks`: the copy is a metacopy, whose data take as much room. `hasName`: the upper layer has this very
    /// name. `number`: what it is shown by from here on, where that is another.
    func copiedUp(
        _ node: UInt32, _ parent: UInt32, _ name: NameRef, indexed: Bool, dataBlocks: UInt64?, size: UInt64,
        hasName: Bool = true, number: UInt64? = nil
    ) {
        mutex.locked {
            nodes[node].layer = 0
            if let number { changeNumberLocked(node, number) }
            nodes[node].flags.insert([.upper, .nameNotDurable])
            nodes[node].oldSize = size
            if nodes[node].kind == FileKind.directory.rawValue { nodes[node].flags.insert(.merged) }
            if let dataBlocks {
                // A lower metacopy knows it already.
                if nodes[node].flags.insert(.metacopy).inserted { nodes[node].dataBlocks = dataBlocks }
            } else {
                nodes[node].flags.remove(.metacopy)
            }
            if indexed { nodes[node].flags.insert(.indexed) }
            nodes[node].version &+= 1
            let d = find(parent, name)
            if d != 0, hasName { dentries[d].flags |= DentryRecord.inUpper }
            Inflight.copied(mutex.journal)
        }
    }
    /// `isElsewhere`: it is a metacopy, whose data take so many blocks.
    func dataSeen(_ node: UInt32, isElsewhere: Bool = false, blocks: UInt64? = nil) {
        mutex.locked {
            guard nodes[node].flags.contains(.dataUnseen) else { return }
            nodes[node].flags.remove(.dataUnseen)
            guard isElsewhere else { return }
            nodes[node].flags.insert(.metacopy)
            nodes[node].dataBlocks = blocks ?? NodeRecord.unknownBlocks
        }
    }
    func noteVerified(_ node: UInt32) { mutex.locked { _ = nodes[node].flags.insert(.dataVerified) } }
    /// A metacopy has its data now. A descriptor of the lower ones stays open until the node goes: a request may be
    /// using its number.
    func dataCopiedUp(_ node: UInt32) { mutex.locked { _ = nodes[node].flags.remove(.metacopy) } }

    /// An inode without names was copied up: `fd` stands for the copy from now on.
    func orphanCopiedUp(_ node: UInt32, _ fd: FD, number: UInt64? = nil) {
        let old = mutex.locked {
            if let number { changeNumberLocked(node, number) }
            let old = nodes[node].orphan
            nodes[node].orphan = fd.raw
            nodes[node].layer = 0
            nodes[node].flags.insert(.upper)
            nodes[node].flags.remove(.metacopy)
            nodes[node].version &+= 1
            return old
        }
        // Kept open: a request may be using its number. A lower file that is unlinked, open and then changed is rare.
        _ = old
    }
    /// A file that no index keeps together with others: its only name.
    func isLower(_ parent: UInt32, _ name: NameRef) -> Bool {
        mutex.locked {
            let d = find(parent, name)
            return d != 0 && !nodes[dentries[d].node].flags.contains(.upper)
        }
    }
    func noteNameInUpper(_ parent: UInt32, _ name: NameRef) {
        mutex.locked {
            let d = find(parent, name)
            if d != 0 { dentries[d].flags |= DentryRecord.inUpper }
        }
    }

    /// A name was removed on disk. `orphan` stands for the inode if this was the last name known; else, or where nobody
    /// knows the node, it is closed. `data`: of a metacopy the file with its data, likewise. `isGone`: no name is left
    /// at all.
    func removed(
        _ parent: UInt32, _ name: NameRef, orphan: consuming OwnedFD, data: consuming OwnedFD, isGone: Bool,
        isAll: Bool = true
    ) {
        let fd = orphan.release()
        let dataFD = data.release()
        var unused: UInt32 = 0
        let (leftOver, dataLeftOver) = changing { () -> (FD, FD) in
            if isAll { Inflight.done(mutex.journal) }
            let d = find(parent, name)
            guard d != 0 else { return (fd, dataFD) }
            let node = dentries[d].node
            if nodes[node].unionLinks > 0 { nodes[node].unionLinks -= 1 }
            removeNameLocked(d)
            if isGone {
                nodes[node].flags.insert(.unlinked)
                unused = takeIdleBackingLocked(node)
            }
            guard nodes[node].firstName == 0, nodes[node].lookups > 0, nodes[node].orphan < 0, fd.isValid else {
                freeIfUnusedLocked(node)
                return (fd, dataFD)
            }
            nodes[node].orphan = fd.raw
            nodes[node].dataFD = dataFD.raw
            orphans += 1
            nodes[node].version &+= 1
            return (FD.none, FD.none)
        }
        leftOver.close()
        dataLeftOver.close()
        if unused != 0 { onUnusedBacking?(unused) }
    }

    /// A name moved on disk; what stood at the new one was removed before (`removed`).
    func renamed(_ parent: UInt32, _ name: NameRef, _ newParent: UInt32, _ newName: NameRef) throws(Errno) {
        try changing { () throws(Errno) in
            Inflight.done(mutex.journal)
            let d = find(parent, name)
            guard d != 0 else { return }
            let node = dentries[d].node
            let stale = find(newParent, newName)
            if stale != 0 { removeForgottenNameLocked(stale) }
            nodes[node].lookups += 1
            defer { nodes[node].lookups -= 1 }
            removeNameLocked(d)
            try addNameLocked(node, newParent, newName, inUpper: true)
        }
    }
    func exchanged(_ parent: UInt32, _ name: NameRef, _ newParent: UInt32, _ newName: NameRef) {
        changing {
            Inflight.done(mutex.journal)
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
            } catch {}
            nodes[one].lookups -= 1
            nodes[other].lookups -= 1
            nodes[parent].lookups -= 1
            nodes[newParent].lookups -= 1
        }
    }
    /// One more name was made on disk, and one more lookup is counted.
    func linked(_ node: UInt32, _ parent: UInt32, _ name: NameRef) throws(Errno) {
        try changing { () throws(Errno) in
            let stale = find(parent, name)
            // By a worker that died before it could say so.
            let isCounted = stale != 0 && dentries[stale].node == node
            nodes[node].lookups += 1
            Inflight.counted(node, mutex.journal)
            if stale != 0 { removeForgottenNameLocked(stale) }
            try addNameLocked(node, parent, name, inUpper: true)
            nodes[node].flags.remove(.unlinked)
            if nodes[node].unionLinks > 0, !isCounted { nodes[node].unionLinks += 1 }
            if !nodes[node].flags.contains(.hashed) { addNumberLocked(node) }
        }
    }
    /// Before the reply to what changes its names: an opening that comes after that finds it.
    @inline(__always)
    func noteNamesChanged(_ directory: UInt32) {
        if nodes[directory].flags.contains(.namesChanged) { return }
        mutex.locked { _ = nodes[directory].flags.insert(.namesChanged) }
    }
    /// What a look at the object says of how it may be opened.
    @inline(__always)
    func seen(_ node: UInt32, _ status: FileStatus) {
        if nodes[node].flags.contains(.protected) == status.isProtected { return }
        mutex.locked {
            if status.isProtected { nodes[node].flags.insert(.protected) } else { nodes[node].flags.remove(.protected) }
        }
    }
    func noteLostCapabilities(_ node: UInt32) { mutex.locked { _ = nodes[node].flags.insert(.lostCapabilities) } }
    /// Whether they were, since this was last asked.
    func takeLostCapabilities(_ node: UInt32) -> Bool {
        guard nodes[node].flags.contains(.lostCapabilities) else { return false }
        return mutex.locked { nodes[node].flags.remove(.lostCapabilities) != nil }
    }
    func noteNameDurable(_ node: UInt32) { mutex.locked { _ = nodes[node].flags.remove(.nameNotDurable) } }
}
