internal import LinuxSys
internal import MountState

/// The table of a process that died, for the next one: the records are as they were, what was in its own memory is made
/// anew from them.
///
/// Costs one look at each record: some 10 ms for 100,000 inodes.
extension InodeTable {
    /// After the journal was undone, before any request. Answers the ids of backing files that are too many to be kept.
    func rebuild(_ handles: HandleTable) -> [UInt32] {
        mutex.locked {
            names = HashIndex(holding: Int(nextDentry))
            numbers = HashIndex(holding: (Self.root..<nextNode).count { nodes[$0].flags.contains([.inUse, .hashed]) })
            freeNodes = []
            freeDentries = []
            live = 0
            orphans = 0
            var blocks: [(block: UInt32, length: Int)] = []
            for node in Self.root..<nextNode {
                let record = nodes[node]
                guard record.flags.contains(.inUse) else {
                    if node != Self.root { freeNodes.append(node) }
                    continue
                }
                live += 1
                nodes[unsaved: node].cachedOpens = 0
                nodes[unsaved: node].passthroughOpens = 0
                nodes[unsaved: node].storers = 0
                if record.orphan >= 0 { orphans += 1 }
                if record.indexName != 0 { blocks.append((record.indexName, Int(record.indexNameLength))) }
                if record.flags.contains(.hashed) { linkNumberAgainLocked(node) }
            }
            for d in 1..<max(nextDentry, 1) {
                let record = dentries[d]
                guard record.node != 0 else {
                    freeDentries.append(d)
                    continue
                }
                blocks.append((record.name, Int(record.nameLength)))
                let slot = names.slot(UInt64(record.hash))
                dentries[unsaved: d].nextInHash = names[slot]
                names[slot] = d
                names.added()
            }
            heap.rebuild(blocks)
            // An open file is counted with its handle or not at all.
            handles.forEachOpen { handle in
                if handle.mayStore { nodes[unsaved: handle.node].storers += 1 }
                if handle.flags & HandleRecord.passthrough != 0 {
                    nodes[unsaved: handle.node].passthroughOpens += 1
                } else {
                    nodes[unsaved: handle.node].cachedOpens += 1
                }
            }
            var stale = 0
            for node in Self.root..<nextNode where nodes[node].flags.contains(.superseded) {
                stale += Int(nodes[node].passthroughOpens)
            }
            statistics?.setGauge(.staleReaders, stale)
            for node in Self.root..<nextNode where nodes[node].backing != 0 && nodes[node].passthroughOpens == 0 {
                idleBackings[idleHand] = (node, nodes[node].generation)
                idleHand = (idleHand + 1) % idleBackings.count
            }
            idleHand = 0
        }
        return unlistedBackings()
    }

    /// More files than the ring holds had an idle backing: the newest of them stay.
    private func unlistedBackings() -> [UInt32] {
        mutex.locked {
            let listed = Set(idleBackings.map(\.node))
            var unused: [UInt32] = []
            for node in Self.root..<nextNode
            where nodes[node].backing != 0 && nodes[node].passthroughOpens == 0 && !listed.contains(node) {
                unused.append(takeBackingLocked(node))
            }
            return unused
        }
    }

    /// What a request that was not answered had counted.
    func undo(_ slot: InflightSlot) {
        changing {
            for node in slot.lookups where nodes[node].flags.contains(.inUse) {
                nodes[node].lookups -= min(1, nodes[node].lookups)
                freeIfUnusedLocked(node)
            }
            slot.clearLookups(mutex.journal)
        }
    }

    /// Descriptors that records stand for.
    func forEachDescriptor(_ body: (Int32) -> Void) {
        for node in Self.root..<nextNode {
            if nodes[node].orphan >= 0 { body(nodes[node].orphan) }
            if nodes[node].dataFD >= 0 { body(nodes[node].dataFD) }
        }
    }
    func hasBacking(_ id: UInt32) -> Bool { (Self.root..<nextNode).contains { nodes[$0].backing == id } }
}
