internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore

/// Extended attributes: the object's own, without overlay's, and overlay's of a nested union escaped.
extension UnionFileSystem {
    func serveGetxattr(_ node: UInt64, _ name: NameRef, into buffer: MutableBytes) throws(Errno) -> Int {
        let node = try table.node(node)
        if stack.options.noXattrs { throw .notSupported }
        let isACL = name.hasPrefix("system.posix_acl_")
        if isACL, stack.options.noACL { throw .notSupported }
        if isACL, !owners.isIdentity { return try getMappedACL(node, name, into: buffer) }
        do throws(Errno) {
            let length = try withObject(node) { (fd, object, _) throws(Errno) in
                try stack.visibility.withLayerName(name) { (attribute) throws(Errno) in
                    try fd.getXattr(object, attribute, into: buffer)
                }
            }
            guard let length else { throw Errno.noData }
            return length
        } catch {
            // A lower filesystem without ACLs has none; "not supported" would make open(2) fail.
            if error == .notSupported, isACL { throw .noData }
            throw error
        }
    }

    /// Those whom it names are others in the mount than in the layers.
    private func getMappedACL(_ node: UInt32, _ name: NameRef, into buffer: MutableBytes) throws(Errno) -> Int {
        let value: [UInt8]? = try withObject(node) { (fd, object, layer) throws(Errno) in
            guard let kept = try fd.xattrIfPresent(object, name) else { return nil }
            return stack.storedACL(kept, layer: layer)
        }
        guard let value else { throw .noData }
        let seen = owners.seen(acl: value)
        if buffer.count == 0 { return seen.count }
        if seen.count > buffer.count { throw .range }
        return buffer.copy(seen)
    }
    private func setACL(_ fd: FD, _ object: NameRef, _ name: NameRef, _ value: Bytes, _ flags: UInt32) throws(Errno) {
        if owners.isIdentity { return try fd.setXattr(object, name, value, flags: Int32(bitPattern: flags)) }
        guard let stored = owners.stored(acl: value.array) else { throw .invalid }
        try fd.setXattr(object, name, stored, flags: Int32(bitPattern: flags))
    }

    func serveListxattr(_ node: UInt64, into buffer: MutableBytes, _ caller: Caller) throws(Errno) -> Int {
        let node = try table.node(node)
        if stack.options.noXattrs { throw .notSupported }
        let names = try withObject(node) { (fd, object, _) throws(Errno) in try fd.listXattrs(object) }
        var shown: [UInt8] = []
        // Asked for the first such name; most objects have none.
        var seesTrusted: Bool?
        names.forEachName { attribute in
            if attribute.hasPrefix("trusted.") {
                if seesTrusted == nil { seesTrusted = self.seesTrusted(caller) }
                if seesTrusted == false { return }
            }
            switch stack.visibility.shown(attribute) {
            case .same: shown.append(contentsOf: attribute.bytes + [0])
            case .unescaped(let drop, let prefix):
                shown.append(
                    contentsOf: attribute.bytes.prefix(prefix) + attribute.bytes.dropFirst(prefix + drop) + [0])
            case .hidden: break
            }
        }
        if buffer.count == 0 { return shown.count }
        if shown.count > buffer.count { throw .range }
        return buffer.copy(shown)
    }

    func serveSetxattr(
        _ node: UInt64, _ name: NameRef, _ value: Bytes, flags: UInt32, killSuidGid: Bool, _ caller: Caller
    ) throws(Errno) {
        let node = try table.node(node)
        if stack.options.noXattrs { throw .notSupported }
        let isACL = name.hasPrefix("system.posix_acl_")
        if isACL, stack.options.noACL { throw .notSupported }
        try ensureUpper(node, isACL ? .acl : .setxattr)
        let done: Void? = try withObject(node) { (fd, object, _) throws(Errno) in
            try stack.visibility.withLayerName(name) { (attribute) throws(Errno) in
                if isACL {
                    try setACL(fd, object, attribute, value, flags)
                } else {
                    do throws(Errno) {
                        try fd.setXattr(object, attribute, value, flags: Int32(bitPattern: flags))
                    } catch {
                        guard error == .exists, caller.isResent, Inflight.isDone else { throw error }
                    }
                    Inflight.noteDone()
                }
                // An ACL set by somebody outside the group takes the setgid bit away (FUSE_SETXATTR_ACL_KILL_SGID). The
                // kernel says so with default ACLs too, which change no mode (fuse_set_acl, posix_acl_update_mode).
                guard killSuidGid, name.equals("system.posix_acl_access") else { return }
                let status = try stack.status(fd, object, layer: 0)
                if status.mode & UInt32(S_ISGID) != 0 {
                    try stack.changeMode(fd, object, status.permissions & ~UInt32(S_ISGID))
                }
            }
        }
        if done == nil { throw .notPermitted }
        // The attributes may take another block, and the kernel thinks of ctime alone (fuse_update_ctime).
        attributesChanged(node)
        noteChanged(node)
    }

    func serveRemovexattr(_ node: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        let node = try table.node(node)
        if stack.options.noXattrs { throw .notSupported }
        if caller.isResent, Inflight.isDone { return }
        if !table[node].flags.contains(.upper) {
            // Nothing to remove is no reason to copy (ovl_xattr_set).
            let isThere = try withObject(node) { (fd, object, _) throws(Errno) in
                try stack.visibility.withLayerName(name) { (attribute) throws(Errno) in
                    try fd.getXattr(object, attribute, into: MutableBytes.none)
                }
            }
            guard isThere != nil else { throw .noData }
        }
        try ensureUpper(node, name.hasPrefix("system.posix_acl_") ? .acl : .removexattr)
        let done: Void? = try withObject(node) { (fd, object, _) throws(Errno) in
            try stack.visibility.withLayerName(name) { (attribute) throws(Errno) in
                try fd.removeXattr(object, attribute)
            }
        }
        if done == nil { throw .noData }
        Inflight.noteDone()
        attributesChanged(node)
        noteChanged(node)
        if caller.uid == 0, name.equals("security.capability") { table.noteLostCapabilities(node) }
    }
}
