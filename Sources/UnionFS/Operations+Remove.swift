internal import FuseKit
internal import LinuxSys
internal import MountState
internal import UnionCore

/// UNLINK, RMDIR. The inode may live on: a descriptor stands for it when its last known name goes.
extension UnionFileSystem {
    func serveUnlink(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        let parent = try table.node(parent)
        if Inflight.isDone, caller.isResent { return }
        awaitForgetting()
        try withResources { () throws(Errno) in try unlink(parent, name, caller) }
    }

    private func unlink(_ parent: UInt32, _ name: NameRef, _ caller: Caller) throws(Errno) {
        // The kernel asked for the name before; if its node was forgotten since, the lookup is counted and given back.
        guard let victim = try stillKnown(parent, name, caller) else { return }
        defer { table.forget(victim, 1) }
        if try finishRemoval(parent, name, caller) { return }
        if table[victim].indexName != 0 { try ensureUpperName(victim, parent, name, .link) }
        let needed = try withDirectory(parent, exclusive: false) { (directory) throws(Errno) in
            if directory.upper == nil { return true }
            return try stack.needsWhiteout(directory.parts, name, listings.find(parent)?.find(name))
        }
        try ensureUpper(parent, .parent)
        try withDirectory(parent, exclusive: true) { (directory) throws(Errno) in
            let (orphan, data, isGone) = try holdOn(victim, directory, name)
            Inflight.holding(orphan: orphan, data: data)
            let listing = listings.find(parent)
            do throws(Errno) {
                try stack.unlinkLocked(in: directory.parts, name, whiteout: needed, listing?.find(name))
            } catch {
                orphan.close()
                data.close()
                throw error
            }
            listing?.hide(name, isInUpper: needed)
            table.noteNamesChanged(parent)
            if needed { statistics.recordWhiteout() }
            table.removed(
                parent, name, orphan: OwnedFD(adopting: orphan.raw), data: OwnedFD(adopting: data.raw), isGone: isGone)
        }
        if table[victim].flags.contains(.indexed), let indexName = table.ownedIndexName(victim) {
            stack.index?.removeIfUnused(indexName)
        }
    }

    /// Before a name goes, no lock held: what was removed before is closed when the kernel has forgotten it, which may
    /// be a while behind (it hands over sixteen for each eight requests, fuse_dev_do_read). So as not to have a
    /// descriptor for each by then.
    func awaitForgetting() {
        if table.orphans >= table.orphanLimit { _ = table.waitForOrphans(milliseconds: 10) }
    }
    /// Nobody has it open, and there are as many descriptors of removed objects as may be. Who has nothing but a path's
    /// descriptor of it (O_PATH), or is in it, finds it gone then (ENOENT).
    private func isLetGo(_ node: UInt32) -> Bool {
        table.orphans >= table.orphanLimit && table[node].cachedOpens == 0 && table[node].passthroughOpens == 0
    }
    /// Of a directory.
    func holdOn(_ node: UInt32, _ directory: MergedDirectory) throws(Errno) -> FD {
        guard let top = directory.parts.first else { throw .stale }
        return isLetGo(node) ? .none : try top.fd.duplicate().release()
    }

    /// A descriptor of what is about to lose a name, one of where a metacopy's data are, and whether the name is its
    /// last one.
    func holdOn(
        _ node: UInt32, _ directory: borrowing HeldDirectory, _ name: NameRef
    ) throws(Errno) -> (FD, data: FD, isGone: Bool) {
        if table[node].flags.contains(.dataUnseen) {
            // What cannot be read can be removed all the same.
            do throws(Errno) { try seeData(node, in: directory, name) } catch {
                table.dataSeen(node, isElsewhere: true)
            }
        }
        let record = table[node]
        let data = record.flags.contains(.metacopy) ? try dataIfAny(directory.parts, name) : OwnedFD(adopting: -1)
        if record.flags.contains(.indexed), let index = stack.index, let indexName = table.ownedIndexName(node) {
            if isLetGo(node) { return (.none, .none, record.unionLinks <= 1) }
            let fd = try indexName.withRef { (n) throws(Errno) in try index.fd.openPath(n) }
            return (fd.release(), data.release(), record.unionLinks <= 1)
        }
        guard let part = directory.part(inLayer: Int(record.layer)) else { throw .stale }
        if isLetGo(node) {
            let isGone = record.flags.contains(.upper) ? try part.fd.status(name).nlink <= 1 : true
            return (.none, .none, isGone)
        }
        let fd = try part.fd.openPath(name)
        // A lower file's other names, where no index keeps them together, are other nodes.
        let isGone = record.flags.contains(.upper) ? try fd.fd.status().nlink <= 1 : true
        return (fd.release(), data.release(), isGone)
    }

    /// What no layer has data for can be removed all the same.
    private func dataIfAny(_ directory: MergedDirectory, _ name: NameRef) throws(Errno) -> OwnedFD {
        do throws(Errno) { return try stack.openData(directory, name) } catch {
            guard error == .io else { throw error }
            return OwnedFD(adopting: -1)
        }
    }

    /// The node of a name that the kernel knows, with one lookup counted that the caller gives back.
    /// No system call where the table has the name, as it nearly always does: nobody asks for attributes here.
    func known(_ parent: UInt32, _ name: NameRef) throws(Errno) -> UInt32 {
        if let node = table.childCounted(parent, name) { return node }
        let entry = try lookup(parent, name)
        guard entry.node != 0 else { throw .noEntry }
        return try table.node(entry.node)
    }

    /// The same for a name that is to go; nil: a worker that died has removed it, and nothing is left to be done.
    private func stillKnown(_ parent: UInt32, _ name: NameRef, _ caller: Caller) throws(Errno) -> UInt32? {
        do throws(Errno) { return try known(parent, name) } catch {
            if error == .noEntry, caller.isResent { return nil }
            throw error
        }
    }

    /// A request that comes again: where the layers have not got the name any more, the table learns it. False: it is
    /// all to be done.
    func finishRemoval(_ parent: UInt32, _ name: NameRef, _ caller: Caller) throws(Errno) -> Bool {
        guard caller.isResent else { return false }
        return try withDirectory(parent, exclusive: true) { (directory) throws(Errno) in
            listings.remove(parent)
            guard try isGone(directory, name) else { return false }
            let held = Inflight.held
            table.noteNamesChanged(parent)
            let isLast = !held.orphan.isValid || (try? held.orphan.status().nlink) ?? 0 == 0
            if let node = table.child(parent, name), table[node].kind == FileKind.directory.rawValue {
                directories.remove(node)
            }
            table.removed(
                parent, name, orphan: OwnedFD(adopting: held.orphan.raw), data: OwnedFD(adopting: held.data.raw),
                isGone: isLast || table.isLower(parent, name))
            return true
        }
    }

    func serveRmdir(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        let parent = try table.node(parent)
        if Inflight.isDone, caller.isResent { return }
        awaitForgetting()
        try withResources { () throws(Errno) in try rmdir(parent, name, caller) }
    }

    /// No system call where the names are known, as they are when rm(1) has just removed them.
    private func isEmpty(_ directory: borrowing HeldDirectory) throws(Errno) -> Bool {
        if let listing = listings.find(directory.node) { return listing.count == 0 }
        return try stack.isEmpty(directory.parts)
    }

    private func rmdir(_ parent: UInt32, _ name: NameRef, _ caller: Caller) throws(Errno) {
        guard let victim = try stillKnown(parent, name, caller) else { return }
        defer { table.forget(victim, 1) }
        if try finishRemoval(parent, name, caller) { return }
        // Before anything is copied up for it.
        let own = try merged(victim)
        let hasNoName = try withDirectory(victim, exclusive: false) { (directory) throws(Errno) in
            try isEmpty(directory)
        }
        guard hasNoName else {
            // The kernel looks at the flags first (may_delete).
            if let top = own.parts.first, try top.fd.status().isProtected { throw .notPermitted }
            throw .notEmpty
        }
        let needed = try withDirectory(parent, exclusive: false) { (directory) throws(Errno) in
            if directory.upper == nil { return true }
            return try stack.needsWhiteout(directory.parts, name, listings.find(parent)?.find(name))
        }
        try ensureUpper(parent, .parent)
        try withDirectories(parent, victim) { (directory, own) throws(Errno) in
            let orphan = OwnedFD(adopting: try holdOn(victim, own.parts).raw)
            Inflight.holding(orphan: orphan.fd, data: .none)
            let isKnownEmpty = listings.find(victim)?.count == 0
            try stack.rmdirLocked(in: directory.parts, name, own.parts, whiteout: needed, isKnownEmpty: isKnownEmpty)
            listings.find(parent)?.hide(name, isInUpper: needed)
            table.noteNamesChanged(parent)
            listings.remove(victim)
            if needed { statistics.recordWhiteout() }
            directories.remove(victim)
            table.removed(parent, name, orphan: orphan, data: OwnedFD(adopting: -1), isGone: true)
        }
    }
}
