internal import LinuxSys

/// Lookups that are forgotten, and the end of inodes that nobody knows any more.
extension InodeTable {
    /// The kernel forgot `count` lookups: one more entry of its request is done.
    func forgotten(_ node: UInt32, _ count: UInt64) {
        changing {
            if node != 0 {
                nodes[node].lookups -= min(count, nodes[node].lookups)
                freeIfUnusedLocked(node)
            }
            Inflight.forgot(mutex.journal)
        }
    }
    /// Lookups that were counted for a request and that the kernel is not told of.
    func forget(_ node: UInt32, _ count: UInt64) {
        changing {
            nodes[node].lookups -= min(count, nodes[node].lookups)
            Inflight.takenBack(node, mutex.journal)
            freeIfUnusedLocked(node)
        }
    }

    /// With the mutex held: whatever may free a node. What it freed is closed when the mutex is given back.
    func changing<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        var gone: [Gone] = []
        defer { if !gone.isEmpty { close(gone) } }
        return try mutex.locked { () throws(E) in
            defer {
                if !leaving.isEmpty {
                    gone = leaving
                    leaving = []
                }
            }
            return try body()
        }
    }
    private func close(_ gone: [Gone]) {
        // Closing takes system calls: not under the mutex. An index is used again only when nothing knows the node that
        // it was.
        for one in gone {
            FD(raw: one.orphan).close()
            FD(raw: one.data).close()
            if one.backing != 0 { onUnusedBacking?(one.backing) }
            onFree?(one.node)
        }
        let isTrimDue = mutex.locked {
            for one in gone {
                if one.orphan >= 0 { orphans -= 1 }
                freeNodes.append(one.node)
            }
            return self.isTrimDue
        }
        if isTrimDue { trim() }
    }
    /// Every index that was ever used is live or free again: nothing waits to be closed. For tests.
    var isSettled: Bool { mutex.locked { leaving.isEmpty && Int(nextNode) - 1 == live + freeNodes.count } }

    /// A node that is out of the table, and what is still to be closed for it.
    struct Gone {
        let node: UInt32
        let orphan: Int32
        let data: Int32
        let backing: UInt32
    }
    /// Waits until one of them is closed; false when there is none, or none went.
    func waitForOrphans(milliseconds: UInt32) -> Bool {
        let before = mutex.locked { orphans }
        if before == 0 { return false }
        for _ in 0..<milliseconds {
            Clock.sleep(milliseconds: 1)
            if mutex.locked({ orphans }) < before { return true }
        }
        return false
    }

    func freeIfUnusedLocked(_ first: UInt32) {
        var node = first
        // Up through the parents that only their children kept.
        while node != 0, node != Self.root {
            let record = nodes[node]
            guard record.flags.contains(.inUse), record.lookups == 0, record.children == 0, !isKeptLocked(record) else {
                return
            }
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
            if record.indexName != 0 { heap.remove(record.indexName, length: Int(record.indexNameLength)) }
            if record.backing != 0 { Inflight.backing(record.backing, mutex.journal) }
            nodes[node] = NodeRecord()
            freedSinceTrim += 1
            leaving.append(Gone(node: node, orphan: record.orphan, data: record.dataFD, backing: record.backing))
            live -= 1
            node = parent
        }
    }
    /// Removes a name without looking after its parent, which the caller does.
    private func detachNameLocked(_ index: UInt32) {
        let parent = dentries[index].parent
        nodes[parent].children &+= 1
        removeNameLocked(index)
        nodes[parent].children &-= 1
    }
}
