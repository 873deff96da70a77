internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore

/// MKNOD, MKDIR, SYMLINK, CREATE, TMPFILE, LINK: names made in the upper layer. The kernel holds the directory's inode
/// lock; ours is against copy-ups into it.
extension UnionFileSystem {
    func serveMknod(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, device: UInt64, _ caller: Caller
    ) throws(Errno) -> Entry {
        let isFile = mode & 0o170000 == 0o100000 || mode & 0o170000 == 0
        return try make(
            parent, name, isFile ? .file(mode: mode & 0o7777, flags: O_WRONLY) : .node(mode: mode, device: device),
            caller)
    }
    func serveMkdir(_ parent: UInt64, _ name: NameRef, mode: UInt32, _ caller: Caller) throws(Errno) -> Entry {
        try make(parent, name, .directory(mode: mode & 0o7777), caller)
    }
    func serveSymlink(_ parent: UInt64, _ name: NameRef, target: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        try make(parent, name, .symlink(target: target), caller)
    }

    private func make(_ parentID: UInt64, _ name: NameRef, _ object: NewObject, _ caller: Caller) throws(Errno) -> Entry
    {
        let parent = try table.node(parentID)
        try ensureUpper(parent, .parent)
        return try withResources { () throws(Errno) in
            try withDirectory(parent, exclusive: true) { (directory) throws(Errno) in
                do throws(Errno) {
                    let file = try stack.createLocked(object, in: directory.parts, name, as: try maker(caller))
                    _ = consume file
                } catch {
                    guard error == .exists, caller.isResent else { throw error }
                    return try lookupMade(directory, name)
                }
                return try enterMade(directory, name)
            }
        }
    }

    /// The name was made by a worker that died before it could answer: nobody else could, as the kernel holds the
    /// directory for whoever asks.
    private func lookupMade(_ directory: borrowing HeldDirectory, _ name: NameRef) throws(Errno) -> Entry {
        table.noteNamesChanged(directory.node)
        listings.remove(directory.node)
        let entry = try lookupListed(directory, name)
        guard entry.node != 0 else { throw .exists }
        return entry
    }

    private func enterMade(_ directory: borrowing HeldDirectory, _ name: NameRef) throws(Errno) -> Entry {
        guard let upper = directory.upper else { throw .stale }
        let status = try stack.status(upper.fd, name, layer: 0)
        return entry(try noteMade(directory, name, status), status)
    }

    /// A name was made: in the table, and in the directory's listing.
    private func noteMade(
        _ parent: borrowing HeldDirectory, _ name: NameRef, _ status: FileStatus
    ) throws(Errno) -> UInt32 {
        let ino = stack.number(status, ofLayer: 0)
        // First, as these cannot fail.
        table.noteNamesChanged(parent.node)
        listings.find(parent.node)?.show(name, ino: ino, status.kind)
        return try table.enterNew(parent.node, name, kind: status.kind, ino: ino)
    }

    /// - Throws: EOVERFLOW for somebody whom the layers cannot have (fsuidgid_has_mapping).
    func maker(_ caller: Caller) throws(Errno) -> Maker {
        if owners.isIdentity { return Maker(uid: caller.uid, gid: caller.gid, umask: caller.umask) }
        guard let uid = owners.stored(callerUID: caller.uid), let gid = owners.stored(callerGID: caller.gid) else {
            throw .overflow
        }
        return Maker(uid: uid, gid: gid, umask: caller.umask)
    }

    func serveCreate(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, flags: Int32, _ caller: Caller
    ) throws(Errno) -> Created {
        let parent = try table.node(parent)
        try ensureUpper(parent, .parent)
        return try withResources { () throws(Errno) in
            let outcome = try withDirectory(parent, exclusive: true) { (directory) throws(Errno) -> Creation in
                let made: OwnedFD?
                do throws(Errno) {
                    made = try stack.createLocked(
                        .file(mode: mode & 0o7777, flags: backingFlags(flags)), in: directory.parts, name,
                        as: try maker(caller))
                } catch {
                    guard error == .exists, caller.isResent else { throw error }
                    return .found(try lookupMade(directory, name))
                }
                guard let file = made else { throw .io }
                let status = try stack.status(file.fd, NameRef.empty, layer: 0)
                let node = try noteMade(directory, name, status)
                let opened = try openedMade(node, file, flags)
                // Behind that: whether the kernel may keep the attributes, the open says.
                return .made(Created(entry: entry(node, status), opened: opened))
            }
            switch outcome {
            case .made(let created): return created
            case .found(let entry):
                // As by any other open: with no lock held, as that looks for the file by its name.
                let node = try table.node(entry.node)
                let writes = flags & OpenFlags.accessMode != O_RDONLY
                return Created(
                    entry: entry,
                    opened: try givenBack(node) { () throws(Errno) in
                        try openFile(
                            node, flags & ~(O_CREAT | O_EXCL | O_TRUNC), writes: writes, killSuidGid: false, caller)
                    })
            }
        }
    }
    private enum Creation {
        case made(Created)
        /// By a worker that died before it could answer.
        case found(Entry)
    }

    private func openedMade(_ node: UInt32, _ file: consuming OwnedFD, _ flags: Int32) throws(Errno) -> Opened {
        do throws(Errno) { return try openedNew(node, file, flags) } catch {
            table.forget(node, 1)
            throw error
        }
    }
    /// The lookup that was counted for a reply goes with the reply.
    private func givenBack<R>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        do throws(Errno) { return try body() } catch {
            table.forget(node, 1)
            throw error
        }
    }

    func serveTmpfile(_ parent: UInt64, mode: UInt32, flags: Int32, _ caller: Caller) throws(Errno) -> Created {
        let parent = try table.node(parent)
        try ensureUpper(parent, .parent)
        return try withResources { () throws(Errno) in
            try withDirectory(parent, exclusive: false) { (directory) throws(Errno) in
                let file = try stack.createTemporary(
                    in: directory.parts, mode: mode & 0o7777, flags: backingFlags(flags) & ~O_TRUNC | flags & O_EXCL,
                    as: try maker(caller))
                let status = try stack.status(file.fd, NameRef.empty, layer: 0)
                let orphan = try file.fd.duplicate()
                let node = try table.enterNew(
                    parent, nil, kind: .regular, ino: stack.number(status, ofLayer: 0, file.fd),
                    orphan: orphan.release())
                let opened = try openedMade(node, file, flags)
                return Created(entry: entry(node, status), opened: opened)
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
                do throws(Errno) { try stack.linkLocked(source.fd, NameRef.empty, to: directory.parts, newName) } catch
                {
                    guard error == .exists, caller.isResent, try isLinked(source.fd, directory, newName) else {
                        throw error
                    }
                }
                let record = table[node]
                table.noteNamesChanged(parent)
                listings.find(parent)?.show(newName, ino: record.ino, FileKind(rawValue: record.kind) ?? .unknown)
                try table.linked(node, parent, newName)
                let status = try stack.status(source.fd, NameRef.empty, layer: 0)
                if let upper = directory.upper, stack.number(status, ofLayer: 0, source.fd) != table[node].ino {
                    try stack.noteChildFromElsewhere(upper)
                }
                // Believed whatever is said meanwhile (fuse_link, create_new_entry): asked for again.
                var entry = entry(node, status)
                entry.attributeSeconds = 0
                return entry
            }
        }
    }

    /// The upper layer has this very object under the name.
    private func isLinked(_ object: FD, _ directory: borrowing HeldDirectory, _ name: NameRef) throws(Errno) -> Bool {
        guard let upper = directory.upper else { return false }
        let (there, here) = (try upper.fd.status(name), try object.status())
        return there.ino == here.ino && there.dev == here.dev
    }
}
