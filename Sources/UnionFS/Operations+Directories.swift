internal import FuseKit
internal import LinuxSys
internal import UnionCore

/// Reading directories. An open directory keeps the listing that it began with, so its offsets stay good whatever is created and removed
/// meanwhile; from offset 0 (opendir, rewinddir) it is read anew.
extension UnionFileSystem {
    func serveOpendir(_ node: UInt64, flags: Int32) throws(Errno) -> Opened {
        Opened(handle: try handles.addDirectory(try table.node(node)))
    }
    func serveReleasedir(_ node: UInt64, handle: UInt64) { handles.release(handle) }

    func serveReaddir(_ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno) {
        try readEntries(try table.node(node), handle, offset, &list, plus: false)
    }
    func serveReaddirplus(_ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno) {
        try readEntries(try table.node(node), handle, offset, &list, plus: true)
    }

    /// Offsets: 1 is behind `.`, 2 behind `..`, n + 3 behind the n-th name.
    private func readEntries(_ node: UInt32, _ handle: UInt64, _ offset: UInt64, _ list: inout DirectoryList, plus: Bool) throws(Errno) {
        if table[node].flags.contains(.unlinked) { return }
        if offset < 1, !addDot(node, ".", table[node].ino, 1, &list, plus) { return }
        let parent = table.nameAndParent(node)?.parent ?? InodeTable.root
        if offset < 2, !addDot(node, "..", table[parent].ino, 2, &list, plus) { return }
        let listing = try currentListing(node, handle, fresh: offset == 0)
        var position = Int(clamping: offset < 2 ? 0 : offset - 2)
        while let item = listing[position] {
            let next = UInt64(position) + 3
            let fits = try listing.withName(item) { (name) throws(Errno) in
                plus ? try addPlus(node, name, item, next, &list) : try add(node, name, item, next, &list)
            }
            if !fits { return }
            position += 1
        }
    }

    private func currentListing(_ node: UInt32, _ handle: UInt64, fresh: Bool) throws(Errno) -> MergedListing {
        _ = try handles.record(handle)
        if !fresh, let listing = handles.listing(handle) { return listing }
        let listing = try withResources { () throws(Errno) in
            try withDirectory(node, exclusive: false) { (directory) throws(Errno) in try MergedListing(directory, stack) }
        }
        handles.setListing(handle, listing)
        return listing
    }

    private func addDot(_ node: UInt32, _ name: StaticString, _ ino: UInt64, _ next: UInt64, _ list: inout DirectoryList, _ plus: Bool) -> Bool {
        if plus {
            return list.addPlus(NameRef(name), Entry.absent(seconds: 0), ino: ino, kind: .directory, next: next)
        }
        return list.add(NameRef(name), ino: ino, kind: .directory, next: next)
    }

    /// The number is in the listing, but for what may have a lower origin: there a lookup tells it.
    private func add(_ parent: UInt32, _ name: NameRef, _ item: MergedListing.Entry, _ next: UInt64, _ list: inout DirectoryList) throws(Errno) -> Bool {
        var ino = item.ino
        if let known = table.child(parent, name) {
            ino = table[known].ino
        } else if item.inoNeedsLookup {
            let entry = try lookupOrAbsent(parent, name)
            if entry.node != 0 {
                ino = entry.attributes.ino
                forget(entry.node, 1)
            }
        }
        return list.add(name, ino: ino, kind: item.kind, next: next)
    }

    private func addPlus(_ parent: UInt32, _ name: NameRef, _ item: MergedListing.Entry, _ next: UInt64, _ list: inout DirectoryList) throws(Errno) -> Bool {
        // Before a lookup is counted for an entry that would not fit.
        guard list.hasRoomPlus(nameLength: name.count) else { return false }
        let entry = try lookupOrAbsent(parent, name)
        let ino = entry.node == 0 ? item.ino : entry.attributes.ino
        return list.addPlus(name, entry, ino: ino, kind: item.kind, next: next)
    }

    /// A name that went since the listing was made, or that cannot be looked up now, is listed without attributes: the kernel asks if
    /// it wants them, and gets the error then.
    private func lookupOrAbsent(_ parent: UInt32, _ name: NameRef) throws(Errno) -> Entry {
        do throws(Errno) {
            let entry = try lookup(parent, name)
            return entry.node == 0 ? Entry.absent(seconds: 0) : entry
        } catch {
            return Entry.absent(seconds: 0)
        }
    }

    func serveFsyncdir(_ node: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) {
        if stack.options.isVolatile { return }
        let node = try table.node(node)
        guard let upper = try merged(node).upper else { return }
        // The descriptor of a part is open for reading: fsync(2) takes it.
        try upper.fd.sync()
        try makeNamesDurable(node)
    }

    func serveSyncfs(_ node: UInt64) throws(Errno) {
        if stack.options.isVolatile { return }
        guard let upper = stack.root.upper else { return }
        try upper.fd.syncFilesystem()
    }
}
