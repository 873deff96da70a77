internal import LinuxSys

/// `workdir/work/incompat/volatile/dirty`, as overlayfs has it (ovl_create_volatile_dirty): while it is there nothing
/// was synced, and neither we (LayerValidation) nor the kernel's overlayfs mount the upper layer again.
///
/// Overlayfs leaves it for ever. We take it away at an unmount in order: what was written is in the page cache then, as
/// any program's files are that did not call fsync(2).
enum VolatileMarker {
    static func set(_ work: FD) throws(Errno) {
        try make(work, NameRef("incompat"))
        let incompat = try work.openDirectory(NameRef("incompat"))
        try make(incompat.fd, NameRef("volatile"))
        let volatile = try incompat.fd.openDirectory(NameRef("volatile"))
        do throws(Errno) { try volatile.fd.makeNode(NameRef("dirty"), mode: 0o100600) } catch {
            if error != .exists { throw error }
        }
    }

    static func clear(_ work: FD) throws(Errno) {
        let incompat = try work.openDirectory(NameRef("incompat"))
        let volatile = try incompat.fd.openDirectory(NameRef("volatile"))
        try volatile.fd.unlink(NameRef("dirty"))
        try incompat.fd.removeDirectory(NameRef("volatile"))
        try work.removeDirectory(NameRef("incompat"))
    }

    private static func make(_ directory: FD, _ name: NameRef) throws(Errno) {
        do throws(Errno) { try directory.makeDirectory(name, mode: 0o700) } catch {
            if error != .exists { throw error }
        }
    }
}
