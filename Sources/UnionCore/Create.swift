internal import Glibc
public import LinuxSys

/// Who makes something, as the layer shall record it.
public struct Maker: Sendable {
    public let uid: UInt32, gid: UInt32, umask: UInt32
    public init(uid: UInt32, gid: UInt32, umask: UInt32) {
        self.uid = uid
        self.gid = gid
        self.umask = umask
    }
}

/// What is made.
public enum NewObject {
    case file(mode: UInt32, flags: Int32)
    case directory(mode: UInt32)
    case node(mode: UInt32, device: UInt64)
    case symlink(target: NameRef)

    var isDirectory: Bool { if case .directory = self { true } else { false } }
}

/// Names made in the upper layer. One system call as the caller; over a whiteout the object is made complete in the
/// work directory and takes the whiteout's place in one rename.
extension LayerStack {
    /// - Returns: the open file for `.file`.
    /// - Precondition: the caller holds the directory's lock; the directory is in the upper layer.
    public func createLocked(
        _ object: NewObject, in directory: MergedDirectory, _ name: NameRef, as maker: Maker
    ) throws(Errno) -> OwnedFD? {
        guard let upper = directory.upper else { throw .readOnly }
        try refuseReserved(name)
        if case .node(let mode, let device) = object, mode & 0o170000 == 0o020000, device == 0 { throw .notPermitted }
        if upperOverride != nil { return try createNoted(object, in: upper, name, as: maker) }
        do throws(Errno) {
            return try make(object, in: upper.fd, name, as: maker)
        } catch {
            guard error == .exists, try upperHasWhiteout(upper, name) else { throw error }
        }
        return try createOverWhiteout(object, in: upper, name, as: maker)
    }

    /// Names that are markers cannot be names: EINVAL, never half done.
    func refuseReserved(_ name: NameRef) throws(Errno) {
        if readsOCIWhiteouts, Whiteout.isMarkerName(name) { throw .invalid }
    }

    private func make(_ object: NewObject, in directory: FD, _ name: NameRef, as maker: Maker) throws(Errno) -> OwnedFD?
    {
        do throws(Errno) {
            let file = try ThreadCredentials.acting(uid: maker.uid, gid: maker.gid, umask: maker.umask) {
                () throws(Errno) in
                try makeAsIs(object, in: directory, name)
            }
            try restoreSetgid(object, in: directory, name, maker)
            return file
        } catch {
            // The kernel has checked the caller's permission already (default_permissions). What the layer refuses to
            // the bare user id, a capability may have allowed: made by us and given away.
            guard error == .accessDenied || error == .notPermitted, maker.uid != 0 || maker.gid != 0 else {
                throw error
            }
            return try makeAndGive(object, in: directory, name, to: maker)
        }
    }

    /// The kernel asks for sgid only where the caller may have it (mode_strip_sgid), by a supplementary group perhaps;
    /// our thread has none of those, and the layer took the bit away.
    private func restoreSetgid(_ object: NewObject, in directory: FD, _ name: NameRef, _ maker: Maker) throws(Errno) {
        guard case .file(let mode, _) = object, mode & UInt32(S_ISGID) != 0, maker.uid != 0 else { return }
        let status = try directory.status(name)
        if status.mode & UInt32(S_ISGID) == 0 { try directory.changeMode(name, status.permissions | UInt32(S_ISGID)) }
    }

    private func makeAsIs(_ object: NewObject, in directory: FD, _ name: NameRef) throws(Errno) -> OwnedFD? {
        switch object {
        case .file(let mode, let flags):
            return try directory.open(name, flags | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
        case .directory(let mode): try directory.makeDirectory(name, mode: mode)
        case .node(let mode, let device): try directory.makeNode(name, mode: mode, device: device)
        case .symlink(let target): try directory.makeSymlink(name, target: target)
        }
        return nil
    }

    private func makeAndGive(
        _ object: NewObject, in directory: FD, _ name: NameRef, to maker: Maker
    ) throws(Errno) -> OwnedFD? {
        let file = try ThreadCredentials.acting(uid: 0, gid: 0, umask: maker.umask) { () throws(Errno) in
            try makeAsIs(object, in: directory, name)
        }
        do throws(Errno) {
            let parent = try directory.status()
            // A setgid directory gives its group, which mkdir and open have done already.
            let gid = parent.mode & UInt32(S_ISGID) != 0 ? UInt32.max : maker.gid
            let made = try directory.status(name)
            try directory.changeOwner(name, uid: maker.uid, gid: gid)
            // chown clears these.
            if !made.isSymlink, made.mode & 0o6000 != 0 { try directory.changeMode(name, made.permissions) }
        } catch {
            do throws(Errno) {
                if object.isDirectory { try directory.removeDirectory(name) } else { try directory.unlink(name) }
            } catch {}
            throw error
        }
        return file
    }

    private func createOverWhiteout(
        _ object: NewObject, in upper: LayerDirectory, _ name: NameRef, as maker: Maker
    ) throws(Errno) -> OwnedFD? {
        guard let work else { throw .readOnly }
        return try withStagingDirectory(like: upper.fd, work) { (staging) throws(Errno) in
            let temporary = work.temporaryName()
            return try temporary.withRef { (t) throws(Errno) in
                let file = try make(object, in: staging, t, as: maker)
                do throws(Errno) {
                    if object.isDirectory {
                        // What the whiteout hid must stay hidden.
                        try setOpaque(staging, t)
                        try staging.rename(t, to: upper.fd, name, .exchange)
                        // In a directory of its own it goes with that.
                        if staging.raw == work.fd.raw { work.discard(t, isDirectory: false) }
                    } else {
                        try staging.rename(t, to: upper.fd, name)
                    }
                } catch {
                    do throws(Errno) {
                        if object.isDirectory { try staging.removeDirectory(t) } else { try staging.unlink(t) }
                    } catch {}
                    throw error
                }
                return file
            }
        }
    }

    /// The work directory itself, or where the parent gives its children a group or an ACL, a directory in there that
    /// does the same.
    func withStagingDirectory<R: ~Copyable>(
        like parent: FD, _ work: WorkDirectory, _ body: (FD) throws(Errno) -> R
    ) throws(Errno) -> R {
        let status = try parent.status()
        let acl = try parent.xattrIfPresent(NameRef.empty, NameRef("system.posix_acl_default"))
        if status.mode & UInt32(S_ISGID) == 0, acl == nil {
            // As the parent would: anybody who may write there may write here, for the moment of this call only through
            // us.
            return try body(work.fd)
        }
        let shadow = work.temporaryName()
        return try shadow.withRef { (s) throws(Errno) in
            try work.fd.makeDirectory(s, mode: 0o700)
            defer { work.discard(s, isDirectory: true) }
            let directory = try work.fd.openDirectory(s)
            try directory.fd.changeOwner(NameRef.empty, uid: status.uid, gid: status.gid)
            if let acl { try directory.fd.setXattr(NameRef.empty, NameRef("system.posix_acl_default"), acl) }
            try directory.fd.changeMode(NameRef.empty, status.permissions)
            return try body(directory.fd)
        }
    }

    /// A file without a name on the upper filesystem, for O_TMPFILE: in the directory itself, so that it inherits from
    /// there.
    public func createTemporary(
        in directory: MergedDirectory, mode: UInt32, flags: Int32, as maker: Maker
    ) throws(Errno) -> OwnedFD {
        guard let upper = directory.upper else { throw .readOnly }
        if upperOverride != nil { return try createTemporaryNoted(in: upper, mode: mode, flags: flags, as: maker) }
        do throws(Errno) {
            let file = try ThreadCredentials.acting(uid: maker.uid, gid: maker.gid, umask: maker.umask) {
                () throws(Errno) in
                try upper.fd.open(NameRef.dot, flags | OpenFlags.temporaryFile, mode: mode)
            }
            try restoreSetgid(.file(mode: mode, flags: flags), in: file.fd, NameRef.empty, maker)
            return file
        } catch {
            guard error == .accessDenied || error == .notPermitted, maker.uid != 0 || maker.gid != 0 else {
                throw error
            }
            let file = try ThreadCredentials.acting(uid: 0, gid: 0, umask: maker.umask) { () throws(Errno) in
                try upper.fd.open(NameRef.dot, flags | OpenFlags.temporaryFile, mode: mode)
            }
            let made = try file.fd.status()
            try file.fd.changeOwner(NameRef.empty, uid: maker.uid, gid: maker.gid)
            if made.mode & 0o6000 != 0 { try file.fd.changeMode(NameRef.empty, made.permissions) }
            return file
        }
    }

    /// Another name for an upper object (`source` and its name there, or with the empty name a descriptor).
    /// - Precondition: the caller holds the directory's lock.
    public func linkLocked(
        _ source: FD, _ sourceName: NameRef, to directory: MergedDirectory, _ name: NameRef
    ) throws(Errno) {
        guard let upper = directory.upper, let work else { throw .readOnly }
        try refuseReserved(name)
        func link(_ to: FD, _ newName: NameRef) throws(Errno) {
            if sourceName.isEmpty {
                try source.linkSelf(to: to, newName)
            } else {
                try source.link(sourceName, to: to, newName)
            }
        }
        do throws(Errno) {
            try link(upper.fd, name)
            return
        } catch {
            guard error == .exists, try upperHasWhiteout(upper, name) else { throw error }
        }
        let temporary = work.temporaryName()
        try temporary.withRef { (t) throws(Errno) in
            try link(work.fd, t)
            do throws(Errno) { try work.fd.rename(t, to: upper.fd, name) } catch {
                work.discard(t, isDirectory: false)
                throw error
            }
        }
    }

    /// Nothing of the layers below shows through a directory of the upper layer.
    func setOpaque(_ directory: FD, _ name: NameRef) throws(Errno) {
        if upperHasXattrs {
            try directory.setXattr(name, OverlayXattr.opaque.name(xattrs), text: "y")
        } else {
            let child = try directory.openDirectory(name)
            _ = try child.fd.open(NameRef(".wh..wh..opq"), O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0)
        }
    }
}
