internal import Glibc
internal import LinuxSys

/// New objects of an upper layer that notes owners and modes (`StatOverride`): ours on the disk, made and noted in the
/// work directory and moved to their name in one rename, so that nobody sees them as ours. A file stands for a fifo, a
/// socket or a device.
extension LayerStack {
    func createNoted(
        _ object: NewObject, in upper: LayerDirectory, _ name: NameRef, as maker: Maker
    ) throws(Errno) -> OwnedFD? {
        guard let work else { throw .readOnly }
        let looks = try noted(object, in: upper, maker)
        return try work.temporaryName().withRef { (t) throws(Errno) in
            let file = try makeOurs(object, in: work.fd, t)
            do throws(Errno) {
                if let looks {
                    try note(looks, work.fd, t, isDirectory: object.isDirectory)
                } else {
                    try giveSymlink(work.fd, t, maker)
                }
                try place(t, isDirectory: object.isDirectory, in: upper, name, work)
            } catch {
                work.discard(t, isDirectory: object.isDirectory)
                throw error
            }
            return file
        }
    }

    func createTemporaryNoted(
        in upper: LayerDirectory, mode: UInt32, flags: Int32, as maker: Maker
    ) throws(Errno) -> OwnedFD {
        let object = NewObject.file(mode: mode, flags: flags)
        guard let form = upperOverride, let looks = try noted(object, in: upper, maker) else { throw .invalid }
        let file = try upper.fd.open(
            NameRef.dot, flags | OpenFlags.temporaryFile, mode: Self.storedMode(looks.permissions, isDirectory: false))
        try file.fd.setXattr(NameRef.empty, form.name, looks.text)
        return file
    }

    /// Owner, group of a setgid directory, mode under the umask: as inode_init_owner has it. Nil for a symlink, which
    /// takes no such note.
    private func noted(_ object: NewObject, in upper: LayerDirectory, _ maker: Maker) throws(Errno) -> StatOverride? {
        let parent = try status(upper.fd, NameRef.empty, layer: 0)
        var looks = FileStatus()
        looks.uid = maker.uid
        looks.gid = parent.mode & UInt32(S_ISGID) != 0 ? parent.gid : maker.gid
        switch object {
        case .file(let mode, _): looks.mode = FileKind.regular.modeBits | mode & 0o7777 & ~maker.umask
        case .directory(let mode):
            looks.mode = FileKind.directory.modeBits | mode & 0o7777 & ~maker.umask | parent.mode & UInt32(S_ISGID)
        case .node(let mode, let device):
            looks.mode = mode & ~maker.umask
            looks.rdev = device
        case .symlink: return nil
        }
        return StatOverride(looks)
    }

    private func makeOurs(_ object: NewObject, in directory: FD, _ name: NameRef) throws(Errno) -> OwnedFD? {
        switch object {
        case .file(_, let flags): return try directory.open(name, flags | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        case .directory: try directory.makeDirectory(name, mode: 0o700)
        case .node: _ = try directory.open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        case .symlink(let target): try directory.makeSymlink(name, target: target)
        }
        return nil
    }

    private func note(_ looks: StatOverride, _ directory: FD, _ name: NameRef, isDirectory: Bool) throws(Errno) {
        guard let form = upperOverride else { throw .invalid }
        try directory.setXattr(name, form.name, looks.text)
        try directory.changeMode(name, Self.storedMode(looks.permissions, isDirectory: isDirectory))
    }

    private func giveSymlink(_ directory: FD, _ name: NameRef, _ maker: Maker) throws(Errno) {
        var status = try directory.status(name)
        status.uid = maker.uid
        status.gid = maker.gid
        try giveOwner(status, to: directory, name)
    }

    /// - Precondition: the caller holds the directory's lock.
    private func place(
        _ temporary: NameRef, isDirectory: Bool, in directory: LayerDirectory, _ name: NameRef, _ work: WorkDirectory
    ) throws(Errno) {
        let upper = directory.fd
        do throws(Errno) {
            return try work.fd.rename(temporary, to: upper, name, .noReplace)
        } catch {
            guard error == .exists, try upperHasWhiteout(directory, name) else { throw error }
        }
        if !isDirectory { return try work.fd.rename(temporary, to: upper, name) }
        // What the whiteout hid must stay hidden.
        try setOpaque(work.fd, temporary)
        try work.fd.rename(temporary, to: upper, name, .exchange)
        work.discard(temporary, isDirectory: false)
    }
}
