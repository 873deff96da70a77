public import LinuxSys

/// An object's status as its layer means it: statx(2), and where the layer keeps owners and modes in an attribute
/// (`StatOverride`), that. One getxattr(2) more for files and directories of such layers, nothing for others.
extension LayerStack {
    public func status(_ directory: FD, _ name: NameRef, layer: Int) throws(Errno) -> FileStatus {
        let status = try directory.status(name)
        return hasOverrides ? try overridden(status, directory, name, layer: layer) : status
    }

    func overridden(_ status: FileStatus, _ directory: FD, _ name: NameRef, layer: Int) throws(Errno) -> FileStatus {
        guard hasOverrides, layer < layers.count else { return status }
        if let ownersAsStored, layers[layer].isIDMapped {
            var status = status
            status.uid = ownersAsStored.stored(uid: status.uid) ?? OwnerMapping.overflow
            status.gid = ownersAsStored.stored(gid: status.gid) ?? OwnerMapping.overflow
            return status
        }
        guard let form = layers[layer].override, status.isRegular || status.isDirectory,
            let value = try directory.xattrIfPresent(name, form.name), let override = StatOverride(value)
        else { return status }
        return override.applied(to: status)
    }

    /// An access list as a layer means it.
    public func storedACL(_ value: [UInt8], layer: Int) -> [UInt8] {
        guard let ownersAsStored, layer < layers.count, layers[layer].isIDMapped else { return value }
        return ownersAsStored.stored(acl: value) ?? value
    }

    /// What new and changed objects of the upper layer are noted with in place of chown(2) and chmod(2).
    public var upperOverride: OverrideForm? { upperLayer?.override }

    /// chown(2) of an upper object, with what that does to suid, sgid and capabilities. UInt32.max leaves an id as it
    /// is.
    public func changeOwner(_ directory: FD, _ name: NameRef, uid: UInt32, gid: UInt32) throws(Errno) {
        guard let form = upperOverride else { return try directory.changeOwner(name, uid: uid, gid: gid) }
        let status = try directory.status(name)
        guard status.isRegular || status.isDirectory else { return try directory.changeOwner(name, uid: uid, gid: gid) }
        var seen = StatOverride(try overridden(status, directory, name, layer: 0))
        if uid != UInt32.max { seen.uid = uid }
        if gid != UInt32.max { seen.gid = gid }
        if status.isRegular {
            let execute: UInt32 = 0o010
            seen.permissions &= seen.permissions & execute != 0 ? 0o1777 : 0o3777
            // For the capabilities.
            try directory.changeOwner(name, uid: UInt32.max, gid: UInt32.max)
        }
        try directory.setXattr(name, form.name, seen.text)
    }

    /// chmod(2) of an upper object. Where it is only noted, other users of the machine get no more than the mode gives
    /// them.
    public func changeMode(_ directory: FD, _ name: NameRef, _ mode: UInt32) throws(Errno) {
        guard let form = upperOverride else { return try directory.changeMode(name, mode) }
        let status = try directory.status(name)
        guard status.isRegular || status.isDirectory else { return try directory.changeMode(name, mode) }
        var seen = StatOverride(try overridden(status, directory, name, layer: 0))
        seen.permissions = mode & 0o7777
        try directory.setXattr(name, form.name, seen.text)
        try directory.changeMode(name, Self.storedMode(seen.permissions, isDirectory: status.isDirectory))
    }

    /// On the disk: for ourselves to open it, without suid, sgid and sticky, which are for the owner that is only
    /// noted.
    static func storedMode(_ permissions: UInt32, isDirectory: Bool) -> UInt32 {
        permissions & 0o777 | (isDirectory ? 0o700 : 0o600)
    }

    /// A copy's owner and mode, in two steps: what comes between would be undone by the first and hindered by the
    /// second.
    func giveOwner(_ status: FileStatus, to directory: FD, _ name: NameRef) throws(Errno) {
        if upperOverride == nil { return try directory.changeOwner(name, uid: status.uid, gid: status.gid) }
        // A symlink takes no such attribute: its owner is the real one, where we may.
        guard status.isSymlink else { return }
        do throws(Errno) { try directory.changeOwner(name, uid: status.uid, gid: status.gid) } catch {
            guard error == .notPermitted || error == .invalid else { throw error }
        }
    }
    func giveMode(_ status: FileStatus, to directory: FD, _ name: NameRef) throws(Errno) {
        if status.isSymlink { return }
        guard let form = upperOverride else { return try directory.changeMode(name, status.permissions) }
        try directory.setXattr(name, form.name, StatOverride(status).text)
        try directory.changeMode(name, Self.storedMode(status.permissions, isDirectory: status.isDirectory))
    }
}
