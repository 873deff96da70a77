internal import Glibc
internal import LinuxSys

/// A layer's files, held open.
final class LayerTree: Sendable {
    private let directory: OwnedFD
    var fd: FD { directory.fd }
    init(_ directory: consuming OwnedFD) { self.directory = directory }

    /// A directory that a layer's archive has things in and does not have itself is as the layers below have it: owner,
    /// mode, attributes and times. A mount would show the uppermost one's, and nobody has said what that is.
    /// - Parameter path: "." is the root.
    static func giveAttributes(_ path: FileName, in layer: FD, from below: [LayerTree]) throws(StoreError) {
        do throws(Errno) {
            for tree in below {
                guard try has(path, tree.fd) else { continue }
                // ENOTDIR or ELOOP for a whiteout, a file, a symlink: what is below that is not seen.
                let source = try path.withRef { (p) throws(Errno) in
                    try tree.fd.openBeneath(p, O_RDONLY | OpenFlags.directory)
                }
                let status = try source.fd.status()
                let target = try path.withRef { (p) throws(Errno) in
                    try layer.openBeneath(p, O_RDONLY | OpenFlags.directory)
                }
                if LayerForm.keepsOwners { try target.fd.changeOwner(NameRef.empty, uid: status.uid, gid: status.gid) }
                var names: [FileName] = []
                try source.fd.listXattrs(NameRef.empty).forEachName { (name) throws(Errno) in names.append(name.owned) }
                for name in names where !LayerForm.isPrivate(name) {
                    try name.withRef { (n) throws(Errno) in
                        guard let value = try source.fd.xattrIfPresent(NameRef.empty, n) else { return }
                        do throws(Errno) { try target.fd.setXattr(NameRef.empty, n, value) } catch {
                            if error != .notPermitted && error != .notSupported { throw error }
                        }
                    }
                }
                try target.fd.changeMode(NameRef.empty, status.permissions)
                try target.fd.setTimes(NameRef.empty, access: status.mtime, modification: status.mtime)
                return
            }
        } catch { if error != .notDirectory && error != .loop { throw StoreError(error, doing: "\"\(path)\"") } }
    }
    private static func has(_ path: FileName, _ tree: FD) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try path.withRef { (p) throws(Errno) in try tree.openBeneath(p, OpenFlags.path | O_NOFOLLOW) }
            return true
        } catch {
            if error == .noEntry { return false }
            throw error
        }
    }
}
