internal import FuseKit
internal import LinuxSys
internal import UnionCore

/// Reading directories. There is no open directory here: an offset means a place in the directory and not in what
/// somebody opened (`MergedListing.cookie`).
///
/// The kernel keeps in its page cache what it has read of a directory that never changed here. Not of others: it puts
/// its copy together of what several readers get, looks only at the beginning of a reading whether it is still true
/// (fuse_readdir_cached), and a reader in the middle then misses names that were there all the time, when another one
/// completes a copy that was begun before they came. So OPENDIR cannot be answered with ENOSYS for good, and each
/// opening is asked for.
extension UnionFileSystem {
    func serveOpendir(_ node: UInt64, flags: Int32) throws(Errno) -> Opened {
        let node = try table.node(node)
        let isAskedFor =
            table[node].flags.contains(.namesChanged)
            || accessTimes.rule.ofDirectories && table[node].flags.contains(.upper)
        return Opened(handle: 0, flags: isAskedFor ? [] : [.keepCache, .cacheDirectory])
    }
    func serveReleasedir(_ node: UInt64, handle: UInt64) {}

    func serveReaddir(_ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno) {
        try readEntries(try table.node(node), offset, &list, plus: false)
    }
    /// One statx for each name that the kernel or a layer alone has; for a directory of one layer a listxattr more.
    func serveReaddirplus(_ node: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno)
    {
        try readEntries(try table.node(node), offset, &list, plus: true)
    }

    /// Offsets: 1 is behind `.`, 2 behind `..`, from 3 on behind the name with that cookie.
    private func readEntries(_ node: UInt32, _ offset: UInt64, _ list: inout DirectoryList, plus: Bool) throws(Errno) {
        if table[node].flags.contains(.unlinked) { return }
        try directoryRead(node)
        // Read before the first entry is added: from there on nothing is tried twice.
        try withResources { () throws(Errno) in
            try withDirectory(node, exclusive: false) { (directory) throws(Errno) in _ = try listing(directory) }
        }
        if offset < 1, !addDot(node, ".", table[node].ino, 1, &list, plus) { return }
        let parent = table.nameAndParent(node)?.parent ?? InodeTable.root
        if offset < 2, !addDot(node, "..", table[parent].ino, 2, &list, plus) { return }
        try withDirectory(node, exclusive: false) { (directory) throws(Errno) in
            let names = try listing(directory)
            try names.forEach(behind: max(offset, 2)) { (item) throws(Errno) in
                try names.withName(item) { (name) throws(Errno) in
                    plus ? try addPlus(directory, name, item, &list) : try add(directory, name, item, &list)
                }
            }
        }
    }

    private func addDot(
        _ node: UInt32, _ name: StaticString, _ ino: UInt64, _ next: UInt64, _ list: inout DirectoryList, _ plus: Bool
    ) -> Bool {
        if plus {
            return list.addPlus(NameRef(name), Entry.absent(seconds: 0), ino: ino, kind: .directory, next: next)
        }
        return list.add(NameRef(name), ino: ino, kind: .directory, next: next)
    }

    /// The number is in the listing, but for what may have a lower origin: there a lookup tells it.
    private func add(
        _ directory: borrowing HeldDirectory, _ name: NameRef, _ item: MergedListing.Entry, _ list: inout DirectoryList
    ) throws(Errno) -> Bool {
        var ino = item.ino
        if let known = table.child(directory.node, name) {
            ino = table[known].ino
        } else if item.inoNeedsLookup {
            let entry = lookupOrAbsent(directory, name)
            if entry.node != 0 {
                ino = entry.attributes.ino
                if let node = try? table.node(entry.node) { table.forget(node, 1) }
            }
        }
        return list.add(name, ino: ino, kind: item.kind, next: UInt64(item.cookie))
    }

    private func addPlus(
        _ directory: borrowing HeldDirectory, _ name: NameRef, _ item: MergedListing.Entry, _ list: inout DirectoryList
    ) throws(Errno) -> Bool {
        // Before a lookup is counted for an entry that would not fit.
        guard list.hasRoomPlus(nameLength: name.count) else { return false }
        let entry = lookupOrAbsent(directory, name)
        let ino = entry.node == 0 ? item.ino : entry.attributes.ino
        return list.addPlus(name, entry, ino: ino, kind: item.kind, next: UInt64(item.cookie))
    }

    /// A name that cannot be looked up now is listed without attributes: the kernel asks if it wants them, and gets the
    /// error then.
    private func lookupOrAbsent(_ directory: borrowing HeldDirectory, _ name: NameRef) -> Entry {
        do throws(Errno) {
            let entry = try lookupListed(directory, name)
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
