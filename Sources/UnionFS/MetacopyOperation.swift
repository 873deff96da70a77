internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore

/// Files whose data are in a layer below while their metadata are in the upper one (metacopy): where the data are,
/// their copy before the first write, and the redirect that leads to them from another name.
extension UnionFileSystem {
    /// Before a lower file is read, copied up or loses a name: whether it has its data, where its lookup did not ask
    /// (`Found.isDataUnseen`). One getxattr, once.
    /// - Throws: EPERM for a metacopy where the mount follows none, EIO where no layer has the data, as the lookup
    ///   would have.
    func seeData(_ node: UInt32) throws(Errno) {
        while table[node].flags.contains(.dataUnseen) {
            var location = InodeTable.Location()
            // Without a name: it was looked at before that went.
            guard table.locate(node, &location) else { return }
            try withDirectory(location.parent, exclusive: false) { (directory) throws(Errno) in
                guard table.version(node) == location.version else { return }
                try location.name.withRef { (n) throws(Errno) in try seeData(node, in: directory, n) }
            }
        }
    }
    /// - Precondition: the name is the node's.
    func seeData(_ node: UInt32, in directory: borrowing HeldDirectory, _ name: NameRef) throws(Errno) {
        let record = table[node]
        guard record.flags.contains(.dataUnseen), let part = directory.part(inLayer: Int(record.layer)) else {
            return table.dataSeen(node)
        }
        guard try stack.isMetacopy(part.fd, name) else { return table.dataSeen(node) }
        let found = try stack.lookup(directory.parts, name)
        table.dataSeen(node, isElsewhere: true, blocks: found?.dataBlocks)
    }

    /// An open file of what has the node's data: a layer below for a metacopy file, else its own object.
    func openData(_ node: UInt32, _ flags: Int32) throws(Errno) -> OwnedFD {
        while true {
            let record = table[node]
            guard record.flags.contains(.metacopy) else {
                return try openObject(node, flags)
            }
            if record.dataFD >= 0 {
                let file = try FD(raw: record.dataFD).reopenQuietly(flags)
                try verify(node, file.fd)
                return file
            }
            var location = InodeTable.Location()
            guard table.locate(node, &location) else {
                if table[node].dataFD >= 0 || !table[node].flags.contains(.metacopy) { continue }
                throw .stale
            }
            let raw = try withDirectory(location.parent, exclusive: false) { (directory) throws(Errno) -> FD? in
                guard table.version(node) == location.version else { return nil }
                let object = try location.name.withRef { (n) throws(Errno) in try stack.openData(directory.parts, n) }
                let file = try object.fd.reopenQuietly(flags)
                return file.release()
            }
            guard let raw else { continue }
            let file = OwnedFD(adopting: raw.raw)
            try verify(node, file.fd)
            return file
        }
    }

    /// `verity`: once, the data against the digest that the metacopy file has. Nothing for a mount without that option.
    private func verify(_ node: UInt32, _ data: FD) throws(Errno) {
        guard stack.options.verity != .off, !table[node].flags.contains(.dataVerified) else { return }
        try withObject(node) { (fd, name, _) throws(Errno) in try stack.verifyData(data, of: fd, name) }
        table.noteVerified(node)
    }

    /// For a copy-up of a lower metacopy file that copies data: where they are.
    func dataOfMetacopy(_ node: UInt32, _ extent: CopyUpExtent) throws(Errno) -> OwnedFD {
        guard table[node].flags.contains(.metacopy) else { return OwnedFD(adopting: -1) }
        // The next metacopy says what their digest is.
        if case .metadata = extent, stack.makesMetacopies, stack.options.verity == .off { return OwnedFD(adopting: -1) }
        return try openData(node, O_RDONLY)
    }

    /// An upper metacopy file gets its data before the first write.
    /// - Precondition: the node is claimed.
    func copyDataUp(_ node: UInt32, _ cause: CopyUpCause, _ extent: CopyUpExtent) throws(Errno) {
        let began = Clock.monotonic
        let data = try openData(node, O_RDONLY)
        let file = try openObject(node, O_WRONLY)
        let copied = try stack.fillMetacopy(file.fd, from: data.fd, extent)
        table.dataCopiedUp(node)
        statistics.recordCopyUp(
            cause: cause, kind: copied.isReflinked ? .reflinkedFile : .file, bytes: copied.bytes,
            nanoseconds: Clock.monotonic &- began)
    }

    /// A file whose move may leave a metacopy behind its data.
    func mayNeedRedirect(_ node: UInt32) -> Bool {
        let record = table[node]
        return stack.makesMetacopies && record.kind == FileKind.regular.rawValue && !record.hasUpperData
    }

    /// What an upper metacopy file must say before it gets another name; nil for one that has its data. Where it cannot
    /// be said, the data are copied.
    func redirectOfMetacopy(
        _ node: UInt32, _ parent: UInt32, _ name: NameRef, sameParent: Bool
    ) throws(Errno) -> FileName? {
        guard table[node].flags.contains(.metacopy) else { return nil }
        if stack.options.redirectDir.makes, stack.upperHasXattrs {
            let present = try withObject(node) { (fd, object, _) throws(Errno) in try stack.redirect(of: fd, object) }
            // Names in several directories can share an absolute path only (ovl_need_absolute_redirect).
            let isShared = table[node].indexName != 0
            let ancestry = [(name: name.owned, redirect: present)] + (try ancestry(of: parent))
            if let redirect = Redirect.forMove(sameParent: sameParent && !isShared, ancestry: ancestry) {
                return redirect
            }
        }
        try ensureUpper(node, .rename, extent: .all)
        return nil
    }

    /// Before a file gets one more name.
    func ensureRedirect(_ node: UInt32, sameParent: Bool) throws(Errno) {
        guard table[node].flags.contains(.metacopy) else { return }
        try redirects.holding(node) { () throws(Errno) in
            var location = InodeTable.Location()
            guard table.locate(node, &location) else { return try ensureUpper(node, .link, extent: .all) }
            let redirect = try location.name.withRef { (n) throws(Errno) in
                try redirectOfMetacopy(node, location.parent, n, sameParent: sameParent)
            }
            guard let redirect else { return }
            try withObject(node) { (fd, object, _) throws(Errno) in try stack.setRedirect(redirect, on: fd, object) }
        }
    }
}
