internal import Glibc
internal import LinuxSys

/// What a copy keeps of its lower object, in the order that lets nothing undo what came before: owner (which clears
/// suid and capabilities), what overlay notes, extended attributes (capabilities among them, ACLs last), mode with
/// suid, sgid and sticky, times last.
extension LayerStack {
    /// - Returns: whether the copy knows its origin.
    func copyMetadata(_ source: CopyUpSource, to directory: FD, _ name: NameRef, indexed: Bool) throws(Errno) -> Bool {
        let status = source.status
        if !isOwnedAlready(status) {
            try step(.changeOwner)
            try giveOwner(status, to: directory, name)
        }
        // Before anything that takes away what these need: a `user.` attribute asks for write permission, and an access
        // list or the mode may give none to the owner.
        let hasOrigin = try setOrigin(source, on: directory, name)
        if indexed, let index {
            try step(.setLinkCount)
            try index.noteLinks(directory, name, links: status.nlink, relativeToUpper: false, count: status.nlink)
        }
        try copyXattrs(source, to: directory, name)
        if !status.isSymlink {
            try step(.changeMode)
            try giveMode(status, to: directory, name)
        }
        try step(.setTimes)
        try directory.setTimes(name, access: status.atime, modification: status.mtime)
        return hasOrigin
    }

    /// What we make is its owner's from the beginning: a chown(2) would be a change to the disk for nothing.
    private func isOwnedAlready(_ status: FileStatus) -> Bool {
        guard upperOverride == nil, let owner = work?.newOwner else { return false }
        return owner.uid == status.uid && owner.gid == status.gid
    }

    func copyXattrs(_ source: CopyUpSource, to directory: FD, _ name: NameRef) throws(Errno) {
        try step(.listXattrs)
        let names = try source.directory.listXattrs(source.name)
        if names.isEmpty { return }
        try copyXattrs(names, source, to: directory, name, lists: false)
        try copyXattrs(names, source, to: directory, name, lists: true)
    }

    private func copyXattrs(
        _ names: [UInt8], _ source: CopyUpSource, to directory: FD, _ name: NameRef, lists: Bool
    ) throws(Errno) {
        try names.forEachName { (attribute) throws(Errno) in
            if attribute.hasPrefix("system.posix_acl_") != lists { return }
            if visibility.isOverlayOwn(attribute) { return }
            // An access list on the disk would speak of the owners on the disk.
            if upperOverride != nil, attribute.hasPrefix("system.posix_acl_") { return }
            guard var value = try source.directory.xattrIfPresent(source.name, attribute) else { return }
            if ownersAsStored != nil, attribute.hasPrefix("system.posix_acl_") {
                value = storedACL(value, layer: source.layer)
            }
            do throws(Errno) {
                try step(.setXattr)
                try directory.setXattr(name, attribute, value)
            } catch {
                // ACLs and security attributes protect something; others that the upper filesystem has no place for are
                // lost (ovl_copy_xattr, ovl_must_copy_xattr). trusted.* is not ours to set in a user namespace.
                let mustKeep = attribute.hasPrefix("system.posix_acl_") || attribute.hasPrefix("security.")
                if error == .notSupported, !mustKeep { return }
                if error == .notPermitted, xattrs == .user, attribute.hasPrefix("trusted.") { return }
                throw error
            }
        }
    }

    /// The handle of the lower object: its inode number and its other names are found by it again (ovl_set_origin).
    private func setOrigin(_ source: CopyUpSource, on directory: FD, _ name: NameRef) throws(Errno) -> Bool {
        // user.* attributes are for files and directories only.
        if !upperHasXattrs || xattrs == .user && !source.status.isRegular && !source.status.isDirectory { return false }
        // What stands in for a directory that something is mounted over is nobody's origin.
        if source.status.isDirectory, source.status.nlink == 0 { return false }
        guard let origin = try originHandle(source.directory, source.name, layer: source.layer) else {
            return try source.status.isDirectory ? false : noteNumber(source, on: directory, name)
        }
        do throws(Errno) {
            try step(.setOrigin)
            try directory.setXattr(name, OverlayXattr.origin.name(xattrs), origin.bytes)
            return true
        } catch {
            if error == .notSupported { return false }
            throw error
        }
    }
}
