internal import Glibc
public import LinuxSys

/// Immutable and append-only objects (chattr(1)). Here they are that in the upper layer itself, whose filesystem
/// refuses what it must. The kernel's overlayfs, since 5.14, notes them as `overlay.protattr` (`i`, `a`) and refuses by
/// itself (ovl_check_protattr, ovl_set_protattr). It understands both.
extension LayerStack {
    /// What the kernel only noted becomes true of the upper object. The note stays: each look finds it done and does
    /// nothing.
    func adoptProtection(_ directory: FD, _ name: NameRef) {
        do throws(Errno) {
            guard let noted = try directory.xattrIfPresent(name, OverlayXattr.protattr.name(xattrs)) else { return }
            let flags = Self.flags(noted)
            let status = try directory.status(name)
            guard flags != 0, status.isRegular || status.isDirectory else { return }
            // FS_IMMUTABLE_FL and FS_APPEND_FL have the values of STATX_ATTR_IMMUTABLE and _APPEND.
            if UInt32(truncatingIfNeeded: status.attributes) & flags == flags { return }
            let object =
                try name.isEmpty ? directory.reopen(O_RDONLY) : directory.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            try object.fd.setFileFlags(try object.fd.fileFlags() | flags)
        } catch {
            // Without CAP_LINUX_IMMUTABLE, which who noted it had: seen as it is.
        }
    }

    /// FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR on an upper object: what the kernel noted goes, as the object says it
    /// itself from now on. An immutable object gives up no attribute, so the flags go first.
    public func changeFlags(of file: FD, _ change: () throws(Errno) -> Void) throws(Errno) {
        let name = OverlayXattr.protattr.name(xattrs)
        if try file.xattrFirstByte(NameRef.empty, name) != nil {
            let flags = try file.fileFlags()
            try file.setFileFlags(flags & ~Self.protection)
            do throws(Errno) {
                try file.removeXattr(NameRef.empty, name)
                try change()
            } catch {
                do throws(Errno) { try file.setFileFlags(flags) } catch {}
                throw error
            }
        } else {
            try change()
        }
    }

    /// FS_IMMUTABLE_FL | FS_APPEND_FL.
    private static let protection: UInt32 = 0x30
    private static func flags(_ noted: [UInt8]) -> UInt32 {
        var flags: UInt32 = 0
        for byte in noted {
            switch byte {
            case UInt8(ascii: "i"): flags |= 0x10
            case UInt8(ascii: "a"): flags |= 0x20
            // Of a later kernel: ovl_check_protattr ends there, too.
            default: return flags
            }
        }
        return flags
    }
}
