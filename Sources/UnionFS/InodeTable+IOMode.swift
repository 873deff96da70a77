internal import LinuxSys
internal import MountState

/// How an inode's open files get at its data. The kernel keeps one way for all of them (fs/fuse/iomode.c): an open in
/// passthrough while others are cached, or with another backing than theirs, fails with EIO. So an open joins what is
/// in force, or decides when nothing is.
///
/// The counts here are never lower than the kernel's: an open is counted before its reply, and its RELEASE comes after
/// the kernel has let go.
extension InodeTable {
    enum Joined {
        /// Through us. `isFirst`: nobody else has it open.
        case cached(isFirst: Bool)
        /// In the layer itself, by this id.
        case passthrough(UInt32)
        /// Nothing is in force: open the file and `bind` it, or `joinCached`.
        case undecided
        /// Others have the lower file in passthrough, and this open may write: the file must become another node
        /// (`supersede`).
        case mustSupersede
    }

    /// - Parameter writes: the open may write, or has cut the file. The node's data are in the upper layer then.
    func join(_ node: UInt32, writes: Bool) -> Joined {
        var unused: UInt32 = 0
        let joined: Joined = mutex.locked {
            let record = nodes[node]
            if record.passthroughOpens > 0 {
                if writes, record.flags.contains(.lowerBacking) { return .mustSupersede }
                return joinedPassthroughLocked(node, writes)
            }
            if record.cachedOpens > 0 {
                nodes[node].cachedOpens += 1
                return .cached(isFirst: false)
            }
            guard record.backing != 0 else { return .undecided }
            if record.flags.contains(.lowerBacking), record.hasUpperData {
                unused = takeBackingLocked(node)
                return .undecided
            }
            return joinedPassthroughLocked(node, writes)
        }
        if unused != 0 { onUnusedBacking?(unused) }
        return joined
    }

    private func joinedPassthroughLocked(_ node: UInt32, _ writes: Bool) -> Joined {
        nodes[node].passthroughOpens += 1
        if nodes[node].flags.contains(.superseded) { statistics?.addGauge(.staleReaders, 1) }
        if writes { nodes[node].flags.insert(.writtenPast) }
        return .passthrough(nodes[node].backing)
    }

    /// Somebody reads the lower file in passthrough: a change of its data makes it another node.
    func isLowerPassedThrough(_ node: UInt32) -> Bool {
        mutex.locked { nodes[node].passthroughOpens > 0 && nodes[node].flags.contains(.lowerBacking) }
    }

    /// For an undecided one that is not to be passed through. Nil: it was decided otherwise meanwhile.
    func joinCached(_ node: UInt32) -> Joined? {
        mutex.locked {
            if nodes[node].passthroughOpens > 0 { return nil }
            nodes[node].cachedOpens += 1
            return .cached(isFirst: nodes[node].cachedOpens == 1)
        }
    }

    /// An undecided one gets a backing file. Nil: it was decided otherwise meanwhile, or is a lower file's and the
    /// upper layer has the data by now; the id is unused then, and all is to be asked again.
    func bind(_ node: UInt32, _ id: UInt32, isLower: Bool, writes: Bool) -> Joined? {
        mutex.locked {
            let record = nodes[node]
            guard record.passthroughOpens == 0, record.cachedOpens == 0, record.backing == 0,
                !(isLower && record.hasUpperData)
            else { return nil }
            nodes[node].backing = id
            if isLower { nodes[node].flags.insert(.lowerBacking) } else { nodes[node].flags.remove(.lowerBacking) }
            return joinedPassthroughLocked(node, writes)
        }
    }

    /// Once for each lower file that is not too long.
    func claimPush(_ node: UInt32) -> Bool {
        if !nodes[node].flags.isDisjoint(with: [.pushed, .notPushed, .upper]) { return false }
        return mutex.locked { nodes[node].flags.insert(.pushed).inserted }
    }

    /// An open file was released. The backing of a file that may be opened again is kept for a while; the space of a
    /// removed one is given back at once.
    /// - Parameter generation: of the node that was opened. Where it is another's the node is gone, and its backing
    ///   with it.
    /// - Returns: whether the node shows other data and another size from now on: the last reader of an old version
    ///   went.
    @discardableResult
    func leave(_ node: UInt32, generation: UInt32, passthrough: Bool) -> Bool {
        var unused: UInt32 = 0
        let isRenewed = mutex.locked { () -> Bool in
            let record = nodes[node]
            guard record.flags.contains(.inUse), record.generation == generation else { return false }
            if !passthrough {
                if record.cachedOpens > 0 { nodes[node].cachedOpens -= 1 }
                return false
            }
            guard record.passthroughOpens > 0 else { return false }
            nodes[node].passthroughOpens -= 1
            if record.flags.contains(.superseded) { statistics?.addGauge(.staleReaders, -1) }
            guard record.passthroughOpens == 1 else { return false }
            let isWanted =
                !record.flags.contains(.unlinked) && !record.flags.contains(.superseded)
                && !(record.flags.contains(.lowerBacking) && record.hasUpperData)
            unused = isWanted ? keepIdleLocked(node) : takeBackingLocked(node)
            return record.flags.contains(.superseded)
        }
        if unused != 0 { onUnusedBacking?(unused) }
        return isRenewed
    }

    /// The last name went: nobody will open it again.
    func takeIdleBackingLocked(_ node: UInt32) -> UInt32 {
        nodes[node].passthroughOpens == 0 ? takeBackingLocked(node) : 0
    }

    func takeBackingLocked(_ node: UInt32) -> UInt32 {
        let id = nodes[node].backing
        if id != 0 { Inflight.backing(id, mutex.journal) }
        nodes[node].backing = 0
        nodes[node].flags.remove(.lowerBacking)
        return id
    }

    /// Into the ring of those that nobody has open; whoever was there longest goes. A slot may be stale: its node is in
    /// use again, or another.
    private func keepIdleLocked(_ node: UInt32) -> UInt32 {
        let old = idleBackings[idleHand]
        idleBackings[idleHand] = (node, nodes[node].generation)
        idleHand = (idleHand + 1) % idleBackings.count
        guard old.node != 0, old.node != node, nodes[old.node].generation == old.generation,
            nodes[old.node].passthroughOpens == 0
        else { return 0 }
        return takeBackingLocked(old.node)
    }

    /// The names of a file that was copied up become those of a node that the next lookup makes; this one stays with
    /// who has the lower file open. `object`: of the upper one, for changes of metadata through their descriptors.
    func supersede(_ node: UInt32, object: consuming OwnedFD) {
        let fd = object.release()
        let spare = changing { () -> FD in
            guard !nodes[node].flags.contains(.superseded), nodes[node].flags.contains(.inUse) else { return fd }
            nodes[node].lookups += 1
            while nodes[node].firstName != 0 { removeNameLocked(nodes[node].firstName) }
            nodes[node].lookups -= 1
            if nodes[node].flags.contains(.hashed) { removeNumberLocked(node) }
            nodes[node].flags.insert(.superseded)
            nodes[node].flags.remove(.indexed)
            nodes[node].version &+= 1
            statistics?.addGauge(.staleReaders, Int(nodes[node].passthroughOpens))
            // An unlinked one has its descriptor already.
            var left = fd
            if nodes[node].orphan < 0 {
                nodes[node].orphan = fd.raw
                orphans += 1
                left = FD.none
            }
            freeIfUnusedLocked(node)
            return left
        }
        spare.close()
    }

    /// All names of a node, with their directories.
    func names(_ node: UInt32) -> [(parent: UInt32, name: FileName)] {
        mutex.locked {
            var names: [(parent: UInt32, name: FileName)] = []
            var at = nodes[node].firstName
            while at != 0 {
                names.append(
                    (dentries[at].parent, heap.name(dentries[at].name, length: Int(dentries[at].nameLength)).owned))
                at = dentries[at].nextName
            }
            return names
        }
    }

    /// Another node of the same file: the one that took a superseded one's names. Looks at every record; for what is
    /// rare.
    func successor(of node: UInt32) -> UInt32? {
        mutex.locked {
            let ino = nodes[node].ino
            for other in 1..<nextNode where nodes[other].ino == ino && other != node {
                let record = nodes[other]
                if record.flags.contains(.inUse), !record.flags.contains(.superseded), record.kind == nodes[node].kind {
                    return other
                }
            }
            return nil
        }
    }
}
