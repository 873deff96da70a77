internal import LinuxSys

/// How whiteouts and opaque directories are written: as OCI's layer specification has them in archives (layer.md), and
/// as the mount reads them on the disk.
enum LayerForm {
    static let whiteoutPrefix = Array(".wh.".utf8)
    static let metadataPrefix = Array(".wh..wh.".utf8)
    static let opaqueName = Array(".wh..wh..opq".utf8)

    /// `trusted.` where that is ours to write: not in a user namespace.
    static let usesTrusted = Process.isInInitialUserNamespace && Process.hasCapability(Capability.sysAdmin)
    /// A layer's files have owners of their own where there is more than one user to own them.
    static let keepsOwners = Process.effectiveUser == 0 && UserNamespace.userCount > 1
    private static func opaqueAttribute() -> NameRef {
        usesTrusted ? NameRef("trusted.overlay.opaque") : NameRef("user.overlay.opaque")
    }

    static func markOpaque(_ directory: FD) throws(Errno) {
        try directory.setXattr(NameRef.empty, opaqueAttribute(), text: "y")
    }

    static func isOpaque(_ directory: FD) throws(Errno) -> Bool {
        for attribute in [
            NameRef("trusted.overlay.opaque"), NameRef("user.overlay.opaque"), NameRef("user.fuseoverlayfs.opaque"),
        ] {
            do throws(Errno) {
                if try directory.xattrFirstByte(NameRef.empty, attribute) == UInt8(ascii: "y") { return true }
            } catch {
                if error != .notSupported && error != .notPermitted { throw error }
            }
        }
        do throws(Errno) {
            _ = try directory.status(NameRef(".wh..wh..opq"))
            return true
        } catch { return false }
    }

    /// 0/0; where that may not be made, `.wh.NAME`; and where that is a marker itself, as on a union of ours, an empty
    /// file with `overlay.whiteout` in a directory that says so.
    static func makeWhiteout(_ name: FileName, in directory: FD) throws(Errno) {
        do throws(Errno) {
            return try name.withRef { (n) throws(Errno) in try directory.makeNode(n, mode: 0o020000) }
        } catch {
            guard error == .notPermitted else { throw error }
        }
        do throws(Errno) {
            let marker = FileName(bytes: whiteoutPrefix + name.bytes)
            _ = try marker.withRef { (n) throws(Errno) in try directory.open(n, 0o301, mode: 0o600) }
            return
        } catch {
            guard error == .invalid else { throw error }
        }
        if try !isOpaque(directory) { try directory.setXattr(NameRef.empty, opaqueAttribute(), text: "x") }
        try name.withRef { (n) throws(Errno) in
            _ = try directory.open(n, 0o301, mode: 0o600)
            try directory.setXattr(
                n, usesTrusted ? NameRef("trusted.overlay.whiteout") : NameRef("user.overlay.whiteout"), text: "y")
        }
    }
    static func mayHaveAttributeWhiteouts(_ directory: FD) throws(Errno) -> Bool {
        for attribute in [NameRef("trusted.overlay.opaque"), NameRef("user.overlay.opaque")] {
            do throws(Errno) { if try directory.xattrFirstByte(NameRef.empty, attribute) != nil { return true } } catch
            {
                if error != .notSupported && error != .notPermitted { throw error }
            }
        }
        return false
    }
    /// By a device, or by an attribute of an empty file in a directory that says that it has such (overlayfs.rst,
    /// "xattr whiteouts"). `.wh.NAME` is another name.
    static func isWhiteout(_ status: FileStatus, _ name: FileName, in directory: FD) throws(Errno) -> Bool {
        if status.isCharacter { return status.rdev == 0 }
        guard status.isRegular, status.size == 0 else { return false }
        return try name.withRef { (n) throws(Errno) in
            for (whiteout, opaque) in [
                (NameRef("trusted.overlay.whiteout"), NameRef("trusted.overlay.opaque")),
                (NameRef("user.overlay.whiteout"), NameRef("user.overlay.opaque")),
            ] {
                do throws(Errno) {
                    if try directory.xattrIfPresent(n, whiteout) != nil,
                        try directory.xattrFirstByte(NameRef.empty, opaque) != nil
                    {
                        return true
                    }
                } catch {
                    // Without such attributes there are no such whiteouts. Gone meanwhile.
                    if error != .notSupported && error != .notPermitted && error != .noEntry { throw error }
                }
            }
            return false
        }
    }

    /// Attributes by which overlay filesystems keep their own accounts: never taken from an archive, which could point
    /// anywhere with them, and never put into one.
    static func isPrivate(_ attribute: FileName) -> Bool {
        ["trusted.overlay.", "user.overlay.", "user.fuseoverlayfs."].contains { attribute.bytes.starts(with: $0.utf8) }
    }
}
