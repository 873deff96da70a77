internal import FuseKit
internal import LinuxSys
internal import Glibc
internal import MountState
internal import UnionCore

/// MKNOD, MKDIR, SYMLINK, CREATE, TMPFILE, LINK: names made in the upper layer. The kernel holds the directory's inode lock; ours is
/// against copy-ups into it.
extension UnionFileSystem {
    func serveMknod(_ parent: UInt64, _ name: NameRef, mode: UInt32, device: UInt64, _ caller: Caller) throws(Errno) -> Entry {
        let isFile = mode & 0o170000 == 0o100000 || mode & 0o170000 == 0
        return try make(parent, name, isFile ? .file(mode: mode & 0o7777, flags: O_WRONLY) : .node(mode: mode, device: device), caller)
    }
    func serveMkdir(_ parent: UInt64, _ name: NameRef, mode: UInt32, _ caller: Caller) throws(Errno) -> Entry {
        try make(parent, name, .directory(mode: mode & 0o7777), caller)
    }
    func serveSymlink(_ parent: UInt64, _ name: NameRef, target: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        try make(parent, name, .symlink(target: target), caller)
    }

    private func make(_ parentID: UInt64, _ name: NameRef, _ object: NewObject, _ caller: Caller) throws(Errno) -> Entry {
        let parent = try table.node(parentID)
        try ensureUpper(parent, .parent)
        return try withResources { () throws(Errno) in
            try withDirectory(parent, exclusive: true) { (directory) throws(Errno) in
                do throws(Errno) {
                    let file = try stack.createLocked(object, in: directory, name, as: try maker(caller))
                    _ = consume file
                } catch {
                    guard error == .exists, caller.isResent else { throw error }
                    return try lookupMade(parent, directory, name)
                }
                return try enterMade(parent, directory, name)
            }
        }
    }

    /// The name was made by a worker that died before it could answer: nobody else could, as the kernel holds the directory for whoever asks.
    /// - Precondition: the directory's lock is held.
    private func lookupMade(_ parent: UInt32, _ directory: MergedDirectory, _ name: NameRef) throws(Errno) -> Entry {
        table.noteNamesChanged(parent)
        listings.remove(parent)
        let entry = try lookupListed(parent, directory, name)
        guard entry.node != 0 else { throw .exists }
        return entry
    }

    /// - Precondition: the directory's lock is held.
    private func enterMade(_ parent: UInt32, _ directory: MergedDirectory, _ name: NameRef) throws(Errno) -> Entry {
        guard let upper = directory.upper else { throw .stale }
        let status = try stack.status(upper.fd, name, layer: 0)
        return entry(try noteMade(parent, name, status), status)
    }

    /// A name was made: in the table, and in the directory's listing.
    /// - Precondition: the directory's lock is held exclusively.
    private func noteMade(_ parent: UInt32, _ name: NameRef, _ status: FileStatus) throws(Errno) -> UInt32 {
        let ino = stack.number(status.ino, ofLayer: 0)
        // First, as these cannot fail.
        table.noteNamesChanged(parent)
        listings.find(parent)?.show(name, ino: ino, status.kind)
        return try table.enterNew(parent, name, kind: status.kind, ino: ino)
    }

    /// - Throws: EOVERFLOW for somebody whom the layers cannot have (fsuidgid_has_mapping).
    func maker(_ caller: Caller) throws(Errno) -> Maker {
        if owners.isIdentity { return Maker(uid: caller.uid, gid: caller.gid, umask: caller.umask) }
        guard let uid = owners.stored(callerUID: caller.uid), let gid = owners.stored(callerGID: caller.gid) else { throw .overflow }
        return Maker(uid: uid, gid: gid, umask: caller.umask)
    }

    func serveCreate(_ parent: UInt64, _ name: NameRef, mode: UInt32, flags: Int32, _ caller: Caller) throws(Errno) -> Created {
        let parent = try table.node(parent)
        try ensureUpper(parent, .parent)
        return try withResources { () throws(Errno) in
            try withDirectory(parent, exclusive: true) { (directory) throws(Errno) in
                let made: OwnedFD?
                do throws(Errno) {
                    made = try stack.createLocked(.file(mode: mode & 0o7777, flags: backingFlags(flags)), in: directory, name, as: try maker(caller))
                } catch {
                    guard error == .exists, caller.isResent else { throw error }
                    let entry = try lookupMade(parent, directory, name)
                    let node = try table.node(entry.node)
                    return Created(entry: entry, opened: try openFile(node, flags & ~(O_CREAT | O_EXCL | O_TRUNC), writes: flags & OpenFlags.accessMode != O_RDONLY, killSuidGid: false, caller))
                }
                guard let file = made else { throw .io }
                let status = try stack.status(file.fd, NameRef.empty, layer: 0)
                let node = try noteMade(parent, name, status)
                return Created(entry: entry(node, status), opened: try openedNew(node, file, flags))
            }
        }
    }

    func serveTmpfile(_ parent: UInt64, mode: UInt32, flags: Int32, _ caller: Caller) throws(Errno) -> Created {
        let parent = try table.node(parent)
        try ensureUpper(parent, .parent)
        return try withResources { () throws(Errno) in
            try withDirectory(parent, exclusive: false) { (directory) throws(Errno) in
                let file = try stack.createTemporary(in: directory, mode: mode & 0o7777, flags: backingFlags(flags) & ~O_TRUNC | flags & O_EXCL, as: try maker(caller))
                let status = try stack.status(file.fd, NameRef.empty, layer: 0)
                let orphan = try file.fd.duplicate()
                let node = try table.enterNew(parent, nil, kind: .regular, ino: stack.number(status.ino, ofLayer: 0), orphan: orphan.release())
                return Created(entry: entry(node, status), opened: try openedNew(node, file, flags))
            }
        }
    }

    func serveLink(_ node: UInt64, _ newParent: UInt64, _ newName: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        let node = try table.node(node)
        let parent = try table.node(newParent)
        try ensureUpper(node, .link)
        try settleLinkCount(node)
        try ensureUpper(parent, .parent)
        try ensureRedirect(node, sameParent: false)
        return try withResources { () throws(Errno) in
            // Held by descriptor: the locks of two directories are not needed at once.
            let raw = try withObject(node) { (fd, name, _) throws(Errno) in
                let source = name.isEmpty ? try fd.duplicate() : try fd.openPath(name)
                return source.release()
            }
            let source = OwnedFD(adopting: raw.raw)
            return try withDirectory(parent, exclusive: true) { (directory) throws(Errno) in
                do throws(Errno) { try stack.linkLocked(source.fd, NameRef.empty, to: directory, newName) } catch {
                    guard error == .exists, caller.isResent, try isLinked(source.fd, directory, newName) else { throw error }
                }
                let record = table[node]
                table.noteNamesChanged(parent)
                listings.find(parent)?.show(newName, ino: record.ino, FileKind(rawValue: record.kind) ?? .unknown)
                try table.linked(node, parent, newName)
                let status = try stack.status(source.fd, NameRef.empty, layer: 0)
                if let upper = directory.upper, stack.number(status.ino, ofLayer: 0) != table[node].ino { try stack.noteChildFromElsewhere(upper) }
                return entry(node, status)
            }
        }
    }

    /// The upper layer has this very object under the name.
    private func isLinked(_ object: FD, _ directory: MergedDirectory, _ name: NameRef) throws(Errno) -> Bool {
        guard let upper = directory.upper else { return false }
        return try upper.fd.status(name).ino == object.status().ino
    }
}
