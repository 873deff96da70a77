internal import FuseKit
internal import Glibc
internal import LinuxSys

/// The kernel's writeback cache (FUSE_WRITEBACK_CACHE), for mounts that may not pass through: writes collect in the
/// page cache and come when they are flushed, by close(2) and fsync(2) at the latest, in pieces of up to `max_write`.
/// Sizes and times of regular files are then the kernel's own (fuse_get_cache_mask).
///
/// It differs from plain requests in three ways. To write a part of a page it reads the rest, through whichever open
/// file may write. It appends by itself, in any order. And what a file has on disk is not all that it has, as long as
/// somebody has it open for writing.
extension UnionFileSystem {
    /// An open for writing is one for reading too; what the kernel reads to fill a page is no read of its user's.
    func readableToo(_ flags: Int32) -> Int32 {
        flags & OpenFlags.accessMode == O_WRONLY
            ? flags & ~OpenFlags.accessMode | O_RDWR | OpenFlags.noAccessTime : flags
    }

    /// An open file for the data. `isDirect`: it can only be written directly, as we may not read it, or only append.
    func openBacking(_ node: UInt32, _ flags: Int32, isDirect: inout Bool) throws(Errno) -> OwnedFD {
        guard writesBack, flags & OpenFlags.accessMode != O_RDONLY else { return try openBacking(node, flags) }
        isDirect = table[node].flags.contains(.protected)
        do throws(Errno) { return try openBacking(node, flags) } catch {
            guard error == .accessDenied, flags & OpenFlags.accessMode == O_WRONLY else { throw error }
            isDirect = true
            return try openObject(node, flags & (OpenFlags.accessMode | O_SYNC | O_DSYNC))
        }
    }

    /// Immutable or append-only: what is held back could not be written any more, and the kernel does not write it
    /// first, as a disk's filesystem does. EOPNOTSUPP; who may set these flags may pass through, and has writeback only
    /// where it was asked for.
    func refuseToProtectUnwritten(_ flags: UInt32, isDirectory: Bool) throws(Errno) {
        if writesBack, !isDirectory, flags & Self.protectingFlags != 0 { throw .notSupported }
    }
    /// FS_IMMUTABLE_FL, FS_APPEND_FL. FS_XFLAG_IMMUTABLE and FS_XFLAG_APPEND have others.
    private static let protectingFlags: UInt32 = 0x30
    func refuseToProtectUnwritten(extended flags: UInt32, isDirectory: Bool) throws(Errno) {
        if writesBack, !isDirectory, flags & 0x18 != 0 { throw .notSupported }
    }

    /// The time of modification is the kernel's to say, by a SETATTR behind the data, and it says nothing where its
    /// clock, which goes in ticks, showed the same as in the reply to CREATE. What we write gives no other one, so that
    /// a file has the same time after a remount. An fstat(2) and an utimensat(2); none without writeback.
    func keepingTime<R>(
        of node: UInt32, _ fd: FD, if isHeld: Bool = true, _ body: () throws(Errno) -> R
    ) throws(Errno) -> R {
        guard writesBack, isHeld else { return try body() }
        return try times.holding(node) { () throws(Errno) in
            let before = try fd.status()
            let result = try body()
            try setTimes(fd, NameRef.empty, access: .omit, modification: before.mtime, isAppendOnly: before.isProtected)
            return result
        }
    }
    /// The kernel's own time, or a caller's: not while data are written whose time is put back.
    func settingTime(of node: UInt32, _ body: () throws(Errno) -> Void) throws(Errno) {
        if writesBack { try times.holding(node, body) } else { try body() }
    }

    /// An unlink(2), rename(2) or link(2) of a lower file makes the kernel write its times back, as it counts a new
    /// ctime (fuse_update_ctime): nothing to copy the file for.
    func timeAlreadyThere(_ node: UInt32, _ change: AttributeChange) throws(Errno) -> AttributeReply? {
        guard writesBack, !table[node].flags.contains(.upper), let mtime = change.mtime, change.isModificationTimeOnly
        else { return nil }
        let status = try objectStatus(node)
        return status.mtime == mtime ? AttributeReply(attributes: shown(status, node), seconds: policy.seconds) : nil
    }

    /// The kernel's own times of a file, or what utimensat(2) gave: an append-only file takes no other than the present
    /// one.
    func setTimes(
        _ fd: FD, _ name: NameRef, access: Timestamp, modification: Timestamp, isAppendOnly: Bool
    ) throws(Errno) {
        do throws(Errno) { try fd.setTimes(name, access: access, modification: modification) } catch {
            guard error == .notPermitted, writesBack, isAppendOnly else { throw error }
            try fd.setTimes(
                name, access: access == .omit ? .omit : .now, modification: modification == .omit ? .omit : .now)
        }
    }

    /// SEEK_DATA and SEEK_HOLE see what was written, and the kernel does not write what it holds back first
    /// (fuse_lseek). ENOSYS makes it answer by itself from then on, on the whole mount: all of a file is data.
    func refuseToSeekInUnwritten(_ handle: UInt64) throws(Errno) {
        if writesBack, handles.hasWriter(try handles.record(handle).node) { throw .notImplemented }
    }
}
