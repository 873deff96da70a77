internal import FuseKit
internal import LinuxSys
internal import MountState
internal import UnionCore

/// LOOKUP, FORGET, GETATTR, STATX, READLINK, ACCESS, STATFS.
extension UnionFileSystem {
    /// A known name: one statx. Else, where the directory's listing is known, one statx of the layer that has it, and
    /// none for a name that is nowhere; where it is not, one for each layer of the directory down to the first that has
    /// it.
    func serveLookup(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        if name.isDotOrDotDot { return try lookupByHandle(parent, isParent: name.count == 2) }
        let parent = try table.node(parent)
        if name.count > 255 { throw .nameTooLong }
        return try withResources { () throws(Errno) in try lookup(parent, name) }
    }

    func lookup(_ parent: UInt32, _ name: NameRef) throws(Errno) -> Entry {
        if table[parent].flags.contains(.unlinked) { throw .noEntry }
        if let known = table.childCounted(parent, name) {
            statistics.addGauge(.knownNames, 1)
            if table[known].kind == FileKind.directory.rawValue { table.willTell(known) }
            do throws(Errno) {
                return entry(known, try objectStatus(known))
            } catch {
                table.forget(known, 1)
                throw error
            }
        }
        return try withDirectory(parent, exclusive: false) { (directory) throws(Errno) in
            try lookupHere(directory, name)
        }
    }

    /// What a file handle names, or the directory above it (`InodeTable+Export.swift`). One statx.
    private func lookupByHandle(_ id: UInt64, isParent: Bool) throws(Errno) -> Entry {
        guard table.isExported else { throw .stale }
        var id = id
        if isParent {
            let node = try table.node(id)
            guard let above = node == InodeTable.root ? node : table.nameAndParent(node)?.parent else { throw .stale }
            id = table.id(above)
        }
        let node = try table.counted(id)
        do throws(Errno) { return entry(node, try withResources { () throws(Errno) in try objectStatus(node) }) } catch
        {
            table.forget(node, 1)
            throw error == .noEntry ? .stale : error
        }
    }

    /// - Precondition: the table does not know the name.
    private func lookupHere(_ directory: borrowing HeldDirectory, _ name: NameRef) throws(Errno) -> Entry {
        var layers = LayerSet.all
        if let listing = try knownListing(directory) {
            statistics.addGauge(.knownNames, 1)
            guard let listed = listing.find(name), !listed.isHidden else {
                return Entry.absent(seconds: policy.seconds)
            }
            layers = listed.layers
        }
        guard let found = try stack.lookup(directory.parts, name, in: layers, isBrief: true) else {
            return Entry.absent(seconds: policy.seconds)
        }
        return try enter(directory, name, found)
    }

    /// For a listing with attributes: one statx for each name that the table knows or one layer has.
    func lookupListed(_ directory: borrowing HeldDirectory, _ name: NameRef) throws(Errno) -> Entry {
        guard let known = table.childCounted(directory.node, name) else { return try lookupHere(directory, name) }
        if table[known].kind == FileKind.directory.rawValue { table.willTell(known) }
        do throws(Errno) { return entry(known, try statusHere(known, directory, name)) } catch {
            table.forget(known, 1)
            throw error
        }
    }

    /// The object's status by this very name: no other directory's lock is taken.
    private func statusHere(
        _ node: UInt32, _ directory: borrowing HeldDirectory, _ name: NameRef
    ) throws(Errno) -> FileStatus {
        let record = table[node]
        if record.flags.contains(.indexed), let index = stack.index {
            var entry = NameBuffer()
            guard table.indexName(node, &entry) else { throw .stale }
            return try entry.withRef { (n) throws(Errno) in try stack.status(index.fd, n, layer: 0) }
        }
        guard let part = directory.part(inLayer: Int(record.layer)) else { throw .stale }
        return try stack.status(part.fd, name, layer: part.layer)
    }

    /// The directory's listing if it is there, or if it pays to have it by now.
    private func knownListing(_ directory: borrowing HeldDirectory) throws(Errno) -> MergedListing? {
        if let known = listings.find(directory.node) { return known }
        return directory.parts.isListingDue() ? try listing(directory) : nil
    }

    /// No name comes or goes between the reading and the entry in the cache.
    func listing(_ directory: borrowing HeldDirectory) throws(Errno) -> MergedListing {
        if let known = listings.find(directory.node) { return known }
        return listings.put(directory.node, try MergedListing(directory.parts, stack))
    }

    private func enter(_ parent: borrowing HeldDirectory, _ name: NameRef, _ found: Found) throws(Errno) -> Entry {
        // A number identifies a file in the upper layer or the index. Lower names that no index keeps together are
        // files of their own, as the first change makes them.
        let byNumber = !found.status.isDirectory && (found.isInUpper || found.indexName != nil)
        let node = try table.enter(
            parent.node, name, found, isIdentifiedByNumber: byNumber,
            mayHaveOtherNames: found.indexName != nil || found.status.nlink > 1)
        if let directory = found.directory { directories.putIfAbsent(node, directory) }
        return entry(node, found.status)
    }

    func serveForget(_ node: UInt64, _ count: UInt64) {
        // 0, no node, for one of an earlier generation: nothing to do, but it is done.
        let known = (try? table.node(node)) ?? 0
        if known != 0 { willForget(known) }
        table.forgotten(known, count)
    }

    func serveGetattr(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply {
        let node = try table.node(node)
        let seconds = attributeSeconds(node)
        let status = try withResources { () throws(Errno) in try objectStatus(node) }
        return AttributeReply(attributes: shown(status, node), seconds: settledSeconds(seconds, node, status))
    }
    func serveStatx(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply {
        try getattr(node, handle: handle)
    }

    func serveReadlink(_ node: UInt64, into buffer: MutableBytes) throws(Errno) -> Int {
        let node = try table.node(node)
        return try withObject(node) { (fd, name, _) throws(Errno) in try fd.readLink(name, into: buffer) }
    }

    /// The kernel checks by itself (default_permissions) and does not ask again.
    func serveAccess(_ node: UInt64, mask: UInt32, _ caller: Caller) throws(Errno) { throw .notImplemented }

    func serveStatfs(_ node: UInt64) throws(Errno) -> FilesystemStatus {
        let root = stack.root.parts.first
        guard let root else { throw .stale }
        return try root.fd.filesystemStatus()
    }
}
