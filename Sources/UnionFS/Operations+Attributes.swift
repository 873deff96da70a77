internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore

/// SETATTR: chmod, chown, truncate and utimens in any combination. Each is one system call on the upper object.
extension UnionFileSystem {
    func serveSetattr(
        _ node: UInt64, _ change: AttributeChange, handle: UInt64?, _ caller: Caller
    ) throws(Errno) -> AttributeReply {
        let node = try table.node(node)
        if let same = try timeAlreadyThere(node, change) { return same }
        // Refused before anything is copied for it.
        let uid = try storedOwner(change.uid, owners.stored(uid:))
        let gid = try storedOwner(change.gid, owners.stored(gid:))
        try ensureUpper(node, cause(of: change), extent: change.size.map { .prefix($0) } ?? .metadata)
        if let size = change.size { try setSize(node, size, handle, kill: change.killSuidGid, caller) }
        let hadCapabilities = table.takeLostCapabilities(node)
        if table[node].kind == FileKind.directory.rawValue { table.willTell(node) }
        let status = try withObject(node) { (fd, name, _) throws(Errno) in
            var changesOwner = change.uid != nil || change.gid != nil
            if change.isEmpty {
                let status = try stack.status(fd, name, layer: 0)
                guard isChownOfNothing(status, hadCapabilities: hadCapabilities, caller) else {
                    // Before a write in passthrough, of which we hear nothing else (file_remove_privs).
                    guard table[node].passthroughOpens > 0, status.mode & 0o6000 != 0 else { return status }
                    return try dropSuidGid(fd, name, caller, .none) ? try stack.status(fd, name, layer: 0) : status
                }
                changesOwner = true
            }
            // Without execute permission of the group sgid stays for those in the group alone
            // (setattr_should_drop_sgid); we are root.
            var dropsSgid = false
            if changesOwner {
                let status = try stack.status(fd, name, layer: 0)
                try refuseToDrop(status, caller)
                dropsSgid =
                    !status.isDirectory && status.mode & UInt32(S_ISGID | S_IXGRP) == UInt32(S_ISGID)
                    && !isInGroup(caller, of: status)
                // Clears suid, sgid and file capabilities, as for anybody.
                try stack.changeOwner(fd, name, uid: uid, gid: gid)
            }
            if dropsSgid {
                try stack.changeMode(fd, name, try stack.status(fd, name, layer: 0).permissions & ~UInt32(S_ISGID))
            }
            if let mode = change.mode { try stack.changeMode(fd, name, mode & 0o7777) }
            if change.atime != nil || change.mtime != nil {
                try settingTime(of: node) { () throws(Errno) in
                    try setTimes(
                        fd, name, access: change.atime ?? .omit, modification: change.mtime ?? .omit,
                        isAppendOnly: table[node].flags.contains(.protected))
                }
            }
            return try stack.status(fd, name, layer: 0)
        }
        noteChanged(node)
        // What the kernel writes back comes with the data, in any order: how many blocks they take is not known yet.
        return AttributeReply(
            attributes: shown(status, node),
            seconds: writesBack && change.isModificationTimeOnly ? 0 : settledSeconds(knownSeconds(node), node, status))
    }

    /// The metadata of a superseded file are its successor's.
    func noteChanged(_ node: UInt32) {
        guard table[node].flags.contains(.superseded), let other = table.successor(of: node) else { return }
        attributesChanged(other)
    }

    /// For chown(2): -1 for what stays. EINVAL for somebody whom the layers cannot have, as with idmapped mounts.
    private func storedOwner(_ id: UInt32?, _ stored: (UInt32) -> UInt32?) throws(Errno) -> UInt32 {
        guard let id else { return UInt32.max }
        guard let other = stored(id) else { throw .invalid }
        return other
    }

    private func cause(of change: AttributeChange) -> CopyUpCause {
        if change.size != nil { return .truncate }
        if change.uid != nil || change.gid != nil || change.isEmpty { return .chown }
        if change.mode != nil { return .chmod }
        return .utimens
    }

    private func setSize(_ node: UInt32, _ size: UInt64, _ handle: UInt64?, kill: Bool, _ caller: Caller) throws(Errno)
    {
        guard size <= UInt64(Int64.max) else { throw .invalid }
        // truncate(2) walks its path again at ESTALE.
        if table.isLowerPassedThrough(node) { try supersede(node) }
        if let handle, let record = try? handles.record(handle), record.flags & HandleRecord.upper != 0, record.fd >= 0,
            record.openFlags & OpenFlags.accessMode != O_RDONLY
        {
            try keepingTime(of: node, FD(raw: record.fd)) { () throws(Errno) in
                try FD(raw: record.fd).truncate(Int64(size))
            }
            if kill { try dropSuidGid(FD(raw: record.fd), caller, .told) }
            return
        }
        let file = try openObject(node, O_WRONLY)
        let fd = file.fd
        try keepingTime(of: node, fd) { () throws(Errno) in try fd.truncate(Int64(size)) }
        if kill { try dropSuidGid(file.fd, caller, .told) }
    }

    /// An open file of the node's object as it is now.
    func openObject(_ node: UInt32, _ flags: Int32) throws(Errno) -> OwnedFD {
        let flags = flags | accessTimes.openFlags
        do throws(Errno) { return try openObjectAsAsked(node, flags) } catch {
            // O_NOATIME is for owners and CAP_FOWNER.
            guard error == .notPermitted, flags & OpenFlags.noAccessTime != 0 else { throw error }
            return try openObjectAsAsked(node, flags & ~OpenFlags.noAccessTime)
        }
    }

    private func openObjectAsAsked(_ node: UInt32, _ flags: Int32) throws(Errno) -> OwnedFD {
        let raw = try withObject(node) { (fd, name, layer) throws(Errno) in
            let file: OwnedFD
            if name.isEmpty {
                file = try fd.reopen(flags)
            } else if stack.hasUpper, layer == 0 {
                file = try fd.open(name, flags | O_NOFOLLOW)
            } else {
                // A lower layer's access times stay as they are.
                file = try fd.openQuietly(name, flags | O_NOFOLLOW)
            }
            return file.release()
        }
        return OwnedFD(adopting: raw.raw)
    }
}
