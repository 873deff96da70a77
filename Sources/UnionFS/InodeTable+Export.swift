internal import LinuxSys

/// File handles (name_to_handle_at(2)) of a mount with `nfs_export=on`. The kernel's FUSE client makes them of node id
/// and generation, and asks for an id that it has forgotten by a LOOKUP of `.`. So a node stays as long as it has a
/// name, with lookups or without: an id leads to the same file or nowhere. With the mount they end; another's have
/// another generation.
extension InodeTable {
    var instance: UInt32 { header[0].instance }

    /// One lookup of a node that is known by nothing but its id, in one step. ESTALE where there is none.
    func counted(_ id: UInt64) throws(Errno) -> UInt32 {
        try mutex.locked { () throws(Errno) in
            let node = try self.node(id)
            nodes[node].lookups += 1
            Inflight.counted(node, mutex.journal)
            return node
        }
    }

    /// - Precondition: nobody has lookups of it.
    func isKeptLocked(_ record: NodeRecord) -> Bool {
        isExported && record.firstName != 0 && !record.flags.contains(.unlinked) && !isEvicting
    }

    /// A name that is there no more, of a node that perhaps nothing else kept.
    func removeForgottenNameLocked(_ index: UInt32) {
        let node = dentries[index].node
        removeNameLocked(index)
        freeIfUnusedLocked(node)
    }

    /// The table is as good as full: some that the kernel has forgotten go, and their handles with them. They can be
    /// used again when they are closed (`changing`).
    func evictLocked() {
        isEvicting = true
        defer { isEvicting = false }
        let before = leaving.count
        var left = nextNode
        while left > 0, leaving.count - before < Self.evictedAtOnce {
            left -= 1
            evictionHand = evictionHand + 1 < nextNode ? evictionHand + 1 : 2
            let record = nodes[evictionHand]
            if record.flags.contains(.inUse), record.lookups == 0, record.children == 0 {
                freeIfUnusedLocked(evictionHand)
            }
        }
    }
    private static let evictedAtOnce = 1024
}
