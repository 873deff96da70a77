internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import UnionCore

/// Who reads and writes a file's data: the kernel in the layer's file (passthrough), or we.
///
/// Files of the upper layer are passed through, whoever opens them. Of the lower ones the large and the programs
/// (`NodeFlags.large`), whose pages all mounts of a layer then share; small ones are read through us, so that whoever
/// opened one before its copy-up sees what is written after it.
///
/// The kernel opens a backing file anew with the flags of the user's open, so a lower one handed to somebody who may
/// write would be written: none ever is (`InodeTable.join`), and its mount is read-only besides (`FD.cloneReadOnly`).
extension UnionFileSystem {
    /// An open that joins others, or finds the backing known, costs no system call. Else an openat(2), and for
    /// passthrough an ioctl and a close. A small lower file is opened when it is first read.
    func openFile(
        _ node: UInt32, _ flags: Int32, writes: Bool, killSuidGid: Bool, _ caller: Caller
    ) throws(Errno) -> Opened {
        if flags & O_TRUNC != 0 {
            // Before the mode is decided: nobody is counted for an open that fails.
            if table.isLowerPassedThrough(node) { try supersede(node) }
            let file = try openBacking(node, flags)
            if killSuidGid { try dropSuidGid(file.fd, caller, .told) }
        } else if table[node].flags.contains(.protected) {
            // FUSE inodes do not know these flags, and a backing that is known is not asked.
            _ = try openBacking(node, flags)
        }
        while true {
            switch table.join(node, writes: writes) {
            case .mustSupersede: try supersede(node)
            case .passthrough(let id):
                return try counted(node, passthrough: true) { () throws(Errno) in
                    try opened(node, flags, passthrough: id)
                }
            case .cached(let isFirst):
                return try counted(node, passthrough: false) { () throws(Errno) in
                    try openCached(node, flags, isFirst: isFirst)
                }
            case .undecided:
                if let opened = try decide(node, flags, writes: writes) { return opened }
            }
        }
    }

    /// Nil: somebody else was faster; look again.
    private func decide(_ node: UInt32, _ flags: Int32, writes: Bool) throws(Errno) -> Opened? {
        let isUpper = table[node].hasUpperData
        if passesThrough, isUpper || table[node].flags.contains(.large) && mayPassLowerThrough {
            // For reading, whatever the open is for: the kernel opens it again with the open's own flags, and a
            // descriptor for writing would count as a writer for as long as the kernel has the id
            // (`StoredFiles.swift`).
            let file = try openBacking(node, flags & ~O_TRUNC & ~OpenFlags.accessMode | O_RDONLY)
            // A copy-up in between: which of the two was opened is not known.
            guard table[node].hasUpperData == isUpper else { return nil }
            if let id = newBacking(file.fd) {
                guard case .passthrough(let bound) = table.bind(node, id, isLower: !isUpper, writes: writes) else {
                    connection?.closeBacking(id)
                    return nil
                }
                return try counted(node, passthrough: true) { () throws(Errno) in
                    try opened(node, flags, passthrough: bound)
                }
            }
        }
        guard case .cached(let isFirst) = table.joinCached(node) else { return nil }
        return try counted(node, passthrough: false) { () throws(Errno) in try openCached(node, flags, isFirst: isFirst)
        }
    }

    /// A new file, whose descriptor is at hand.
    func openedNew(_ node: UInt32, _ file: consuming OwnedFD, _ flags: Int32) throws(Errno) -> Opened {
        if passesThrough, let id = newBacking(file.fd) {
            if case .passthrough(let bound) = table.bind(node, id, isLower: false, writes: true) {
                return try counted(node, passthrough: true) { () throws(Errno) in
                    try opened(node, flags, passthrough: bound, isNew: true)
                }
            }
            connection?.closeBacking(id)
        }
        // Nobody else knows the node yet.
        _ = table.joinCached(node)
        let raw = file.release()
        return try counted(node, passthrough: false) { () throws(Errno) in
            Opened(
                handle: try handles.addFile(
                    node, generation: table[node].generation, OwnedFD(adopting: raw.raw), openFlags: flags,
                    isUpper: true), flags: policy.openFlags)
        }
    }

    private var mayPassLowerThrough: Bool { stack.lowersAreReadOnly && !stack.options.coherent }

    /// A backing that the kernel refuses (a filesystem that is stacked itself: ELOOP) makes nothing fail: the file is
    /// read and written through us.
    private func newBacking(_ file: FD) -> UInt32? {
        do throws(Errno) {
            guard let id = try connection?.openBacking(file) else { return nil }
            Inflight.backing(id)
            return id
        } catch { return nil }
    }

    /// Takes the count back where the open fails.
    private func counted(_ node: UInt32, passthrough: Bool, _ body: () throws(Errno) -> Opened) throws(Errno) -> Opened
    {
        do throws(Errno) { return try body() } catch {
            table.leave(node, generation: table[node].generation, passthrough: passthrough)
            throw error
        }
    }

    private func opened(
        _ node: UInt32, _ flags: Int32, passthrough id: UInt32, isNew: Bool = false
    ) throws(Errno) -> Opened {
        let isUpper = table[node].hasUpperData
        let handle = try handles.addFile(
            node, generation: table[node].generation, OwnedFD(adopting: -1), openFlags: flags, isUpper: isUpper,
            passthrough: true)
        if isUpper, flags & OpenFlags.accessMode == O_RDWR { noteStorer(node, isNew: isNew) }
        return Opened(handle: handle, flags: .passthrough, backing: id)
    }

    private func openCached(_ node: UInt32, _ flags: Int32, isFirst: Bool) throws(Errno) -> Opened {
        let record = table[node]
        let isUpper = record.hasUpperData
        // Pages from before somebody wrote past them are dropped by an open that does not keep them.
        let reply: OpenReplyFlags = isFirst && record.flags.contains(.writtenPast) ? [] : policy.openFlags
        if !isUpper, !record.flags.contains(.metacopy), flags & OpenFlags.accessMode == O_RDONLY {
            if isFirst { pushContent(node) }
            return Opened(
                handle: try handles.addFile(
                    node, generation: table[node].generation, OwnedFD(adopting: -1), openFlags: flags, isUpper: false),
                flags: reply)
        }
        var isDirect = false
        let file = try openBacking(node, flags & ~O_TRUNC, isDirect: &isDirect)
        let reads = isUpper && flags & OpenFlags.accessMode != O_WRONLY && flags & OpenFlags.noAccessTime == 0
        let isRead = reads ? try readMovesTime(file.fd) : false
        return Opened(
            handle: try handles.addFile(
                node, generation: table[node].generation, file, openFlags: flags, isUpper: isUpper),
            flags: isDirect ? .directIO : isRead ? [] : reply)
    }

    /// Others go on with the lower file in passthrough, and the name becomes another node with the same number: ESTALE
    /// makes the kernel look it up again (LOOKUP_REVAL) and ask once more. Where it has no path to walk, as with
    /// /proc/self/fd, the caller gets ESTALE.
    func supersede(_ node: UInt32) throws(Errno) {
        let raw = try withObject(node) { (fd, name, _) throws(Errno) in
            let object = name.isEmpty ? try fd.duplicate() : try fd.openPath(name)
            return object.release()
        }
        settleUsage(of: node, FD(raw: raw.raw))
        let names = table.names(node)
        table.supersede(node, object: OwnedFD(adopting: raw.raw))
        // The path that the kernel walks again has one name; what it holds of the others would go on showing the old
        // file.
        if names.count > 1 {
            for (parent, name) in names {
                name.withRef { n in
                    do throws(Errno) { try connection?.expireEntry(table.id(parent), n) } catch {
                        // The session ends.
                    }
                }
            }
        }
        throw .stale
    }

    /// From here on another node stands for the copy.
    private func settleUsage(of node: UInt32, _ object: FD) {
        guard usage.isOn else { return }
        for _ in 0..<3 {
            guard let turn = usage.turn(node) else { return }
            if let blocks = try? object.status().blocks, usage.settle(node, Int64(clamping: blocks), turn: turn) {
                return
            }
        }
        // Others are at it without an end.
        usage.giveUp()
    }

    /// Closed with its last user, or when others are wanted more.
    func released(_ handle: UInt64, isRequested: Bool = false) {
        guard let record = handles.release(handle, isRequested: isRequested) else { return }
        // The kernel sends RELEASE and FORGET without waiting: a FORGET that another thread had may be done already,
        // and the node's place be another's by now.
        if record.mayStore { table.storerLeft(record.node, generation: record.generation) }
        let isPassthrough = record.flags & HandleRecord.passthrough != 0
        if table.leave(record.node, generation: record.generation, passthrough: isPassthrough) {
            attributesChanged(record.node)
        }
    }
}
