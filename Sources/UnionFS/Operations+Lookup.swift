internal import FuseKit
internal import LinuxSys
internal import UnionCore

/// LOOKUP, FORGET, GETATTR, STATX, READLINK, ACCESS, STATFS.
extension UnionFileSystem {
    /// A known name: one statx. Else one statx for each layer of the directory down to the first that has it.
    func serveLookup(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        let parent = try table.node(parent)
        if name.count > 255 { throw .nameTooLong }
        return try withResources { () throws(Errno) in try lookup(parent, name) }
    }

    func lookup(_ parent: UInt32, _ name: NameRef) throws(Errno) -> Entry {
        if table[parent].flags.contains(.unlinked) { throw .noEntry }
        if let known = table.child(parent, name) {
            table.count(known)
            do throws(Errno) {
                return entry(known, try objectStatus(known))
            } catch {
                table.forget(known, 1)
                throw error
            }
        }
        return try withDirectory(parent, exclusive: false) { (directory) throws(Errno) in
            guard let found = try stack.lookup(directory, name) else { return Entry.absent(seconds: policy.seconds) }
            return try enter(parent, name, found)
        }
    }

    /// - Precondition: the directory's lock is held.
    private func enter(_ parent: UInt32, _ name: NameRef, _ found: Found) throws(Errno) -> Entry {
        // A number identifies a file in the upper layer or the index. Lower names that no index keeps together are files of their own,
        // as the first change makes them.
        let byNumber = found.directory == nil && (found.isInUpper || found.indexName != nil)
        let node = try table.enter(parent, name, found, isIdentifiedByNumber: byNumber,
                                   mayHaveOtherNames: found.indexName != nil || found.status.nlink > 1)
        if let directory = found.directory { directories.putIfAbsent(node, directory) }
        return entry(node, found.status)
    }

    func serveForget(_ node: UInt64, _ count: UInt64) {
        do throws(Errno) { table.forget(try table.node(node), count) } catch { /* of an earlier generation: nothing to do */ }
    }

    func serveGetattr(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply {
        let node = try table.node(node)
        return AttributeReply(attributes: try withResources { () throws(Errno) in try attributes(node) }, seconds: policy.seconds)
    }
    func serveStatx(_ node: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply { try getattr(node, handle: handle) }

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
