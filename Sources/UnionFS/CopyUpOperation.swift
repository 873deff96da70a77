internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore

/// Copy-up of live nodes: ancestors first, one copier for each inode, data with no lock held, and the publication under
/// the directory's lock after a look whether the name still stands for the node.
extension UnionFileSystem {
    /// The node is in the upper layer when this returns, and with it as much of its data as the extent says. Costs one
    /// read of the record when it is already.
    func ensureUpper(_ node: UInt32, _ cause: CopyUpCause, extent: CopyUpExtent = .metadata) throws(Errno) {
        if isUpper(node, extent) { return }
        guard stack.hasUpper else { throw .readOnly }
        do throws(Errno) {
            try withResources { () throws(Errno) in try copyUp(node, cause, extent) }
        } catch {
            statistics.recordCopyUpFailure(cause: cause)
            throw error
        }
    }

    private func isUpper(_ node: UInt32, _ extent: CopyUpExtent) -> Bool {
        let record = table[node]
        if case .metadata = extent { return record.flags.contains(.upper) }
        return record.hasUpperData
    }

    private func copyUp(_ node: UInt32, _ cause: CopyUpCause, _ extent: CopyUpExtent) throws(Errno) {
        repeat {
            // From the root down; the chain is short and nearly always in the upper layer but for its end.
            var chain: [UInt32] = []
            var at = node
            while let above = table.nameAndParent(at), !table[above.parent].flags.contains(.upper) {
                chain.append(above.parent)
                at = above.parent
            }
            while let directory = chain.popLast() { _ = try copyUpOne(directory, .parent, .metadata) }
            // False: renamed into another directory meanwhile, which may be a lower one.
        } while try !copyUpOne(node, cause, extent)
    }

    private func copyUpOne(_ node: UInt32, _ cause: CopyUpCause, _ extent: CopyUpExtent) throws(Errno) -> Bool {
        try claims.holding(node) { () throws(Errno) in
            if isUpper(node, extent) { return true }
            // The name is looked up for this alone: not where nobody has asked.
            let held: (UInt32, UInt32) =
                usage.isOn ? (willChange(node), table.nameAndParent(node).map { willChange($0.parent) } ?? 0) : (0, 0)
            defer {
                changed(held.0)
                changed(held.1)
            }
            let began = Clock.monotonic
            if table[node].flags.contains(.upper) {
                try copyDataUp(node, cause, extent)
                attributesChanged(node)
                return true
            }
            try seeData(node)
            guard let staged = try stageAndPublish(node, extent) else { return false }
            // The copy has its own ctime, and its directory another, as overlayfs shows at once. No request told the
            // kernel.
            if !cause.tellsKernel { attributesChanged(node) }
            if let parent = table.nameAndParent(node)?.parent { attributesChanged(parent) }
            statistics.recordCopyUp(
                cause: cause, kind: kind(node, staged), bytes: staged.bytes,
                nanoseconds: Clock.monotonic &- began)
            return true
        }
    }

    private func kind(_ node: UInt32, _ staged: StagedCopy) -> CopyUpKind {
        switch FileKind(rawValue: table[node].kind) {
        case .regular: staged.isMetacopy ? .metadataOnlyFile : staged.isReflinked ? .reflinkedFile : .file
        case .directory: .directory
        case .symlink: .symlink
        default: .special
        }
    }

    /// Nil: the name moved before the copy could be shown.
    private func stageAndPublish(_ node: UInt32, _ extent: CopyUpExtent) throws(Errno) -> StagedCopy? {
        var location = InodeTable.Location()
        guard table.locate(node, &location) else { return try copyUpOrphan(node, extent) }
        // The lower object stays where it is for ever: its directory needs to be held open, not locked.
        let parent = try merged(location.parent)
        guard let part = parent.part(inLayer: location.layer) else { throw .stale }
        let own = table[node].kind == FileKind.directory.rawValue ? try merged(node) : nil
        let indexName = table.ownedIndexName(node)
        let data = try dataOfMetacopy(node, extent)
        var (blocks, size): (UInt64, UInt64) = (0, 0)
        var number: UInt64?
        let staged = try withExtendedLifetime(parent) { () throws(Errno) in
            try location.name.withRef { (name) throws(Errno) in
                if let top = own?.parts.first {
                    let source = CopyUpSource(
                        directory: top.fd, name: NameRef.empty, layer: top.layer,
                        status: try stack.status(top.fd, NameRef.empty, layer: top.layer))
                    return try stack.stageCopy(source, extent: extent, indexed: false)
                }
                let source = CopyUpSource(
                    directory: part.fd, name: name, layer: part.layer,
                    status: try stack.status(part.fd, name, layer: part.layer), data: data.fd.isValid ? data.fd : nil)
                (blocks, size) = (source.status.blocks, source.status.size)
                let staged = try stack.stageCopy(source, extent: extent, indexed: indexName != nil)
                number = try numberApart(staged, from: source.status)
                return staged
            }
        }
        Inflight.copying(node)
        defer { Inflight.copying(0) }
        let held = (willChange(node), willChange(location.parent))
        defer {
            changed(held.0)
            changed(held.1)
        }
        let published = try withDirectory(location.parent, exclusive: true) { (directory) throws(Errno) -> Bool in
            guard table.version(node) == location.version, let upper = directory.upper else { return false }
            try location.name.withRef { (name) throws(Errno) in
                if let indexName {
                    try stack.publishIndexedLocked(
                        staged, indexName: indexName, lowerLinks: table[node].lowerLinks, in: upper, name)
                } else {
                    try stack.publishLocked(staged, in: upper, name)
                }
                if let own { directories.put(node, own.addingUpper(try stack.openPublished(in: upper, name))) }
                listings.find(location.parent)?.copiedUp(name, number: number)
                table.copiedUp(
                    node, location.parent, name, indexed: indexName != nil,
                    dataBlocks: staged.isMetacopy ? blocks : nil, size: size, number: number)
            }
            if stack.options.durability == .strict { try makeCopyDurable(node, upper, indexed: indexName != nil) }
            return true
        }
        if published, number != nil { listingChanged(location.parent) }
        return published ? staged : nil
    }

    /// `fsync=strict`: nobody is told of a copy-up before its name is on the disk. The copy itself is, since it was
    /// staged.
    private func makeCopyDurable(_ node: UInt32, _ parent: LayerDirectory, indexed: Bool) throws(Errno) {
        if indexed, let index = stack.index { try index.fd.sync() }
        try parent.fd.sync()
        table.noteNameDurable(node)
    }

    /// A lower file whose names are gone while somebody has it open: its copy has no name either.
    private func copyUpOrphan(_ node: UInt32, _ extent: CopyUpExtent) throws(Errno) -> StagedCopy {
        let record = table[node]
        guard record.orphan >= 0 else { throw .stale }
        let fd = FD(raw: record.orphan)
        let data = record.flags.contains(.metacopy) ? FD(raw: record.dataFD) : nil
        if let data, !data.isValid { throw .io }
        if data != nil, stack.options.verity != .off { _ = try openData(node, O_RDONLY) }
        let source = CopyUpSource(
            directory: fd, name: NameRef.empty, layer: Int(record.layer),
            status: try stack.status(fd, NameRef.empty, layer: Int(record.layer)), data: data)
        // Nothing would lead from a copy without a name to its data.
        var extent = extent
        if case .metadata = extent { extent = .all }
        let staged = try stack.stageCopy(source, extent: extent, indexed: false)
        let number = try numberApart(staged, from: source.status)
        table.orphanCopiedUp(node, try stack.detach(staged).release(), number: number)
        return staged
    }

    /// Without an index the other names of a lower file stay with it: the copy is another file than theirs, and must
    /// have another number, or tar(1) would make links of them. Nil: it keeps the one that it has.
    private func numberApart(_ copy: StagedCopy, from source: FileStatus) throws(Errno) -> UInt64? {
        guard stack.index == nil, !source.isDirectory, source.nlink > 1 else { return nil }
        return stack.number(try copy.status(), ofLayer: 0)
    }

    /// For a file in the index: this very name in the upper layer too, as a link to the copy. Before the name is
    /// removed, moved or linked.
    func ensureUpperName(_ node: UInt32, _ parent: UInt32, _ name: NameRef, _ cause: CopyUpCause) throws(Errno) {
        try ensureUpper(node, cause)
        guard table[node].flags.contains(.indexed), let indexName = table.ownedIndexName(node) else { return }
        if table.nameIsInUpper(parent, name) {
            try settleLinkCount(node)
            return
        }
        try ensureUpper(parent, .parent)
        let held = (willChange(parent), willChange(node))
        defer {
            changed(held.0)
            changed(held.1)
        }
        try claims.holding(node) { () throws(Errno) in
            try withDirectory(parent, exclusive: true) { (directory) throws(Errno) in
                guard !table.nameIsInUpper(parent, name), let upper = directory.upper else { return }
                let record = table[node]
                do throws(Errno) {
                    try stack.linkFromIndexLocked(
                        indexName: indexName, links: record.unionLinks, lowerLinks: record.lowerLinks, in: upper, name)
                } catch {
                    // By a worker that died before the table knew.
                    guard error == .exists, let found = try stack.lookup(directory.parts, name), found.isInUpper,
                        !found.isShownFromIndex, found.indexName == indexName
                    else { throw error }
                }
                listings.find(parent)?.copiedUp(name)
                table.noteNameInUpper(parent, name)
                if stack.options.durability == .strict { try makeCopyDurable(node, upper, indexed: true) }
            }
        }
        attributesChanged(node)
        attributesChanged(parent)
    }

    /// Before the number of names of a file in the index changes: counted from the copy, whose own count changes with
    /// it. A crash in the middle of a copy-up leaves it counted from the lower inode.
    func settleLinkCount(_ node: UInt32) throws(Errno) {
        guard table[node].flags.contains(.indexed), let index = stack.index, let indexName = table.ownedIndexName(node)
        else { return }
        try claims.holding(node) { () throws(Errno) in
            try index.settleLinks(indexName, lowerLinks: table[node].lowerLinks)
        }
    }
}

extension CopyUpCause {
    /// The request itself makes the kernel know the file's attributes anew, or forget them: by its reply, as SETATTR
    /// and an open with O_TRUNC, or by what we say behind it.
    fileprivate var tellsKernel: Bool {
        switch self {
        case .chmod, .chown, .utimens, .truncate, .setxattr, .removexattr, .acl: true
        default: false
        }
    }
}
