internal import LinuxSys

/// How whiteouts and opaque directories are written: as OCI's layer specification has them in archives (layer.md), and as the mount reads them on the disk.
enum LayerForm {
    static let whiteoutPrefix = Array(".wh.".utf8)
    static let metadataPrefix = Array(".wh..wh.".utf8)
    static let opaqueName = Array(".wh..wh..opq".utf8)

    /// `trusted.` where that is ours to write: not in a user namespace.
    static let usesTrusted = Process.isInInitialUserNamespace && Process.hasCapability(Capability.sysAdmin)
    /// A layer's files have owners of their own where there is more than one user to own them.
    static let keepsOwners = Process.effectiveUser == 0 && UserNamespace.userCount > 1
    private static func opaqueAttribute() -> NameRef { usesTrusted ? NameRef("trusted.overlay.opaque") : NameRef("user.overlay.opaque") }

    static func markOpaque(_ directory: FD) throws(Errno) { try directory.setXattr(NameRef.empty, opaqueAttribute(), text: "y") }

    static func isOpaque(_ directory: FD) throws(Errno) -> Bool {
        for attribute in [NameRef("trusted.overlay.opaque"), NameRef("user.overlay.opaque"), NameRef("user.fuseoverlayfs.opaque")] {
            do throws(Errno) { if try directory.xattrFirstByte(NameRef.empty, attribute) == UInt8(ascii: "y") { return true } } catch {
                if error != .notSupported && error != .notPermitted { throw error }
            }
        }
        do throws(Errno) {
            _ = try directory.status(NameRef(".wh..wh..opq"))
            return true
        } catch { return false }
    }

    /// 0/0, or where that may not be made `.wh.NAME`.
    static func makeWhiteout(_ name: FileName, in directory: FD) throws(Errno) {
        do throws(Errno) { try name.withRef { (n) throws(Errno) in try directory.makeNode(n, mode: 0o020000) } } catch {
            guard error == .notPermitted else { throw error }
            let marker = FileName(bytes: whiteoutPrefix + name.bytes)
            _ = try marker.withRef { (n) throws(Errno) in try directory.open(n, 0o301, mode: 0o600) }
        }
    }
    static func isWhiteout(_ status: FileStatus) -> Bool { status.isCharacter && status.rdev == 0 }

    /// Attributes by which overlay filesystems keep their own accounts: never taken from an archive, which could point anywhere with them, and never put into one.
    static func isPrivate(_ attribute: FileName) -> Bool {
        ["trusted.overlay.", "user.overlay.", "user.fuseoverlayfs."].contains { attribute.bytes.starts(with: $0.utf8) }
    }
}
