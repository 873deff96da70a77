internal import FuseKit
internal import LinuxSys
internal import MountState
internal import UnionCore

/// RENAME with its flags. What moves is copied up first; a directory that the layers below have gets a redirect, or
/// EXDEV where those are not made.
extension UnionFileSystem {
    func serveRename(
        _ parent: UInt64, _ name: NameRef, _ newParent: UInt64, _ newName: NameRef,
        flags: RenameFlags, _ caller: Caller
    ) throws(Errno) {
        // As the kernel's overlayfs: whiteouts are ours to make (ovl_rename).
        guard flags.subtracting([.noReplace, .exchange]).isEmpty, flags != [.noReplace, .exchange] else {
            throw .invalid
        }
        let from = try table.node(parent)
        let to = try table.node(newParent)
        if caller.isResent, try finishRename(from, name, to, newName, flags, caller) { return }
        awaitForgetting()
        try withResources { () throws(Errno) in
            let node = try known(from, name)
            defer { table.forget(node, 1) }
            // Directories one after the other: the path that a redirect names must not move meanwhile.
            if table[node].kind == FileKind.directory.rawValue || flags.contains(.exchange) || mayNeedRedirect(node) {
                // What is copied up is before the lock, which all such renames of the mount wait for; looked at again
                // with it held.
                guard let early = try prepare(from, name, node, to, newName, flags) else { return }
                defer { if early.replaced != 0 { table.forget(early.replaced, 1) } }
                try redirects.holding(node) { () throws(Errno) in try rename(from, name, node, to, newName, flags) }
            } else {
                try rename(from, name, node, to, newName, flags)
            }
        }
    }

    /// A rename that comes again: what a worker that died did in the layers, the table learns. False: it is all to be
    /// done.
    private func finishRename(
        _ from: UInt32, _ name: NameRef, _ to: UInt32, _ newName: NameRef, _ flags: RenameFlags, _ caller: Caller
    ) throws(Errno) -> Bool {
        if Inflight.isDone { return true }
        guard let node = table.child(from, name) else { return false }
        return try withDirectories(ifDifferent: from, to) { (fromDirectory, toDirectory) throws(Errno) in
            listings.remove(from)
            listings.remove(to)
            if flags.contains(.exchange) {
                // The number goes with the object, whatever layer it is in.
                guard let other = table.child(to, newName), let there = try stack.lookup(toDirectory.parts, newName),
                    let here = try stack.lookup(fromDirectory.parts, name),
                    there.ino == table[node].ino, here.ino == table[other].ino, there.ino != here.ino
                else { return false }
                for directory in [from, to, node, other] where table[directory].kind == FileKind.directory.rawValue {
                    table.noteNamesChanged(directory)
                }
                table.exchanged(from, name, to, newName)
                for moved in [node, other] { directories.remove(moved) }
                return true
            }
            guard try stack.lookup(fromDirectory.parts, name) == nil,
                try stack.lookup(toDirectory.parts, newName) != nil
            else { return false }
            for directory in [from, to, node] where table[directory].kind == FileKind.directory.rawValue {
                table.noteNamesChanged(directory)
            }
            if let replaced = table.child(to, newName), replaced != node {
                let held = Inflight.held
                directories.remove(replaced)
                let isLast =
                    !table[replaced].flags.contains(.upper) || !held.orphan.isValid
                    || (try? held.orphan.status().nlink) ?? 0 == 0
                    || table[replaced].kind == FileKind.directory.rawValue
                table.removed(
                    to, newName, orphan: OwnedFD(adopting: held.orphan.raw), data: OwnedFD(adopting: held.data.raw),
                    isGone: isLast, isAll: false)
            }
            try table.renamed(from, name, to, newName)
            directories.remove(node)
            return true
        }
    }

    /// What a rename is about: the node at the new name, 0 for none, with one lookup counted, and what moves must say.
    private struct Prepared {
        var replaced: UInt32 = 0
        var redirect: FileName?
        var otherRedirect: FileName?
    }

    /// Refuses what is to be refused, then copies up what moves and where it goes. Nil: both names are of one file, and
    /// nothing is to be done.
    private func prepare(
        _ from: UInt32, _ name: NameRef, _ node: UInt32, _ to: UInt32, _ newName: NameRef, _ flags: RenameFlags
    ) throws(Errno) -> Prepared? {
        var prepared = Prepared()
        if let node = table.childCounted(to, newName) {
            prepared.replaced = node
        } else {
            let entry = try lookup(to, newName)
            if entry.node != 0 { prepared.replaced = try table.node(entry.node) }
        }
        do throws(Errno) {
            if try prepare(&prepared, from, name, node, to, newName, flags) { return prepared }
        } catch {
            if prepared.replaced != 0 { table.forget(prepared.replaced, 1) }
            throw error
        }
        if prepared.replaced != 0 { table.forget(prepared.replaced, 1) }
        return nil
    }

    private func prepare(
        _ prepared: inout Prepared, _ from: UInt32, _ name: NameRef, _ node: UInt32, _ to: UInt32, _ newName: NameRef,
        _ flags: RenameFlags
    ) throws(Errno) -> Bool {
        let replaced = prepared.replaced
        let exchange = flags.contains(.exchange)
        if exchange, replaced == 0 { throw .noEntry }
        if flags.contains(.noReplace), replaced != 0 { throw .exists }
        if replaced == node { return false }

        // All that can be refused is, before anything is copied.
        var redirect = try redirectForMove(node, sameParent: from == to)
        var otherRedirect = exchange ? try redirectForMove(replaced, sameParent: from == to) : nil
        let replacesDirectory = replaced != 0 && table[replaced].kind == FileKind.directory.rawValue
        if replacesDirectory, !exchange {
            guard table[node].kind == FileKind.directory.rawValue else { throw .isDirectory }
            guard try stack.isEmpty(try merged(replaced)) else { throw .notEmpty }
        } else if !exchange, replaced != 0, table[node].kind == FileKind.directory.rawValue {
            throw .notDirectory
        }

        try ensureUpper(from, .parent)
        try ensureUpper(to, .parent)
        try ensureUpperName(node, from, name, .rename)
        if exchange {
            try ensureUpperName(replaced, to, newName, .rename)
        }
        // A lower file that is replaced loses a name: the count of its others is kept with its copy.
        else if replaced != 0, table[replaced].indexName != 0 {
            try ensureUpperName(replaced, to, newName, .link)
        }

        // What is left without data says where they are, too.
        if redirect == nil { redirect = try redirectOfMetacopy(node, from, name, sameParent: from == to) }
        if exchange, otherRedirect == nil {
            otherRedirect = try redirectOfMetacopy(replaced, to, newName, sameParent: from == to)
        }
        prepared.redirect = redirect
        prepared.otherRedirect = otherRedirect
        return true
    }

    private func rename(
        _ from: UInt32, _ name: NameRef, _ node: UInt32, _ to: UInt32, _ newName: NameRef, _ flags: RenameFlags
    ) throws(Errno) {
        guard let prepared = try prepare(from, name, node, to, newName, flags) else { return }
        let replaced = prepared.replaced
        let (redirect, otherRedirect) = (prepared.redirect, prepared.otherRedirect)
        let exchange = flags.contains(.exchange)
        let replacesDirectory = replaced != 0 && table[replaced].kind == FileKind.directory.rawValue
        defer { if replaced != 0 { table.forget(replaced, 1) } }

        let subjectDirectory = table[node].kind == FileKind.directory.rawValue ? try merged(node) : nil
        let replacedDirectory = replacesDirectory ? try merged(replaced) : nil
        try withDirectories(from, to, (replacesDirectory ? replaced : 0, subjectDirectory == nil ? 0 : node)) {
            (fromDirectory, toDirectory) throws(Errno) in
            let subject = RenameSubject(
                directory: fromDirectory.parts, name: name,
                moved: subjectDirectory == nil ? nil : directories.find(node) ?? subjectDirectory, redirect: redirect)
            let target = RenameSubject(
                directory: toDirectory.parts, name: newName,
                moved: replacedDirectory == nil ? nil : directories.find(replaced) ?? replacedDirectory,
                redirect: otherRedirect)
            var (orphan, data) = (FD.none, FD.none)
            var isGone = false
            if replaced != 0, !exchange {
                if let own = target.moved {
                    orphan = try holdOn(replaced, own)
                    isGone = true
                } else {
                    (orphan, data, isGone) = try holdOn(replaced, toDirectory, newName)
                }
            }
            Inflight.holding(orphan: orphan, data: data)
            let (fromListing, toListing) = (listings.find(from), listings.find(to))
            let leavesWhiteout: Bool
            do throws(Errno) {
                leavesWhiteout = try stack.renameLocked(subject, to: target, exchange: exchange)
            } catch {
                orphan.close()
                data.close()
                // They may say something else of themselves than before, or be others: read again.
                if subjectDirectory != nil { directories.remove(node) }
                if replacesDirectory {
                    directories.remove(replaced)
                    listings.remove(replaced)
                }
                throw error
            }
            // `..` of a directory changes too.
            for directory in [from, to, node, replaced]
            where directory != 0 && table[directory].kind == FileKind.directory.rawValue {
                table.noteNamesChanged(directory)
            }
            toListing?.show(newName, like: table[node])
            if exchange {
                fromListing?.show(name, like: table[replaced])
            } else {
                fromListing?.hide(name, isInUpper: leavesWhiteout)
            }
            if exchange {
                table.exchanged(from, name, to, newName)
                // What a redirect says is read again.
                if replacesDirectory { directories.remove(replaced) }
            } else {
                if replaced != 0 {
                    table.removed(
                        to, newName, orphan: OwnedFD(adopting: orphan.raw), data: OwnedFD(adopting: data.raw),
                        isGone: isGone, isAll: false)
                    if replacesDirectory { directories.remove(replaced) }
                }
                try table.renamed(from, name, to, newName)
            }
            if subjectDirectory != nil { directories.remove(node) }
        }
        if replaced != 0, !exchange, table[replaced].flags.contains(.indexed),
            let indexName = table.ownedIndexName(replaced)
        {
            stack.index?.removeIfUnused(indexName)
        }
    }

    /// What a directory with lower parts must say before it moves; nil for what has none. EXDEV where redirects are not
    /// made: mv(1) copies then.
    private func redirectForMove(_ node: UInt32, sameParent: Bool) throws(Errno) -> FileName? {
        guard table[node].kind == FileKind.directory.rawValue else { return nil }
        let directory = try merged(node)
        guard directory.hasLower else { return nil }
        guard stack.options.redirectDir.makes, stack.upperHasXattrs else {
            // What may not move at all is told first (may_delete).
            if let top = directory.parts.first, try top.fd.status().isProtected { throw .notPermitted }
            throw .crossDevice
        }
        guard let redirect = Redirect.forMove(sameParent: sameParent, ancestry: try ancestry(of: node)) else {
            throw .crossDevice
        }
        return redirect
    }

    /// A directory's name and redirect, then its parent's, up to but without the root.
    func ancestry(of node: UInt32) throws(Errno) -> [(name: FileName, redirect: FileName?)] {
        var ancestry: [(name: FileName, redirect: FileName?)] = []
        var at = node
        while at != InodeTable.root, let (name, parent) = table.nameAndParent(at) {
            ancestry.append((name, try merged(at).upper?.markers.redirect))
            at = parent
        }
        return ancestry
    }
}

extension MergedListing {
    /// The object of a record came to this name.
    fileprivate func show(_ name: NameRef, like record: NodeRecord) {
        show(name, ino: record.ino, FileKind(rawValue: record.kind) ?? .unknown)
    }
}
